//! The checks of a status: how many are in which state, and those that are not up.

use std::time::SystemTime;

use vipkit_control::health::{Check, State};

use crate::render::checks::{NONE, by_state, counts, state, why};
use crate::render::notice::{INDENT, SHOWN};
use crate::render::text::{Text, Tone, plain};
use crate::render::time;

/// Their counts, and as many that are not up as a screen bears.
pub fn show(text: &mut Text, checks: &[Check], now: SystemTime) {
    if checks.is_empty() {
        text.say(NONE).end();
        return;
    }
    for (tone, words) in counts(checks) {
        text.put(tone, &words);
    }
    text.end();
    let shown: Vec<_> = by_state(checks).into_iter().filter(|check| check.state != State::Up).collect();
    let row =
        |check: &&Check| vec![plain(&check.name), state(check.state), plain(time::ago(&check.since, now))];
    let some = shown.get(..SHOWN).unwrap_or(&shown);
    text.list(&[], some, INDENT, row, |text, check| text.below(&why(check), INDENT * 2));
    let more = shown.len().saturating_sub(SHOWN);
    if more > 0 {
        text.skip(INDENT).put(Tone::Faint, &format!("and {more} more: `vipctl health`")).end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::text::Style;
    use crate::testing::{check, down, now};

    fn text(checks: &[Check]) -> String {
        let mut text = Text::new(Style::Plain);
        show(&mut text, checks, now());
        text.finish()
    }

    #[test]
    fn only_what_is_not_up_is_named_and_not_all_of_that() {
        let well: Vec<_> = (0..18).map(|number| check(&format!("c{number}"))).collect();
        assert_eq!(text(&well), "18 checks: 18 up\n");
        let all: Vec<_> = (0..10).map(|number| down(&format!("d{number}"))).chain(well).collect();
        let text = text(&all);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 18);
        assert_eq!(lines[0], "28 checks: 18 up, 10 down");
        assert_eq!(lines[1], "  d0  down  3 m 12 s ago");
        assert_eq!(lines[2], "    tcp 192.168.4.100:80: connection refused");
        assert_eq!(lines[17], "  and 2 more: `vipctl health`");
    }

    #[test]
    fn none_is_said() {
        assert_eq!(text(&[]), format!("{NONE}\n"));
    }
}
