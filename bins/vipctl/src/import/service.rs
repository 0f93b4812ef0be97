//! `virtual_server`: what keepalived makes of its keywords once all are read.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4};
use std::time::Duration;

use vipkit_core::ipvs::SCHEDULERS;

use super::block::{Cursor, Done, Keyword, block, flag, lost, value, values};
use super::check::{self, ALPHA, SPREAD, Timed, Timing};
use super::forward::{self, Forward, Forwards};
use super::note::{Later, Notes, Place, Refusal};
use super::said::Said;
use super::server::{self, Around, Server, WEIGHT_MAX};
use super::ssl::Ssl;

/// A service, as it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Where it begins.
    pub at: Place,
    /// What clients connect to.
    pub address: SocketAddrV4,
    /// "tcp" or "udp", and where it stands if it does.
    pub protocol: (&'static str, Option<Place>),
    /// A name that IPVS knows, and where it stands if it does.
    pub scheduler: (&'static str, Option<Place>),
    /// And where it stands if it does.
    pub forward: (Forward, Option<Place>),
    /// `persistence_timeout` and `persistence_granularity`.
    pub persistence: Option<(Duration, Option<Ipv4Addr>, Place)>,
    /// One at least.
    pub servers: Vec<Server>,
    /// For when all nodes are moved.
    pub later: Vec<Later>,
}

/// What is around a service.
pub struct Beside<'b> {
    /// `SSL`.
    pub ssl: &'b Ssl,
    /// `script_user`.
    pub user: Option<&'b str>,
}

/// What was said of a service.
#[derive(Default)]
struct Draft {
    protocol: Option<(Protocol, Place)>,
    scheduler: Option<(&'static str, Place)>,
    forward: Option<Forward>,
    forward_at: Option<Place>,
    persistence: Option<(u64, Place)>,
    granularity: Option<(Ipv4Addr, Place)>,
    weight: Option<(u64, Place)>,
    inhibit: bool,
    timing: Timing,
    virtualhost: Option<String>,
    servers: Vec<server::Draft>,
    later: Vec<Later>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Tcp,
    Udp,
    Sctp,
}

impl Timed for Draft {
    const RETRIES_MIN: u64 = 1;

