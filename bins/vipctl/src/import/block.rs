//! Blocks of a keepalived.conf, read by a table of their keywords, as keepalived's parser does: one statement a line,
//! unknown words ignored, and a brace after one ignored too. What a keyword does is said in the tables.

use super::lexer::{Piece, Token};
use super::note::{Notes, Place, Refusal};
use super::said::{NOT_SHOWN, Said};

/// What reading comes to.
pub type Done = Result<(), Refusal>;

/// A keyword, with its other names, of a block that fills in a `T`: a row of a table; or the rows of another table.
pub enum Keyword<T: 'static> {
    /// A row.
    Row(&'static [&'static str], Rule<T>),
    /// A table within the table.
    Rows(&'static [Self]),
}

impl<T> Keyword<T> {
    /// What is done with a keyword of this name, if there is one.
    fn rule(&self, name: &str) -> Option<&Rule<T>> {
        match self {
            Self::Row(names, rule) => names.contains(&name).then_some(rule),
            Self::Rows(rows) => rows.iter().find_map(|row| row.rule(name)),
        }
    }

    fn names(&self) -> Vec<&'static str> {
        match self {
            Self::Row(names, _) => names.to_vec(),
            Self::Rows(rows) => rows.iter().flat_map(Self::names).collect(),
        }
    }
}

type Set<T> = fn(&mut T, &Said, &mut Notes) -> Done;
type Read<T> = fn(&mut T, &Said, &mut Cursor<'_>, &mut Notes) -> Done;

/// What is done with a keyword.
pub enum Rule<T: 'static> {
    /// Its line is read, with so many values.
    Line {
        /// Fewest.
        least: usize,
        /// Most that it takes.
        most: usize,
        /// Reads it.
        set: Set<T>,
    },
    /// Its block is read.
    Block(Read<T>),
    /// It is not carried over, which means this.
    Lost(&'static str),
    /// Nor is its block.
    LostBlock(&'static str),
}

/// A keyword with a value, without which keepalived does not start.
pub const fn value<T>(names: &'static [&'static str], set: Set<T>) -> Keyword<T> {
    Keyword::Row(names, Rule::Line { least: 1, most: 1, set })
}

/// A keyword without a value, or with one that may be left out.
pub const fn flag<T>(names: &'static [&'static str], set: Set<T>) -> Keyword<T> {
    Keyword::Row(names, Rule::Line { least: 0, most: 1, set })
}

/// A keyword with values, one at least.
pub const fn values<T>(names: &'static [&'static str], set: Set<T>) -> Keyword<T> {
    Keyword::Row(names, Rule::Line { least: 1, most: usize::MAX, set })
}

/// A keyword with values, or none.
pub const fn any<T>(names: &'static [&'static str], set: Set<T>) -> Keyword<T> {
    Keyword::Row(names, Rule::Line { least: 0, most: usize::MAX, set })
}

/// A keyword with a block of its own.
pub const fn block<T>(names: &'static [&'static str], read: Read<T>) -> Keyword<T> {
    Keyword::Row(names, Rule::Block(read))
}

/// Keywords that are not carried over, with what that means.
pub const fn lost<T>(names: &'static [&'static str], meaning: &'static str) -> Keyword<T> {
    Keyword::Row(names, Rule::Lost(meaning))
}

/// Keywords whose blocks are not carried over, with what that means.
pub const fn lost_block<T>(names: &'static [&'static str], meaning: &'static str) -> Keyword<T> {
    Keyword::Row(names, Rule::LostBlock(meaning))
}

/// The rows of another table.
pub const fn rows<T>(rows: &'static [Keyword<T>]) -> Keyword<T> {
    Keyword::Rows(rows)
}

/// Where reading is in the pieces.
#[derive(Debug)]
pub struct Cursor<'p> {
    pieces: std::iter::Peekable<std::slice::Iter<'p, Piece>>,
    last: Place,
    missing: bool,
    unknown: usize,
    /// In a block where a secret may stand, perhaps in the wrong place.
    hidden: bool,
}

/// Most words that are no keywords; what has more is no keepalived.conf.
const UNKNOWN_MAX: usize = 1000;

impl<'p> Cursor<'p> {
    /// At the start; `file` is where an empty file ends.
    #[must_use]
    pub fn new(pieces: &'p [Piece], file: Place) -> Self {
        Self { pieces: pieces.iter().peekable(), last: file, missing: false, unknown: 0, hidden: false }
    }

