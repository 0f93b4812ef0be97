//! `systemd`: a unit is active, as `systemctl show` says. A library for D-Bus would bring dozens of crates for one property; a
//! program that hangs or prints nonsense is what scripts have keepers for.

use std::rc::Rc;
use std::time::Duration;

use vipkit_config::Unit;

use super::script::{hindrance, run};
use super::{Checker, Means, Running, Steps, words};
use crate::verdict::Outcome;

impl Checker for Unit {
    fn run(&self, means: &Rc<Means>, steps: &Steps, timeout: Duration) -> Running {
        let (unit, means, steps) = (self.unit.clone(), means.clone(), steps.clone());
        Box::pin(async move {
            let properties = "--property=LoadState,ActiveState,SubState,Result";
            let command = ["systemctl", "show", properties, "--", &unit].map(str::to_owned);
            let ended = run(&means, &steps, &command, Vec::new(), timeout).await;
            match ended.and_then(|report| Ok((hindrance(&report, timeout)?, report.output))) {
                Ok((0, output)) => judge(&output),
                Ok((_, output)) => Outcome::hindered(
                    format_args!("systemctl: {}", words::line(output.as_bytes())),
                    "systemd and dbus have to run on this host",
                ),
                Err(outcome) => outcome,
            }
        })
    }
}

/// What the properties of a unit say. One that is not there is down, and not a fault of this host: a unit made for the
/// occasion, as by systemd-run(1), is not there when it has ended.
pub fn judge(properties: &str) -> Outcome {
    let property = |name: &str| {
        let of_line = |line: &str| Some(words::line(line.strip_prefix(name)?.strip_prefix('=')?.as_bytes()));
        properties.lines().find_map(of_line).filter(|value| !value.is_empty())
    };
    let Some(active) = property("ActiveState") else {
        return Outcome::hindered("systemctl says nothing of it", "see `systemctl show` for the unit");
    };
    let sub = property("SubState").map_or(String::new(), |sub| format!(" ({sub})"));
    match (property("LoadState").as_deref(), active.as_str(), property("Result").as_deref()) {
        // A unit that is reloaded serves meanwhile.
        (_, "active" | "reloading" | "refreshing", _) => Outcome::passed(format_args!("{active}{sub}")),
        (Some("not-found"), ..) => Outcome::failed("no such unit"),
        (Some("masked"), ..) => Outcome::failed(format_args!("{active} (masked)")),
        (_, _, None | Some("success")) => Outcome::failed(format_args!("{active}{sub}")),
        (_, _, Some(result)) => Outcome::failed(format_args!("{active}{sub}: {result}")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn active_is_up_and_all_else_is_down() {
        for (properties, outcome) in [
            (
                "LoadState=loaded\nActiveState=active\nSubState=running\nResult=success\n",
                Outcome::passed("active (running)"),
            ),
            ("ActiveState=reloading\nSubState=reload\n", Outcome::passed("reloading (reload)")),
            (
                "Result=exit-code\nActiveState=failed\nSubState=failed",
                Outcome::failed("failed (failed): exit-code"),
            ),
            ("ActiveState=inactive\nSubState=dead\nResult=success", Outcome::failed("inactive (dead)")),
            (
                "ActiveState=activating\nSubState=auto-restart\nResult=signal",
                Outcome::failed("activating (auto-restart): signal"),
            ),
            ("LoadState=not-found\nActiveState=inactive\nSubState=dead", Outcome::failed("no such unit")),
            ("LoadState=masked\nActiveState=inactive\nSubState=dead", Outcome::failed("inactive (masked)")),
            ("ActiveState=active", Outcome::passed("active")),
        ] {
            assert_eq!(judge(properties), outcome);
        }
        for nothing in ["", "ActiveState=", "ActiveStates=active", "no"] {
            assert!(matches!(judge(nothing), Outcome::CouldNotRun { .. }), "{nothing}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_judged(text: String) {
            let _ = judge(&text);
            let _ = judge(&format!("ActiveState={text}\nResult={text}"));
        }
    }
}
