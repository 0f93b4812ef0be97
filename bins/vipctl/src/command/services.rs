//! `vipctl services`: asks ipvs-sync for its services, or for one.

use std::time::SystemTime;

use super::{Context, objects};
use crate::daemons::ipvs_sync;
use crate::failure::{Exit, Failure};
use crate::render::services;

pub fn run(context: &Context, name: Option<&str>) -> Result<Exit, Failure> {
    let all = objects(context, &ipvs_sync::ROW, name)?;
    let now = SystemTime::now();
    context.print(&services::json(&all), |_| match (name, &all[..]) {
        (Some(_), [one]) => services::service(one, now, context.style),
        _ => services::services(&all, now, context.style),
    })?;
    Ok(Exit::Good)
}
