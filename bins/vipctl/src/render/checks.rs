//! `vipctl health`: the checks, the worst first. Of many only those that are not up, so that they are seen.
//! Why a check is not well stands below its row: names are long, and so are reasons.

use std::time::SystemTime;

use serde::Serialize;
use vipkit_control::health::{Check, Judgement, State};

use super::check::count;
use super::notice::INDENT;
use super::text::{Cell, HANGING, Style, Text, Tone, plain};
use super::time;

/// Up to this many checks, those that are up are shown too.
pub const FEW: usize = 100;

/// The states, the worst first.
const STATES: [State; 4] = [State::Down, State::CouldNotRun, State::Unknown, State::Up];

/// All checks as text, those that are up too if `all` or if they are few.
#[must_use]
pub fn checks(checks: &[Check], all: bool, now: SystemTime, style: Style) -> String {
    let mut text = Text::new(style);
    if checks.is_empty() {
        text.say(NONE).end();
        return text.finish();
    }
    for (tone, words) in counts(checks) {
        text.put(tone, &words);
    }
    text.end();
    let mut shown = by_state(checks);
    if !all && checks.len() > FEW {
        shown.retain(|check| check.state != State::Up);
    }
    if !shown.is_empty() {
        let head = ["CHECK", "STATE", "SINCE", "TOOK"];
        text.list(&head, &shown, 0, |check| row(check, now), |text, check| text.below(&why(check), INDENT));
    }
    let left_out = checks.len() - shown.len();
    if left_out > 0 {
        text.put(Tone::Faint, &format!("and {left_out} more that are up: `vipctl health --all`")).end();
    }
    text.finish()
}

/// What is said when there is none.
pub const NONE: &str = "no checks: the configuration has no [check.NAME], and no service with a check";

/// The worst state first, then by name.
#[must_use]
pub fn by_state(checks: &[Check]) -> Vec<&Check> {
    let mut sorted: Vec<_> = checks.iter().collect();
    sorted.sort_by_key(|check| (STATES.iter().position(|state| *state == check.state), check.name.as_str()));
    sorted
}

/// How many there are, and how many in each state: `20 checks: 18 up, 2 down`.
pub fn counts<'c>(checks: impl IntoIterator<Item = &'c Check>) -> Vec<Cell> {
    let states: Vec<_> = checks.into_iter().map(|check| check.state).collect();
    let mut cells = vec![plain(count(states.len(), "check"))];
    for wanted in STATES.into_iter().rev() {
        let number = states.iter().filter(|state| **state == wanted).count();
        if number > 0 {
            let (tone, words) = state(wanted);
            cells.push(plain(if cells.len() == 1 { ": " } else { ", " }));
            cells.push((tone, format!("{number} {words}")));
        }
    }
    cells
}

/// A state, as it is written everywhere.
#[must_use]
pub fn state(state: State) -> Cell {
    let (tone, words) = match state {
        State::Up => (Tone::Good, "up"),
        State::Down => (Tone::Bad, "down"),
        State::Unknown => (Tone::Odd, "unknown"),
        State::CouldNotRun => (Tone::Bad, "could_not_run"),
    };
    (tone, words.to_owned())
}

fn row(check: &Check, now: SystemTime) -> Vec<Cell> {
    vec![
        plain(&check.name),
        state(check.state),
        plain(time::ago(&check.since, now)),
        plain(check.took.map_or_else(|| "-".to_owned(), time::took)),
    ]
}

/// Kind, target and reason of a check that is not up, or that failed and is still up.
#[must_use]
pub fn why(check: &Check) -> String {
    if check.state == State::Up && check.failures == 0 {
        return String::new();
    }
    format!("{}: {}", kind(check), reason(check))
}

/// The kind, and the target unless the name ends with it.
fn kind(Check { kind, target, name, .. }: &Check) -> String {
    if name.ends_with(target.as_str()) { kind.clone() } else { format!("{kind} {target}") }
}

/// Why, and what counts meanwhile if the state says nothing about the target.
fn reason(check: &Check) -> String {
    let Check { reason, state, failures, retries, .. } = check;
    match (state, check.judged) {
        (State::CouldNotRun | State::Unknown, Some(judged)) => {
            format!("{reason}; counts as {}", word(judged))
        }
        (State::Up, _) if *failures > 0 => {
            format!("{reason}; {} of {} before it is down", count_of(*failures, "failure"), retries + 1)
        }
        _ => reason.clone(),
    }
}

fn retries(Check { failures, retries, .. }: &Check) -> String {
    let used = if *failures > 0 { format!(", {failures} used") } else { String::new() };
    format!("{retries}{used}")
}

fn count_of(number: u32, noun: &str) -> String {
    count(usize::try_from(number).unwrap_or(usize::MAX), noun)
}

const fn word(judged: Judgement) -> &'static str {
    match judged {
        Judgement::Up => "up",
        Judgement::Down => "down",
    }
}

/// From a label to its words: the longest label, and a gap.
const LABEL: usize = 13;

