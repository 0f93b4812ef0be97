//! `vipctl services`: asks ipvs-sync for its services, or for one; and how it is itself, without which they may not be
//! understood.

use std::time::SystemTime;

use super::{Context, objects};
use crate::daemons::ipvs_sync;
use crate::failure::{Exit, Failure};
use crate::render::services;

pub fn run(context: &Context, name: Option<&str>) -> Result<Exit, Failure> {
    let all = objects(context, &ipvs_sync::ROW, name)?;
    let daemon = ipvs_sync::ROW.ask(context.timeout, ipvs_sync::daemon)?;
    let now = SystemTime::now();
    context.print(&services::json(&all), |_| match (name, &all[..]) {
        (Some(_), [one]) => services::service(&daemon, one, now, context.style),
        _ => services::services(&daemon, &all, now, context.style),
    })?;
    Ok(Exit::Good)
}
