//! `vipctl check`: reads a configuration as the daemons would, and asks none of them.

use std::path::Path;

use vipkit_config::Credentials;

use super::Context;
use crate::failure::{Exit, Failure};
use crate::render;
use crate::render::check::Checked;

pub fn run(context: &Context, file: &Path) -> Result<Exit, Failure> {
    let checked = Checked::new(file, &vipkit_config::load(file, Credentials::Unread));
    context.print(&checked, |checked| render::check::check(checked, context.places(), context.style))?;
    Ok(if checked.good { Exit::Good } else { Exit::Bad })
}
