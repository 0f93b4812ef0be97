//! `PING_CHECK`: one ICMP echo request.

use std::net::SocketAddr;

use super::{Check, Draft, Kind, Near, Way, Written};
use crate::import::block::{Keyword, rows};
use crate::import::note::Notes;
use crate::import::said::Said;

/// A `PING_CHECK`.
#[derive(Debug)]
pub struct Ping {
    at: crate::import::note::Place,
}

/// Bytes of payload that keepalived sends.
const SIZE: u64 = 128;

const GROUPS: &str = "PING_CHECK: vipkit pings without privileges, which net.ipv4.ping_group_range must allow to \
                      healthcheckd's group; keepalived changes it by itself";

impl Written for Ping {
    const KEYWORDS: &'static [Keyword<Draft<Self>>] = &[rows(Draft::<Self>::PLAIN)];

    fn begin(said: &Said) -> Self {
        Self { at: said.at.clone() }
    }
}

impl Kind for Ping {
    fn connects(&self) -> bool {
        false
    }

    fn whole(
        self: Box<Self>,
        mut check: Check,
        way: Way,
        near: &Near<'_>,
        notes: &mut Notes,
    ) -> Option<Check> {
        notes.once(&self.at, GROUPS);
        let server = SocketAddr::V4(near.server).ip();
        let target = way.target.map(|target| target.ip()).filter(|ip| *ip != server);
        check.is("ping", way.keys_to(target.map(|ip| ip.to_string())));
        check.with("count", 1);
        check.with("size", SIZE);
        Some(check)
    }
}
