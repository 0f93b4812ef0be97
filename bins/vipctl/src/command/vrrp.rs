//! `vipctl vrrp`: asks vrrpd for its instances, or for one, with all addresses; and how it is itself.

use std::time::SystemTime;

use vipkit_control::vrrp::Instance;

use super::{Context, objects};
use crate::daemons::vrrpd;
use crate::failure::{Exit, Failure};
use crate::render::vrrp::{self, Extent};

pub fn run(context: &Context, name: Option<&str>, all: bool) -> Result<Exit, Failure> {
    let mut instances: Vec<Instance> = objects(context, &vrrpd::ROW, name)?;
    let daemon = vrrpd::ROW.ask(context.timeout, vrrpd::daemon)?;
    let target = vrrpd::ROW.target();
    let mut client = target.connect(context.timeout)?;
    let completed = instances.iter_mut().try_for_each(|instance| vrrpd::complete(&mut client, instance));
    completed.map_err(|error| target.failure(error))?;
    let extent = match (all, name) {
        (true, _) => Extent::All,
        (false, Some(_)) => Extent::One,
        (false, None) => Extent::Brief,
    };
    context.print(&vrrp::json(&daemon, &instances), |_| {
        vrrp::instances(&daemon, &instances, extent, SystemTime::now(), context.style)
    })?;
    Ok(Exit::Good)
}
