//! `vipctl health`: asks healthcheckd for its checks, or for one.

use std::time::SystemTime;

use super::{Context, objects};
use crate::daemons::healthcheckd;
use crate::failure::{Exit, Failure};
use crate::render::checks;

pub fn run(context: &Context, name: Option<&str>, all: bool) -> Result<Exit, Failure> {
    let found = objects(context, &healthcheckd::ROW, name)?;
    let now = SystemTime::now();
    context.print(&checks::json(&found), |_| match (name, &found[..]) {
        (Some(_), [one]) => checks::check(one, now, context.style),
        _ => checks::checks(&found, all, now, context.style),
    })?;
    Ok(Exit::Good)
}