    fn next(&mut self) -> Option<&'p Piece> {
        let next = self.pieces.next();
        if let Some(piece) = next {
            self.last = piece.at.clone();
        }
        next
    }

    fn opens(&mut self) -> bool {
        self.pieces.next_if(|piece| piece.token == Token::Open).is_some()
    }

    /// Everything outside blocks.
    ///
    /// # Errors
    /// Something cannot be understood.
    pub fn root<T>(&mut self, keywords: &[Keyword<T>], draft: &mut T, notes: &mut Notes) -> Done {
        while self.statements(keywords, draft, notes)? == End::Closed {
            notes.say(&self.last, "a } that closes nothing: keepalived ignores it");
        }
        Ok(())
    }

    /// A block whose `{` was read, up to its `}`.
    ///
    /// # Errors
    /// Something cannot be understood.
    pub fn block<T>(&mut self, keywords: &[Keyword<T>], draft: &mut T, notes: &mut Notes) -> Done {
        if self.statements(keywords, draft, notes)? == End::OfFile {
            self.unclosed(notes);
        }
        Ok(())
    }

    /// [`block`](Self::block) of one where secrets stand: no word of it that is not known is shown.
    ///
    /// # Errors
    /// Something cannot be understood.
    pub fn hidden_block<T>(&mut self, keywords: &[Keyword<T>], draft: &mut T, notes: &mut Notes) -> Done {
        self.hidden = true;
        let done = self.block(keywords, draft, notes);
        self.hidden = false;
        done
    }

    /// The lines of a block of values.
    pub fn values(&mut self, notes: &mut Notes) -> Vec<Said> {
        let mut lines = Vec::new();
        let mut depth = 0_usize;
        while let Some(Piece { at, token }) = self.next() {
            match token {
                Token::Open => depth += 1,
                Token::Close if depth == 0 => return lines,
                Token::Close => depth -= 1,
                Token::Words(words) => lines.extend(Said::of(at, words, self.hidden)),
            }
        }
        self.unclosed(notes);
        lines
    }

    fn unclosed(&mut self, notes: &mut Notes) {
        if !self.missing {
            notes.say(
                &self.last,
                "the file ends before a block is closed: read as if } were there, as keepalived does",
            );
        }
        self.missing = true;
    }

    fn statements<T>(
        &mut self,
        keywords: &[Keyword<T>],
        draft: &mut T,
        notes: &mut Notes,
    ) -> Result<End, Refusal> {
        while let Some(Piece { at, token }) = self.next() {
            match token {
                Token::Close => return Ok(End::Closed),
                Token::Open => notes.say(at, BRACE_IGNORED),
                Token::Words(words) => {
                    let Some(said) = Said::of(at, words, self.hidden) else { continue };
                    match keywords.iter().find_map(|keyword| keyword.rule(&said.name)) {
                        Some(rule) => self.statement(rule, &said, draft, notes)?,
                        None if self.unknown == UNKNOWN_MAX => {
                            let what = format!("more than {UNKNOWN_MAX} words that are no keywords");
                            return Err(Refusal::new(at, what, "see that it is a keepalived.conf"));
                        }
                        None => {
                            self.unknown += 1;
                            let known = keywords.iter().flat_map(Keyword::names);
                            let is_outer = OUTER.contains(&said.name.as_str());
                            let what = unknown(&said.name, said.hidden && !is_outer, known);
                            if is_outer {
                                notes.leave_out(at, format!("{what}; is a }} missing above it?"));
                            } else {
                                notes.say(at, what);
                            }
                        }
                    }
                }
            }
        }
        Ok(End::OfFile)
    }

    fn statement<T>(&mut self, rule: &Rule<T>, said: &Said, draft: &mut T, notes: &mut Notes) -> Done {
        match rule {
            Rule::Line { least, most, set } => {
                if said.values.len() < *least {
                    let what = format!("{} has no value: keepalived does not start with this", said.name);
                    return Err(Refusal::new(&said.at, what, "give it one"));
                }
                if let Some(more) = said.values.get(*most..).filter(|more| !more.is_empty()) {
                    let more = said.shown(&more.join(" "));
                    notes.say(
                        &said.at,
                        format!("{more} after what {} takes: keepalived ignores it", said.name),
                    );
                }
                set(draft, said, notes)
            }
            Rule::Block(read) => {
                self.expect_open(said)?;
                read(draft, said, self, notes)
            }
            Rule::Lost(meaning) => {
                notes.say(&said.at, format!("{} is not carried over: {meaning}", said.name));
                Ok(())
            }
            Rule::LostBlock(meaning) => {
                notes.say(&said.at, format!("{} is not carried over: {meaning}", said.name));
                self.expect_open(said)?;
                self.values(notes);
                Ok(())
            }
        }
    }

    fn expect_open(&mut self, said: &Said) -> Done {
        if self.opens() {
            return Ok(());
        }
        Err(Refusal::new(&said.at, format!("{} without its {{", said.name), "write it in braces"))
    }
}

/// What vipkit runs, where it stands within another block.
const OUTER: &[&str] = &["vrrp_instance", "virtual_server", "real_server"];

/// How the statements of a block end.
#[derive(PartialEq, Eq)]
enum End {
    Closed,
    OfFile,
}

const BRACE_IGNORED: &str = "a { that opens no block that keepalived knows: keepalived ignores it, takes what follows \
                             as part of the block around it, and the next } ends that";

