//! What is told of checks: those that are not well, and each change of what was found or is acted on.

use std::collections::BTreeMap;
use std::time::SystemTime;

use vipkit_control::common::Running;
use vipkit_control::health::{Check, Daemon, Monitor, Part};
use vipkit_control::monitor::Update;

use super::{Lines, Told};
use crate::health::Standing;
use crate::render::checks;
use crate::render::text::{Cell, Tone, plain};
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
        if Standing::of(self) != Standing::Up {
            let since = time::lasting(&self.since, now);
            Self::line(
                lines,
                &self.name,
                &[checks::verdict(self), plain(format!(" {since}: {}", self.reason))],
            );
        }
        warning(self, lines);
    }

    fn added(&self) -> Vec<Cell> {
        vec![checks::verdict(self), plain(format!(": {}", self.reason))]
    }

    fn changes(before: &Self, after: &Self, lines: &mut Lines) {
        let (old, new) = (checks::verdict(before), checks::verdict(after));
        let reason = plain(format!(": {}", after.reason));
        if let (None, Some(disabled)) = (&before.disabled, &after.disabled) {
            let by = plain(format!(" by {}", disabled.by));
            Self::line(lines, &after.name, &[plain(format!("{} -> ", old.1)), new, by]);
        } else if old != new {
            Self::line(lines, &after.name, &[plain(format!("{} -> ", old.1)), new, reason]);
        } else if before.generation != after.generation {
            Self::line(lines, &after.name, &[new, plain(" again"), reason]);
        } else if before.reason != after.reason && Standing::of(after) != Standing::Up {
            Self::line(lines, &after.name, &[plain("still "), new, reason]);
        }
        match (&before.warning, &after.warning) {
            (old, Some(new)) if old.as_ref() != Some(new) => warning(after, lines),
            (Some(old), None) => {
                let gone = (Tone::Good, "warning gone: ".to_owned());
                Self::line(lines, &after.name, &[gone, plain(old)]);
            }
            _ => {}
        }
        if settings(before) != settings(after) {
            Self::line(lines, &after.name, &[plain("settings changed")]);
        }
    }
}

fn warning(check: &Check, lines: &mut Lines) {
    if let Some(warning) = &check.warning {
        let label = (Tone::Odd, "warning: ".to_owned());
        Check::line(lines, &check.name, &[label, plain(warning)]);
    }
}

/// What only a reload changes.
fn settings(check: &Check) -> impl PartialEq + '_ {
    let of = |part: &Part| {
        let Part { label, kind, target, interval, timeout, retries, retry_delay, rise, fall, .. } = part;
        let names = [label.clone(), kind.clone(), target.clone()];
        (names, [*interval, *timeout, *retry_delay], [*retries, *rise, *fall])
    };
    (&check.kind, &check.target, check.runs.iter().map(of).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use vipkit_control::health::{Judgement, State, Weight, WeightUnit};
    use vipkit_control::monitor::Step;

    use super::*;
    use crate::render::notice::SHOWN;
    use crate::render::watch::testing::{begun, said, step, tell, words};
    use crate::testing::{check, disabled, down, health_daemon, part, with_part};

    #[test]
    fn it_begins_with_counts_and_those_that_are_not_well() {
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
        let other = with_part(Part { interval: 9.0, ..part("tcp") }, check("a"));
        assert_eq!(to(check("a"), other), ["a settings changed"]);
    }

    #[test]
    fn what_is_acted_on_is_told_too() {
        let to = |before: Check, after: Check| said(health_daemon(), before, after);
        let reason = |reason: &str| reason.to_owned();
        let held =
            Check { judged: Some(Judgement::Down), reason: reason("held down for 40 s"), ..check("a") };
        assert_eq!(to(down("a"), held.clone()), ["a down -> up, held down: held down for 40 s"]);
        assert_eq!(to(held, check("a")), ["a up, held down -> up: connected"]);
        let weight = |number| Some(Weight { unit: WeightUnit::Percent, number });
        let half = Check { weight: weight(50), reason: reason("slow start"), ..check("a") };
        assert_eq!(to(half.clone(), check("a")), ["a up, 50% -> up: connected"]);
        assert_eq!(
            to(half.clone(), Check { weight: weight(60), ..half }),
            ["a up, 50% -> up, 60%: slow start"]
        );
        assert_eq!(to(check("a"), disabled("a")), ["a up -> disabled, up by uid 0"]);
        assert_eq!(to(disabled("a"), check("a")), ["a disabled, up -> up: connected"]);
    }

    #[test]
    fn warnings_come_and_go() {
        let warned = Check { warning: Some("expires in 9 days".to_owned()), ..check("a") };
        let to = |before: Check, after: Check| said(health_daemon(), before, after);
        assert_eq!(to(check("a"), warned.clone()), ["a warning: expires in 9 days"]);
        assert_eq!(to(warned.clone(), check("a")), ["a warning gone: expires in 9 days"]);
        assert!(to(warned.clone(), warned.clone()).is_empty());
        let (_, begun) = begun(health_daemon(), vec![warned]);
        assert!(begun.ends_with("  a warning: expires in 9 days\n"), "{begun}");
    }

    #[test]
    fn what_only_counts_is_not_told() {
        let mut counted = Part { failures: 1, took: None, latency: None, next: None, ..part("tcp") };
        counted.counters.clear();
        let later = Check { reason: "connected at last".to_owned(), ..with_part(counted, check("a")) };
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
