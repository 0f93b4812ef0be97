//! Times and spans for people: two units are enough. Must not read a clock.

use std::time::{Duration, SystemTime};

/// A span: `0.4 s`, `42 s`, `3 m 12 s`, `4 h 5 m`, `3 d 4 h`.
#[must_use]
pub fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match seconds {
        0..10 => format!("{seconds}.{} s", span.subsec_millis() / 100),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{minutes} m {} s", seconds % 60),
        3600..86400 => format!("{hours} h {} m", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

/// How long a moment (RFC 3339, UTC) is past: as [`span`], or nothing if it is no moment. The clocks of reader and
/// writer differ a little: what lies ahead is now.
#[must_use]
pub fn since(moment: &str, now: SystemTime) -> Option<String> {
    let moment = humantime::parse_rfc3339(moment).ok()?;
    Some(span(now.duration_since(moment).unwrap_or_default()))
}

/// The same with "ago"; what is no moment is shown as it is.
#[must_use]
pub fn ago(moment: &str, now: SystemTime) -> String {
    since(moment, now).map_or_else(|| moment.to_owned(), |span| format!("{span} ago"))
}

/// The same with "for"; what is no moment is shown as it is.
#[must_use]
pub fn lasting(moment: &str, now: SystemTime) -> String {
    since(moment, now).map_or_else(|| moment.to_owned(), |span| format!("for {span}"))
}

/// How far ahead a moment is: `in 1.6 s`, or `due`; what is no moment is shown as it is.
#[must_use]
pub fn ahead(moment: &str, now: SystemTime) -> String {
    match humantime::parse_rfc3339(moment).map(|moment| moment.duration_since(now)) {
        Ok(Ok(ahead)) => format!("in {}", span(ahead)),
        Ok(Err(_)) => "due".to_owned(),
        Err(_) => moment.to_owned(),
    }
}

/// The day of a moment, UTC: `2026-02-03`.
#[must_use]
pub fn day(moment: SystemTime) -> String {
    halves(moment).0
}

/// The time of day of a moment, UTC: `12:00:10Z`.
#[must_use]
pub fn of_day(moment: SystemTime) -> String {
    halves(moment).1
}

/// RFC 3339, before and after its "T".
fn halves(moment: SystemTime) -> (String, String) {
    let stamp = humantime::format_rfc3339_seconds(moment).to_string();
    let (day, time) = stamp.split_once('T').unwrap_or_default();
    (day.to_owned(), time.to_owned())
}

/// Seconds with their unit.
#[must_use]
pub fn seconds(seconds: f64) -> String {
    format!("{seconds:.3} s")
}

/// A span that may be short, in seconds: as milliseconds below one.
#[must_use]
pub fn took(span: f64) -> String {
    if span < 1.0 { format!("{:.1} ms", span * 1000.0) } else { seconds(span) }
}

/// Spans that are usually short, in seconds, to be compared: `0.2/3.0/1200 ms`.
#[must_use]
pub fn spans(spans: &[f64]) -> String {
    let number = |span: &f64| match span * 1000.0 {
        small if small < 10.0 => format!("{small:.1}"),
        great => format!("{great:.0}"),
    };
    format!("{} ms", spans.iter().map(number).collect::<Vec<_>>().join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_two_units_at_most() {
        for (millis, expected) in [
            (0, "0.0 s"),
            (9_990, "9.9 s"),
            (10_000, "10 s"),
            (59_999, "59 s"),
            (192_000, "3 m 12 s"),
            (3_600_000, "1 h 0 m"),
            (86_399_000, "23 h 59 m"),
            (273_600_000, "3 d 4 h"),
        ] {
            assert_eq!(span(Duration::from_millis(millis)), expected);
        }
    }

    #[test]
    fn moments_are_ago_now_or_shown_as_they_are() {
        let now = humantime::parse_rfc3339("2026-02-03T12:00:10Z").unwrap();
        assert_eq!(ago("2026-02-03T12:00:07.500Z", now), "2.5 s ago");
        assert_eq!(ago("2026-02-03T12:00:11Z", now), "0.0 s ago");
        assert_eq!(ago("yesterday", now), "yesterday");
        assert_eq!(lasting("2026-02-03T12:00:07.500Z", now), "for 2.5 s");
        assert_eq!(ahead("2026-02-03T12:00:11.600Z", now), "in 1.6 s");
        assert_eq!(ahead("2026-02-03T12:00:09Z", now), "due");
        assert_eq!(ahead("tomorrow", now), "tomorrow");
        assert_eq!((day(now), of_day(now)), ("2026-02-03".to_owned(), "12:00:10Z".to_owned()));
    }

    #[test]
    fn short_spans_are_in_milliseconds() {
        assert_eq!([0.000_21, 0.9, 1.0, 30.0].map(took), ["0.2 ms", "900.0 ms", "1.000 s", "30.000 s"]);
    }

    #[test]
    fn spans_in_a_row_have_one_unit() {
        assert_eq!(spans(&[0.000_21, 0.003, 0.0123]), "0.2/3.0/12 ms");
        assert_eq!(spans(&[0.3, 30.0]), "300/30000 ms");
    }
}
