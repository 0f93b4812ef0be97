//! `vipctl health NAME`: everything about one check, and about each part that it is made of; and what holds after
//! somebody changed something about it.

use std::time::{Duration, SystemTime};

use vipkit_control::health::{Check, Latency, Part};

use super::words::{by, counting, judgement, of_state, reason, verdict, weight};
use crate::render::notice::INDENT;
use crate::render::text::{Cell, HANGING, Style, Text, plain};
use crate::render::time;

/// From a label to its words: the longest label, and a gap.
const LABEL: usize = 13;

/// A label, and its words if it applies.
type Fact = (&'static str, Option<String>);

/// Everything about it.
#[must_use]
pub fn check(check: &Check, now: SystemTime, style: Style) -> String {
    let mut text = Text::new(style);
    head(&mut text, &check.name, verdict(check), &check.since, now);
    let used_by = if check.used_by.is_empty() { "nobody".to_owned() } else { check.used_by.join(", ") };
    let facts = [
        ("reason", Some(reason(check))),
        ("warning", check.warning.clone()),
        ("acted on as", Some(check.judged.map_or("never judged", judgement).to_owned())),
        ("weight", check.weight.map(weight)),
        ("disabled", check.disabled.as_ref().map(|disabled| by(disabled, now))),
        ("used by", Some(used_by)),
        ("combined", (check.runs.len() > 1).then(|| format!("{} of {}", check.kind, check.runs.len()))),
        ("generation", Some(check.generation.to_string())),
    ];
    entries(&mut text, facts, INDENT);
    for part in &check.runs {
        of_part(&mut text, part, check, now);
    }
    text.finish()
}

fn of_part(text: &mut Text, part: &Part, check: &Check, now: SystemTime) {
    let title = title(&part.label, &part.kind, &part.target);
    text.skip(INDENT);
    head(text, &title, of_state(part.state), &part.since, now);
    let finished = |checked: &String| match part.took {
        Some(took) => format!("{}, took {}", time::ago(checked, now), time::took(took)),
        None => time::ago(checked, now),
    };
    let next = match (&part.next, &check.disabled) {
        (Some(next), _) => time::ahead(next, now),
        (None, Some(_)) => "none: disabled".to_owned(),
        (None, None) => "under way".to_owned(),
    };
    let others = part.shared_by.saturating_sub(1);
    let facts = [
        ("reason", (part.reason != check.reason).then(|| part.reason.clone())),
        ("warning", part.warning.clone().filter(|_| part.warning != check.warning)),
        ("weight", part.weight.filter(|_| part.weight != check.weight).map(weight)),
        ("counting", counting(part)),
        ("last run", Some(part.checked.as_ref().map_or_else(|| "never".to_owned(), finished))),
        ("next run", Some(next)),
        ("latency", Some(part.latency.as_ref().map_or_else(|| "no run passed yet".to_owned(), percentiles))),
        ("interval", Some(time::seconds(part.interval))),
        ("timeout", Some(time::seconds(part.timeout))),
        ("retries", Some(retries(part))),
        ("rise, fall", Some(format!("{}, {}", part.rise, part.fall))),
        (
            "shared with",
            Some(if others == 0 { "no other".to_owned() } else { format!("{others} other checks") }),
        ),
    ];
    entries(text, facts, INDENT * 2);
    if !part.counters.is_empty() {
        text.skip(INDENT * 2).say("counters").end();
        let rows = part.counters.iter().map(|(name, count)| vec![plain(name), plain(count.to_string())]);
        text.table(&rows.collect::<Vec<_>>(), INDENT * 3);
    }
}

/// What a part is called: its label, where that says more than its kind.
#[must_use]
pub fn title(label: &str, kind: &str, target: &str) -> String {
    let label = if label == kind { String::new() } else { format!("{label}: ") };
    format!("{label}{kind} {target}")
}

fn head(text: &mut Text, title: &str, state: Cell, since: &str, now: SystemTime) {
    let since = format!(" since {since} ({})", time::ago(since, now));
    text.fold(&[plain(format!("{title}: ")), state, plain(since)], HANGING);
}

fn entries(text: &mut Text, facts: impl IntoIterator<Item = Fact>, indent: usize) {
    for (label, words) in facts {
        if let Some(words) = words {
            text.entry(plain(label), plain(words), indent, LABEL);
        }
    }
}

fn percentiles(Latency { p50, p90, p99, samples }: &Latency) -> String {
    let [p50, p90, p99] = [p50, p90, p99].map(|span| time::took(*span));
    format!("p50 {p50}, p90 {p90}, p99 {p99}, of {samples} that passed")
}

fn retries(Part { retries, retry_delay, .. }: &Part) -> String {
    if *retries == 0 { "0".to_owned() } else { format!("{retries}, {} apart", time::seconds(*retry_delay)) }
}

/// What holds after a check was told its verdict, and how long.
#[must_use]
pub fn told(check: &Check, ttl: Option<Duration>, style: Style) -> String {
    let holds = match ttl {
        Some(ttl) => format!("; holds for {}, unless it is told anew", time::seconds(ttl.as_secs_f64())),
        None => "; holds until it is told anew".to_owned(),
    };
    line(check, holds, style)
}

/// What holds after a check was enabled or disabled.
#[must_use]
pub fn enabling(check: &Check, style: Style) -> String {
    let holds = match check.disabled {
        Some(_) => format!("; not run until `vipctl health enable {}`", check.name),
        None => "; it is run".to_owned(),
    };
    line(check, holds, style)
}

fn line(check: &Check, holds: String, style: Style) -> String {
    let mut text = Text::new(style);
    text.fold(&[plain(format!("{}: ", check.name)), verdict(check), plain(holds)], HANGING);
    text.finish()
}

#[cfg(test)]
mod tests {
    use vipkit_control::health::{Judgement, State, Weight, WeightUnit};

    use super::*;
    use crate::testing::{check as up, disabled, down, down_part, now, part, with_part};

    fn text(one: &Check) -> String {
        check(one, now(), Style::Plain)
    }

    #[test]
    fn everything_about_one() {
        let shared = Part { shared_by: 3, ..down_part("tcp") };
        assert_eq!(
            text(&with_part(shared, down("web/192.168.4.100:80"))),
            "\
web/192.168.4.100:80: down since 2026-02-03T02:56:48.000Z (3 m 12 s ago)
  reason       connection refused
  acted on as  down
  used by      service web
  generation   2
  tcp 192.168.4.100:80: down since 2026-02-03T02:56:48.000Z (3 m 12 s ago)
    last run     0.4 s ago, took 0.2 ms
    next run     in 1.6 s
    latency      p50 0.2 ms, p90 0.4 ms, p99 0.9 ms, of 64 that passed
    interval     2.000 s
    timeout      1.000 s
    retries      2, 0.500 s apart
    rise, fall   1, 1
    shared with  2 other checks
    counters
      failed  0
      passed  9000
"
        );
    }

    #[test]
    fn each_part_of_several_says_what_is_its_own() {
        let slow = Weight { unit: WeightUnit::Absolute, number: 20 };
        let warning = Some("the certificate expires in 9 days".to_owned());
        let parts = vec![
            Part { weight: Some(slow), warning, retries: 0, ..part("front") },
            Part { successes: 1, rise: 2, checked: None, latency: None, next: None, ..down_part("back") },
        ];
        let held = Check {
            kind: "any".to_owned(),
            judged: Some(Judgement::Down),
            reason: "front: connected; held down for 40 s".to_owned(),
            used_by: vec![],
            runs: parts,
            ..up("web/192.168.4.100:80")
        };
        assert_eq!(
            text(&held),
            "\
web/192.168.4.100:80: up, held down since 2026-01-30T22:30:00.100Z (3 d 4 h ago)
  reason       front: connected; held down for 40 s
  acted on as  down
  used by      nobody
  combined     any of 2
  generation   1
  front: tcp 192.168.4.100:80: up since 2026-01-30T22:30:00.100Z (3 d 4 h ago)
    reason       connected
    warning      the certificate expires in 9 days
    weight       weight 20
    last run     0.4 s ago, took 0.2 ms
    next run     in 1.6 s
    latency      p50 0.2 ms, p90 0.4 ms, p99 0.9 ms, of 64 that passed
    interval     2.000 s
    timeout      1.000 s
    retries      0
    rise, fall   1, 1
    shared with  no other
    counters
      failed  0
      passed  9000
  back: tcp 192.168.4.100:80: down since 2026-02-03T02:56:48.000Z (3 m 12 s ago)
    reason       connection refused
    counting     1 passed run, not counting yet
    last run     never
    next run     under way
    latency      no run passed yet
    interval     2.000 s
    timeout      1.000 s
    retries      2, 0.500 s apart
    rise, fall   2, 1
    shared with  no other
    counters
      failed  0
      passed  9000
"
        );
    }

    #[test]
    fn who_disabled_it_and_what_counts_meanwhile_is_said() {
        let said = text(&disabled("a"));
        for part in [
            "a: disabled, up since ",
            "\n  disabled     disabled by uid 0 1 h 0 m ago\n",
            "\n    next run     none: disabled\n",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        let stuck = Check { state: State::CouldNotRun, reason: "no route".to_owned(), ..up("a") };
        assert!(text(&stuck).contains("\n  reason       no route; counts as up\n"));
        let never = Check { state: State::Unknown, judged: None, ..up("a") };
        assert!(text(&never).contains("\n  acted on as  never judged\n"));
    }

    #[test]
    fn a_change_is_answered_with_what_holds_now() {
        let weight = Some(Weight { unit: WeightUnit::Absolute, number: 50 });
        let app = Check { weight, ..up("app") };
        assert_eq!(
            told(&app, Some(Duration::from_secs(10)), Style::Plain),
            "app: up, weight 50; holds for 10.000 s, unless it is told anew\n"
        );
        assert_eq!(told(&down("app"), None, Style::Plain), "app: down; holds until it is told anew\n");
        assert_eq!(
            enabling(&disabled("dns"), Style::Plain),
            "dns: disabled, up; not run until `vipctl health enable dns`\n"
        );
        assert_eq!(enabling(&up("dns"), Style::Plain), "dns: up; it is run\n");
    }
}
