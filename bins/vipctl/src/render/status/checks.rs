//! The checks of a status: how many stand how, and those that are not well.

use std::time::SystemTime;

use vipkit_control::health::Check;

use crate::render::checks::{NONE, below, counts, is_well, sort, verdict};
use crate::render::notice::{INDENT, SHOWN};
use crate::render::text::{Text, Tone, plain};
use crate::render::time;

/// Their counts, and as many that are not well as a screen bears.
pub fn show(text: &mut Text, checks: &[Check], now: SystemTime) {
    if checks.is_empty() {
        text.say(NONE).end();
        return;
    }
    text.fold(&counts(checks), INDENT);
    let mut shown: Vec<_> = checks.iter().filter(|check| !is_well(check)).collect();
    sort(&mut shown);
    let row = |check: &&Check| vec![plain(&check.name), verdict(check), plain(time::ago(&check.since, now))];
    let some = shown.get(..SHOWN).unwrap_or(&shown);
    text.list(&[], some, INDENT, row, |text, check| below(text, check, now, INDENT * 2));
    let more = shown.len().saturating_sub(SHOWN);
    if more > 0 {
        text.skip(INDENT).put(Tone::Faint, &format!("and {more} more: `vipctl health`")).end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::text::Style;
    use crate::testing::{check, disabled, down, now};

    fn text(checks: &[Check]) -> String {
        let mut text = Text::new(Style::Plain);
        show(&mut text, checks, now());
        text.finish()
    }

    #[test]
    fn only_what_is_not_well_is_named_and_not_all_of_that() {
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
    fn what_somebody_did_and_what_will_go_wrong_is_named_too() {
        let warned = Check { warning: Some("the certificate expires in 9 days".to_owned()), ..check("tls") };
        assert_eq!(
            text(&[warned, disabled("off")]),
            "\
2 checks: 1 up, 1 disabled
  off  disabled, up  3 d 4 h ago
    disabled by uid 0 1 h 0 m ago
  tls  up            3 d 4 h ago
    warning: the certificate expires in 9 days
"
        );
    }

    #[test]
    fn none_is_said() {
        assert_eq!(text(&[]), format!("{NONE}\n"));
    }
}
