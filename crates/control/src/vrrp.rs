//! Message types of `io.vipkit.Vrrp`, as `interfaces/io.vipkit.Vrrp.varlink` defines them.
//! Plain data: no behaviour, no defaults that the interface does not state.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::common::{Changes, Notice, Running};
use crate::monitor::Update;
use crate::service::{Interface, Method};

pub use crate::common::{GetParameters, ListParameters};
pub use crate::monitor::Step;

/// The daemon and the configuration it runs on.
pub const GET_DAEMON: &str = "io.vipkit.Vrrp.GetDaemon";
/// A page of instances.
pub const LIST: &str = "io.vipkit.Vrrp.List";
/// One instance.
pub const GET: &str = "io.vipkit.Vrrp.Get";
/// All instances, then what changes.
pub const MONITOR: &str = "io.vipkit.Vrrp.Monitor";
/// Reads the configuration again.
pub const RELOAD: &str = "io.vipkit.Vrrp.Reload";

/// Carries [`NoSuchInstance`].
pub const NO_SUCH_INSTANCE: &str = "io.vipkit.Vrrp.NoSuchInstance";
/// Carries [`ConfigRefused`](crate::common::ConfigRefused).
pub const CONFIG_REFUSED: &str = "io.vipkit.Vrrp.ConfigRefused";

/// The interface as the server needs it.
pub static INTERFACE: Interface = Interface {
    name: "io.vipkit.Vrrp",
    description: include_str!("../interfaces/io.vipkit.Vrrp.varlink"),
    methods: &[
        Method::reads(GET_DAEMON),
        Method::reads(LIST),
        Method::reads(GET),
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
}

/// A router heard with the same VRID on the same interface.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Peer {
    /// Source address of its adverts.
    pub address: String,
    /// Priority in its latest advert.
    pub priority: u8,
    /// Seconds.
    pub advertisement_interval: f64,
    /// Version 3 over IPv4: the checksum's form.
    pub checksum: Option<String>,
    /// RFC 3339, UTC.
    pub first_heard: String,
    /// RFC 3339, UTC.
    pub last_heard: String,
    /// Adverts accepted from it.
    pub advertisements: u64,
}

/// A VRRP instance (virtual router).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    /// Its name in the configuration.
    pub name: String,
    /// Name of the interface.
    pub interface: String,
    /// VRID, 1-255.
    pub virtual_router_id: u8,
    /// 2 or 3.
    pub version: u8,
    /// State.
    pub state: State,
    /// When it entered the state: RFC 3339, UTC.
    pub since: String,
    /// Why it is in this state.
    pub reason: String,
    /// Effective priority.
    pub priority: u8,
    /// Preempt_Mode.
    pub preempt: bool,
    /// Version 3 over IPv4: the checksum form it sends.
    pub checksum: Option<String>,
    /// The address its adverts come from, if the interface has one.
    pub source: Option<String>,
    /// Seconds.
    pub advertisement_interval: f64,
    /// Seconds.
    pub active_adver_interval: f64,
    /// Seconds.
    pub skew_time: f64,
    /// Seconds.
    pub active_down_interval: f64,
    /// Its virtual addresses.
    pub addresses: Vec<Address>,
    /// Routers heard.
    pub peers: Vec<Peer>,
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
