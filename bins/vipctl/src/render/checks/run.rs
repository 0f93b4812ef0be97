//! `vipctl health run`: how one run of each part went, step by step.

use vipkit_control::health::Report;

use super::one::title;
use super::words::{of_state, weight};
use crate::render::notice::INDENT;
use crate::render::text::{HANGING, Style, Text, Tone, plain};
use crate::render::time;

/// From a step to its time: longest of the usual ones, and a gap.
const LABEL: usize = 13;

/// As text.
#[must_use]
pub fn reports(reports: &[Report], style: Style) -> String {
    let mut text = Text::new(style);
    for report in reports {
        let title = format!("{}: ", title(&report.label, &report.kind, &report.target));
        let words = format!(" in {}: {}", time::took(report.took), report.reason);
        text.fold(&[plain(title), of_state(report.state), plain(words)], HANGING);
        for timing in &report.timings {
            text.entry(plain(&timing.step), plain(time::took(timing.took)), INDENT, LABEL);
        }
        if let Some(words) = report.weight.map(weight) {
            text.entry(plain("weight"), plain(words), INDENT, LABEL);
        }
        if let Some(warning) = &report.warning {
            text.entry((Tone::Odd, "warning".to_owned()), plain(warning), INDENT, LABEL);
        }
    }
    text.finish()
}

#[cfg(test)]
mod tests {
    use vipkit_control::health::{State, Weight, WeightUnit};

    use super::*;
    use crate::testing::passed;

    #[test]
    fn each_step_has_its_time() {
        let refused = Report {
            state: State::Down,
            reason: "refused".to_owned(),
            took: 1.5,
            timings: vec![],
            ..passed("https")
        };
        let weight = Some(Weight { unit: WeightUnit::Percent, number: 50 });
        let warning = Some("the certificate expires in 9 days".to_owned());
        assert_eq!(
            reports(&[Report { weight, warning, ..passed("front") }, refused], Style::Plain),
            "\
front: https 192.168.4.100:443: up in 12.3 ms: 200 OK
  connect      0.2 ms
  tls          3.4 ms
  first byte   8.7 ms
  weight       50%
  warning      the certificate expires in 9 days
https 192.168.4.100:443: down in 1.500 s: refused
"
        );
    }
}
