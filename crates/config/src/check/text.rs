//! Texts that several kinds of check take: paths of files, what is sent, regular expressions, hexadecimal digits. Opens no
//! file: whether there is one is found out when the check is run.

use std::path::PathBuf;

use regex::bytes::{Regex, RegexBuilder};

use crate::context::quote;
use crate::section::{About, Field, Section};

/// Most bytes of a text of a check.
pub(super) const TEXT_MAX: usize = 4096;

/// Most bytes that a regular expression may take once it is compiled.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// A regular expression of a check, over bytes; one whose automaton would take more than a MiB is an error.
///
/// # Errors
/// It is none, or is too large.
pub fn pattern(text: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(text).size_limit(PATTERN_BYTES_MAX).dfa_size_limit(PATTERN_BYTES_MAX).build()
}

/// A text of 1 to [`TEXT_MAX`] bytes.
pub(super) fn read(field: &mut Field<'_, '_>) -> Option<String> {
    let text = field.text()?;
    if (1..=TEXT_MAX).contains(&text.len()) {
        return Some(text.to_owned());
    }
    field.fault(&format!("has {} bytes", text.len()), format!("1 to {TEXT_MAX} are possible"));
    None
}

/// The absolute path of a file.
pub(super) fn path(field: &mut Field<'_, '_>) -> Option<PathBuf> {
    let text = field.text()?;
    let hint = match text {
        _ if !text.starts_with('/') => "start it with /",
        _ if text.contains('\0') || text.len() > TEXT_MAX => "no file can be called that",
        _ => return Some(PathBuf::from(text)),
    };
    field.wrong(&quote(text), hint);
    None
}

/// What [`pattern`] takes.
pub(super) fn regex(field: &mut Field<'_, '_>) -> Option<String> {
    let text = read(field)?;
    match pattern(&text) {
        Ok(_) => Some(text),
        Err(regex::Error::CompiledTooBig(_)) => {
            field.fault(
                &format!("has {}, which takes too much memory", quote(&text)),
                "write smaller repetitions",
            );
            None
        }
        Err(error) => {
            // The last line of the message says what is wrong, those before it show where.
            let why = error.to_string();
            let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            field.wrong(&quote(&text), why);
            None
        }
    }
}

/// Bytes as pairs of hexadecimal digits, with or without spaces between them.
pub(super) fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    masked(text)?.into_iter().map(|(value, mask)| (mask == u8::MAX).then_some(value)).collect()
}

/// The same, where `x` stands for any digit: each byte, and the bits of it that count.
pub(super) fn masked(text: &str) -> Option<Vec<(u8, u8)>> {
    let digit = |c: char| match c {
        'x' | 'X' => Some((0, 0)),
        _ => Some((u8::try_from(c.to_digit(16)?).ok()?, 0xf)),
    };
    let digits: Vec<(u8, u8)> = text.split(' ').flat_map(str::chars).map(digit).collect::<Option<_>>()?;
    let whole = text.split(' ').all(|group| group.len().is_multiple_of(2));
    let (pairs, _) = digits.as_chunks::<2>();
    whole.then(|| pairs.iter().map(|[high, low]| (high.0 << 4 | low.0, high.1 << 4 | low.1)).collect())
}

/// Keys that have no meaning beside what else is written.
pub(super) fn refuse(section: &mut Section<'_, '_>, keys: &[About], predicate: &str, hint: &str) {
    for about in keys {
        section.refuse(about.name, predicate, hint);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::check::{KINDS, SHARED};
    use crate::testing::sources;

    #[test]
    fn hexadecimal_digits_are_bytes() {
        assert_eq!(hexadecimal("00 ff0A"), Some(vec![0, 255, 10]));
        assert_eq!(hexadecimal(""), Some(vec![]));
        for text in ["0", "0 00", "00  0", "0x", "gg", "00\n", "é0"] {
            assert_eq!(hexadecimal(text), None, "{text:?}");
        }
        assert_eq!(masked("de xX x1"), Some(vec![(0xde, 0xff), (0, 0), (1, 0xf)]));
    }

    #[test]
    fn a_pattern_is_bounded() {
        assert!(pattern(r"(?i)^ok\b").unwrap().is_match(b"OK\xff"));
        assert!(matches!(pattern(r"\w{9999}"), Err(regex::Error::CompiledTooBig(_))));
        assert!(pattern("(").is_err());
    }

    proptest! {
        #[test]
        fn digits_of_bytes_are_those_bytes(bytes: Vec<u8>, space: bool) {
            let digits: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            prop_assert_eq!(hexadecimal(&digits.join(if space { " " } else { "" })), Some(bytes));
        }

        /// Whatever stands at a key, of whatever kind, there is a configuration or a fault.
        #[test]
        fn any_value_is_read_or_refused(
            kind in 0..KINDS.len(),
            key in 0_usize..32,
            text in "(.{0,40}|[0-9a-fx -]{0,8}|(user|group):.*|/.*)",
            form in 0..6,
        ) {
            let row = &KINDS[kind];
            let keys: Vec<_> = row.keys.iter().chain(SHARED.iter().copied().flatten()).collect();
            let quoted = toml::Value::String(text);
            let value = match form {
                0 => format!("[{quoted}]"),
                1 => format!("{{ {quoted} = {quoted} }}"),
                2 => format!("[{{ path = {quoted}, status = [{quoted}], headers = {{ {quoted} = {quoted} }} }}]"),
                3 => "-1".to_owned(),
                4 => "9223372036854775807".to_owned(),
                _ => quoted.to_string(),
            };
            let name = keys[key % keys.len()].name;
            let text = format!("[check.a]\ntype = \"{}\"\n{name} = {value}", row.name);
            if let Err(faults) = crate::parse(&sources(&[&text])) {
                prop_assert!(faults.iter().all(|fault| fault.hint.is_some()), "{text}: {faults}");
            }
        }
    }
}
