//! `vipctl status`: asks every daemon how it is.

use std::time::SystemTime;

use super::Context;
use crate::daemons::DAEMONS;
use crate::failure::{Exit, Failure};
use crate::{health, render};

pub fn run(context: &Context) -> Result<Exit, Failure> {
    let reports: Vec<_> = DAEMONS.iter().map(|daemon| daemon.report(context.timeout)).collect();
    context.print(&render::status::json(&reports), |_| {
        render::status::status(&reports, SystemTime::now(), context.style)
    })?;
    Ok(health::of_all(&reports).into())
}
