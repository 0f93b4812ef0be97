//! `vipctl health`: the checks, the worst first, or the slowest. Of many only those that are not well, so that they are
//! seen. Why a check is not well stands below its row: names are long, and so are reasons.

mod one;
mod run;
mod words;

use std::time::SystemTime;

use serde::Serialize;
use vipkit_control::health::{Check, Latency};

use super::notice::INDENT;
use super::text::{Cell, Style, Text, Tone, plain};
use super::time;
use crate::health::{Standing, is_down};

pub use one::{check, enabling, told};
pub use run::reports;
pub use words::{below, by, counts, verdict};

/// Up to this many checks, all are shown.
pub const FEW: usize = 100;

/// What is said when there is none.
pub const NONE: &str = "no checks: the configuration has no [check.NAME], and no service with a check";

/// Which checks are shown, and in which order.
#[derive(Clone, Copy, Debug, Default)]
pub struct Choice {
    /// Only those that are down, count as down or could not be run.
    pub down: bool,
    /// The slowest first.
    pub slow: bool,
    /// However many there are.
    pub all: bool,
}

impl Choice {
    /// Those that are chosen of all, by name unless the slowest come first.
    #[must_use]
    pub fn of<'c>(&self, checks: &'c [Check]) -> Vec<&'c Check> {
        let mut chosen: Vec<_> = checks.iter().filter(|check| !self.down || is_down(check)).collect();
        if self.slow {
            let slowest = |check: &Check| latency(check).map_or(-1.0, |latency| latency.p90);
            chosen.sort_by(|one, other| slowest(other).total_cmp(&slowest(one)));
        }
        chosen
    }

    /// Leaves out what a screen does not bear.
    fn shorten(&self, checks: &mut Vec<&Check>) {
        match self {
            Self { all: true, .. } => {}
            Self { slow: true, .. } => checks.truncate(FEW),
            Self { down: true, .. } => {}
            _ if checks.len() > FEW => checks.retain(|check| !is_well(check)),
            _ => {}
        }
    }

    /// What is said of those that were left out.
    fn left_out(&self, number: usize) -> String {
        match self {
            Self { slow: false, .. } => format!("and {number} more that are up: `vipctl health --all`"),
            Self { down: false, .. } => format!("and {number} more: `vipctl health --slow --all`"),
            _ => format!("and {number} more: `vipctl health --down --slow --all`"),
        }
    }
}

/// It is up, and there is nothing to say of it.
#[must_use]
pub fn is_well(check: &Check) -> bool {
    Standing::of(check) == Standing::Up && check.warning.is_none()
}

/// The checks that are chosen as text; how many there are in all stands first.
#[must_use]
pub fn checks(checks: &[Check], choice: Choice, now: SystemTime, style: Style) -> String {
    let mut text = Text::new(style);
    if checks.is_empty() {
        text.say(NONE).end();
        return text.finish();
    }
    text.fold(&counts(checks), INDENT);
    let mut shown = choice.of(checks);
    let chosen = shown.len();
    if !choice.slow {
        sort(&mut shown);
    }
    choice.shorten(&mut shown);
    if !shown.is_empty() {
        let head: &[&str] = if choice.slow { &SLOW } else { &HEAD };
        let row = |check: &&Check| if choice.slow { slow_row(check) } else { row(check, now) };
        text.list(head, &shown, 0, row, |text, check| below(text, check, now, INDENT));
    }
    let left_out = chosen - shown.len();
    if left_out > 0 {
        text.put(Tone::Faint, &choice.left_out(left_out)).end();
    }
    text.finish()
}

/// The worst first; those that are alike stay as they are.
pub fn sort(checks: &mut [&Check]) {
    checks.sort_by_key(|check| Standing::of(check));
}

const HEAD: [&str; 4] = ["CHECK", "STATE", "FOR", "P50/P99"];
const SLOW: [&str; 3] = ["CHECK", "STATE", "P50/P90/P99"];

fn row(check: &Check, now: SystemTime) -> Vec<Cell> {
    let since = time::since(&check.since, now);
    vec![
        plain(&check.name),
        verdict(check),
        plain(since.as_deref().unwrap_or(&check.since)),
        took(check, |latency| time::spans(&[latency.p50, latency.p99])),
    ]
}

