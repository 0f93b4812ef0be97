//! What an import says of a keepalived.conf: the places where what runs is hardly what was meant, what is not carried
//! over, and why a file is refused. Prints nothing.

use std::fmt;
use std::rc::Rc;

use serde::{Serialize, Serializer};

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The file, as it was named.
    #[serde(serialize_with = "text")]
    pub file: Rc<str>,
    /// The line, from 1.
    pub line: usize,
}

fn text<S: Serializer>(file: &Rc<str>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(file)
}

impl Place {
    /// As it is called in the result, which may be on another machine: without the folder.
    #[must_use]
    pub fn short(&self) -> String {
        format!("{}:{}", self.file.rsplit('/').next().unwrap_or_default(), self.line)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// What to know about a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Note {
    /// Where.
    #[serde(flatten)]
    pub at: Place,
    /// What runs now, or is not carried over.
    pub now: String,
    /// What the author probably meant.
    pub meant: Option<Meant>,
}

/// What the author of a line probably meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Meant {
    /// In words.
    pub what: String,
    /// The line of vipkit.toml that says it.
    pub line: String,
    /// The result has this line.
    pub applied: bool,
}

/// Why a keepalived.conf is not imported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{at}: {what}; {remedy}")]
pub struct Refusal {
    /// Where.
    #[serde(flatten)]
    pub at: Place,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

impl Refusal {
    /// Of a place.
    pub fn new(at: &Place, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { at: at.clone(), what: what.into(), remedy: remedy.into() }
    }
}

/// The notes of one file, and whether what was meant is applied.
#[derive(Debug)]
pub struct Notes {
    /// In the order in which they were found.
    pub all: Vec<Note>,
    /// Apply what was meant.
    pub intended: bool,
    /// The first that left something out which vipkit would else run.
    pub left_out: Option<Note>,
}

impl Notes {
    /// None yet.
    #[must_use]
    pub const fn new(intended: bool) -> Self {
        Self { all: Vec::new(), intended, left_out: None }
    }

    /// Notes a place.
    pub fn say(&mut self, at: &Place, now: impl Into<String>) {
        self.all.push(Note { at: at.clone(), now: now.into(), meant: None });
    }

    /// Notes a place, and none further where the same holds.
    pub fn once(&mut self, at: &Place, now: impl Into<String>) {
        let now = now.into();
        if self.all.iter().all(|note| note.now != now) {
            self.say(at, now);
        }
    }

    /// Notes a place where something is left out that could be all there is.
    pub fn leave_out(&mut self, at: &Place, now: impl Into<String>) {
        self.say(at, now);
        if self.left_out.is_none() {
            self.left_out = self.all.last().cloned();
        }
    }

    /// Notes a place with what was meant, and returns whether that is applied; if not, the line is kept for later.
    pub fn doubt(
        &mut self,
        at: &Place,
        now: impl Into<String>,
        what: impl Into<String>,
        line: impl Into<String>,
        later: &mut Vec<Later>,
    ) -> bool {
        let (line, applied) = (line.into(), self.intended);
        if !applied {
            later.push(Later { at: at.clone(), line: line.clone() });
        }
        let meant = Some(Meant { what: what.into(), line, applied });
        self.all.push(Note { at: at.clone(), now: now.into(), meant });
        applied
    }
}

/// A line of vipkit.toml for when all nodes are moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Later {
    /// What it is about.
    pub at: Place,
    /// The line.
    pub line: String,
}
