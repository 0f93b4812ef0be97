//! The checks of a real server: what they have in common, and what their timing takes over from the blocks around them.
//! What each alone is told is in its file in `check/`.

pub mod dns;
pub mod http;
pub mod misc;
pub mod ping;
pub mod smtp;
pub mod tcp;
pub mod udp;

use std::fmt::Debug;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use super::block::{Done, Keyword, flag, lost, rows, value};
use super::note::{Later, Notes, Place, Refusal};
use super::said::Said;
use super::ssl::Ssl;
use super::toml;
use super::toml::value::{Keys, Value};

/// When a check runs, as far as a block says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// `delay_loop`.
    pub interval: Option<Duration>,
    /// `connect_timeout`.
    pub timeout: Option<Duration>,
    /// `retry`.
    pub retries: Option<u64>,
    /// `delay_before_retry`.
    pub retry_delay: Option<Duration>,
}

impl Timing {
    /// This, and where it is silent what is around it.
    #[must_use]
    pub fn within(&self, outer: &Self) -> Self {
        Self {
            interval: self.interval.or(outer.interval),
            timeout: self.timeout.or(outer.timeout),
            retries: self.retries.or(outer.retries),
            retry_delay: self.retry_delay.or(outer.retry_delay),
        }
    }
}

/// A block that says when checks run.
pub trait Timed {
    /// What it says.
    fn timing(&mut self) -> &mut Timing;
    /// The fewest retries that it can ask for.
    const RETRIES_MIN: u64;
}

/// A check, as it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Its `type` in vipkit.toml.
    pub kind: &'static str,
    /// What it is told besides the timing.
    pub keys: Keys,
    /// From one run to the next.
    pub interval: Duration,
    /// A run that takes longer has failed.
    pub timeout: Duration,
    /// After the first failure.
    pub retries: u64,
    /// Before each retry.
    pub retry_delay: Duration,
    /// Rounds that must pass.
    pub rise: u64,
    /// Rounds that must fail.
    pub fall: u64,
}

impl Check {
    /// It is of this kind, with these keys before those that it has.
    pub fn is(&mut self, kind: &'static str, mut keys: Keys) {
        self.kind = kind;
        keys.append(&mut self.keys);
        self.keys = keys;
    }

    /// Adds a key.
    pub fn with(&mut self, key: &'static str, value: impl Into<Value>) {
        self.keys.push((key, value.into()));
    }
}

/// What a check does: a checker of keepalived.
pub trait Kind: Debug {
    /// It connects to a port.
    fn connects(&self) -> bool {
        true
    }

    /// What `retry` is if it is not said.
    fn retries(&self) -> u64 {
        1
    }

    /// What `delay_before_retry` is if it is not said; none is `delay_loop`.
    fn retry_delay(&self) -> Option<Duration> {
        Some(Duration::from_secs(1))
    }

    /// Makes it vipkit's check, whose timing is known; none if keepalived ignores it.
    fn whole(self: Box<Self>, check: Check, way: Way, near: &Near<'_>, notes: &mut Notes) -> Option<Check>;
}

/// A kind of check that can be read.
pub trait Written: Kind + Sized + 'static {
    /// Its keywords.
    const KEYWORDS: &'static [Keyword<Draft<Self>>];
    /// One that says nothing yet.
    fn begin(said: &Said) -> Self;
}

/// What is around a check.
pub struct Near<'n> {
    /// Of the server, within what the service says.
    pub timing: &'n Timing,
    /// `delay_loop` of the service.
    pub interval: Duration,
    /// Of the server, or else the service.
    pub virtualhost: Option<&'n str>,
    /// `SSL`.
    pub ssl: &'n Ssl,
    /// `script_user`.
    pub user: Option<&'n str>,
    /// The server as it is written, which is what keepalived connects to.
    pub written: SocketAddrV4,
    /// The server as it is in the table.
    pub server: SocketAddrV4,
    /// It is the only check of the server.
    pub alone: bool,
}

/// Where packets of a check go, and how.
#[derive(Debug, Default)]
pub struct Way {
    /// None is the server.
    target: Option<SocketAddr>,
    source: Option<IpAddr>,
    interface: Option<String>,
    mark: Option<u64>,
}

