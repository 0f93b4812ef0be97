//! What others say, as it is shown: a short line without anything that a terminal would act on. Must not judge.

/// Most characters of it.
const SHOWN_MAX: usize = 120;

/// The first line of some bytes that is not empty, printable, and cut where it is long.
#[must_use]
pub fn line(bytes: &[u8]) -> String {
    let is_line = |line: &&[u8]| !line.trim_ascii().is_empty();
    let first = bytes.split(|byte| *byte == b'\n').find(is_line).unwrap_or_default().trim_ascii();
    let text = String::from_utf8_lossy(first.get(..SHOWN_MAX * 4).unwrap_or(first));
    let shown = |c: char| if is_acted_on(c) { char::REPLACEMENT_CHARACTER } else { c };
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()).chars().map(shown).collect(),
        None => text.chars().map(shown).collect(),
    }
}

/// What moves, hides or turns round what is shown: control characters, and those of Unicode for lines and directions.
fn is_acted_on(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_line_that_says_something_is_shown() {
        for (bytes, shown) in [
            (&b""[..], ""),
            (b"\n \r\nOK - all well\r\nmore", "OK - all well"),
            (b"a\x1b[31mb", "a\u{fffd}[31mb"),
            ("a\u{202e}b\u{2028}c\u{9b}d".as_bytes(), "a\u{fffd}b\u{fffd}c\u{fffd}d"),
            (b"\xff\xfe", "\u{fffd}\u{fffd}"),
        ] {
            assert_eq!(line(bytes), shown);
        }
        assert_eq!(line("\u{436}".repeat(500).as_bytes()), format!("{}...", "\u{436}".repeat(SHOWN_MAX)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_short_line(bytes in any::<Vec<u8>>()) {
            let line = line(&bytes);
            prop_assert!(line.chars().count() <= SHOWN_MAX + 3);
            prop_assert!(!line.chars().any(char::is_control));
        }
    }
}
