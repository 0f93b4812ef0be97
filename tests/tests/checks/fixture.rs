//! The network of all scenarios: a director that checks, and a server. Each case is checked over both families.

use std::fmt::Write as _;
use std::time::Duration;

use vipkit_control::health::{Check, Judgement, Report, State};
use vipkit_tests::lab::certificates::Authority;
use vipkit_tests::lab::healthcheckd::Healthcheckd;
use vipkit_tests::lab::host::Host;
use vipkit_tests::lab::{Lab, until};

/// Until each check was judged: some rounds, on a busy machine.
const SOON: Duration = Duration::from_secs(20);
/// What a check is judged by, unless a case says otherwise.
const QUICK: &str = "interval = '500ms'\ntimeout = '1s'\nretries = 0\n";

/// The network.
pub struct Network {
    pub director: Host,
    pub server: Host,
    pub authority: Authority,
    /// Dropped last: it removes the hosts.
    pub lab: Lab,
}

/// A check of the server, and what is to be seen of it.
#[derive(Clone, Debug)]
pub struct Case {
    name: &'static str,
    /// 0: the target has none.
    port: u16,
    keys: String,
    state: State,
    /// A `*` at its end: it may go on.
    reason: &'static str,
    warning: Option<&'static str>,
}

/// A check that is up.
pub fn up(name: &'static str, port: u16, keys: impl Into<String>, reason: &'static str) -> Case {
    Case { name, port, keys: keys.into(), state: State::Up, reason, warning: None }
}

/// A check that is down.
pub fn down(name: &'static str, port: u16, keys: impl Into<String>, reason: &'static str) -> Case {
    Case { state: State::Down, ..up(name, port, keys, reason) }
}

/// A check that could not be run.
pub fn hindered(name: &'static str, port: u16, keys: impl Into<String>, reason: &'static str) -> Case {
    Case { state: State::CouldNotRun, ..up(name, port, keys, reason) }
}

impl Case {
    /// With a warning.
    pub fn warned(self, warning: &'static str) -> Self {
        Self { warning: Some(warning), ..self }
    }

    /// What is wrong about what is shown.
    fn fault(&self, check: &Check) -> Option<String> {
        let judged = match self.state {
            State::Up => Some(Judgement::Up),
            State::Down => Some(Judgement::Down),
            State::Unknown | State::CouldNotRun => None,
        };
        let as_expected = match self.reason.strip_suffix('*') {
            Some(beginning) => check.reason.starts_with(beginning),
            None => check.reason == self.reason,
        };
        let is = (check.state, check.judged, check.warning.as_deref());
        let is_right = as_expected && is == (self.state, judged, self.warning);
        (!is_right).then(|| format!("{}: {is:?} {:?}, not {self:?}", check.name, check.reason))
    }
}

impl Network {
    pub fn new() -> Self {
        let lab = Lab::new();
        let (director, server) = (lab.host("director", 5), lab.host("server", 100));
        [&director, &server].into_iter().for_each(Host::add_ipv6);
        let authority = Authority::new(lab.folder().join("certificates"));
        Self { director, server, authority, lab }
    }

    /// Has the server refuse each datagram: a kernel says it only so many times a second otherwise.
    pub fn refuses_all(&self) {
        for family in ["ipv4/icmp_ratelimit", "ipv6/icmp/ratelimit"] {
            self.server.set(family, "0");
        }
    }

    /// Where the server is to be checked, over IPv4 and IPv6.
    pub fn targets(&self, port: u16) -> [(&'static str, String); 2] {
        let (v4, v6) = (self.server.address(), self.server.global());
        let targets = if port == 0 {
            [v4.to_string(), v6.to_string()]
        } else {
            [format!("{v4}:{port}"), format!("[{v6}]:{port}")]
        };
        let [v4, v6] = targets;
        [("v4", v4), ("v6", v6)]
    }

    /// The configuration of cases: NAME-v4 and NAME-v6 of each.
    pub fn config(&self, cases: &[Case]) -> String {
        let mut config = String::new();
        for case in cases {
            for (family, target) in self.targets(case.port) {
                let quick = QUICK.lines().filter(|line| {
                    let key = line.split(' ').next().unwrap();
                    !case.keys.lines().any(|line| line.starts_with(key))
                });
                let quick = quick.collect::<Vec<_>>().join("\n");
                let name = case.name;
                let _ =
                    writeln!(config, "[check.{name}-{family}]\ntarget = '{target}'\n{quick}\n{}", case.keys);
            }
        }
        config
    }

    /// Has the director check all cases, until each is as expected.
    pub fn judge(&self, cases: &[Case]) -> Healthcheckd {
        let healthcheckd = Healthcheckd::started(&self.director, &self.config(cases));
        self.wait_for(&healthcheckd, cases);
        healthcheckd
    }

    /// Waits until each case is as expected.
    pub fn wait_for(&self, healthcheckd: &Healthcheckd, cases: &[Case]) {
        let mut faults = Vec::new();
        until(SOON, || {
            let checks = healthcheckd.checks();
            faults = cases.iter().flat_map(|case| case.faults(&checks)).collect();
            faults.is_empty()
        });
        assert!(faults.is_empty(), "not within {SOON:?}:\n{}", faults.join("\n"));
    }

    /// All these cases, with another state.
    pub fn all_down(cases: &[Case], reason: &'static str) -> Vec<Case> {
        cases.iter().map(|case| Case { state: State::Down, reason, warning: None, ..case.clone() }).collect()
    }
}

impl Case {
    /// What is wrong about either family.
    fn faults(&self, checks: &[Check]) -> Vec<String> {
        let names = ["v4", "v6"].map(|family| format!("{}-{family}", self.name));
        let find = |name: &String| checks.iter().find(|check| check.name == *name);
        let faults = names
            .iter()
            .map(|name| find(name).map_or_else(|| Some(format!("no {name}")), |check| self.fault(check)));
        faults.flatten().collect()
    }
}

/// The steps of a report, in order.
pub fn steps(report: &Report) -> Vec<&str> {
    report.timings.iter().map(|timing| timing.step.as_str()).collect()
}
