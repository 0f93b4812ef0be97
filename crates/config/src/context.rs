//! What one reading of the configuration carries along: the sources, the faults and warnings found so far,
//! and the way to secrets. It decides which faults are worth showing, not what is a fault.

use std::collections::BTreeSet;

use crate::fault::{FAULTS_MAX, Fault, Place};
use crate::secret::{Found, Kept, SecretReader};
use crate::source::{At, Sources};

/// What is wrong or doubtful, and what to do about it.
pub(crate) type Doubt = (String, String);

pub(crate) struct Context<'s> {
    sources: Sources<'s>,
    secret_reader: &'s mut SecretReader<'s>,
    faults: Vec<(At, Fault)>,
    warnings: Vec<(At, Fault)>,
    /// Lines (source, line) with a syntax error: what else is said of them would only repeat it.
    broken_lines: BTreeSet<(usize, usize)>,
    /// Some of the text could not be read: what seems to be missing may stand there.
    incomplete: bool,
}

impl<'s> Context<'s> {
    pub fn new(sources: Sources<'s>, incomplete: bool, secret_reader: &'s mut SecretReader<'s>) -> Self {
        Self {
            sources,
            secret_reader,
            faults: Vec::new(),
            warnings: Vec::new(),
            broken_lines: BTreeSet::new(),
            incomplete,
        }
    }

    pub fn place(&self, at: At) -> Place {
        self.sources.place(at)
    }

    pub fn read_secret(&mut self, kept: Kept<'_>) -> Found {
        (self.secret_reader)(kept)
    }

    /// A rule is broken.
    pub fn fault(&mut self, at: At, what: impl Into<String>, hint: impl Into<String>) {
        if !self.broken_lines.contains(&self.sources.line(at)) {
            self.record(at, what.into(), Some(hint.into()));
        }
    }

    /// Something that must be there is not.
    pub fn missing(&mut self, at: At, what: impl Into<String>, hint: impl Into<String>) {
        if !self.incomplete {
            self.fault(at, what, hint);
        }
    }

    /// A key that no table has.
    pub fn unknown(&mut self, at: At, top_level: bool, what: impl Into<String>, hint: impl Into<String>) {
        // A broken header leaves its keys to another table or to the top level.
        if !(top_level && self.incomplete) {
            self.fault(at, what, hint);
        }
    }

    /// A key given twice, and where it stands first if that is known.
    pub fn given_twice(&mut self, at: At, name: &str, first: Option<At>) {
        let hint = match first {
            Some(first) => format!("the other is at {}: keep one", self.place(first)),
            None => "a table may stand once in a file: join the two".to_owned(),
        };
        self.fault(at, format!("{} is given twice", quote(name)), hint);
    }

    /// The text is not TOML; said once a line.
    pub fn syntax(&mut self, at: At, what: &str, hint: Option<String>) {
        self.incomplete = true;
        if self.broken_lines.insert(self.sources.line(at)) {
            self.record(at, what.to_owned(), hint);
        }
    }

    /// Allowed, but hardly meant.
    pub fn warn(&mut self, at: At, (what, hint): Doubt) {
        let place = self.place(at);
        self.warnings.push((at, Fault { place, what, hint: Some(hint) }));
    }

    fn record(&mut self, at: At, what: String, hint: Option<String>) {
        if self.faults.len() < FAULTS_MAX {
            let place = self.place(at);
            self.faults.push((at, Fault { place, what, hint }));
        }
    }

    /// Faults and warnings, in the order of the sources and their lines.
    pub fn finish(self) -> (Vec<Fault>, Vec<Fault>) {
        (in_order(self.faults), in_order(self.warnings))
    }
}

/// Each once: a key that two tables read is wrong in both.
fn in_order(mut found: Vec<(At, Fault)>) -> Vec<Fault> {
    found.sort();
    found.dedup();
    found.into_iter().map(|(_, fault)| fault).collect()
}

/// Text from the configuration as a message shows it: quoted, escaped, and not longer than a line.
pub(crate) fn quote(text: &str) -> String {
    const SHOWN_MAX: usize = 64;
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{:?}...", text.get(..end).unwrap_or_default()),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::quote;
    use crate::fault::FAULTS_MAX;
    use crate::testing::faults;

    #[test]
    fn the_faults_of_a_hopeless_file_are_bounded() {
        let text: String = (0..2 * FAULTS_MAX).map(|number| format!("x{number} = 1\n")).collect();
        let shown = faults(&text);
        assert_eq!(shown.lines().count(), FAULTS_MAX + 1);
        assert!(shown.ends_with("\n(1000 faults; more are not shown)"));
    }

    #[test]
    fn quoted_text_is_escaped_and_short() {
        assert_eq!(quote("a\u{1b}[31m\n"), "\"a\\u{1b}[31m\\n\"");
        assert_eq!(quote(&"ж".repeat(65)), format!("\"{}\"...", "ж".repeat(64)));
    }
}
