//! `vipctl vrrp`: asks vrrpd for its instances, or for one.

use std::time::SystemTime;

use vipkit_control::client::ClientError;
use vipkit_control::vrrp::{self, GetParameters, GetReply, NO_SUCH_INSTANCE, NoSuchInstance};

use super::Context;
use crate::daemons::{self, VRRPD};
use crate::failure::{Exit, Failure};
use crate::render;

pub fn run(context: &Context, name: Option<&str>, all: bool) -> Result<Exit, Failure> {
    let target = VRRPD.target();
    let mut client = target.connect(context.timeout)?;
    let instances = match name {
        None => daemons::instances(&mut client),
        Some(name) => client
            .call(vrrp::GET, &GetParameters { name: name.to_owned() })
            .map(|GetReply { instance }| vec![instance]),
    };
    let instances =
        instances.map_err(|error| no_such_instance(&error).unwrap_or_else(|| target.failure(error)))?;
    context.print(&render::vrrp::json(&instances), |_| {
        render::vrrp::instances(&instances, all, SystemTime::now(), context.style)
    })?;
    Ok(Exit::Good)
}

fn no_such_instance(error: &ClientError) -> Option<Failure> {
    let ClientError::Refused(refusal) = error else { return None };
    if refusal.name != NO_SUCH_INSTANCE {
        return None;
    }
    let NoSuchInstance { name, known } = refusal.decode().ok()?;
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Some(Failure::NoSuchInstance { name, known })
}
