//! What is told of checks: those that are not up, and each change of state.

use std::collections::BTreeMap;
use std::time::SystemTime;

use vipkit_control::common::Running;
use vipkit_control::health::{Check, Daemon, Monitor, State};
use vipkit_control::monitor::Update;

use super::{Lines, Told};
use crate::render::checks;
use crate::render::text::{Cell, plain};
use crate::render::time;

impl Told for Check {
    type Monitor = Monitor;
    type Daemon = Daemon;
    const TELLER: &'static str = "healthcheckd";

    fn update(Monitor { step, sequence, daemon, checks, removed }: Monitor) -> Update<Daemon, Self> {
        Update { step, sequence, daemon, objects: checks, removed }
    }

    fn running(daemon: &Daemon) -> &Running {
        &daemon.running
    }

    /// Their names are too long for a column: they stand with the words.
    fn line(lines: &mut Lines, name: &str, words: &[Cell]) {
        lines.add(Self::TELLER, &[vec![plain(format!("{name} "))], words.to_vec()].concat());
    }

    fn summary(checks: &BTreeMap<String, Self>) -> Option<Vec<Cell>> {
        Some(checks::counts(checks.values()))
    }

    fn level(&self, now: SystemTime, lines: &mut Lines) {
        if self.state != State::Up {
            let since = time::lasting(&self.since, now);
            Self::line(
                lines,
                &self.name,
                &[checks::state(self.state), plain(format!(" {since}: {}", self.reason))],
            );
        }
    }

    fn added(&self) -> Vec<Cell> {
        vec![checks::state(self.state), plain(format!(": {}", self.reason))]
    }

    fn changes(before: &Self, after: &Self, lines: &mut Lines) {
        let (old, new) = (checks::state(before.state), checks::state(after.state));
        let reason = plain(format!(": {}", after.reason));
        if old != new {
            Self::line(lines, &after.name, &[plain(format!("{} -> ", old.1)), new, reason]);
        } else if before.generation != after.generation {
            Self::line(lines, &after.name, &[new, plain(" again"), reason]);
        } else if before.reason != after.reason && after.state != State::Up {
            Self::line(lines, &after.name, &[plain("still "), new, reason]);
        }
        if settings(before) != settings(after) {
            Self::line(lines, &after.name, &[plain("settings changed")]);
        }
    }
}

/// What only a reload changes.
fn settings(check: &Check) -> impl PartialEq + '_ {
    let Check { kind, target, interval, timeout, retries, retry_delay, .. } = check;
    (kind, target, interval, timeout, retries, retry_delay)
}

#[cfg(test)]
mod tests {
    use vipkit_control::monitor::Step;

    use super::*;
    use crate::render::notice::SHOWN;
    use crate::render::watch::testing::{begun, said, step, tell, words};
    use crate::testing::{check, down, health_daemon};

    #[test]
    fn it_begins_with_counts_and_those_that_are_not_up() {
        let (_, text) = begun(health_daemon(), vec![check("a"), down("web/192.168.4.100:80"), check("c")]);
        assert_eq!(
            text,
            "\
03:00:00Z  healthcheckd  on web1, version 0.1.0, digest 0a1b2c3d4e5f
03:00:00Z  healthcheckd  3 checks: 2 up, 1 down
03:00:00Z  healthcheckd  web/192.168.4.100:80 down for 3 m 12 s: connection
                         refused
"
        );
    }

    #[test]
    fn changes_of_state_are_told_with_their_reason() {
        let to = |before: Check, after: Check| said(health_daemon(), before, after);
        assert_eq!(to(check("a"), down("a")), ["a up -> down: connection refused"]);
        assert_eq!(to(down("a"), check("a")), ["a down -> up: connected"]);
        let stuck = Check { state: State::CouldNotRun, reason: "no descriptors".to_owned(), ..check("a") };
        assert_eq!(to(check("a"), stuck), ["a up -> could_not_run: no descriptors"]);
        assert_eq!(to(check("a"), Check { generation: 3, ..check("a") }), ["a up again: connected"]);
        let slower = Check { reason: "timed out".to_owned(), ..down("a") };
        assert_eq!(to(down("a"), slower), ["a still down: timed out"]);
        assert_eq!(to(check("a"), Check { interval: 9.0, ..check("a") }), ["a settings changed"]);
    }

    #[test]
    fn what_only_counts_is_not_told() {
        let mut later = Check { failures: 1, took: None, ..check("a") };
        later.counters.clear();
        later.reason = "connected at last".to_owned();
        assert!(said(health_daemon(), check("a"), later).is_empty());
    }

    #[test]
    fn many_that_come_or_go_at_once_are_counted() {
        let (mut story, _) = begun(health_daemon(), vec![check("a")]);
        let names: Vec<_> = (0..=SHOWN).map(|number| format!("c{number}")).collect();
        let new = names.iter().map(|name| check(name)).chain([down("a")]).collect();
        let told = words(&tell(&mut story, step(Step::Change, None, new, &[])));
        assert_eq!(told, ["a up -> down: connection refused", "9 checks added"]);
        let gone: Vec<_> = names.iter().map(String::as_str).collect();
        assert_eq!(words(&tell(&mut story, step(Step::Change, None, vec![], &gone))), ["9 checks removed"]);
    }

    #[test]
    fn checks_come_and_go() {
        let (mut story, _) = begun(health_daemon(), vec![check("a")]);
        let text = tell(&mut story, step(Step::Change, None, vec![down("b")], &["a"]));
        assert_eq!(
            text,
            "03:00:00Z  healthcheckd  b added: down: connection refused\n03:00:00Z  healthcheckd  a removed\n"
        );
    }
}
