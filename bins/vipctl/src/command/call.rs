//! `vipctl call`: any method of any socket, for scripts and for looking closer.

use std::io;

use serde_json::{Map, Value};

use super::{Context, write};
use crate::failure::{Exit, Failure};
use crate::link::Target;
use crate::render::json;

pub fn run(
    context: &Context,
    socket: &str,
    method: &str,
    parameters: &Map<String, Value>,
    more: bool,
) -> Result<Exit, Failure> {
    let target = Target::parse(socket);
    let mut client = target.connect(context.timeout)?;
    let failed = |error| target.failure(error);
    if more {
        for reply in client.more::<_, Value>(method, parameters).map_err(failed)? {
            print(context, &reply.map_err(failed)?)?;
        }
    } else {
        print(context, &client.call(method, parameters).map_err(failed)?)?;
    }
    Ok(Exit::Good)
}

/// For a person on many lines, for a program on one.
fn print(context: &Context, reply: &Value) -> Result<(), Failure> {
    let is_for_people = context.terminal && !context.json;
    let text = if is_for_people { json::pretty(reply) } else { json::line(reply) };
    write(&text.map_err(io::Error::from)?)
}