fn slow_row(check: &Check) -> Vec<Cell> {
    let all = |latency: Latency| time::spans(&[latency.p50, latency.p90, latency.p99]);
    vec![plain(&check.name), verdict(check), took(check, all)]
}

fn took(check: &Check, words: impl Fn(Latency) -> String) -> Cell {
    plain(latency(check).map_or_else(|| "-".to_owned(), words))
}

/// How long the slowest of its parts takes, if one ever passed.
fn latency(check: &Check) -> Option<Latency> {
    let latencies = check.runs.iter().filter_map(|part| part.latency);
    latencies.max_by(|one, other| one.p90.total_cmp(&other.p90))
}

/// As JSON: the checks as the daemon gave them.
#[must_use]
pub fn json<'c>(checks: &'c [&'c Check]) -> impl Serialize + 'c {
    #[derive(Serialize)]
    struct All<'c> {
        checks: &'c [&'c Check],
    }
    All { checks }
}

#[cfg(test)]
mod tests {
    use vipkit_control::health::{Judgement, Part, State, Weight, WeightUnit};

    use super::*;
    use crate::testing::{check as up, disabled, down, down_part, now, part, with_part};

    fn text(all: &[Check], choice: Choice) -> String {
        checks(all, choice, now(), Style::Plain)
    }

    fn slow(name: &str, p90: f64) -> Check {
        let latency = Some(Latency { p50: p90 / 2.0, p90, p99: p90 * 2.0, samples: 64 });
        with_part(Part { latency, ..part("tcp") }, up(name))
    }

    const SLOWEST: Choice = Choice { slow: true, down: false, all: false };
    const DOWN: Choice = Choice { slow: false, down: true, all: false };

    #[test]
    fn the_worst_comes_first_and_what_is_acted_on_is_said() {
        let unheard = |part: Part| Part { took: None, latency: None, ..part };
        let stuck = Check {
            state: State::CouldNotRun,
            reason: "too many open files".to_owned(),
            ..with_part(unheard(part("tcp")), up("dns"))
        };
        let new = Check {
            state: State::Unknown,
            judged: None,
            reason: "not run yet".to_owned(),
            ..with_part(unheard(part("tcp")), up("new"))
        };
        let shaky = with_part(Part { failures: 1, ..part("tcp") }, up("shaky"));
        let held = Check {
            judged: Some(Judgement::Down),
            reason: "connected; held down for 40 s".to_owned(),
            ..up("flapping")
        };
        let kept = Check {
            judged: Some(Judgement::Up),
            reason: "refused; kept in: 2 of 4 are out".to_owned(),
            ..down("kept")
        };
        let half = Weight { unit: WeightUnit::Percent, number: 50 };
        let ramp = Check { weight: Some(half), reason: "connected; slow start".to_owned(), ..up("ramp") };
        let warned = Check { warning: Some("the certificate expires in 9 days".to_owned()), ..up("tls") };
        let off = disabled("off");
        let all = [
            up("app/192.168.4.100:80"),
            held,
            kept,
            new,
            off,
            ramp,
            shaky,
            stuck,
            warned,
            down("web/192.168.4.100:80"),
        ];
        assert_eq!(
            text(&all, Choice::default()),
            "\
10 checks: 4 up, 1 unknown, 1 disabled, 1 could_not_run, 1 kept in, 1 held down,
  1 down
CHECK                 STATE          FOR       P50/P99
web/192.168.4.100:80  down           3 m 12 s  0.2/0.9 ms
  tcp: connection refused
flapping              up, held down  3 d 4 h   0.2/0.9 ms
  tcp 192.168.4.100:80: connected; held down for 40 s
kept                  down, kept in  3 m 12 s  0.2/0.9 ms
  tcp 192.168.4.100:80: refused; kept in: 2 of 4 are out
dns                   could_not_run  3 d 4 h   -
  tcp 192.168.4.100:80: too many open files; counts as up
off                   disabled, up   3 d 4 h   0.2/0.9 ms
  disabled by uid 0 1 h 0 m ago
new                   unknown        3 d 4 h   -
  tcp 192.168.4.100:80: not run yet
app/192.168.4.100:80  up             3 d 4 h   0.2/0.9 ms
ramp                  up, 50%        3 d 4 h   0.2/0.9 ms
  tcp 192.168.4.100:80: connected; slow start
shaky                 up             3 d 4 h   0.2/0.9 ms
  tcp 192.168.4.100:80: 1 failed run, not counting yet
tls                   up             3 d 4 h   0.2/0.9 ms
  warning: the certificate expires in 9 days
"
        );
    }

