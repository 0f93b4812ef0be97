//! `vipctl import`: what there is to say about each place, as compilers say it.

use std::path::PathBuf;

use serde::Serialize;

use super::text::{HANGING, Places, Style, Text, Tone, plain};
use crate::import::Imported;
use crate::import::note::{Meant, Note, Refusal};

/// What was imported, or why nothing was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Imports {
    /// All files were imported.
    pub good: bool,
    /// Each file.
    pub nodes: Vec<Node>,
    /// What the nodes disagree on.
    pub disagreements: Vec<Note>,
    /// Why nothing was imported.
    pub refused: Option<Refusal>,
}

/// What was imported from a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Node {
    /// The keepalived.conf.
    pub file: String,
    /// The file that was written, if one was.
    pub written: Option<PathBuf>,
    /// The vipkit.toml, if it was not written to a file.
    pub toml: Option<String>,
    /// What there is to say.
    pub warnings: Vec<Note>,
}

impl Imports {
    /// Of what was imported, and where it was written if it was.
    #[must_use]
    pub fn new(nodes: Vec<Imported>, disagreements: Vec<Note>, written: Vec<PathBuf>) -> Self {
        let mut written = written.into_iter();
        let node = |node: Imported| {
            let written = written.next();
            let toml = written.is_none().then_some(node.toml);
            Node { file: node.file, written, toml, warnings: node.notes }
        };
        Self { good: true, nodes: nodes.into_iter().map(node).collect(), disagreements, refused: None }
    }

    /// Of nothing.
    #[must_use]
    pub const fn refused(refusal: Refusal) -> Self {
        Self { good: false, nodes: Vec::new(), disagreements: Vec::new(), refused: Some(refusal) }
    }
}

/// A line for each place, one for each file that was written, and how many they are.
#[must_use]
pub fn report(imports: &Imports, places: Places, style: Style) -> String {
    let mut text = Text::new(style);
    for note in imports.nodes.iter().flat_map(|node| &node.warnings) {
        line(&mut text, note, "warning", places);
    }
    for note in &imports.disagreements {
        line(&mut text, note, "nodes disagree", places);
    }
    for Node { file, written, .. } in &imports.nodes {
        if let Some(written) = written {
            text.place(&[plain(format!("{file}: written to {}", written.display()))], places);
        }
    }
    if let Some(refusal) = &imports.refused {
        text.place(&[(Tone::Bad, refusal.to_string())], places);
    }
    text.finish()
}

/// The line for vipkit.toml is there to be copied: it is never broken.
fn line(text: &mut Text, Note { at, now, meant }: &Note, label: &str, places: Places) {
    let mut cells = vec![plain(format!("{at}: ")), (Tone::Odd, label.to_owned()), plain(format!(": {now}"))];
    if let Some(Meant { what, line, applied }) = meant {
        let when = if *applied { "applied" } else { "when both nodes are moved" };
        cells.push(plain(format!("; probably meant: {what}; {when}:")));
        if places == Places::Folded {
            text.place(&cells, places);
            return text.skip(HANGING).put(Tone::Good, line).end();
        }
        cells.extend([plain(" "), (Tone::Good, line.clone())]);
    }
    text.place(&cells, places);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::note::Place;

    #[test]
    fn says_what_runs_what_was_meant_and_the_line_for_it() {
        let meant = Meant { what: "wrr".to_owned(), line: "scheduler = \"wrr\"".to_owned(), applied: false };
        let at = Place { file: "a.conf".into(), line: 3 };
        let note = |meant| Note { at: at.clone(), now: "rr ignores weights".to_owned(), meant };
        let node = Node {
            file: "a.conf".to_owned(),
            written: Some("a.toml".into()),
            toml: None,
            warnings: vec![note(Some(meant.clone())), note(Some(Meant { applied: true, ..meant }))],
        };
        let disagreements = vec![note(None)];
        let imports = Imports { good: true, nodes: vec![node], disagreements, refused: None };
        assert_eq!(
            report(&imports, Places::Whole, Style::Plain),
            "a.conf:3: warning: rr ignores weights; probably meant: wrr; when both nodes are moved: \
             scheduler = \"wrr\"\n\
             a.conf:3: warning: rr ignores weights; probably meant: wrr; applied: scheduler = \"wrr\"\n\
             a.conf:3: nodes disagree: rr ignores weights\n\
             a.conf: written to a.toml\n"
        );
    }

    #[test]
    fn on_a_terminal_the_line_to_copy_stands_alone() {
        let line = format!("check = {{ {} }}", ["word"; 20].join(" "));
        let meant = Some(Meant { what: ["word"; 20].join(" "), line: line.clone(), applied: true });
        let note = Note { at: Place { file: "a.conf".into(), line: 3 }, now: "odd".to_owned(), meant };
        let imports = Imports { disagreements: vec![note], ..Imports::new(vec![], vec![], vec![]) };
        let words = |count: usize| vec!["word"; count].join(" ");
        assert_eq!(
            report(&imports, Places::Folded, Style::Plain),
            format!(
                "a.conf:3: nodes disagree: odd; probably meant: {}\n    {};\n    applied:\n    {line}\n",
                words(6),
                words(14)
            )
        );
    }

    #[test]
    fn a_refusal_is_all_there_is() {
        let at = Place { file: "a.conf".into(), line: 3 };
        let imports = Imports::refused(Refusal::new(&at, "a quote is not closed", "close it"));
        assert_eq!(
            report(&imports, Places::Whole, Style::Plain),
            "a.conf:3: a quote is not closed; close it\n"
        );
    }
}
