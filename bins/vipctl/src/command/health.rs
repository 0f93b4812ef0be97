//! `vipctl health`: asks healthcheckd for its checks, or for one; has one run, disabled or enabled, or tells it its
//! verdict.

use std::time::{Duration, SystemTime};

use serde::Serialize;
use vipkit_control::client::{Client, ClientError};
use vipkit_control::common::GetParameters;
use vipkit_control::error::Error;
use vipkit_control::health::{
    self, BAD_VALUE, BadValue, Check, DISABLE, Done, ENABLE, NOT_ALLOWED, NOT_EXTERNAL, NotAllowed,
    NotExternal, RUN, RunReply, SET, SetParameters, State,
};

use super::{Context, no_such, objects};
use crate::cli::{Health, Told};
use crate::daemons::{healthcheckd, object};
use crate::failure::{Exit, Failure, permission_denied};
use crate::render::checks::{self, Choice};

pub fn show(context: &Context, name: Option<&str>, choice: Choice) -> Result<Exit, Failure> {
    let found: Vec<Check> = objects(context, &healthcheckd::ROW, name)?;
    let now = SystemTime::now();
    context.print(&checks::json(&choice.of(&found)), |_| match (name, &found[..]) {
        (Some(_), [one]) => checks::check(one, now, context.style),
        _ => checks::checks(&found, choice, now, context.style),
    })?;
    Ok(Exit::Good)
}

pub fn act(context: &Context, action: &Health) -> Result<Exit, Failure> {
    match action {
        Health::Run { name } => run(context, name),
        Health::Set { name, told, ttl } => {
            let Told { judged, weight } = *told;
            let ttl_seconds = ttl.map(|ttl| ttl.as_secs_f64());
            let asked = SetParameters { name: name.clone(), judged, weight, ttl: ttl_seconds };
            change(context, name, SET, &asked, |check| checks::told(check, *ttl, context.style))
        }
        Health::Enable { name } => switch(context, name, ENABLE),
        Health::Disable { name } => switch(context, name, DISABLE),
    }
}

/// Each part is waited for as long as it may take.
fn run(context: &Context, name: &str) -> Result<Exit, Failure> {
    let found: Vec<Check> = objects(context, &healthcheckd::ROW, Some(name))?;
    let seconds = found.iter().flat_map(|check| &check.runs).map(|part| part.timeout).sum();
    let patience = context.timeout + Duration::try_from_secs_f64(seconds).unwrap_or_default();
    let asked = GetParameters { name: name.to_owned() };
    let ran: RunReply = ask(patience, |client| client.call(RUN, &asked))?;
    context.print(&ran, |ran| checks::reports(&ran.reports, context.style))?;
    let passed = ran.reports.iter().all(|report| report.state == State::Up);
    Ok(if passed { Exit::Good } else { Exit::Bad })
}

fn switch(context: &Context, name: &str, method: &str) -> Result<Exit, Failure> {
    let asked = GetParameters { name: name.to_owned() };
    change(context, name, method, &asked, |check| checks::enabling(check, context.style))
}

/// Changes something about a check, and shows what holds then.
fn change(
    context: &Context,
    name: &str,
    method: &str,
    asked: &impl Serialize,
    text: impl FnOnce(&Check) -> String,
) -> Result<Exit, Failure> {
    let check = ask(context.timeout, |client| {
        let Done {} = client.call(method, asked)?;
        object::get::<Check>(client, name)
    })?;
    context.print(&health::GetReply { check }, |reply| text(&reply.check))?;
    Ok(Exit::Good)
}

fn ask<T>(
    timeout: Duration,
    question: impl FnOnce(&mut Client) -> Result<T, ClientError>,
) -> Result<T, Failure> {
    let target = healthcheckd::ROW.target();
    let mut client = target.connect(timeout)?;
    question(&mut client).map_err(|error| {
        let known = match &error {
            ClientError::Refused(refusal) => no_such::<Check>(&error).or_else(|| denied(refusal)),
            _ => None,
        };
        known.unwrap_or_else(|| target.failure(error))
    })
}

/// What an error of the daemon means to who gave the command, and what helps.
fn denied(error: &Error) -> Option<Failure> {
    let (what, remedy) = match error.name.as_str() {
        NOT_EXTERNAL => {
            let NotExternal { name, kind } = error.decode().ok()?;
            (
                format!("{name} is a check of type {kind}: it finds its verdict itself"),
                format!(
                    "only a check of type external is set; to have this one not run: `vipctl health disable {name}`"
                ),
            )
        }
        NOT_ALLOWED => {
            let NotAllowed { name, needed } = error.decode().ok()?;
            (
                format!("you may not set {name}: it takes {}", needed.join(", ")),
                format!("be one of them, or name `user:YOU` in allow of [check.{name}]"),
            )
        }
        BAD_VALUE => {
            let BadValue { what, hint } = error.decode().ok()?;
            (what, hint)
        }
        _ => permission_denied(error)?,
    };
    Some(Failure::Denied { what, remedy })
}