    #[test]
    fn of_many_only_those_that_are_not_well_are_shown() {
        let mut all: Vec<_> = (0..10_000).map(|number| up(&format!("c{number}"))).collect();
        all[7] = down("web/192.168.4.100:80");
        let short = text(&all, Choice::default());
        assert_eq!(
            short,
            "\
10000 checks: 9999 up, 1 down
CHECK                 STATE  FOR       P50/P99
web/192.168.4.100:80  down   3 m 12 s  0.2/0.9 ms
  tcp: connection refused
and 9999 more that are up: `vipctl health --all`
"
        );
        let every = Choice { all: true, ..Choice::default() };
        assert_eq!(text(&all, every).lines().count(), 10_003);
        let well: Vec<_> = (0..=FEW).map(|number| up(&format!("c{number}"))).collect();
        let said = "101 checks: 101 up\nand 101 more that are up: `vipctl health --all`\n";
        assert_eq!(text(&well, Choice::default()), said);
        assert_eq!(text(&well[1..], Choice::default()).lines().count(), FEW + 2);
    }

    #[test]
    fn only_what_is_down_is_shown_if_wanted() {
        let held = Check { judged: Some(Judgement::Down), ..up("held") };
        let off = Check { judged: Some(Judgement::Down), ..disabled("off") };
        let stuck = Check { state: State::CouldNotRun, ..up("stuck") };
        let all = [up("a"), down("b"), disabled("c"), held, off, stuck];
        let names: Vec<_> = DOWN.of(&all).iter().map(|check| check.name.as_str()).collect();
        assert_eq!(names, ["b", "held", "off", "stuck"]);
        let said = text(&all, DOWN);
        assert!(said.starts_with("6 checks: 1 up, 2 disabled, 1 could_not_run, 1 held down, 1 down\n"));
        assert!(said.contains("\noff    disabled, down  ") && !said.contains("\na "), "{said}");
        assert_eq!(text(&all[..1], DOWN), "1 check: 1 up\n");
    }

    #[test]
    fn the_slowest_comes_first_if_wanted() {
        let never = with_part(Part { latency: None, ..down_part("tcp") }, down("never"));
        let parts = vec![part("a"), slow("", 0.9).runs.remove(0), part("b")];
        let several = Check { kind: "all".to_owned(), runs: parts, ..up("several") };
        assert_eq!(
            text(&[slow("quick", 0.002), never, several, slow("slow", 1.2)], SLOWEST),
            "\
4 checks: 3 up, 1 down
CHECK    STATE  P50/P90/P99
slow     up     600/1200/2400 ms
several  up     450/900/1800 ms
quick    up     1.0/2.0/4.0 ms
never    down   -
  tcp 192.168.4.100:80: connection refused
"
        );
        let many: Vec<_> = (0..=FEW).map(|number| slow("a", number as f64)).collect();
        assert!(text(&many, SLOWEST).ends_with("\nand 1 more: `vipctl health --slow --all`\n"));
        let every = Choice { all: true, ..SLOWEST };
        assert_eq!(text(&many, every).lines().count(), FEW + 3);
        let many: Vec<_> = (0..=FEW).map(|_| down("a")).collect();
        let said = text(&many, Choice { down: true, ..SLOWEST });
        assert!(said.ends_with("\nand 1 more: `vipctl health --down --slow --all`\n"), "{said}");
    }

    #[test]
    fn none_is_said() {
        assert_eq!(text(&[], Choice::default()), format!("{NONE}\n"));
    }
}
