//! Message types of `io.vipkit.Ipvs`, as `interfaces/io.vipkit.Ipvs.varlink` defines them.
//! Plain data: no behaviour, no defaults that the interface does not state.

use serde::{Deserialize, Serialize};

use crate::common::{Changes, Notice, Running};
use crate::monitor::Update;
use crate::service::{Interface, Method};

pub use crate::monitor::Step;

/// The daemon and the configuration it runs on.
pub const GET_DAEMON: &str = "io.vipkit.Ipvs.GetDaemon";
/// A page of services.
pub const LIST: &str = "io.vipkit.Ipvs.List";
/// One service.
pub const GET: &str = "io.vipkit.Ipvs.Get";
/// All services, then what changes.
pub const MONITOR: &str = "io.vipkit.Ipvs.Monitor";
/// Reads the configuration again.
pub const RELOAD: &str = "io.vipkit.Ipvs.Reload";

/// Carries [`NoSuchService`].
pub const NO_SUCH_SERVICE: &str = "io.vipkit.Ipvs.NoSuchService";
/// Carries [`crate::common::ConfigRefused`].
pub const CONFIG_REFUSED: &str = "io.vipkit.Ipvs.ConfigRefused";

/// The interface as the server needs it.
pub static INTERFACE: Interface = Interface {
    name: "io.vipkit.Ipvs",
    description: include_str!("../interfaces/io.vipkit.Ipvs.varlink"),
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
    /// What all daemons say.
    #[serde(flatten)]
    pub running: Running,
    /// Version of IPVS in the kernel; none: it has none now.
    pub ipvs: Option<String>,
    /// Verdicts are coming in.
    pub health_connected: bool,
    /// Since when that is so: RFC 3339, UTC.
    pub health_since: String,
    /// Services in the table that are not ours.
    pub foreign: u64,
    /// Differences made by others that were repaired.
    pub repairs: u64,
    /// What keeps the daemon from its job.
    pub faults: Vec<Notice>,
}

/// What is known of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Its check says that it is well.
    Up,
    /// Its check says that it is not.
    Down,
    /// Its check never said anything: it counts as up.
    Unknown,
    /// It has no check and counts as up.
    Unchecked,
}

/// A server: the kernel's destination.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Server {
    /// Address and port.
    pub address: String,
    /// nat, dr or tunnel.
    pub forward: String,
    /// As configured, or as its check wants it.
    pub weight: u32,
    /// As found in the table; none: it is not there.
    pub table_weight: Option<u32>,
    /// The verdict acted on.
    pub state: State,
    /// When the verdict was given: RFC 3339, UTC.
    pub since: Option<String>,
    /// Why.
    pub reason: String,
    /// The verdict is an old one.
    pub stale: bool,
    /// Connections in state ESTABLISHED.
    pub active_connections: u32,
    /// Connections in other states.
    pub inactive_connections: u32,
    /// Persistence templates.
    pub persistent_connections: u32,
    /// Connections scheduled.
    pub connections: u64,
    /// Packets from clients.
    pub incoming_packets: u64,
    /// Packets to clients.
    pub outgoing_packets: u64,
    /// Bytes from clients.
    pub incoming_bytes: u64,
    /// Bytes to clients.
    pub outgoing_bytes: u64,
}

/// A virtual service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// Its name in the configuration.
    pub name: String,
    /// Address and port.
    pub address: String,
    /// tcp or udp.
    pub protocol: String,
    /// Name of the scheduler.
    pub scheduler: String,
    /// Seconds for which a client keeps its server; none: not at all.
    pub persistence: Option<f64>,
    /// Clients within it keep their server together.
    pub persistence_netmask: Option<String>,
    /// remove or quiesce.
    pub on_failure: String,
    /// It is in the table.
    pub present: bool,
    /// Its servers.
    pub servers: Vec<Server>,
    /// What keeps it from being as it should.
    pub faults: Vec<Notice>,
    /// What should be looked at all the same.
    pub warnings: Vec<Notice>,
    /// Connections scheduled.
    pub connections: u64,
    /// Packets from clients.
    pub incoming_packets: u64,
    /// Packets to clients.
    pub outgoing_packets: u64,
    /// Bytes from clients.
    pub incoming_bytes: u64,
    /// Bytes to clients.
    pub outgoing_bytes: u64,
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
    /// Services as they are now.
    pub services: Vec<Service>,
    /// Names of services that are gone.
    pub removed: Vec<String>,
}

impl From<Update<Daemon, Service>> for Monitor {
    fn from(update: Update<Daemon, Service>) -> Self {
        let Update { step, sequence, daemon, objects, removed } = update;
        Self { step, sequence, daemon, services: objects, removed }
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
    pub services: Vec<Service>,
    /// Present if there are more.
    pub cursor: Option<String>,
}

/// Reply of `Get`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GetReply {
    /// The service.
    pub service: Service,
}

/// Reply of `Reload`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadReply {
    /// Digest of the configuration now in force.
    pub digest: String,
    /// What changed.
    pub services: Changes,
}

/// Parameters of the error `NoSuchService`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoSuchService {
    /// What was asked for.
    pub name: String,
    /// What there is (at most 256).
    pub known: Vec<String>,
}
