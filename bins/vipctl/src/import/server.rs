//! `real_server` of a `virtual_server`.

use std::net::{Ipv4Addr, SocketAddrV4};

use super::block::{Cursor, Keyword, block, flag, lost, lost_block, value, values};
use super::check::{self, ALPHA, Check, SPREAD, Timed, Timing};
use super::forward::{self, Forward, Forwards};
use super::note::{Later, Notes, Place, Refusal};
use super::said::Said;

/// A server, as it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Where it begins.
    pub at: Place,
    /// Where it answers.
    pub address: SocketAddrV4,
    /// Its weight, and where it stands if it does.
    pub weight: (u64, Option<Place>),
    /// Its own forwarding method, if it has one.
    pub forward: Forward,
    /// How it is checked, if it is.
    pub check: Option<Check>,
    /// Whether it stays in the table with weight 0 when it is down.
    pub quiesce: bool,
    /// Of its check, for when all nodes are moved.
    pub later: Vec<Later>,
}

/// A server, as it is written.
pub struct Draft {
    pub at: Place,
    pub ip: Ipv4Addr,
    pub port: Option<u16>,
    pub weight: Option<(u64, Place)>,
    pub forward: Option<Forward>,
    inhibit: Option<bool>,
    timing: Timing,
    checks: Vec<check::Draft>,
    later: Vec<Later>,
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

const UNCHECKED: &str = "vipkit checks TCP connections only: THE SERVER IS IMPORTED WITHOUT THIS CHECK, and without \
                         another it counts as up always";
const SCRIPTS: &str = "vipkit runs no scripts and sends no mail; `vipctl watch --json` tells of every change";

const KEYWORDS: &[Keyword<Draft>] = &[
    value(&["weight"], |draft, said, notes| {
        let weight = said.number(0..=WEIGHT_MAX, notes)?;
        draft.weight = weight.map(|weight| (weight, said.at.clone())).or(draft.weight.take());
        Ok(())
    }),
    values(&["lvs_method"], forward::set::<Draft>),
    flag(&["inhibit_on_failure"], |draft, said, _| {
        draft.inhibit = Some(said.on());
        Ok(())
    }),
    value(&["connect_timeout"], check::timeout::<Draft>),
    value(&["retry"], check::retries::<Draft>),
    value(&["delay_before_retry"], check::retry_delay::<Draft>),
    value(&["delay_loop"], check::interval::<Draft>),
    block(&["TCP_CHECK"], |draft, said, cursor, notes| {
        let mut check = check::Draft::new(said.at.clone());
        cursor.block(check::KEYWORDS, &mut check, notes)?;
        draft.checks.push(check);
        Ok(())
    }),
    lost_block(&["HTTP_GET", "SSL_GET", "SMTP_CHECK", "DNS_CHECK", "MISC_CHECK"], UNCHECKED),
    lost_block(&["PING_CHECK", "UDP_CHECK", "BFD_CHECK", "FILE_CHECK"], UNCHECKED),
    lost(&["uthreshold", "lthreshold"], "vipkit does not limit the connections of a server"),
    lost(&["notify_up", "notify_down", "smtp_alert"], SCRIPTS),
    lost(&["virtualhost", "snmp_name"], "vipkit has no use for it"),
    lost(&["warmup"], SPREAD),
    lost(&["alpha"], ALPHA),
];

/// The most that keepalived takes.
pub const WEIGHT_MAX: u64 = i32::MAX as u64;

/// Reads a server.
///
/// # Errors
/// It cannot be understood.
pub fn read(said: &Said, cursor: &mut Cursor<'_>, notes: &mut Notes) -> Result<Draft, Refusal> {
    let (ip, port) = endpoint(said, &said.values)?;
    let mut draft = Draft {
        at: said.at.clone(),
        ip,
        port,
        weight: None,
        forward: None,
        inhibit: None,
        timing: Timing::default(),
        checks: Vec::new(),
        later: Vec::new(),
    };
    cursor.block(KEYWORDS, &mut draft, notes)?;
    Ok(draft)
}

/// An IPv4 address and perhaps a port.
///
/// # Errors
/// They are none.
pub fn endpoint(said: &Said, words: &[String]) -> Result<(Ipv4Addr, Option<u16>), Refusal> {
    let understood = || {
        let (ip, port) = (words.first()?.parse().ok()?, words.get(1));
        let port = match port {
            Some(port) => Some(port.parse().ok()?),
            None => None,
        };
        Some((ip, port.filter(|port| *port != 0)))
    };
    understood().ok_or_else(|| {
        let what = format!("{} {} is no IPv4 address with a port", said.name, words.join(" "));
        Refusal::new(&said.at, what, "vipkit balances IPv4 addresses and ports")
    })
}

/// What a service says of its servers.
pub struct Around<'s> {
    pub port: u16,
    pub weight: Option<&'s (u64, Place)>,
    pub forward: Forward,
    pub inhibit: bool,
    pub timing: &'s Timing,
}

impl Draft {
    /// As it runs.
    ///
    /// # Errors
    /// Its check would connect to port 0.
    pub fn whole(self, around: &Around<'_>, notes: &mut Notes) -> Result<Server, Refusal> {
        let forward = self.forward.unwrap_or(around.forward);
        if let Some(check) = self.checks.first().filter(|check| self.port.is_none() && !check.has_port()) {
            let what = "the server has no port, so keepalived checks port 0, and the server is always down";
            return Err(Refusal::new(&check.at, what, "write the port after the address of the real_server"));
        }
        let written = SocketAddrV4::new(self.ip, self.port.unwrap_or(around.port));
        let mut address = written;
        if forward != Forward::Nat && written.port() != around.port {
            address.set_port(around.port);
            let now = format!(
                "port {}: {} cannot change ports, keepalived takes {}, and checks the port that is written here",
                written.port(),
                forward.keyword(),
                around.port
            );
            notes.say(&self.at, now);
        }
        let mut later = self.later;
        let timing = self.timing.within(around.timing);
        let mut checks = self.checks.into_iter();
        let check = checks.next().map(|check| check.whole(&timing, written, address, notes, &mut later));
        for more in checks {
            notes.say(
                &more.at,
                "another check of the same server is not carried over: vipkit runs the first only",
            );
        }
        let weight = self.weight.or_else(|| around.weight.cloned());
        Ok(Server {
            at: self.at,
            address,
            weight: weight.map_or((1, None), |(weight, at)| (weight, Some(at))),
            forward,
            check,
            quiesce: self.inhibit.unwrap_or(around.inhibit),
            later,
        })
    }
}