/// Everything about one check.
#[must_use]
pub fn check(check: &Check, now: SystemTime, style: Style) -> String {
    let mut text = Text::new(style);
    let (tone, words) = state(check.state);
    let since = format!(" since {} ({})", check.since, time::ago(&check.since, now));
    text.fold(&[plain(format!("{}: ", check.name)), (tone, words), plain(since)], HANGING);
    let never = || "never".to_owned();
    let finished = |checked: &String| match check.took {
        Some(took) => format!("{}, took {}", time::ago(checked, now), time::took(took)),
        None => time::ago(checked, now),
    };
    let others = check.shared_by.saturating_sub(1);
    let facts = [
        ("reason", reason(check)),
        ("kind", format!("{} {}", check.kind, check.target)),
        ("last run", check.checked.as_ref().map_or_else(never, finished)),
        ("judged", check.judged.map_or_else(never, |judged| word(judged).to_owned())),
        ("retries", retries(check)),
        ("interval", time::seconds(check.interval)),
        ("timeout", time::seconds(check.timeout)),
        ("retry delay", time::seconds(check.retry_delay)),
        (
            "shared by",
            if others == 0 { "no other check".to_owned() } else { format!("{others} other checks") },
        ),
        ("generation", check.generation.to_string()),
    ];
    for (label, words) in facts {
        text.entry(plain(label), plain(words), INDENT, LABEL);
    }
    if !check.counters.is_empty() {
        text.skip(INDENT).say("counters").end();
        let rows = check.counters.iter().map(|(name, count)| vec![plain(name), plain(count.to_string())]);
        text.table(&rows.collect::<Vec<_>>(), INDENT * 2);
    }
    text.finish()
}

/// As JSON: the checks as the daemon gave them.
#[must_use]
pub fn json(checks: &[Check]) -> impl Serialize {
    #[derive(Serialize)]
    struct All<'a> {
        checks: &'a [Check],
    }
    All { checks }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check as up, down, now};

    fn text(all: &[Check]) -> String {
        checks(all, false, now(), Style::Plain)
    }

    #[test]
    fn the_worst_comes_first() {
        let stuck = Check {
            state: State::CouldNotRun,
            reason: "too many open files".to_owned(),
            took: None,
            ..up("dns")
        };
        let new = Check {
            state: State::Unknown,
            judged: None,
            reason: "never run".to_owned(),
            took: None,
            ..up("new")
        };
        let shaky = Check { failures: 1, ..up("shaky") };
        let all = [up("app/192.168.4.100:80"), new, shaky, down("web/192.168.4.100:80"), stuck];
        assert_eq!(
            text(&all),
            "\
5 checks: 2 up, 1 unknown, 1 could_not_run, 1 down
CHECK                 STATE          SINCE         TOOK
web/192.168.4.100:80  down           3 m 12 s ago  0.2 ms
  tcp: connection refused
dns                   could_not_run  3 d 4 h ago   -
  tcp 192.168.4.100:80: too many open files; counts as up
new                   unknown        3 d 4 h ago   -
  tcp 192.168.4.100:80: never run
app/192.168.4.100:80  up             3 d 4 h ago   0.2 ms
shaky                 up             3 d 4 h ago   0.2 ms
  tcp 192.168.4.100:80: connected; 1 failure of 3 before it is down
"
        );
    }

    #[test]
    fn of_many_only_those_that_are_not_up_are_shown() {
        let mut all: Vec<_> = (0..10_000).map(|number| up(&format!("c{number}"))).collect();
        all[7] = down("web/192.168.4.100:80");
        let short = text(&all);
        assert_eq!(
            short,
            "\
10000 checks: 9999 up, 1 down
CHECK                 STATE  SINCE         TOOK
web/192.168.4.100:80  down   3 m 12 s ago  0.2 ms
  tcp: connection refused
and 9999 more that are up: `vipctl health --all`
"
        );
        assert_eq!(checks(&all, true, now(), Style::Plain).lines().count(), 10_003);
        let well: Vec<_> = (0..=FEW).map(|number| up(&format!("c{number}"))).collect();
        assert_eq!(text(&well), "101 checks: 101 up\nand 101 more that are up: `vipctl health --all`\n");
        assert_eq!(text(&well[1..]).lines().count(), FEW + 2);
    }

    #[test]
    fn none_is_said() {
        assert_eq!(text(&[]), format!("{NONE}\n"));
    }

    #[test]
    fn everything_about_one() {
        let shared = Check { shared_by: 3, ..down("web/192.168.4.100:80") };
        assert_eq!(
            check(&shared, now(), Style::Plain),
            "\
web/192.168.4.100:80: down since 2026-02-03T02:56:48.000Z (3 m 12 s ago)
  reason       connection refused
  kind         tcp 192.168.4.100:80
  last run     0.4 s ago, took 0.2 ms
  judged       down
  retries      2
  interval     2.000 s
  timeout      1.000 s
  retry delay  0.500 s
  shared by    2 other checks
  generation   2
  counters
    runs  9000
"
        );
    }
}
