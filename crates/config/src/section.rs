//! A small reader of tables. Every key is declared once, as a [`Key`]: its name, what may stand there, what
//! it is when left out, what it means and how it is read. A [`Section`] hands out the values, writes down
//! what is wrong instead of stopping, and at the end names the keys nobody knows. Knows no rule of VRRP.

use std::fmt;
use std::ops::RangeInclusive;

use crate::context::{Context, quote};
use crate::fault::FAULTS_MAX;
use crate::source::At;
use crate::syntax;
use crate::tree::{Datum, Entry, Table, Value};

/// What the documentation says of a key.
#[derive(Clone, Copy)]
pub(crate) struct About {
    pub name: &'static str,
    /// What may stand there, as the end of "must be ...".
    pub kind: &'static str,
    pub absent: Absent,
    /// Its meaning, in one line.
    #[cfg_attr(not(test), expect(dead_code, reason = "compared with the manual by a test"))]
    pub doc: &'static str,
}

/// What a key is when it is left out.
#[derive(Clone, Copy)]
pub(crate) enum Absent {
    /// It must not be.
    Required,
    /// This TOML text.
    Default(&'static str),
    /// None; in words, what happens then.
    None(
        #[cfg_attr(not(test), expect(dead_code, reason = "compared with the manual by a test"))] &'static str,
    ),
}

/// A key and how its value is read; whoever reads none has said why in the context.
pub(crate) struct Key<T> {
    pub about: About,
    pub read: fn(&mut Field<'_, '_>) -> Option<T>,
}

/// A table that is being read.
pub(crate) struct Section<'f, 's> {
    cx: &'f mut Context<'s>,
    table: &'f Table,
    path: Path,
    at: At,
    known: Vec<&'static [About]>,
    /// Keys of which a fault says that they cannot be here.
    refused: Vec<&'static str>,
    /// What stands in it is not shown.
    hidden: bool,
}

/// Which table: its keys joined with dots, empty at the top level.
struct Path {
    keys: String,
    /// One of a list of tables.
    listed: bool,
}

impl<'f, 's> Section<'f, 's> {
    /// The top level of the configuration.
    pub fn top(cx: &'f mut Context<'s>, table: &'f Table, known: &'static [About]) -> Self {
        Self {
            cx,
            table,
            path: Path::table(String::new()),
            at: At { source: 0, offset: 0 },
            known: vec![known],
            refused: Vec::new(),
            hidden: false,
        }
    }

    /// The same table, as one where a secret may stand, perhaps in the wrong place: no message shows what is in it, or
    /// in tables within.
    pub fn hidden(self) -> Self {
        Self { hidden: true, ..self }
    }

    pub const fn cx(&mut self) -> &mut Context<'s> {
        self.cx
    }

    /// Makes more keys known.
    pub fn know(&mut self, keys: &'static [About]) {
        self.known.push(keys);
    }

    /// The key's value, or its default; none if it has none or a fault.
    pub fn get<T>(&mut self, key: &Key<T>) -> Option<T> {
        let about = &key.about;
        let default;
        let (at, value) = match (self.table.get(about.name), about.absent) {
            (Some(Entry { at, value }), _) => (*at, value),
            (None, Absent::Default(text)) => {
                default = syntax::constant(text, self.at)?;
                (self.at, &default)
            }
            (None, Absent::Required) => {
                let what = format!("{} has no {:?}", self.path, about.name);
                self.cx.missing(self.at, what, format!("it is required, and must be {}", about.kind));
                return None;
            }
            (None, Absent::None(_)) => return None,
        };
        (key.read)(&mut Field { cx: self.cx, about, path: &self.path, at, value, hidden: self.hidden })
    }

    /// Where the key's value stands; the table's own place if it is left out.
    pub fn at<T>(&self, key: &Key<T>) -> At {
        self.at_key(key.about.name)
    }

    /// The same for a key of this name.
    pub fn at_key(&self, name: &str) -> At {
        self.table.get(name).map_or(self.at, |entry| entry.value.at)
    }

    /// Where the table stands.
    pub const fn place(&self) -> At {
        self.at
    }

    pub fn has<T>(&self, key: &Key<T>) -> bool {
        self.table.contains_key(key.about.name)
    }

    /// A fault of this table as a whole or between its keys.
    pub fn fault(&mut self, at: At, what: &str, hint: impl Into<String>) {
        self.cx.fault(at, format!("{what} {}", self.path.within()), hint);
    }

