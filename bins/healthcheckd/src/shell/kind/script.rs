//! `script`: a program of this host says whether the target is up, by its exit code. It runs as our own user, under a keeper,
//! so whatever it does nothing of it is left. Must not run a shell.

use std::rc::Rc;
use std::time::Duration;

use nix::sys::signal::Signal;
use vipkit_config::{ExitCodes, Script};

use super::{Checker, Means, Running, Steps, words};
use crate::shell::keeper::{End, Report};
use crate::verdict::{Finding, Outcome};
use crate::weight::Weight;

impl Checker for Script {
    fn run(&self, means: &Rc<Means>, steps: &Steps, timeout: Duration) -> Running {
        let (script, means, steps) = (self.clone(), means.clone(), steps.clone());
        Box::pin(async move {
            let mut environment = vec![("VIPKIT_TIMEOUT", timeout.as_secs_f64().to_string())];
            if let Some(server) = script.server {
                environment.push(("VIPKIT_ADDRESS", server.ip().to_string()));
                environment.push(("VIPKIT_PORT", server.port().to_string()));
            }
            match run(&means, &steps, &script.command, environment, timeout).await {
                Ok(report) => judge(script.exit, &report, timeout),
                Err(outcome) => outcome,
            }
        })
    }
}

/// Waits for a turn, which counts for nothing, and runs a program.
pub async fn run(
    means: &Means,
    steps: &Steps,
    command: &[String],
    environment: Vec<(&'static str, String)>,
    timeout: Duration,
) -> Result<Report, Outcome> {
    let hindered = |why: String| {
        Outcome::hindered(
            format_args!("cannot be run: {why}"),
            "see TasksMax= and LimitNOFILE= of healthcheckd",
        )
    };
    let _turn = means.scripts.acquire().await.map_err(|error| hindered(error.to_string()))?;
    steps.done("turn");
    let report = means.keepers.run(command, environment, timeout).await;
    steps.done("answer");
    report.map_err(|error| hindered(error.to_string()))
}

/// What an end means that is the same whatever its exit codes mean; none for one with an exit code of its own.
pub fn hindrance(report: &Report, timeout: Duration) -> Result<i32, Outcome> {
    match &report.end {
        End::Exit(code) => Ok(*code),
        End::Stopped => Err(Outcome::late(timeout)),
        End::NotStarted(why) => Err(Outcome::hindered(
            format_args!("cannot be started: {}", words::line(why.as_bytes())),
            "it has to be a program that healthcheckd's user may run",
        )),
        End::Signal(number) => {
            let name =
                Signal::try_from(*number).map_or_else(|_| number.to_string(), |signal| signal.to_string());
            Err(Outcome::hindered(
                format_args!("killed by signal {name}"),
                "see its own log, and the kernel's",
            ))
        }
    }
}

/// What an end means.
pub fn judge(exit: ExitCodes, report: &Report, timeout: Duration) -> Outcome {
    let outcome =
        hindrance(report, timeout).map_or_else(|outcome| outcome, |code| meaning(exit, code, &report.output));
    mention(&report.left, outcome)
}

/// What an exit code means.
fn meaning(exit: ExitCodes, code: i32, output: &str) -> Outcome {
    // Behind the bar, plugins of Nagios print figures, which are others each time.
    let output =
        if exit == ExitCodes::Nagios { output.split('|').next().unwrap_or_default() } else { output };
    let said = words::line(output.as_bytes());
    let reason =
        if said.is_empty() { format!("exit code {code}") } else { format!("exit code {code}: {said}") };
    let well = |weight, warning| {
        let reason = if code == 0 && !said.is_empty() { said.clone() } else { reason.clone() };
        Outcome::Passed(Finding { reason, weight, warning })
    };
    match (exit, code) {
        (_, 0) => well(None, None),
        (_, 126 | 127) => {
            Outcome::hindered(&reason, "a program that it needs cannot be run, or is not there")
        }
        (ExitCodes::Keepalived, 2..) => well(Some(Weight::Absolute(i64::from(code) - 2)), None),
        (ExitCodes::Nagios, 1) => well(None, Some(reason.clone())),
        (ExitCodes::Nagios, 2) | (ExitCodes::Simple | ExitCodes::Keepalived, _) => Outcome::failed(&reason),
        (ExitCodes::Nagios, _) => Outcome::hindered(&reason, "the plugin could not tell: run it by hand"),
    }
}

/// Names what could not be ended.
fn mention(left: &[String], outcome: Outcome) -> Outcome {
    if left.is_empty() {
        return outcome;
    }
    let names = words::line(left.join(", ").as_bytes());
    let left = format!("left running, since of another user: {names}");
    match outcome {
        Outcome::Passed(Finding { reason, weight, warning }) => {
            let warning = warning.map_or_else(|| left.clone(), |warning| format!("{warning}; {left}"));
            Outcome::Passed(Finding { reason, weight, warning: Some(warning) })
        }
        Outcome::Failed { reason } => Outcome::Failed { reason: format!("{reason}; {left}") },
        Outcome::CouldNotRun { reason, remedy } => {
            Outcome::CouldNotRun { reason: format!("{reason}; {left}"), remedy }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(3);

    fn short(outcome: &Outcome) -> String {
        match outcome {
            Outcome::Passed(Finding { reason, weight, warning }) => {
                let weight = weight.map_or(String::new(), |weight| format!(" {weight:?}"));
                let warning = warning.as_ref().map_or(String::new(), |warning| format!(" !{warning}"));
                format!("+{reason}{weight}{warning}")
            }
            Outcome::Failed { reason } => format!("-{reason}"),
            Outcome::CouldNotRun { reason, .. } => format!("?{reason}"),
        }
    }

    #[test]
    fn every_exit_code_means_what_it_is_said_to() {
        use ExitCodes::{Keepalived, Nagios, Simple};
        for (exit, code, output, expected) in [
            (Simple, 0, "", "+exit code 0"),
            (Simple, 0, "all well\nmore", "+all well"),
            (Simple, 1, "disk full\n", "-exit code 1: disk full"),
            (Simple, 255, "", "-exit code 255"),
            (Simple, 126, "", "?exit code 126"),
            (Simple, 127, "x: not found", "?exit code 127: x: not found"),
            (Keepalived, 0, "a|b", "+a|b"),
            (Keepalived, 1, "", "-exit code 1"),
            (Keepalived, 2, "", "+exit code 2 Absolute(0)"),
            (Keepalived, 127, "", "?exit code 127"),
            (Keepalived, 255, "", "+exit code 255 Absolute(253)"),
            (Nagios, 0, "OK - fine | load=1", "+OK - fine"),
            (Nagios, 1, "WARNING - high|load=9", "+exit code 1: WARNING - high !exit code 1: WARNING - high"),
            (Nagios, 2, "CRITICAL", "-exit code 2: CRITICAL"),
            (Nagios, 3, "UNKNOWN", "?exit code 3: UNKNOWN"),
            (Nagios, 4, "", "?exit code 4"),
        ] {
            assert_eq!(short(&meaning(exit, code, output)), expected);
        }
    }

    #[test]
    fn other_ends_and_what_is_left_are_told() {
        let left = vec!["sudo".to_owned()];
        for (end, left, expected) in [
            (End::Stopped, vec![], "-no answer within 3s"),
            (End::Signal(9), vec![], "?killed by signal SIGKILL"),
            (End::Signal(63), vec![], "?killed by signal 63"),
            (End::NotStarted("No such file".to_owned()), vec![], "?cannot be started: No such file"),
            (End::Exit(0), left.clone(), "+exit code 0 !left running, since of another user: sudo"),
            (End::Exit(1), left.clone(), "-exit code 1; left running, since of another user: sudo"),
            (End::Signal(9), left, "?killed by signal SIGKILL; left running, since of another user: sudo"),
        ] {
            let report = Report { end, output: String::new(), left };
            assert_eq!(short(&judge(ExitCodes::Simple, &report, TIMEOUT)), expected);
        }
    }
}
