//! `vipctl vrrp`: asks vrrpd for its instances, or for one.

use std::time::SystemTime;

use super::{Context, objects};
use crate::daemons::vrrpd;
use crate::failure::{Exit, Failure};
use crate::render::vrrp;

pub fn run(context: &Context, name: Option<&str>, all: bool) -> Result<Exit, Failure> {
    let instances = objects(context, &vrrpd::ROW, name)?;
    context.print(&vrrp::json(&instances), |_| {
        vrrp::instances(&instances, all, SystemTime::now(), context.style)
    })?;
    Ok(Exit::Good)
}
