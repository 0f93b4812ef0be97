//! An entry of a value block: words that stand alone or have a value after them, in any order, as `ip` takes them.
//! What each word does is said in the tables of `address`, `route`, `rule`, `unicast` and `mac`.

use super::note::{Notes, Place};
use super::said::Said;

/// What a word comes to: nothing to say, or what of it is lost; as an error, why the whole entry is left out.
pub type Read = Result<Option<String>, String>;

type Set<T> = fn(&mut T, &str) -> Read;

/// A word, with its other names, of an entry that fills in a `T`: a row of a table.
pub struct Word<T: 'static> {
    names: &'static [&'static str],
    rule: Rule<T>,
}

enum Rule<T: 'static> {
    Flag(fn(&mut T)),
    Value(Set<T>),
    Lost { value: bool, meaning: &'static str },
    Nothing { value: bool },
    Apart(&'static str),
}

/// A word without a value.
pub const fn flag<T>(names: &'static [&'static str], set: fn(&mut T)) -> Word<T> {
    Word { names, rule: Rule::Flag(set) }
}

/// A word with a value.
pub const fn value<T>(names: &'static [&'static str], set: Set<T>) -> Word<T> {
    Word { names, rule: Rule::Value(set) }
}

/// Words that are not carried over, without a value, and what that means.
pub const fn lost<T>(names: &'static [&'static str], meaning: &'static str) -> Word<T> {
    Word { names, rule: Rule::Lost { value: false, meaning } }
}

/// Words that are not carried over with their value, and what that means.
pub const fn lost_value<T>(names: &'static [&'static str], meaning: &'static str) -> Word<T> {
    Word { names, rule: Rule::Lost { value: true, meaning } }
}

/// Words that say what vipkit does anyway; `with` a value or without.
pub const fn nothing<T>(names: &'static [&'static str], with: bool) -> Word<T> {
    Word { names, rule: Rule::Nothing { value: with } }
}

/// Words without which the entry would mean something else: it is left out.
pub const fn apart<T>(names: &'static [&'static str], meaning: &'static str) -> Word<T> {
    Word { names, rule: Rule::Apart(meaning) }
}

/// All words of an entry.
#[must_use]
pub fn of(said: &Said) -> Vec<&str> {
    std::iter::once(&said.name).chain(&said.values).map(String::as_str).collect()
}

/// Reads words into a draft; `bare` takes those that are in no row, `name` is what the entry is called.
///
/// # Errors
/// Why the entry is left out.
pub fn read<'w, T>(
    table: &[Word<T>],
    bare: Set<T>,
    words: impl IntoIterator<Item = &'w str>,
    name: &str,
    draft: &mut T,
    (at, notes): (&Place, &mut Notes),
) -> Result<(), String> {
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let Some(row) = table.iter().find(|row| row.names.contains(&word)) else {
            if let Some(what) = bare(draft, word)? {
                notes.say(at, what);
            }
            continue;
        };
        let mut taken = || words.next().ok_or_else(|| format!("{word} has no value"));
        let lost = match row.rule {
            Rule::Flag(set) => {
                set(draft);
                None
            }
            Rule::Value(set) => {
                let value = taken()?;
                set(draft, value)?.map(|meaning| (format!("{word} {value}"), meaning))
            }
            Rule::Lost { value: false, meaning } => Some((word.to_owned(), meaning.to_owned())),
            Rule::Lost { value: true, meaning } => {
                let value = match taken()? {
                    "lock" => format!("lock {}", taken()?),
                    value => value.to_owned(),
                };
                Some((format!("{word} {value}"), meaning.to_owned()))
            }
            Rule::Nothing { value } => {
                if value {
                    taken()?;
                }
                None
            }
            Rule::Apart(meaning) => return Err(format!("{word}: {meaning}")),
        };
        if let Some((given, meaning)) = lost {
            notes.say(at, format!("{given} of {name} is not carried over: {meaning}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: &[Word<Vec<String>>] = &[
        flag(&["on", "yes"], |draft| draft.push("on".to_owned())),
        value(&["to"], |draft, text| match text {
            "nowhere" => Err("there is nothing".to_owned()),
            _ => {
                draft.push(format!("to {text}"));
                Ok((text == "half").then(|| "half of it is lost".to_owned()))
            }
        }),
        lost(&["gone"], "it is gone"),
        lost_value(&["away"], "it is away"),
        nothing(&["same"], true),
        apart(&["else"], "it would be another"),
    ];

    /// What was set, what was noted, and why the entry is left out if it is.
    fn entry(text: &str) -> (Vec<String>, Vec<String>, Option<String>) {
        let bare = |draft: &mut Vec<String>, word: &str| {
            draft.push(word.to_owned());
            Ok((word == "odd").then(|| "odd".to_owned()))
        };
        let (mut draft, mut notes) = (Vec::new(), Notes::new(false));
        let at = Place { file: "x".into(), line: 1 };
        let read = read(WORDS, bare, text.split(' '), "it", &mut draft, (&at, &mut notes));
        (draft, notes.all.into_iter().map(|note| note.now).collect(), read.err())
    }

    #[test]
    fn words_stand_in_any_order_and_what_is_lost_is_named() {
        let (set, notes, left_out) = entry("a yes away lock 7 to half same away gone odd away x");
        assert_eq!(set, ["a", "on", "to half", "odd"]);
        assert_eq!(
            notes,
            [
                "away lock 7 of it is not carried over: it is away",
                "to half of it is not carried over: half of it is lost",
                "gone of it is not carried over: it is gone",
                "odd",
                "away x of it is not carried over: it is away"
            ]
        );
        assert_eq!(left_out, None);
    }

    #[test]
    fn what_would_mean_something_else_is_left_out() {
        for (text, why) in [
            ("a else b", "else: it would be another"),
            ("to nowhere", "there is nothing"),
            ("a to", "to has no value"),
            ("same", "same has no value"),
            ("away lock", "away has no value"),
        ] {
            let left_out = entry(text).2.unwrap();
            assert_eq!(left_out, why, "{text}");
        }
    }
}
