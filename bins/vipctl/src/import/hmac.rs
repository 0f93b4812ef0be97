//! `auth_hmac` of an instance, as keepalived 2.4.2 and later have it. What stands in it may be a secret in the wrong
//! place: no note shows a word of it.

use std::fmt;

use super::block::{Done, Keyword, value, values};
use super::note::{Notes, Place};
use super::said::Said;

/// A text that is shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text, for the file that holds it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// HMAC as an instance has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hmac {
    /// `mode`.
    pub mode: &'static str,
    /// `active_key`.
    pub active: u8,
    /// In the order in which they stand, each number once.
    pub keys: Vec<Key>,
    /// `anti_replay`.
    pub monotonic: bool,
    /// `time_window`, seconds.
    pub window: Option<u64>,
    /// Where it begins.
    pub at: Place,
}

/// A key of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its number.
    pub id: u8,
    /// Where it is.
    pub kept: Kept,
    /// Where it stands.
    pub at: Place,
}

/// Where a key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// In keepalived.conf itself.
    Here(Secret),
    /// In a file.
    File(String),
}

/// What was said of it.
#[derive(Default)]
pub struct Draft {
    at: Option<Place>,
    mode: Option<&'static str>,
    active: Option<u8>,
    keys: Vec<Key>,
    monotonic: bool,
    window: Option<u64>,
}

/// Its keywords.
pub const KEYWORDS: &[Keyword<Draft>] = &[
    values(&["key"], key),
    value(&["active_key"], |draft, said, notes| {
        let number = said.number(1..=255, notes)?;
        draft.active = number.and_then(|number| u8::try_from(number).ok()).or(draft.active);
        Ok(())
    }),
    value(&["anti_replay"], |draft, said, notes| {
        match said.value() {
            "time" => draft.monotonic = false,
            "monotonic" => draft.monotonic = true,
            _ => notes.say(&said.at, "anti_replay is neither time nor monotonic: keepalived ignores it"),
        }
        Ok(())
    }),
    value(&["time_window"], |draft, said, notes| {
        draft.window = said.number(1..=300, notes)?.or(draft.window);
        Ok(())
    }),
    value(&["mode"], |draft, said, notes| {
        match MODES.iter().find(|mode| **mode == said.value()) {
            Some(mode) => draft.mode = Some(mode),
            None => {
                notes.say(&said.at, format!("mode is none of {}: keepalived ignores it", MODES.join(", ")))
            }
        }
        Ok(())
    }),
];

const ENFORCE: &str = "enforce";
const MODES: &[&str] = &[ENFORCE, "permissive", "receive-only"];

/// Bytes of a key.
const LENGTHS: std::ops::RangeInclusive<usize> = 32..=64;

impl Draft {
    /// It begins here.
    pub fn begin(&mut self, at: &Place) {
        self.at = Some(at.clone());
    }

    /// As it runs; none if nothing was said of it, or if keepalived runs without it.
    pub fn whole(self, strict: bool, notes: &mut Notes) -> Option<Hmac> {
        let at = self.at?;
        let active = self.active.filter(|active| self.keys.iter().any(|key| key.id == *active));
        let Some(active) = active else {
            let what = match self.active {
                Some(active) => format!("active_key {active} is no key of auth_hmac that can be used"),
                None => "auth_hmac has no active_key".to_owned(),
            };
            notes.say(&at, format!("{what}: keepalived RUNS WITHOUT AUTHENTICATION; mend it on all nodes"));
            return None;
        };
        Some(Hmac {
            mode: if strict { ENFORCE } else { self.mode.unwrap_or(ENFORCE) },
            active,
            keys: self.keys,
            monotonic: self.monotonic,
            window: self.window.filter(|_| !self.monotonic),
            at,
        })
    }
}

/// What is wrong is said without what stands there.
fn key(draft: &mut Draft, said: &Said, notes: &mut Notes) -> Done {
    let mut skip = |what: &str| {
        notes.say(&said.at, format!("{what}: keepalived skips the key"));
        Ok(())
    };
    let (number, text) = match said.values.as_slice() {
        [number, text] => (number, text),
        _ => return skip("key takes a number and the key, in quotes if it has blanks"),
    };
    let Some(id) = number.parse::<u8>().ok().filter(|id| *id > 0) else {
        return skip("the number of a key is from 1 to 255");
    };
    if draft.keys.iter().any(|key| key.id == id) {
        return skip(&format!("key {id} is there already"));
    }
    let kept = match text.strip_prefix("file:") {
        Some(path) => Kept::File(path.to_owned()),
        None if is_key(text) => Kept::Here(Secret(text.clone())),
        None => return skip(&format!("key {id} has not 32 to 64 bytes")),
    };
    draft.keys.push(Key { id, kept, at: said.at.clone() });
    Ok(())
}

fn is_key(text: &str) -> bool {
    match text.strip_prefix("hex:") {
        Some(digits) => {
            let even = digits.len() % 2 == 0 && digits.chars().all(|c| c.is_ascii_hexdigit());
            even && LENGTHS.contains(&(digits.len() / 2))
        }
        None => LENGTHS.contains(&text.len()),
    }
}
