//! Message types of `io.vipkit.Health`, as `interfaces/io.vipkit.Health.varlink` defines them.
//! Plain data: no behaviour, no defaults that the interface does not state.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::common::{Changes, Running};
use crate::monitor::Update;
use crate::service::{Interface, Method};

pub use crate::monitor::Step;

/// The daemon and the configuration it runs on.
pub const GET_DAEMON: &str = "io.vipkit.Health.GetDaemon";
/// A page of checks.
pub const LIST: &str = "io.vipkit.Health.List";
/// One check.
pub const GET: &str = "io.vipkit.Health.Get";
/// All checks, then what changes.
pub const MONITOR: &str = "io.vipkit.Health.Monitor";
/// Reads the configuration again.
pub const RELOAD: &str = "io.vipkit.Health.Reload";

/// Carries [`NoSuchCheck`].
pub const NO_SUCH_CHECK: &str = "io.vipkit.Health.NoSuchCheck";
/// Carries [`crate::common::ConfigRefused`].
pub const CONFIG_REFUSED: &str = "io.vipkit.Health.ConfigRefused";

/// The interface as the server needs it.
pub static INTERFACE: Interface = Interface {
    name: "io.vipkit.Health",
    description: include_str!("../interfaces/io.vipkit.Health.varlink"),
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
    /// Seconds by which the latest check was started late.
    pub lateness: f64,
    /// Seconds.
    pub lateness_max: f64,
    /// Checks as they are run: equal ones once.
    pub runs: u64,
}

/// What is known of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The target is well.
    Up,
    /// The target is not.
    Down,
    /// Nothing was found yet.
    Unknown,
    /// Something on this host keeps the check from being run.
    CouldNotRun,
}

/// The last time that a check could be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    /// The target was well.
    Up,
    /// The target was not.
    Down,
}

/// A check and its verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// NAME of `[check.NAME]`, or SERVICE/ADDRESS of a server.
    pub name: String,
    /// Kind of check.
    pub kind: String,
    /// What is checked.
    pub target: String,
    /// State.
    pub state: State,
    /// What to act on while the state is unknown or could not run; none: it was never judged.
    pub judged: Option<Judgement>,
    /// When it entered the state: RFC 3339, UTC.
    pub since: String,
    /// Why it is in this state.
    pub reason: String,
    /// Grows by one whenever the state changes; kept over restarts, begins anew with another target.
    pub generation: u64,
    /// Failures in a row that are retried before they count.
    pub failures: u32,
    /// When the latest run ended: RFC 3339, UTC.
    pub checked: Option<String>,
    /// Seconds that it took.
    pub took: Option<f64>,
    /// Seconds.
    pub interval: f64,
    /// Seconds.
    pub timeout: f64,
    /// Retries before a failure counts.
    pub retries: u32,
    /// Seconds.
    pub retry_delay: f64,
    /// Checks that have the same run, this one included.
    pub shared_by: u64,
    /// Monotonic since the run began: with the daemon, or with a reload that changed the check.
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
    /// Checks as they are now.
    pub checks: Vec<Check>,
    /// Names of checks that are gone.
    pub removed: Vec<String>,
}

impl From<Update<Daemon, Check>> for Monitor {
    fn from(update: Update<Daemon, Check>) -> Self {
        let Update { step, sequence, daemon, objects, removed } = update;
        Self { step, sequence, daemon, checks: objects, removed }
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
    pub checks: Vec<Check>,
    /// Present if there are more.
    pub cursor: Option<String>,
}

/// Reply of `Get`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GetReply {
    /// The check.
    pub check: Check,
}

/// Reply of `Reload`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadReply {
    /// Digest of the configuration now in force.
    pub digest: String,
    /// What changed.
    pub checks: Changes,
}

/// Parameters of the error `NoSuchCheck`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoSuchCheck {
    /// What was asked for.
    pub name: String,
    /// What there is (at most 256).
    pub known: Vec<String>,
}
