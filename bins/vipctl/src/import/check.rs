//! `TCP_CHECK`, and what its timing takes over from the blocks around it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use super::block::{Done, Keyword, flag, lost, value};
use super::note::{Later, Notes, Place, Refusal};
use super::said::Said;
use super::toml;

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
    /// Where it connects to, if not to the server.
    pub target: Option<SocketAddr>,
    /// Where it connects from.
    pub source: Option<IpAddr>,
    /// From one run to the next.
    pub interval: Duration,
    /// A run that takes longer has failed.
    pub timeout: Duration,
    /// After the first failure.
    pub retries: u64,
    /// Before each retry.
    pub retry_delay: Duration,
}

/// A `TCP_CHECK`, as it is written.
#[derive(Debug)]
pub struct Draft {
    /// Where it begins.
    pub at: Place,
    timing: Timing,
    ip: Option<Ipv4Addr>,
    port: Option<u16>,
    source: Option<Ipv4Addr>,
    /// `nb_get_retry`, which this check does not have.
    misplaced: Option<(u64, Place)>,
}

impl Timed for Draft {
    const RETRIES_MIN: u64 = 0;

    fn timing(&mut self) -> &mut Timing {
        &mut self.timing
    }
}

/// What keepalived ignores, and vipkit has no need of.
pub const SPREAD: &str = "vipkit spreads first runs over the interval by itself";
/// `alpha`.
pub const ALPHA: &str = "a server counts as up until its check has said that it is down";

/// The keywords of a `TCP_CHECK`.
pub const KEYWORDS: &[Keyword<Draft>] = &[
    value(&["connect_timeout"], timeout::<Draft>),
    value(&["retry"], retries::<Draft>),
    value(&["delay_before_retry"], retry_delay::<Draft>),
    value(&["delay_loop"], interval::<Draft>),
    value(&["connect_ip"], |draft, said, _| address(said).map(|ip| draft.ip = Some(ip))),
    value(&["connect_port"], |draft, said, notes| {
        let port = said.number(1..=65535, notes)?.and_then(|port| u16::try_from(port).ok());
        draft.port = port.or(draft.port);
        Ok(())
    }),
    value(&["bindto"], |draft, said, _| address(said).map(|ip| draft.source = Some(ip))),
    value(&["nb_get_retry"], |draft, said, notes| {
        draft.misplaced = said.number(0..=100, notes)?.map(|number| (number, said.at.clone()));
        Ok(())
    }),
    flag(&["log_all_failures"], |_, _, _| Ok(())),
    lost(
        &["bind_port", "bind_if", "fwmark"],
        "checks connect from a port and by a route of the kernel's choice",
    ),
    lost(&["warmup"], SPREAD),
    lost(&["alpha"], ALPHA),
];

impl Draft {
    /// One that says nothing yet.
    #[must_use]
    pub fn new(at: Place) -> Self {
        Self { at, timing: Timing::default(), ip: None, port: None, source: None, misplaced: None }
    }

    /// Whether it says which port to connect to.
    #[must_use]
    pub const fn has_port(&self) -> bool {
        self.port.is_some()
    }

    /// As it runs: on a server, which it connects to unless it says otherwise, within what the blocks around it say.
    pub fn whole(
        self,
        outer: &Timing,
        written: SocketAddrV4,
        server: SocketAddrV4,
        notes: &mut Notes,
        later: &mut Vec<Later>,
    ) -> Check {
        let own = self.timing.retries.is_some();
        let timing = self.timing.within(outer);
        let target = SocketAddrV4::new(self.ip.unwrap_or(*written.ip()), self.port.unwrap_or(written.port()));
        let seconds = Duration::from_secs;
        let mut check = Check {
            target: (target != server).then_some(SocketAddr::V4(target)),
            source: self.source.map(IpAddr::V4),
            interval: timing.interval.unwrap_or(seconds(60)),
            timeout: timing.timeout.unwrap_or(seconds(5)),
            retries: timing.retries.unwrap_or(1),
            retry_delay: timing.retry_delay.unwrap_or(seconds(1)),
        };
        if let Some((retries, at)) = self.misplaced {
            let now = format!(
                "nb_get_retry is no keyword of TCP_CHECK: keepalived ignores it, and retries {}",
                times(check.retries)
            );
            let meant = Check { retries, ..check.clone() };
            let what = format!("retry {}", times(retries));
            if own {
                notes.say(&at, now);
            } else if notes.doubt(&at, now, what, toml::check(&meant), later) {
                check = meant;
            }
        }
        check
    }
}

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
