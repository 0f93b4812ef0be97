//! Durations as strings with units, "1s" or "1m 30s", by the `humantime` crate; and the durations that
//! an advert of each version can carry.

use std::ops::RangeInclusive;
use std::time::Duration;

use vipkit_core::units::{Centis, Interval, Version};

use crate::context::quote;
use crate::section::Field;
use crate::tree::Datum;

/// Longest text of a duration. Short enough that no sum can reach the end of `Duration`, where humantime
/// 2.4 panics.
const TEXT_MAX: usize = 20;

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const HOUR: Duration = Duration::from_secs(60 * 60);
pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A duration; a number without a unit is a fault.
pub(crate) fn duration(field: &mut Field<'_, '_>) -> Option<Duration> {
    if let Datum::Integer(number) = field.value.datum {
        field.mistyped(format!("write it in quotes and with a unit, such as \"{number}s\""));
        return None;
    }
    if let Datum::Float = field.value.datum {
        field.mistyped("write it in quotes and with a unit, such as \"500ms\"");
        return None;
    }
    let text = field.text()?;
    if text.trim_matches(|c: char| c.is_ascii_digit()).is_empty() {
        field.wrong(&quote(text), "a number needs a unit, such as \"1s\" or \"500ms\"");
        return None;
    }
    let read = Some(text).filter(|text| text.len() <= TEXT_MAX).map(humantime::parse_duration);
    let Some(Ok(length)) = read else {
        field.wrong(&quote(text), "write numbers with units, such as \"1s\", \"500ms\" or \"1m 30s\"");
        return None;
    };
    Some(length)
}

/// A duration of a range.
pub(crate) fn between(field: &mut Field<'_, '_>, range: RangeInclusive<Duration>) -> Option<Duration> {
    let length = duration(field)?;
    if range.contains(&length) {
        return Some(length);
    }
    let nearest = length.clamp(*range.start(), *range.end());
    field.wrong(&show(length), format!("the nearest is {}", show(nearest)));
    None
}

/// A duration of whole seconds, of a range.
pub(crate) fn seconds(field: &mut Field<'_, '_>, range: RangeInclusive<Duration>) -> Option<Duration> {
    let length = between(field, range)?;
    if length.subsec_nanos() != 0 {
        let whole = Duration::from_secs(length.as_secs());
        field.wrong(&show(length), format!("the nearest below is {}", show(whole)));
        return None;
    }
    Some(length)
}

/// A duration as the configuration would write it.
pub(crate) fn show(length: Duration) -> String {
    format!("\"{}\"", humantime::format_duration(length))
}

/// The nearest interval below and above a length that a version's adverts can carry; one if they are the same.
pub(crate) fn nearest(version: Version, length: Duration) -> (Duration, Option<Duration>) {
    let (unit, most) = match version {
        Version::V2 => (Duration::from_secs(1), u32::from(u8::MAX)),
        Version::V3 => (Duration::from_millis(10), u32::from(Centis::MAX.count())),
    };
    let units = u32::try_from(length.as_nanos() / unit.as_nanos()).unwrap_or(u32::MAX);
    let [below, above] = [units, units.saturating_add(1)].map(|units| unit * units.clamp(1, most));
    (below, Some(above).filter(|&above| above != below))
}

/// What to write instead of an interval that a version's adverts cannot carry.
pub(crate) fn instead_of(version: Version, length: Duration) -> String {
    let mut hint = match nearest(version, length) {
        (below, Some(above)) => format!("the nearest are {} and {}", show(below), show(above)),
        (only, None) => format!("the nearest is {}", show(only)),
    };
    if version == Version::V2 && Interval::exact(Version::V3, length).is_some() {
        hint.push_str("; version 3 can");
    }
    hint
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::faults;

    #[test]
    fn nearest_stay_within_what_the_version_can_carry() {
        let ms = Duration::from_millis;
        for (version, length, below, above) in [
            (Version::V2, ms(1_500), ms(1_000), Some(ms(2_000))),
            (Version::V2, ms(0), ms(1_000), None),
            (Version::V2, ms(300_000), ms(255_000), None),
            (Version::V3, ms(14), ms(10), Some(ms(20))),
            (Version::V3, ms(0), ms(10), None),
            (Version::V3, Duration::MAX, ms(40_950), None),
        ] {
            assert_eq!(nearest(version, length), (below, above), "{version} {length:?}");
        }
    }

    #[test]
    fn a_number_is_told_to_have_a_unit() {
        for (value, rest) in [
            ("5", "an integer; write it in quotes and with a unit, such as \"5s\""),
            ("0.5", "a float; write it in quotes and with a unit, such as \"500ms\""),
            ("\"5\"", "\"5\"; a number needs a unit, such as \"1s\" or \"500ms\""),
            ("\"half\"", "\"half\"; write numbers with units, such as \"1s\", \"500ms\" or \"1m 30s\""),
        ] {
            let shown = faults(&format!("[ipvs]\nresync_interval = {value}"));
            let what = "\"resync_interval\" in [ipvs] must be a duration from a second to an hour";
            assert_eq!(shown, format!("vipkit.toml:2:19: {what}, not {rest}"));
        }
    }

    #[test]
    fn text_is_too_short_to_reach_the_end_of_duration() {
        let most = "9".repeat(TEXT_MAX - 1) + "y";
        assert!(humantime::parse_duration(&most).is_err());
        assert!("18446744073709551615s 999ms 1ms".len() > TEXT_MAX);
    }
}
