//! Message types of `io.vipkit.Vrrp`, as `interfaces/io.vipkit.Vrrp.varlink` defines them.
//! Plain data: no behaviour, no defaults that the interface does not state.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::common::{Changes, Notice, Running};
use crate::monitor::Update;
use crate::service::{Interface, Method};

pub use crate::common::{GetParameters, ListParameters};
pub use crate::health::{Judgement, State as TrackedState};
pub use crate::monitor::Step;

/// The daemon and the configuration it runs on.
pub const GET_DAEMON: &str = "io.vipkit.Vrrp.GetDaemon";
/// A page of instances.
pub const LIST: &str = "io.vipkit.Vrrp.List";
/// One instance.
pub const GET: &str = "io.vipkit.Vrrp.Get";
/// A page of the addresses of an instance.
pub const LIST_ADDRESSES: &str = "io.vipkit.Vrrp.ListAddresses";
/// All instances, then what changes.
pub const MONITOR: &str = "io.vipkit.Vrrp.Monitor";
/// Reads the configuration again.
pub const RELOAD: &str = "io.vipkit.Vrrp.Reload";

/// Carries [`NoSuchInstance`].
pub const NO_SUCH_INSTANCE: &str = "io.vipkit.Vrrp.NoSuchInstance";
/// Carries [`ConfigRefused`](crate::common::ConfigRefused).
pub const CONFIG_REFUSED: &str = "io.vipkit.Vrrp.ConfigRefused";

/// Most addresses, routes and rules that an [`Instance`] shows, of each.
pub const SHOWN_MAX: usize = 256;
/// Most refusals that an [`Instance`] shows.
pub const REFUSED_MAX: usize = 16;

/// The interface as the server needs it.
pub static INTERFACE: Interface = Interface {
    name: "io.vipkit.Vrrp",
    description: include_str!("../interfaces/io.vipkit.Vrrp.varlink"),
    methods: &[
        Method::reads(GET_DAEMON),
        Method::reads(LIST),
        Method::reads(GET),
        Method::reads(LIST_ADDRESSES),
        Method::streams(MONITOR),
        Method::changes(RELOAD),
    ],
};

/// The running daemon and the configuration it runs on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Daemon {
    /// What every daemon tells of itself.
    #[serde(flatten)]
    pub running: Running,
    /// Seconds.
    pub lateness: f64,
    /// Seconds.
    pub lateness_max: f64,
}

/// State of an instance, RFC 9568 §6.4, and `Fault`: held out of the election by something local.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Not started.
    Initialize,
    /// Listening to the Active router.
    Backup,
    /// Holding the addresses.
    Active,
    /// Held out of the election.
    Fault,
}

/// A virtual IP address as found on the interface.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Address {
    /// Address and prefix length.
    pub address: String,
    /// It is on the interface now.
    pub present: bool,
    /// This daemon put it there.
    pub ours: bool,
    /// Adverts name it.
    pub advertised: bool,
}

/// A route or rule that goes with the addresses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// In the words of ip(8).
    pub what: String,
    /// It is in the kernel now, and this daemon put it there.
    pub present: bool,
}

/// A router heard with the same VRID on the same interface.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Peer {
    /// Source address of its adverts.
    pub address: String,
    /// 2 or 3.
    pub version: u8,
    /// Priority in its latest advert.
    pub priority: u8,
    /// Seconds.
    pub advertisement_interval: f64,
    /// Version 3 over IPv4: the checksum's form.
    pub checksum: Option<String>,
    /// The HMAC key of its latest advert.
    pub key_id: Option<u8>,
    /// Its latest advert names other addresses than ours.
    pub other_addresses: bool,
    /// RFC 3339, UTC.
    pub first_heard: String,
    /// RFC 3339, UTC.
    pub last_heard: String,
    /// Adverts accepted from it.
    pub advertisements: u64,
}

/// A sender whose adverts were refused lately.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    /// Source address.
    pub address: String,
    /// Name of the counter that counted the latest one.
    pub counter: String,
    /// Why the latest one was refused.
    pub reason: String,
    /// When that was: RFC 3339, UTC.
    pub last: String,
}

/// Authentication by HMAC; keys by their numbers only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hmac {
    /// `receive-only`, `permissive` or `enforce`.
    pub mode: String,
    /// The one that our adverts are made with.
    pub active_key: u8,
    /// All that there are.
    pub keys: Vec<u8>,
    /// `time` or `monotonic`.
    pub replay_protection: String,
    /// With `time`: how far the clock of a sender may be from ours, in seconds.
    pub time_window: Option<f64>,
}

/// A router that adverts go to and are taken from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnicastPeer {
    /// Its address.
    pub address: String,
    /// The least TTL or hop limit that its adverts must have left; 1: any.
    pub min_ttl: u8,
}

/// The virtual MAC address, and the interface that has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VirtualMac {
    /// Name of the interface.
    pub interface: String,
    /// 00:00:5e:00:01:VRID, or :02: for IPv6.
    pub mac: String,
    /// `virtual_mac` or `interface`.
    pub adverts_from: String,
    /// The interface is there.
    pub present: bool,
    /// It is up, as it is while the instance is Active.
    pub up: bool,
}

/// What a tracker looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrackerKind {
    /// A check of healthcheckd.
    Check,
    /// An interface of this host.
    Interface,
}

/// A check or an interface that the priority of an instance depends on, or that the instance cannot do without.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tracker {
    /// Kind.
    pub kind: TrackerKind,
    /// Name of the check or the interface.
    pub name: String,
    /// None: while it is down, the instance is in state fault.
    pub weight: Option<i64>,
    /// What was found last.
    pub state: TrackedState,
    /// What is acted on; none: it was never judged, and adds nothing.
    pub judged: Option<Judgement>,
    /// Nobody says so any more.
    pub stale: bool,
    /// What it adds to the priority now.
    pub change: i64,
    /// It holds the instance in state fault.
    pub fault: bool,
    /// When it entered its state: RFC 3339, UTC.
    pub since: Option<String>,
    /// Why it is in this state.
    pub reason: String,
}

