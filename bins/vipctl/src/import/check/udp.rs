//! `UDP_CHECK`: a datagram, and what must come back or must not.

use std::fmt::Write;
use std::time::Duration;

use super::{Check, Draft, Kind, Near, Way, Written};
use crate::import::block::{Keyword, any, lost, rows, values};
use crate::import::note::{Notes, Place, Refusal};
use crate::import::said::Said;
use crate::import::toml::value::Value;

/// A `UDP_CHECK`.
#[derive(Debug)]
pub struct Udp {
    at: Place,
    payload: Option<String>,
    /// None outside if no reply is asked for, none inside if any will do.
    reply: Option<Option<String>>,
}

/// Bytes that keepalived sends if none are said.
const RANDOM: usize = 32;
/// For the last steps of a run that waits until its end.
const GRACE: Duration = Duration::from_secs(1);

impl Written for Udp {
    const KEYWORDS: &'static [Keyword<Draft<Self>>] = &[
        rows(Draft::<Self>::PLAIN),
        values(&["payload"], |draft, said, _| {
            draft.own.payload = Some(bytes(said, false)?);
            Ok(())
        }),
        any(&["require_reply"], |draft, said, _| {
            let expected = if said.values.is_empty() { None } else { Some(bytes(said, true)?) };
            draft.own.reply = Some(expected);
            Ok(())
        }),
        lost(&["min_reply_length", "max_reply_length"], "vipkit does not look at the length of a reply"),
    ];

    fn begin(said: &Said) -> Self {
        Self { at: said.at.clone(), payload: None, reply: None }
    }
}

/// Bytes in hexadecimal digits as keepalived reads them: a digit that is left over at the end of a word is a byte alone;
/// `wild` takes an x for any digit.
fn bytes(said: &Said, wild: bool) -> Result<String, Refusal> {
    let mut text = String::new();
    for word in said.values.iter().flat_map(|value| value.split_ascii_whitespace()) {
        let digits: Vec<char> = word.chars().collect();
        if digits.iter().any(|digit| !(digit.is_ascii_hexdigit() || wild && "xX".contains(*digit))) {
            let what = format!("{} {word:?} is not of hexadecimal digits", said.name);
            return Err(Refusal::new(&said.at, what, "write two for each byte"));
        }
        for byte in digits.chunks(2) {
            let padded = match byte {
                [digit] => ['0', *digit],
                [high, low, ..] => [*high, *low],
                [] => continue,
            };
            let space = if text.is_empty() { "" } else { " " };
            let [high, low] = padded.map(|digit| digit.to_ascii_lowercase());
            let _ = write!(text, "{space}{high}{low}");
        }
    }
    Ok(text)
}

impl Kind for Udp {
    fn whole(self: Box<Self>, mut check: Check, way: Way, _: &Near<'_>, notes: &mut Notes) -> Option<Check> {
        check.is("udp", way.keys());
        let payload = self.payload.unwrap_or_else(|| {
            let now =
                format!("UDP_CHECK without payload: keepalived sends {RANDOM} random bytes, vipkit zeros");
            notes.once(&self.at, now);
            vec!["00"; RANDOM].join(" ")
        });
        check.with("payload_hex", payload);
        match self.reply {
            Some(Some(reply)) => check.with("reply_hex", reply),
            Some(None) => check.with("reply", Value::Flag(true)),
            // Silence is well once keepalived has waited for a refusal so long.
            None => {
                check.with("wait", Value::Time(check.timeout));
                check.timeout += GRACE;
            }
        }
        Some(check)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_written_freely() {
        let said = |words: &[&str]| Said {
            at: Place { file: "x".into(), line: 1 },
            name: "payload".to_owned(),
            values: words.iter().map(|word| (*word).to_owned()).collect(),
            hidden: false,
        };
        let read = |words: &[&str], wild| bytes(&said(words), wild).ok();
        // The example of keepalived.conf(5).
        assert_eq!(
            read(&["Ab12f", "3", "456", "546443123"], false).as_deref(),
            Some("ab 12 0f 03 45 06 54 64 43 12 03")
        );
        assert_eq!(read(&["de Xx", "x"], true).as_deref(), Some("de xx 0x"));
        assert_eq!(read(&["dexx"], false), None);
        assert_eq!(read(&["0xde"], false), None);
    }
}