    /// Something of this table is allowed, but hardly meant.
    pub fn warn(&mut self, at: At, what: &str, hint: impl Into<String>) {
        self.cx.warn(at, (format!("{what} {}", self.path.within()), hint.into()));
    }

    /// One of several keys must be there and none is.
    pub fn lacks(&mut self, keys: &str, hint: &str) {
        self.cx.missing(self.at, format!("{} has {keys}", self.path), hint);
    }

    /// A key that is never proposed: it is a fault of its own if it is there, and whether it is, is returned.
    pub fn refuse(&mut self, name: &'static str, predicate: &str, hint: &str) -> bool {
        self.refused.push(name);
        let entry = self.table.get(name);
        if let Some(Entry { value, .. }) = entry {
            self.cx.fault(value.at, format!("{name:?} {} {predicate}", self.path.within()), hint);
        }
        entry.is_some()
    }

    /// Ends the reading: keys that are not known are faults.
    pub fn finish(self) {
        let is_known = |name: &str| self.known.iter().copied().flatten().any(|about| about.name == name);
        let known = |name: &str| is_known(name) || self.refused.contains(&name);
        for (name, entry) in self.table.iter().filter(|(name, _)| !known(name)).take(FAULTS_MAX) {
            let name_shown = if self.hidden { String::new() } else { format!(" {}", quote(name)) };
            let what = format!("unknown key{name_shown} {}", self.path.within());
            self.cx.unknown(entry.at, self.path.keys.is_empty(), what, self.instead_of(name));
        }
    }

    fn instead_of(&self, name: &str) -> String {
        instead_of(name, self.known.iter().copied().flatten().map(|about| about.name))
    }
}

/// What to write in the place of a word that is not known.
fn instead_of<'k>(word: &str, known: impl Iterator<Item = &'k str> + Clone) -> String {
    match closest(word, known.clone()) {
        Some(close) => format!("did you mean {close:?}?"),
        None => format!("known here: {}", known.collect::<Vec<_>>().join(", ")),
    }
}

/// The known word that `word` is probably a slip of; capital letters are one.
pub(crate) fn closest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    // Longer than any key and name, and the distance takes memory in proportion.
    const WORD_MAX: usize = 64;
    let tolerated = (word.len() / 3).max(1);
    let word = Some(word).filter(|word| word.len() <= WORD_MAX)?.to_ascii_lowercase();
    known
        .map(|known| (strsim::damerau_levenshtein(&word, &known.to_ascii_lowercase()), known))
        .min()
        .filter(|&(distance, _)| distance <= tolerated)
        .map(|(_, known)| known)
}

/// One value that is being read.
pub(crate) struct Field<'f, 's> {
    pub cx: &'f mut Context<'s>,
    about: &'f About,
    /// Of the table it is in.
    path: &'f Path,
    /// Its key's place.
    at: At,
    pub value: &'f Value,
    /// It is not shown.
    hidden: bool,
}

impl<'f, 's> Field<'f, 's> {
    /// The value is not what the key takes. `found` is shown unless the table is hidden.
    pub fn wrong(&mut self, found: &str, hint: impl Into<String>) {
        let found = if self.hidden { String::new() } else { format!(", not {found}") };
        self.fault(&format!("must be {}{found}", self.about.kind), hint);
    }

    /// A fault of this value: `predicate` follows the key's name. It must not hold a secret.
    pub fn fault(&mut self, predicate: &str, hint: impl Into<String>) {
        let Self { about, path, value, .. } = self;
        self.cx.fault(value.at, format!("{:?} {} {predicate}", about.name, path.within()), hint);
    }

    /// The value has another type than the key takes. The value itself is not shown.
    pub fn mistyped(&mut self, hint: impl Into<String>) {
        self.fault(&format!("must be {}, not {}", self.about.kind, self.value.datum.kind()), hint);
    }

