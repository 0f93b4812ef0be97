//! Runs checks once for somebody who looks on: all parts at once, each with its steps. Must not judge: it counts for nothing.

use tokio::task::JoinSet;
use vipkit_control::health::{Report, State, Timing};
use vipkit_daemon::clock::now;

use super::daemon::Trial;
use crate::verdict::{Finding, Outcome};

/// What came of it, in the order of the parts. Dropped, all of them end.
pub async fn run(trials: Vec<Trial>) -> Vec<Report> {
    let mut running = JoinSet::new();
    for (number, trial) in trials.into_iter().enumerate() {
        running.spawn_local(async move { (number, report(trial).await) });
    }
    // One that panicked has nothing to report.
    let mut reports = Vec::new();
    while let Some(ended) = running.join_next().await {
        reports.extend(ended.ok());
    }
    reports.sort_by_key(|(number, _)| *number);
    reports.into_iter().map(|(_, report)| report).collect()
}

async fn report(Trial { label, kind, target, steps, running }: Trial) -> Report {
    let began = now();
    let outcome = running.await;
    let took = (now() - began).as_secs_f64();
    let (state, Finding { reason, weight, warning }) = match outcome {
        Outcome::Passed(finding) => (State::Up, finding),
        Outcome::Failed { reason } => (State::Down, Finding { reason, ..Finding::default() }),
        Outcome::CouldNotRun { reason, remedy } => {
            (State::CouldNotRun, Finding { reason: format!("{reason}: {remedy}"), ..Finding::default() })
        }
    };
    let timing = |(step, took): (&str, std::time::Duration)| Timing {
        step: step.to_owned(),
        took: took.as_secs_f64(),
    };
    Report {
        label,
        kind: kind.to_owned(),
        target,
        state,
        weight: weight.map(Into::into),
        reason,
        warning,
        took,
        timings: steps.timings().into_iter().map(timing).collect(),
    }
}