impl Way {
    /// The keys of a check that connects.
    fn keys(self) -> Keys {
        let target = self.target.map(|target| target.to_string());
        self.keys_to(target)
    }

    fn keys_to(self, target: Option<String>) -> Keys {
        let text = |key, text: Option<String>| text.map(|text| (key, Value::Text(text)));
        [
            text("target", target),
            text("source", self.source.map(|source| source.to_string())),
            text("interface", self.interface),
            self.mark.map(|mark| ("mark", mark.into())),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// A check, as it is written.
#[derive(Debug)]
pub struct Draft<K> {
    /// Where it begins.
    pub at: Place,
    name: String,
    timing: Timing,
    ip: Option<IpAddr>,
    port: Option<u16>,
    source: Option<IpAddr>,
    interface: Option<String>,
    mark: Option<u64>,
    /// `nb_get_retry`, which most do not have.
    misplaced: Option<(u64, Place)>,
    /// What it alone is told.
    pub own: K,
}

impl<K> Timed for Draft<K> {
    const RETRIES_MIN: u64 = 0;

    fn timing(&mut self) -> &mut Timing {
        &mut self.timing
    }
}

/// What keepalived ignores, and vipkit has no need of.
pub const SPREAD: &str = "vipkit spreads first runs over the interval by itself";
/// `alpha`.
pub const ALPHA: &str = "a server counts as up until its check has said that it is down";
const MARK: &str = "a mark takes the privilege that the drop-in healthcheckd-mark.conf gives to healthcheckd";

impl<K: 'static> Draft<K> {
    /// The keywords of all.
    const TIMED: &'static [Keyword<Self>] = &[
        value(&["retry"], retries::<Self>),
        value(&["delay_before_retry"], retry_delay::<Self>),
        value(&["delay_loop"], interval::<Self>),
        flag(&["log_all_failures"], |_, _, _| Ok(())),
        lost(&["warmup"], SPREAD),
        lost(&["alpha"], ALPHA),
    ];

    /// The keywords of those that connect.
    const CONNECTING: &'static [Keyword<Self>] = &[
        rows(Self::TIMED),
        value(&["connect_timeout"], timeout::<Self>),
        value(&["connect_ip"], |draft, said, _| any_address(said).map(|ip| draft.ip = Some(ip))),
        value(&["connect_port"], |draft, said, notes| {
            let port = said.number(1..=65535, notes)?.and_then(|port| u16::try_from(port).ok());
            draft.port = port.or(draft.port);
            Ok(())
        }),
        value(&["bindto"], |draft, said, _| any_address(said).map(|ip| draft.source = Some(ip))),
        value(&["bind_if"], |draft, said, _| {
            draft.interface = Some(said.value().to_owned());
            Ok(())
        }),
        value(&["fwmark"], |draft, said, notes| {
            draft.mark = said.number(0..=u64::from(u32::MAX), notes)?.filter(|mark| *mark != 0);
            if draft.mark.is_some() {
                notes.once(&said.at, MARK);
            }
            Ok(())
        }),
        lost(&["bind_port"], "checks connect from a port of the kernel's choice"),
    ];

    /// The keywords of those that connect and have no `nb_get_retry`.
    const PLAIN: &'static [Keyword<Self>] = &[
        rows(Self::CONNECTING),
        value(&["nb_get_retry"], |draft, said, notes| {
            draft.misplaced = said.number(0..=100, notes)?.map(|number| (number, said.at.clone()));
            Ok(())
        }),
    ];
}

impl<K: Written> Draft<K> {
    /// One that says nothing yet.
    #[must_use]
    pub fn begin(said: &Said) -> Self {
        Self {
            at: said.at.clone(),
            name: said.name.clone(),
            timing: Timing::default(),
            ip: None,
            port: None,
            source: None,
            interface: None,
            mark: None,
            misplaced: None,
            own: K::begin(said),
        }
    }

    /// As one among others.
    #[must_use]
    pub fn of_any_kind(self) -> Draft<Box<dyn Kind>> {
        let Self { at, name, timing, ip, port, source, interface, mark, misplaced, own } = self;
        Draft { at, name, timing, ip, port, source, interface, mark, misplaced, own: Box::new(own) }
    }
}

