//! `real_server` of a `virtual_server`.

use std::net::{Ipv4Addr, SocketAddrV4};

use super::block::{Cursor, Done, Keyword, block, flag, lost, lost_block, value, values};
use super::check::dns::Dns;
use super::check::http::Http;
use super::check::misc::Misc;
use super::check::ping::Ping;
use super::check::smtp::Smtp;
use super::check::tcp::Tcp;
use super::check::udp::Udp;
use super::check::{self, ALPHA, Check, INTERVAL, Kind, Near, SPREAD, Timed, Timing, Written};
use super::forward::{self, Forward, Forwards};
use super::note::{Later, Notes, Place, Refusal};
use super::said::Said;
use super::service::Beside;

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
    /// How it is checked, and where each check stands; all must pass.
    pub checks: Vec<(Check, Place)>,
    /// Whether it stays in the table with weight 0 when it is down.
    pub quiesce: bool,
    /// Of its checks, for when all nodes are moved.
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
    virtualhost: Option<String>,
    checks: Vec<check::Draft<Box<dyn Kind>>>,
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

const BFD: &str = "vipkit has no BFD: THE SERVER IS IMPORTED WITHOUT THIS CHECK, and without another it counts as up \
                   always";
const FILE: &str = "keepalived adds the number in the file, times a weight, to the weight of the server; vipkit's \
                    check = { type = \"file\", file = \"PATH\" } takes the number as the weight itself, so a 0 would drain \
                    it: THE SERVER IS IMPORTED WITHOUT THIS CHECK; write whole weights into the file, then add it";
const SCRIPTS: &str =
    "vipkit runs no scripts but of checks and sends no mail; `vipctl watch --json` tells of every change";

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
    block(&["TCP_CHECK"], checked::<Tcp>),
    block(&["HTTP_GET", "SSL_GET"], checked::<Http>),
    block(&["SMTP_CHECK"], checked::<Smtp>),
    block(&["DNS_CHECK"], checked::<Dns>),
    block(&["UDP_CHECK"], checked::<Udp>),
    block(&["PING_CHECK"], checked::<Ping>),
    block(&["MISC_CHECK"], checked::<Misc>),
    lost_block(&["FILE_CHECK"], FILE),
    lost_block(&["BFD_CHECK"], BFD),
    value(&["virtualhost"], |draft, said, _| {
        draft.virtualhost = Some(said.value().to_owned());
        Ok(())
    }),
    lost(&["uthreshold", "lthreshold"], "vipkit does not limit the connections of a server"),
    lost(&["notify_up", "notify_down", "smtp_alert"], SCRIPTS),
    lost(&["snmp_name"], "vipkit has no use for it"),
    lost(&["warmup"], SPREAD),
    lost(&["alpha"], ALPHA),
];

fn checked<K: Written>(draft: &mut Draft, said: &Said, cursor: &mut Cursor<'_>, notes: &mut Notes) -> Done {
    let mut check = check::Draft::<K>::begin(said);
    cursor.block(K::KEYWORDS, &mut check, notes)?;
    draft.checks.push(check.of_any_kind());
    Ok(())
}

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
        virtualhost: None,
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
    pub virtualhost: Option<&'s str>,
    pub beside: &'s Beside<'s>,
}

impl Draft {
    /// As it runs.
    ///
    /// # Errors
    /// Its check would connect to port 0.
    pub fn whole(self, around: &Around<'_>, notes: &mut Notes) -> Result<Server, Refusal> {
        let forward = self.forward.unwrap_or(around.forward);
        if let Some(check) = self.checks.iter().find(|check| self.port.is_none() && check.lacks_port()) {
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
        let near = Near {
            timing: &timing,
            interval: around.timing.interval.unwrap_or(INTERVAL),
            virtualhost: self.virtualhost.as_deref().or(around.virtualhost),
            ssl: around.beside.ssl,
            user: around.beside.user,
            written,
            server: address,
            alone: self.checks.len() == 1,
        };
        let whole = |check: check::Draft<Box<dyn Kind>>| {
            let at = check.at.clone();
            Some((check.whole(&near, notes, &mut later)?, at))
        };
        let checks = self.checks.into_iter().filter_map(whole).collect();
        let weight = self.weight.or_else(|| around.weight.cloned());
        Ok(Server {
            at: self.at,
            address,
            weight: weight.map_or((1, None), |(weight, at)| (weight, Some(at))),
            forward,
            checks,
            quiesce: self.inhibit.unwrap_or(around.inhibit),
            later,
        })
    }
}