    fn timing(&mut self) -> &mut Timing {
        &mut self.timing
    }
}

impl Forwards for Draft {
    fn forward(&mut self) -> (&mut Option<Forward>, &mut Vec<Later>) {
        (&mut self.forward, &mut self.later)
    }
}

const QUORUM: &str = "vipkit acts on each server alone, whatever the others do";
const SORRY: &str = "with no server up, vipkit's service has none: clients are refused";
const FLAGS: &str = "vipkit sets no flags of schedulers, and no engine of persistence";
const SCRIPTS: &str =
    "vipkit runs no scripts but of checks and sends no mail; `vipctl watch --json` tells of every change";
/// keepalived's default of `persistence_timeout`, seconds.
const PERSISTENCE: u64 = 360;
const PERSISTENCE_MAX: u64 = 31 * 24 * 60 * 60;

const KEYWORDS: &[Keyword<Draft>] = &[
    value(&["lvs_sched", "lb_algo"], scheduler),
    values(&["lvs_method", "lb_kind"], |draft, said, notes| {
        forward::set(draft, said, notes)?;
        draft.forward_at = draft.forward.is_some().then(|| said.at.clone());
        Ok(())
    }),
    value(&["protocol"], protocol),
    flag(&["persistence_timeout"], persistence),
    value(&["persistence_granularity"], granularity),
    value(&["weight"], |draft, said, notes| {
        let weight = said.number(0..=WEIGHT_MAX, notes)?;
        draft.weight = weight.map(|weight| (weight, said.at.clone())).or(draft.weight.take());
        Ok(())
    }),
    flag(&["inhibit_on_failure"], |draft, said, notes| {
        draft.inhibit = true;
        if !said.on() {
            notes.say(
                &said.at,
                "inhibit_on_failure of a virtual_server: keepalived ignores the value, so it is on",
            );
        }
        Ok(())
    }),
    value(&["delay_loop"], check::interval::<Draft>),
    value(&["connect_timeout"], check::timeout::<Draft>),
    value(&["retry"], check::retries::<Draft>),
    value(&["delay_before_retry"], check::retry_delay::<Draft>),
    block(&["real_server"], real_server),
    lost(&["quorum", "hysteresis", "quorum_up", "quorum_down"], QUORUM),
    lost(&["sorry_server", "sorry_server_inhibit", "sorry_server_lvs_method"], SORRY),
    lost(&["flag-1", "flag-2", "flag-3", "sh-port", "sh-fallback", "mh-port", "mh-fallback"], FLAGS),
    lost(&["persistence_engine", "ops", "hashed"], FLAGS),
    value(&["virtualhost"], |draft, said, _| {
        draft.virtualhost = Some(said.value().to_owned());
        Ok(())
    }),
    lost(&["ip_family", "snmp_name"], "vipkit has no use for it"),
    lost(&["ha_suspend"], "vipkit checks servers also while it does not hold the address"),
    lost(&["omega", "smtp_alert"], SCRIPTS),
    lost(&["warmup"], SPREAD),
    lost(&["alpha"], ALPHA),
];

/// Reads a service; none if it is one that vipkit cannot run, or that keepalived drops.
///
/// # Errors
/// It cannot be understood.
pub fn service(
    beside: &Beside<'_>,
    said: &Said,
    cursor: &mut Cursor<'_>,
    notes: &mut Notes,
) -> Result<Option<Service>, Refusal> {
    let kind = match said.value() {
        "group" => Some("a group"),
        "fwmark" => Some("a firewall mark"),
        address if address.parse::<Ipv6Addr>().is_ok() => Some("an IPv6 address"),
        _ => None,
    };
    if let Some(kind) = kind {
        notes
            .leave_out(&said.at, format!("{kind} is not supported yet: THIS virtual_server IS NOT IMPORTED"));
        cursor.values(notes);
        return Ok(None);
    }
    let (ip, port) = server::endpoint(said, &said.values)?;
    let Some(port) = port else {
        let what = format!("virtual_server {ip} is for all ports");
        return Err(Refusal::new(
            &said.at,
            what,
            "vipkit balances single ports: write one after the address",
        ));
    };
    let mut draft = Draft::default();
    cursor.block(KEYWORDS, &mut draft, notes)?;
    whole(draft, SocketAddrV4::new(ip, port), beside, said, notes)
}

fn whole(
    mut draft: Draft,
    address: SocketAddrV4,
    beside: &Beside<'_>,
    said: &Said,
    notes: &mut Notes,
) -> Result<Option<Service>, Refusal> {
    if draft.servers.is_empty() {
        notes
            .leave_out(&said.at, format!("virtual_server {address} has no real_server: keepalived drops it"));
        return Ok(None);
    }
    let Some(protocol) = draft.protocol(said, notes) else { return Ok(None) };
    let forward = draft.forward.unwrap_or(Forward::Nat);
    let around = Around {
        port: address.port(),
        weight: draft.weight.as_ref(),
        forward,
        inhibit: draft.inhibit,
        timing: &draft.timing,
        virtualhost: draft.virtualhost.as_deref(),
        beside,
    };
    let mut servers: Vec<Server> = Vec::new();
    let mut seen = BTreeSet::new();
    for server in draft.servers {
        let server = server.whole(&around, notes)?;
        if seen.insert(server.address) {
            servers.push(server);
        } else {
            notes.say(
                &server.at,
                format!("real_server {} is there already: keepalived drops it", server.address),
            );
        }
    }
    one_way_to_fail(&servers)?;
    let scheduler = match draft.scheduler {
        Some((name, at)) => weighing(name, at, &servers, notes, &mut draft.later),
        None => ("wlc", None),
    };
    let persistence = persisted(draft.persistence, draft.granularity);
    let forward = (forward, draft.forward_at);
    Ok(Some(Service {
        at: said.at.clone(),
        address,
        protocol,
        scheduler,
        forward,
        persistence,
        servers,
        later: draft.later,
    }))
}

impl Draft {
    /// None, with a note, if vipkit cannot balance it.
    fn protocol(&mut self, said: &Said, notes: &mut Notes) -> Option<(&'static str, Option<Place>)> {
        match self.protocol.take() {
            Some((Protocol::Tcp, at)) => Some(("tcp", Some(at))),
            Some((Protocol::Udp, at)) => Some(("udp", Some(at))),
            Some((Protocol::Sctp, at)) => {
                notes.leave_out(&at, "SCTP is not supported: THIS virtual_server IS NOT IMPORTED");
                None
            }
            None => {
                let now = "no protocol: keepalived balances UDP";
                let line = "protocol = \"tcp\"";
                let applied = notes.doubt(&said.at, now, "TCP", line, &mut self.later);
                Some((if applied { "tcp" } else { "udp" }, None))
            }
        }
    }
}

/// What becomes of a server that is down is said once for all of a service.
fn one_way_to_fail(servers: &[Server]) -> Done {
    let first = servers.first().map(|server| server.quiesce);
    match servers.iter().find(|server| Some(server.quiesce) != first) {
        None => Ok(()),
        Some(other) => {
            let what = "inhibit_on_failure differs between the servers of a virtual_server";
            Err(Refusal::new(&other.at, what, "vipkit has one on_failure for a service: say the same of all"))
        }
    }
}

/// The scheduler; a note if it does not look at weights that differ.
fn weighing(
    name: &'static str,
    at: Place,
    servers: &[Server],
    notes: &mut Notes,
    later: &mut Vec<Later>,
) -> (&'static str, Option<Place>) {
    let mut weights = servers.iter().map(|server| server.weight.0).filter(|weight| *weight > 0);
    let first = weights.next();
    let differ = weights.any(|weight| Some(weight) != first);
    let weighs = match name {
        "rr" => Some("wrr"),
        "lc" => Some("wlc"),
        _ => None,
    };
    let Some(weighs) = weighs.filter(|_| differ) else { return (name, Some(at)) };
    let now = format!("{name} ignores weights: all servers get the same share, though their weights differ");
    let applied = notes.doubt(&at, now, weighs, format!("scheduler = \"{weighs}\""), later);
    (if applied { weighs } else { name }, Some(at))
}

fn persisted(
    timeout: Option<(u64, Place)>,
    granularity: Option<(Ipv4Addr, Place)>,
) -> Option<(Duration, Option<Ipv4Addr>, Place)> {
    let netmask = granularity.as_ref().map(|(netmask, _)| *netmask);
    // A netmask alone makes a service persistent too.
    let (seconds, at) = timeout.or_else(|| granularity.map(|(_, at)| (PERSISTENCE, at)))?;
    Some((Duration::from_secs(seconds), netmask, at))
}

fn scheduler(draft: &mut Draft, said: &Said, notes: &mut Notes) -> Done {
    let find = |same: &dyn Fn(&str) -> bool| SCHEDULERS.iter().map(|(name, _)| *name).find(|name| same(name));
    if let Some(name) = find(&|name| name == said.value()) {
        draft.scheduler = Some((name, said.at.clone()));
        return Ok(());
    }
    let now = format!("{} {} is no scheduler: keepalived ignores it, and runs wlc", said.name, said.value());
    match find(&|name| name.eq_ignore_ascii_case(said.value())) {
        None => notes.say(&said.at, now),
        Some(name) => {
            if notes.doubt(&said.at, now, name, format!("scheduler = \"{name}\""), &mut draft.later) {
                draft.scheduler = Some((name, said.at.clone()));
            }
        }
    }
    Ok(())
}

fn protocol(draft: &mut Draft, said: &Said, notes: &mut Notes) -> Done {
    let known = [("TCP", Protocol::Tcp), ("UDP", Protocol::Udp), ("SCTP", Protocol::Sctp)];
    match known.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(said.value())) {
        Some((_, protocol)) => draft.protocol = Some((protocol, said.at.clone())),
        None => notes.say(&said.at, format!("protocol {} is none: keepalived ignores it", said.value())),
    }
    Ok(())
}

fn persistence(draft: &mut Draft, said: &Said, notes: &mut Notes) -> Done {
    let seconds =
        if said.values.is_empty() { Some(PERSISTENCE) } else { said.number(1..=PERSISTENCE_MAX, notes)? };
    draft.persistence = seconds.map(|seconds| (seconds, said.at.clone())).or(draft.persistence.take());
    Ok(())
}

fn granularity(draft: &mut Draft, said: &Said, _: &mut Notes) -> Done {
    draft.granularity = Some((check::address(said)?, said.at.clone()));
    Ok(())
}

fn real_server(draft: &mut Draft, said: &Said, cursor: &mut Cursor<'_>, notes: &mut Notes) -> Done {
    if said.value().parse::<Ipv6Addr>().is_ok() {
        notes
            .say(&said.at, format!("real_server {} is of another family: keepalived drops it", said.value()));
        cursor.values(notes);
        return Ok(());
    }
    draft.servers.push(server::read(said, cursor, notes)?);
    Ok(())
}