impl Draft<Box<dyn Kind>> {
    /// It connects to a port that nothing in it names.
    #[must_use]
    pub fn lacks_port(&self) -> bool {
        self.own.connects() && self.port.is_none()
    }

    /// As it runs: on a server, which it connects to unless it says otherwise, within what the blocks around it say.
    pub fn whole(self, near: &Near<'_>, notes: &mut Notes, later: &mut Vec<Later>) -> Option<Check> {
        let own = self.timing.retries.is_some();
        let timing = self.timing.within(near.timing);
        let target = SocketAddr::new(
            self.ip.unwrap_or(IpAddr::V4(*near.written.ip())),
            self.port.unwrap_or(near.written.port()),
        );
        let way = Way {
            target: (target != SocketAddr::V4(near.server)).then_some(target),
            source: self.source,
            interface: self.interface,
            mark: self.mark,
        };
        let interval = timing.interval.unwrap_or(INTERVAL);
        let check = Check {
            kind: "",
            keys: Vec::new(),
            interval,
            timeout: timing.timeout.unwrap_or(Duration::from_secs(5)),
            retries: timing.retries.unwrap_or(self.own.retries()),
            retry_delay: timing.retry_delay.or(self.own.retry_delay()).unwrap_or(interval),
            rise: 1,
            fall: 1,
        };
        let check = self.own.whole(check, way, near, notes)?;
        let Some((retries, at)) = self.misplaced else { return Some(check) };
        let now = format!(
            "nb_get_retry is no keyword of {}: keepalived ignores it, and retries {}",
            self.name,
            times(check.retries)
        );
        let meant = Check { retries, ..check.clone() };
        let what = format!("retry {}", times(retries));
        if own {
            notes.say(&at, now);
            return Some(check);
        }
        let line = if near.alone { toml::check::line(&meant) } else { toml::check::table(&meant) };
        Some(if notes.doubt(&at, now, what, line, later) { meant } else { check })
    }
}

/// keepalived's default of `delay_loop`.
pub const INTERVAL: Duration = Duration::from_secs(60);

fn times(number: u64) -> String {
    if number == 1 { "once".to_owned() } else { format!("{number} times") }
}

/// An IPv4 address.
///
/// # Errors
/// It is none.
pub fn address(said: &Said) -> Result<Ipv4Addr, Refusal> {
    said.value().parse().map_err(|_| {
        let what = format!("{} {:?} is no IPv4 address", said.name, said.value());
        Refusal::new(&said.at, what, "vipkit checks and balances over IPv4")
    })
}

/// An IP address.
fn any_address(said: &Said) -> Result<IpAddr, Refusal> {
    said.value().parse().map_err(|_| {
        let what = format!("{} {:?} is no IP address", said.name, said.value());
        Refusal::new(&said.at, what, "write one without a prefix or a port")
    })
}

/// Sets `delay_loop`.
///
/// # Errors
/// It is no number.
pub fn interval<T: Timed>(block: &mut T, said: &Said, notes: &mut Notes) -> Done {
    let length = said.seconds(Duration::from_micros(1), notes)?;
    let timing = block.timing();
    timing.interval = length.or(timing.interval);
    Ok(())
}

/// Sets `connect_timeout`.
///
/// # Errors
/// It is no number.
pub fn timeout<T: Timed>(block: &mut T, said: &Said, notes: &mut Notes) -> Done {
    let length = said.seconds(Duration::from_micros(1), notes)?;
    let timing = block.timing();
    timing.timeout = length.or(timing.timeout);
    Ok(())
}

/// Sets `delay_before_retry`.
///
/// # Errors
/// It is no number.
pub fn retry_delay<T: Timed>(block: &mut T, said: &Said, notes: &mut Notes) -> Done {
    let length = said.seconds(Duration::ZERO, notes)?;
    let timing = block.timing();
    timing.retry_delay = length.or(timing.retry_delay);
    Ok(())
}

/// Sets `retry`.
///
/// # Errors
/// It is no number.
pub fn retries<T: Timed>(block: &mut T, said: &Said, notes: &mut Notes) -> Done {
    let number = said.number(T::RETRIES_MIN..=u64::from(u32::MAX), notes)?;
    let timing = block.timing();
    timing.retries = number.or(timing.retries);
    Ok(())
}
