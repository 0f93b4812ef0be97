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
/// Runs all parts of a check once, now.
pub const RUN: &str = "io.vipkit.Health.Run";
/// Tells the verdict of an external check.
pub const SET: &str = "io.vipkit.Health.Set";
/// Has a check run again.
pub const ENABLE: &str = "io.vipkit.Health.Enable";
/// Has a check not run.
pub const DISABLE: &str = "io.vipkit.Health.Disable";

/// Carries [`NoSuchCheck`].
pub const NO_SUCH_CHECK: &str = "io.vipkit.Health.NoSuchCheck";
/// Carries [`NotExternal`].
pub const NOT_EXTERNAL: &str = "io.vipkit.Health.NotExternal";
/// Carries [`NotAllowed`].
pub const NOT_ALLOWED: &str = "io.vipkit.Health.NotAllowed";
/// Carries [`BadValue`].
pub const BAD_VALUE: &str = "io.vipkit.Health.BadValue";
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
        Method::changes(RUN),
        // Who may is a matter of the check: the daemon decides.
        Method::reads(SET),
        Method::changes(ENABLE),
        Method::changes(DISABLE),
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
    /// Runs that are under way.
    pub in_flight: u64,
    /// Runs that are due but held back, because enough of them are under way.
    pub waiting: u64,
}

/// What was found of a check or a part of it.
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

/// What to act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    /// The target counts as well.
    Up,
    /// It does not.
    Down,
}

/// What a weight is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WeightUnit {
    /// Of what is configured.
    Percent,
    /// A number of its own.
    Absolute,
}

/// What share to give while judged up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weight {
    /// Unit.
    pub unit: WeightUnit,
    /// Number.
    pub number: i64,
}

/// How long runs that passed took: the latest 64 of them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Seconds.
    pub p50: f64,
    /// Seconds.
    pub p90: f64,
    /// Seconds.
    pub p99: f64,
    /// How many runs these are of.
    pub samples: u64,
}

/// What a check is made of: something that is run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// NAME of `[check.NAME]`, or the kind.
    pub label: String,
    /// Kind of check.
    pub kind: String,
    /// What is checked.
    pub target: String,
    /// State.
    pub state: State,
    /// What to act on; none: it was never judged.
    pub judged: Option<Judgement>,
    /// What it says of the share to give.
    pub weight: Option<Weight>,
    /// When it entered the state: RFC 3339, UTC.
    pub since: String,
    /// Why it is in this state.
    pub reason: String,
    /// What should be looked at although it passes.
    pub warning: Option<String>,
    /// Failures in a row that do not count yet: retried ones of this round, else rounds.
    pub failures: u32,
    /// Rounds in a row that passed and do not count yet.
    pub successes: u32,
    /// When the latest run ended: RFC 3339, UTC.
    pub checked: Option<String>,
    /// Seconds that it took.
    pub took: Option<f64>,
    /// None before one passed.
    pub latency: Option<Latency>,
    /// When it is run next: RFC 3339, UTC. None while it runs or is disabled.
    pub next: Option<String>,
    /// Seconds.
    pub interval: f64,
    /// Seconds.
    pub timeout: f64,
    /// Retries before a round has failed.
    pub retries: u32,
    /// Seconds.
    pub retry_delay: f64,
    /// Rounds in a row that pass before down turns up.
    pub rise: u32,
    /// Rounds in a row that fail before up turns down.
    pub fall: u32,
    /// Checks that have this run, this one included.
    pub shared_by: u64,
    /// Monotonic since the run began: with the daemon, or with a reload that changed it.
    pub counters: BTreeMap<String, u64>,
}

/// Who had a check not run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disabled {
    /// Such as `uid 0`.
    pub by: String,
    /// RFC 3339, UTC.
    pub since: String,
}

/// A check and its verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// NAME of `[check.NAME]`, or SERVICE/ADDRESS of a server.
    pub name: String,
    /// The kind of its one part; of several how they are combined: `all`, `any`, `at least 2`.
    pub kind: String,
    /// The target of its one part; of several the server.
    pub target: String,
    /// What was found.
    pub state: State,
    /// What to act on, whatever the state; none: it was never judged.
    pub judged: Option<Judgement>,
    /// What share to give while judged up; none: all of it.
    pub weight: Option<Weight>,
    /// When it entered the state: RFC 3339, UTC.
    pub since: String,
    /// Why it is in this state, and why what is acted on differs from it.
    pub reason: String,
    /// What should be looked at although it passes.
    pub warning: Option<String>,
    /// Grows by one whenever the state, or what to act on, changes; kept by name, over restarts and reloads.
    pub generation: u64,
    /// It is not run, its verdict stays.
    pub disabled: Option<Disabled>,
    /// Who acts on it: `service web`, `instance web`; 16 at most, then `and N more`.
    pub used_by: Vec<String>,
    /// 1 to 8.
    pub runs: Vec<Part>,
}

/// A step of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// Such as `resolve`, `connect`, `tls`, `first byte`.
    pub step: String,
    /// Seconds.
    pub took: f64,
}

/// How one run of a part went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// NAME of `[check.NAME]`, or the kind.
    pub label: String,
    /// Kind of check.
    pub kind: String,
    /// What was checked.
    pub target: String,
    /// Up, down or could not run.
    pub state: State,
    /// What it says of the share to give.
    pub weight: Option<Weight>,
    /// Why.
    pub reason: String,
    /// What should be looked at although it passed.
    pub warning: Option<String>,
    /// Seconds.
    pub took: f64,
    /// Its steps, in order.
    pub timings: Vec<Timing>,
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

/// Reply of `Run`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunReply {
    /// Of each part, in the order of the check's.
    pub reports: Vec<Report>,
}

/// Parameters of `Set`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetParameters {
    /// The check's name.
    pub name: String,
    /// What to act on.
    pub judged: Judgement,
    /// With up: the weight, a number of its own.
    pub weight: Option<i64>,
    /// Seconds for which it holds; none: until it is told anew.
    pub ttl: Option<f64>,
}

/// Reply of methods that have nothing to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {}

/// Parameters of the error `NotExternal`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotExternal {
    /// The check's name.
    pub name: String,
    /// Its kind, by which it finds its verdict itself.
    pub kind: String,
}

/// Parameters of the error `NotAllowed`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotAllowed {
    /// The check's name.
    pub name: String,
    /// Whoever may tell its verdict, such as `user:app`.
    pub needed: Vec<String>,
}

/// Parameters of the error `BadValue`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadValue {
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub hint: String,
}