/// A VRRP instance (virtual router).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    /// Its name in the configuration.
    pub name: String,
    /// Name of the interface where adverts are sent and received.
    pub interface: String,
    /// Name of the interface that gets the addresses: another one with a virtual MAC.
    pub place: String,
    /// VRID, 1-255.
    pub virtual_router_id: u8,
    /// 2 or 3.
    pub version: u8,
    /// `IPv4` or `IPv6`.
    pub family: String,
    /// State.
    pub state: State,
    /// When it entered the state: RFC 3339, UTC.
    pub since: String,
    /// Why it is in this state.
    pub reason: String,
    /// As configured.
    pub priority: u8,
    /// What it takes part with: the configured one and what its trackers add.
    pub effective_priority: u8,
    /// Preempt_Mode.
    pub preempt: bool,
    /// Accept_Mode.
    pub accept: bool,
    /// It refuses all that the RFCs let a router refuse.
    pub strict: bool,
    /// `none`, `pass` or `hmac`.
    pub authentication: String,
    /// With `hmac`.
    pub hmac: Option<Hmac>,
    /// Version 3 over IPv4: the checksum form it sends.
    pub checksum: Option<String>,
    /// The address its adverts come from, if the interface has one.
    pub source: Option<String>,
    /// None: its adverts go to the multicast group.
    pub unicast_peers: Vec<UnicastPeer>,
    /// If it has one.
    pub virtual_mac: Option<VirtualMac>,
    /// Seconds.
    pub advertisement_interval: f64,
    /// Seconds.
    pub active_adver_interval: f64,
    /// Seconds.
    pub skew_time: f64,
    /// Seconds.
    pub active_down_interval: f64,
    /// Seconds until the Active_Down_Timer or Adver_Timer fires, whichever runs.
    pub timer: Option<f64>,
    /// All that it tracks.
    pub trackers: Vec<Tracker>,
    /// Its virtual addresses as configured, [`SHOWN_MAX`] at most.
    pub addresses: Vec<Address>,
    /// All of them.
    pub address_count: u64,
    /// How many of all of them are on the interface.
    pub addresses_present: u64,
    /// Its routes, [`SHOWN_MAX`] at most.
    pub routes: Vec<Held>,
    /// Its rules, [`SHOWN_MAX`] at most.
    pub rules: Vec<Held>,
    /// Routers heard.
    pub peers: Vec<Peer>,
    /// The latest refusal of each sender, [`REFUSED_MAX`] at most.
    pub refused: Vec<Refusal>,
    /// What keeps it in state fault.
    pub faults: Vec<Notice>,
    /// What does not stop it, but should be looked at.
    pub warnings: Vec<Notice>,
    /// What is normal in a healthy network, but worth knowing when something is not.
    pub hints: Vec<Notice>,
    /// Monotonic since the daemon started.
    pub counters: BTreeMap<String, u64>,
}

/// Reply of `Monitor`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Monitor {
    /// Which part this is.
    pub step: Step,
    /// Grows by one with every change.
    pub sequence: u64,
    /// In `begin`, and when the daemon's own data changed.
    pub daemon: Option<Daemon>,
    /// Instances as they are now.
    pub instances: Vec<Instance>,
    /// Names of instances that are gone.
    pub removed: Vec<String>,
}

impl From<Update<Daemon, Instance>> for Monitor {
    fn from(update: Update<Daemon, Instance>) -> Self {
        let Update { step, sequence, daemon, objects, removed } = update;
        Self { step, sequence, daemon, instances: objects, removed }
    }
}

/// What a reload did, by instance name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// New.
    pub added: Vec<String>,
    /// Kept running with other settings.
    pub changed: Vec<String>,
    /// Gone.
    pub removed: Vec<String>,
    /// Not touched.
    pub unchanged: Vec<String>,
}

impl From<&Reloaded> for Changes {
    fn from(names: &Reloaded) -> Self {
        let count = |names: &Vec<String>| u64::try_from(names.len()).unwrap_or(u64::MAX);
        Self {
            added: count(&names.added),
            changed: count(&names.changed),
            removed: count(&names.removed),
            unchanged: count(&names.unchanged),
        }
    }
}

/// Reply of `GetDaemon`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GetDaemonReply {
    /// The daemon.
    pub daemon: Daemon,
}

/// Reply of `List`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListReply {
    /// By name.
    pub instances: Vec<Instance>,
    /// Present if there are more.
    pub cursor: Option<String>,
}

/// Reply of `Get`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GetReply {
    /// The instance.
    pub instance: Instance,
}

/// Parameters of `ListAddresses`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListAddressesParameters {
    /// The instance's name.
    pub name: String,
    /// Where the page before ended, as its reply said.
    pub cursor: Option<String>,
    /// At most this many, 1-256.
    pub limit: Option<u32>,
}

/// Reply of `ListAddresses`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListAddressesReply {
    /// In the order of the configuration.
    pub addresses: Vec<Address>,
    /// Present if there are more.
    pub cursor: Option<String>,
}

/// Reply of `Reload`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadReply {
    /// Digest of the configuration now in force.
    pub digest: String,
    /// What changed.
    pub instances: Reloaded,
}

/// Parameters of the error `NoSuchInstance`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoSuchInstance {
    /// What was asked for.
    pub name: String,
    /// What there is (at most 256).
    pub known: Vec<String>,
}
