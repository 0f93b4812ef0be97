//! `vipctl introspect`: what a socket says of itself.

use super::Context;
use crate::failure::{Exit, Failure};
use crate::link::Target;
use crate::render::introspect::{self, Interface};

pub fn run(context: &Context, socket: &str, interface: Option<&str>) -> Result<Exit, Failure> {
    let target = Target::parse(socket);
    let mut client = target.connect(context.timeout)?;
    let failed = |error| target.failure(error);
    let info = match interface {
        Some(_) => None,
        None => Some(client.info().map_err(failed)?),
    };
    let names = match (&info, interface) {
        (Some(info), _) => info.interfaces.clone(),
        (None, name) => name.into_iter().map(str::to_owned).collect(),
    };
    let mut interfaces = Vec::new();
    for name in names {
        let description = client.interface_description(&name).map_err(failed)?;
        interfaces.push(Interface { name, description });
    }
    context.print(&introspect::json(info.as_ref(), &interfaces), |_| {
        introspect::introspect(info.as_ref(), &interfaces, context.style)
    })?;
    Ok(Exit::Good)
}