    pub fn text(&mut self) -> Option<&'f str> {
        match &self.value.datum {
            Datum::Text(text) => return Some(text),
            Datum::Integer(number) if !self.hidden => {
                self.mistyped(format!("write it in quotes: \"{number}\""));
            }
            _ => self.mistyped("write it in quotes"),
        }
        None
    }

    pub fn boolean(&mut self) -> Option<bool> {
        match self.value.datum {
            Datum::Boolean(truth) => return Some(truth),
            Datum::Text(_) => self.mistyped("write it without quotes"),
            _ => self.mistyped("write true or false"),
        }
        None
    }

    pub fn integer(&mut self) -> Option<i64> {
        match self.value.datum {
            Datum::Integer(number) => return Some(number),
            Datum::Text(_) => self.mistyped("write it without quotes"),
            _ => self.mistyped("write a number"),
        }
        None
    }

    /// An integer of a range.
    pub fn count<T: TryFrom<i64> + PartialOrd>(&mut self, range: RangeInclusive<T>, hint: &str) -> Option<T> {
        let number = self.integer()?;
        let count = T::try_from(number).ok().filter(|count| range.contains(count));
        if count.is_none() {
            self.wrong(&number.to_string(), hint);
        }
        count
    }

    /// One of several words, each of which stands for something.
    pub fn word<'w, T>(&mut self, words: impl Iterator<Item = (&'w str, T)> + Clone) -> Option<T> {
        let text = self.text()?;
        let found = words.clone().find(|(word, _)| *word == text);
        if found.is_none() {
            self.wrong(&quote(text), instead_of(text, words.map(|(word, _)| word)));
        }
        found.map(|(_, value)| value)
    }

    pub fn list(&mut self) -> Option<&'f [Value]> {
        match &self.value.datum {
            Datum::List(list) => return Some(list),
            Datum::Text(_) => self.mistyped("write it in brackets: [\"...\"]"),
            _ => self.mistyped("write it in brackets"),
        }
        None
    }

    /// One element of a list that this value is, with the same key.
    pub fn element<'e>(&'e mut self, value: &'e Value) -> Field<'e, 's>
    where
        'f: 'e,
    {
        let &mut Self { ref mut cx, about, path, hidden, .. } = self;
        Field { cx, about, path, at: value.at, value, hidden }
    }

    pub fn table(&mut self) -> Option<&'f Table> {
        match &self.value.datum {
            Datum::Table(table) => return Some(table),
            _ => self.mistyped(format!("write it in braces, or under {}", self.path())),
        }
        None
    }

    /// A list of at most `most` tables; each may still be something else.
    pub fn tables(&mut self, most: usize) -> Option<&'f [Value]> {
        let Datum::List(list) = &self.value.datum else {
            self.mistyped(format!("write each under {}", self.listed_path()));
            return None;
        };
        if list.len() > most {
            self.fault(&format!("has {} tables", list.len()), format!("{most} are the most"));
        }
        (list.len() <= most).then_some(list)
    }

    /// The table that this value is, to be read with its own keys.
    pub fn section(&mut self, known: &'static [About]) -> Option<Section<'_, 's>> {
        let table = self.table()?;
        let path = self.path();
        Some(Section {
            cx: self.cx,
            table,
            path,
            at: self.at,
            known: vec![known],
            refused: Vec::new(),
            hidden: self.hidden,
        })
    }

    /// One table of the list that this value is, to be read with its own keys.
    pub fn listed<'n>(&'n mut self, value: &'n Value, known: &'static [About]) -> Option<Section<'n, 's>> {
        let path = self.listed_path();
        let Datum::Table(table) = &value.datum else {
            let hint = format!("write each under {path}");
            self.element(value).fault(&format!("has {}, where a table is due", value.datum.kind()), hint);
            return None;
        };
        Some(Section {
            cx: self.cx,
            table,
            path,
            at: value.at,
            known: vec![known],
            refused: Vec::new(),
            hidden: self.hidden,
        })
    }

    /// A table under a name of its own in the table that this value is.
    pub fn named<'n>(
        &'n mut self,
        name: &str,
        at: At,
        table: &'n Table,
        known: &'static [About],
    ) -> Section<'n, 's> {
        let path = Path::table(format!("{}.{name}", self.path().keys));
        Section { cx: self.cx, table, path, at, known: vec![known], refused: Vec::new(), hidden: self.hidden }
    }

    /// The header of the table that this value is.
    pub fn header(&self) -> String {
        self.path().to_string()
    }

    /// The table that this value is.
    fn path(&self) -> Path {
        Path::table(match self.path.keys.as_str() {
            "" => self.about.name.to_owned(),
            keys => format!("{keys}.{}", self.about.name),
        })
    }

    /// Each table of the list that this value is.
    fn listed_path(&self) -> Path {
        Path { listed: true, ..self.path() }
    }
}

impl Path {
    const fn table(keys: String) -> Self {
        Self { keys, listed: false }
    }

    fn within(&self) -> String {
        if self.keys.is_empty() { "at the top level".to_owned() } else { format!("in {self}") }
    }
}

/// As the table's header has it.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.listed { write!(f, "[[{}]]", self.keys) } else { write!(f, "[{}]", self.keys) }
    }
}
