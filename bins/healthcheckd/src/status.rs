//! What people and programs are shown of a check. Must not change anything.

use std::collections::BTreeMap;
use std::time::SystemTime;

use vipkit_control::health::{Check, State};

use crate::runs::{Counters, Run};

/// The check of this name, as its run is.
#[must_use]
pub fn check(name: &str, run: &Run) -> Check {
    let (check, verdict, latest) = (run.check(), run.told(), run.latest());
    Check {
        name: name.to_owned(),
        kind: check.kind.name().to_owned(),
        target: check.kind.target(),
        state: verdict.state(),
        judged: verdict.judged(),
        since: time(verdict.since()),
        reason: verdict.reason(),
        generation: verdict.generation(),
        failures: verdict.failures(),
        checked: latest.map(|latest| time(latest.ended)),
        took: latest.map(|latest| latest.took.as_secs_f64()),
        interval: check.interval.as_secs_f64(),
        timeout: check.timeout.as_secs_f64(),
        retries: check.retries,
        retry_delay: check.retry_delay.as_secs_f64(),
        shared_by: run.names().len() as u64,
        counters: counters(run.counters()),
    }
}

/// The word for a state, as in a sentence.
#[must_use]
pub const fn word(state: State) -> &'static str {
    match state {
        State::Up => "up",
        State::Down => "down",
        State::Unknown => "unknown",
        State::CouldNotRun => "could not run",
    }
}

fn time(moment: SystemTime) -> String {
    humantime::format_rfc3339_millis(moment).to_string()
}

fn counters(counters: Counters) -> BTreeMap<String, u64> {
    let Counters { passed, failed, could_not_run, changes } = counters;
    [("passed", passed), ("failed", failed), ("could_not_run", could_not_run), ("changes", changes)]
        .map(|(name, count)| (name.to_owned(), count))
        .into()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use vipkit_control::health::Judgement;

    use super::*;
    use crate::runs::Runs;
    use crate::runs::tests::tcp;
    use crate::verdict::Found;
    use crate::verdict::tests::{failed, passed};

    #[test]
    fn a_check_as_it_is_shown() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let mut runs = Runs::default();
        let checks = ["web", "web/192.0.2.1:80"].map(|name| (name.to_owned(), tcp("192.0.2.1:80"))).into();
        let id = runs.configure(checks, &[], Found::BeforeReload, at(0)).begun[0];
        let unknown = check("web", runs.named("web").unwrap());
        assert_eq!((unknown.state, unknown.judged, unknown.checked), (State::Unknown, None, None));
        assert_eq!(unknown.reason, "not run yet");
        runs.finished(id, passed(), Duration::from_millis(2), at(1));
        runs.finished(id, failed(), Duration::from_millis(2), at(11));
        let untold = runs.take_untold();
        runs.tell(&untold);
        let shown = check("web", runs.named("web").unwrap());
        let counters = [("passed", 1), ("failed", 1), ("could_not_run", 0), ("changes", 1)];
        let expected = Check {
            name: "web".to_owned(),
            kind: "tcp".to_owned(),
            target: "192.0.2.1:80".to_owned(),
            state: State::Up,
            judged: Some(Judgement::Up),
            since: "1970-01-01T00:00:01.000Z".to_owned(),
            reason: "connected".to_owned(),
            generation: 1,
            failures: 1,
            checked: Some("1970-01-01T00:00:11.000Z".to_owned()),
            took: Some(0.002),
            interval: 10.0,
            timeout: 3.0,
            retries: 1,
            retry_delay: 1.0,
            shared_by: 2,
            counters: counters.map(|(name, count)| (name.to_owned(), count)).into(),
        };
        assert_eq!(shown, expected);
    }
}
