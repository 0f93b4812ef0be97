//! A line of a keepalived.conf: a keyword with its values, and numbers and times among them as keepalived reads them.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::note::{Notes, Place, Refusal};

/// A keyword with its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Where.
    pub at: Place,
    /// The keyword.
    pub name: String,
    /// What follows it on its line.
    pub values: Vec<String>,
    /// A word of it that is not known may be a secret.
    pub hidden: bool,
}

impl Said {
    /// The words of a line; none if it has no word.
    #[must_use]
    pub fn of(at: &Place, words: &[String], hidden: bool) -> Option<Self> {
        let (name, values) = words.split_first()?;
        Some(Self { at: at.clone(), name: name.clone(), values: values.to_vec(), hidden })
    }

    /// The first value.
    #[must_use]
    pub fn value(&self) -> &str {
        self.values.first().map_or("", String::as_str)
    }

    /// A whole number; none, with a note, if it is out of range, since keepalived ignores it then.
    ///
    /// # Errors
    /// It is no number.
    pub fn number(&self, range: RangeInclusive<u64>, notes: &mut Notes) -> Result<Option<u64>, Refusal> {
        let number = integer(self.value()).ok_or_else(|| self.no_number())?;
        let fits = u64::try_from(number).ok().filter(|number| range.contains(number));
        if fits.is_none() {
            let (least, most) = range.into_inner();
            notes.say(
                &self.at,
                format!("{} {number} is not from {least} to {most}: keepalived ignores it", self.name),
            );
        }
        Ok(fits)
    }

    /// A whole number that may be negative; none, with a note, if it is out of range, since keepalived ignores it then.
    ///
    /// # Errors
    /// It is no number.
    pub fn signed(&self, range: RangeInclusive<i64>, notes: &mut Notes) -> Result<Option<i64>, Refusal> {
        let number = integer(self.value()).ok_or_else(|| self.no_number())?;
        let fits = range.contains(&number);
        if !fits {
            let (least, most) = range.into_inner();
            notes.say(
                &self.at,
                format!("{} {number} is not from {least} to {most}: keepalived ignores it", self.name),
            );
        }
        Ok(fits.then_some(number))
    }

    /// Seconds with up to six decimals; none, with a note, if it is less than `least`, since keepalived ignores it then.
    ///
    /// # Errors
    /// It is no number.
    pub fn seconds(&self, least: Duration, notes: &mut Notes) -> Result<Option<Duration>, Refusal> {
        let length = seconds(self.value()).ok_or_else(|| self.no_number())?;
        if length < least {
            notes
                .say(&self.at, format!("{} {} is too short: keepalived ignores it", self.name, self.value()));
            return Ok(None);
        }
        Ok(Some(length))
    }

    fn no_number(&self) -> Refusal {
        let what = format!("{} {} is no number that is understood", self.name, self.shown(self.value()));
        Refusal::new(&self.at, what, "write one")
    }

    /// Words of its line in quotes, unless they may be a secret.
    #[must_use]
    pub fn shown(&self, words: &str) -> String {
        if self.hidden { NOT_SHOWN.to_owned() } else { format!("{words:?}") }
    }

    /// On unless it says off, as keepalived reads `on off true false yes no`.
    #[must_use]
    pub fn on(&self) -> bool {
        !matches!(self.value(), "off" | "false" | "no")
    }
}

/// Stands for what may be a secret.
pub const NOT_SHOWN: &str = "(not shown)";

/// A number as it is written in digits.
pub fn integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = (1..=18).contains(&digits.len()) && digits.chars().all(|c| c.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

/// Seconds with up to six decimals.
pub fn seconds(text: &str) -> Option<Duration> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str, most| text.len() <= most && text.chars().all(|c| c.is_ascii_digit());
    if !digits(whole, 9) || !digits(decimals, 6) || whole.len() + decimals.len() == 0 {
        return None;
    }
    let micros = format!("{decimals:0<6}").parse().ok()?;
    let whole = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    Some(Duration::from_secs(whole) + Duration::from_micros(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_seconds_are_whole_words() {
        for (text, expected) in [("7", Some(7)), ("-1", Some(-1)), ("7x", None), ("", None), ("+7", None)] {
            assert_eq!(integer(text), expected, "{text}");
        }
        assert_eq!(integer(&"9".repeat(30)), None);
        for (text, micros) in
            [("1", Some(1_000_000)), ("0.25", Some(250_000)), (".5", Some(500_000)), ("2.", Some(2_000_000))]
        {
            assert_eq!(seconds(text).map(|length| length.as_micros()), micros, "{text}");
        }
        for text in ["", ".", "1.2345678", "-1", "1s", "1e3", "9999999999"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