fn unknown<'k>(name: &str, hidden: bool, known: impl Iterator<Item = &'k str>) -> String {
    const ALIKE: f64 = 0.9;
    let score = |known: &'k str| (strsim::jaro_winkler(name, known), known);
    let best = known.map(score).filter(|(score, _)| *score > ALIKE).max_by(|a, b| a.0.total_cmp(&b.0));
    let hint = best.map(|(_, known)| format!("; is {known} meant?")).unwrap_or_default();
    let name = if hidden { NOT_SHOWN.to_owned() } else { name.escape_debug().to_string() };
    format!("{name} is no keyword here: keepalived ignores it{hint}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::lexer;

    /// What a table of these keywords makes of a text: what was set, and what was noted.
    fn read(text: &str) -> (Vec<String>, Vec<String>) {
        const INNER: &[Keyword<Vec<String>>] = &[
            rows(&[value(&["one", "uno"], keep), flag(&["flag"], keep)]),
            values(&["many"], keep),
            lost(&["gone"], "it is gone"),
            lost_block(&["away"], "it is away"),
        ];
        const OUTER: &[Keyword<Vec<String>>] = &[
            block(&["inner"], |draft, _, cursor, notes| cursor.block(INNER, draft, notes)),
            value(&["one"], keep),
        ];
        fn keep(draft: &mut Vec<String>, said: &Said, _: &mut Notes) -> Done {
            draft.push(format!("{} {}", said.name, said.values.join(" ")));
            Ok(())
        }
        let mut notes = Notes::new(false);
        let mut pieces = Vec::new();
        let all = |found, _: &mut Notes| {
            pieces.extend::<Vec<_>>(found);
            Ok(())
        };
        lexer::lines(&"x".into(), text, &mut notes, all).unwrap();
        let (mut draft, start) = (Vec::new(), Place { file: "x".into(), line: 1 });
        if let Err(refusal) = Cursor::new(&pieces, start).root(OUTER, &mut draft, &mut notes) {
            draft.push(refusal.to_string());
        }
        (draft, notes.all.iter().map(|note| format!("{}: {}", note.at.line, note.now)).collect())
    }

    #[test]
    fn a_statement_is_a_line_and_braces_stand_anywhere() {
        let (set, notes) = read("inner { one a b\nuno c\nmany d e\nflag f g\n} one h");
        assert_eq!(set, ["one a b", "uno c", "many d e", "flag f g", "one h"]);
        assert_eq!(
            notes,
            [
                "1: \"b\" after what one takes: keepalived ignores it",
                "4: \"g\" after what flag takes: keepalived ignores it"
            ]
        );
        assert_eq!(read("inner\n{\none a }").0, ["one a"]);
    }

    #[test]
    fn what_is_not_carried_over_is_noted_and_its_block_left_out() {
        let (set, notes) = read("inner {\ngone x\naway {\none y { z }\n}\none a\n}");
        assert_eq!(set, ["one a"]);
        assert_eq!(
            notes,
            ["2: gone is not carried over: it is gone", "3: away is not carried over: it is away"]
        );
    }

    #[test]
    fn the_brace_of_an_unknown_keyword_opens_nothing() {
        let (set, notes) = read("inner {\ngoen {\none a\n}\none b\n}");
        assert_eq!(set, ["one a", "one b"]);
        assert_eq!(notes[0], "2: goen is no keyword here: keepalived ignores it; is gone meant?");
        assert_eq!(notes[1], format!("2: {BRACE_IGNORED}"));
        assert_eq!(notes[2], "6: a } that closes nothing: keepalived ignores it");
    }

    #[test]
    fn a_block_within_one_that_is_not_closed_is_named() {
        let (_, notes) = read("inner {\none a\nvirtual_server 192.0.2.1 80 {\n}");
        assert_eq!(
            notes[0],
            "3: virtual_server is no keyword here: keepalived ignores it; is a } missing above it?"
        );
    }

    #[test]
    fn what_cannot_be_seen_is_shown() {
        let (_, notes) = read("\u{feff}inner {\n密码\n}");
        assert!(notes[0].contains("begins with a byte order mark"), "{notes:?}");
        assert_eq!(notes[1], "1: \\u{feff}inner is no keyword here: keepalived ignores it; is inner meant?");
        assert!(notes[3].starts_with("2: 密码 is"), "{notes:?}");
    }

    #[test]
    fn a_file_of_other_words_is_refused() {
        let words = |count: usize| read(&"x\n".repeat(count)).0;
        assert_eq!(words(UNKNOWN_MAX), [""; 0]);
        let refusal = "x:1001: more than 1000 words that are no keywords; see that it is a keepalived.conf";
        assert_eq!(words(UNKNOWN_MAX + 1), [refusal]);
    }

    #[test]
    fn a_brace_that_is_missing_at_the_end_is_noted_once() {
        let (set, notes) = read("inner {\naway {\nx");
        assert_eq!(set, [""; 0]);
        assert_eq!(notes.len(), 2);
        assert!(notes[1].starts_with("3: the file ends before a block is closed"), "{notes:?}");
    }

    #[test]
    fn a_value_and_a_brace_that_are_missing_are_refused() {
        assert_eq!(
            read("inner {\none\n}").0,
            ["x:2: one has no value: keepalived does not start with this; give it one"]
        );
        assert_eq!(read("inner\none a").0, ["x:1: inner without its {; write it in braces"]);
    }
}
