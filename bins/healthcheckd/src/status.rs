//! What people and programs are shown of a check. Must not change anything.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use vipkit_config::{Checked, Needed};
use vipkit_control::health::{Check, Disabled, Part, State};

use crate::checks::{Checks, Entry};
use crate::runs::{Counters, Run, RunId};

/// The check of this name; `next` says when a run is due.
#[must_use]
pub fn check(checks: &Checks, name: &str, next: impl Fn(RunId) -> Option<SystemTime>) -> Option<Check> {
    let entry = checks.get(name)?;
    let standing = entry.told();
    let runs: Vec<Part> = runs(checks, entry)
        .map(|(label, id, run)| part(label, run, next(id).filter(|_| !checks.is_idle(run))))
        .collect();
    let (kind, target) = match (entry.checked(), runs.as_slice()) {
        (_, [only]) => (only.kind.clone(), only.target.clone()),
        (Checked { needed, server, .. }, _) => {
            (word_of(*needed), server.as_ref().map(|(_, address)| address.to_string()).unwrap_or_default())
        }
    };
    Some(Check {
        name: name.to_owned(),
        kind,
        target,
        state: standing.state,
        judged: standing.judged,
        weight: standing.weight.map(Into::into),
        since: time(standing.since),
        reason: standing.reason.clone(),
        warning: standing.warning.clone(),
        generation: standing.generation,
        disabled: entry.disabled().map(|d| Disabled { by: d.by.clone(), since: time(d.since) }),
        used_by: entry.used_by().to_vec(),
        runs,
    })
}

fn runs<'a>(checks: &'a Checks, entry: &'a Entry) -> impl Iterator<Item = (&'a str, RunId, &'a Run)> {
    let labels = entry.checked().parts.iter().map(|part| part.label.as_str());
    labels.zip(entry.parts()).filter_map(|(label, id)| Some((label, *id, checks.runs().get(*id)?)))
}

fn part(label: &str, run: &Run, next: Option<SystemTime>) -> Part {
    let (check, verdict, latest) = (run.check(), run.verdict(), run.latest());
    Part {
        label: label.to_owned(),
        kind: check.kind.name().to_owned(),
        target: check.kind.target(),
        state: verdict.state(),
        judged: verdict.judged(),
        weight: verdict.weight().map(Into::into),
        since: time(verdict.since()),
        reason: verdict.reason(),
        warning: verdict.warning().map(str::to_owned),
        failures: verdict.failures(),
        successes: verdict.successes(),
        checked: latest.map(|latest| time(latest.ended)),
        took: latest.map(|latest| latest.took.as_secs_f64()),
        latency: run.latencies().percentiles(),
        next: next.map(time),
        interval: check.interval.as_secs_f64(),
        timeout: check.timeout.as_secs_f64(),
        retries: check.retries,
        retry_delay: check.retry_delay.as_secs_f64(),
        rise: check.rise,
        fall: check.fall,
        shared_by: run.users().len() as u64,
        counters: counters(run.counters()),
    }
}

fn word_of(needed: Needed) -> String {
    match needed {
        Needed::All => "all".to_owned(),
        Needed::Any => "any".to_owned(),
        Needed::AtLeast(few) => format!("at least {few}"),
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

/// As it is shown: RFC 3339, UTC.
#[must_use]
pub fn time(moment: SystemTime) -> String {
    // RFC 3339 has no later moment than the year 9999.
    const LAST: std::time::Duration = std::time::Duration::from_secs(253_402_300_799);
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default().min(LAST);
    humantime::format_rfc3339_millis(UNIX_EPOCH + since).to_string()
}

fn counters(counters: Counters) -> BTreeMap<String, u64> {
    let Counters { passed, failed, could_not_run, changes } = counters;
    [("passed", passed), ("failed", failed), ("could_not_run", could_not_run), ("changes", changes)]
        .map(|(name, count)| (name.to_owned(), count))
        .into()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use vipkit_control::health::Judgement;

    use super::*;
    use crate::checks::tests::{World, at};
    use crate::verdict::tests::{failed, passed};

    const TEXT: &str = "[check.web]\ntype = 'tcp'\ntarget = '192.0.2.1:80'\ninterval = '10s'\nretries = 1\n\
        [[service]]\nname = 'web'\naddress = '192.0.2.15:80'\nforward = 'dr'\n\
        [[service.server]]\naddress = '192.0.2.1:80'\ncheck = 'web'\n\
        [[service.server]]\naddress = '192.0.2.2:80'\ncheck = { at_least = 1, of = ['web', { type = 'tcp' }] }\n";

    #[test]
    fn a_check_as_it_is_shown() {
        let mut world = World::new(TEXT);
        let shown = |world: &World| check(&world.checks, "web", |_| Some(at(20))).unwrap();
        let unknown = shown(&world);
        assert_eq!(
            (unknown.state, unknown.judged, unknown.runs[0].checked.clone()),
            (State::Unknown, None, None)
        );
        assert_eq!(unknown.reason, "not run yet");
        world.run("web", 0, passed(), 1);
        world.run("web", 0, failed(), 11);
        world.tell();
        let counters = [("passed", 1), ("failed", 1), ("could_not_run", 0), ("changes", 1)];
        let shown = shown(&world);
        assert_eq!((shown.kind.as_str(), shown.target.as_str()), ("tcp", "192.0.2.1:80"));
        assert_eq!((shown.state, shown.judged, shown.generation), (State::Up, Some(Judgement::Up), 1));
        assert_eq!((shown.since.as_str(), shown.reason.as_str()), ("1970-01-01T00:00:01.000Z", "connected"));
        let [part] = shown.runs.try_into().unwrap();
        assert_eq!(part.label, "web");
        assert_eq!((part.failures, part.successes, part.shared_by), (1, 0, 3));
        assert_eq!(part.checked.as_deref(), Some("1970-01-01T00:00:11.000Z"));
        assert_eq!(part.next.as_deref(), Some("1970-01-01T00:00:20.000Z"));
        assert_eq!((part.took, part.interval, part.timeout), (Some(0.001), 10.0, 3.0));
        assert_eq!((part.retries, part.retry_delay, part.rise, part.fall), (1, 1.0, 1, 1));
        assert_eq!(part.counters, counters.map(|(name, count)| (name.to_owned(), count)).into());
        assert_eq!(part.latency.unwrap().samples, 1);
    }

    #[test]
    fn several_parts_are_shown_as_one_check_of_the_server() {
        let world = World::new(TEXT);
        let shown = check(&world.checks, "web/192.0.2.2:80", |_| None).unwrap();
        assert_eq!((shown.kind.as_str(), shown.target.as_str()), ("at least 1", "192.0.2.2:80"));
        assert_eq!(shown.runs.iter().map(|part| part.label.as_str()).collect::<Vec<_>>(), ["web", "tcp"]);
        assert_eq!(shown.used_by, ["service web"]);
        assert!(check(&world.checks, "mail", |_| None).is_none());
    }

    #[test]
    fn a_time_that_no_calendar_has_is_shown_all_the_same() {
        assert_eq!(time(UNIX_EPOCH + Duration::from_secs(1 << 60)), "9999-12-31T23:59:59.000Z");
    }
}
