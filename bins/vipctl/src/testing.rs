//! What the tests of this crate look at: objects, and what was seen of the daemons that keep them.

mod objects;

use std::time::SystemTime;

use vipkit_control::health::Check;
use vipkit_control::ipvs::Service;
use vipkit_control::vrrp::Instance;

use crate::daemons::{Report, Seen};
use crate::failure::{Sign, Unreachable};

pub use objects::*;

/// When it is.
pub fn now() -> SystemTime {
    humantime::parse_rfc3339("2026-02-03T03:00:00Z").unwrap()
}

/// The lines that are too wide, unless a single word or command makes them so.
pub fn too_wide(text: &str) -> Vec<&str> {
    const WIDTH: usize = 80;
    /// What may stand before such a word.
    const BEFORE: usize = 25;
    let is_long = |line: &&str| {
        let mut quoted = false;
        let words = line.split(|c| {
            quoted ^= c == '`';
            c == ' ' && !quoted
        });
        words.map(|word| word.chars().count()).max() > Some(WIDTH - BEFORE)
    };
    text.lines().filter(|line| line.chars().count() > WIDTH && !is_long(line)).collect()
}

fn seen(name: &'static str, seen: Result<Seen, Unreachable>) -> Report {
    Report { name, socket: format!("/run/vipkit/{name}.sock").into(), seen }
}

pub fn report(instances: Vec<Instance>) -> Report {
    seen("vrrpd", Ok(Seen::Vrrp { daemon: daemon(), instances }))
}

pub fn health_report(checks: Vec<Check>) -> Report {
    seen("healthcheckd", Ok(Seen::Health { daemon: health_daemon(), checks }))
}

pub fn ipvs_report(services: Vec<Service>) -> Report {
    seen("ipvs-sync", Ok(Seen::Ipvs { daemon: ipvs_daemon(), services }))
}

pub fn unreachable() -> Report {
    seen("vrrpd", Err(gone("vrrpd", Sign::Nothing)))
}

pub fn gone(name: &str, sign: Sign) -> Unreachable {
    let what = format!("{name} is not running: there is no /run/vipkit/{name}.sock");
    Unreachable { what, remedy: format!("`systemctl start {name}`"), sign }
}
