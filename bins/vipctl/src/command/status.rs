//! `vipctl status`: asks every daemon that there should be how it is.

use std::time::SystemTime;

use super::Context;
use crate::failure::{Exit, Failure};
use crate::{fleet, health, render};

pub fn run(context: &Context) -> Result<Exit, Failure> {
    let members = fleet::muster(context.timeout).into_iter();
    let reports: Vec<_> = members.map(|member| member.report(context.timeout)).collect();
    context.print(&render::status::json(&reports), |_| {
        render::status::status(&reports, SystemTime::now(), context.style)
    })?;
    Ok(health::of_all(&reports).into())
}
