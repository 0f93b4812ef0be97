//! The text a configuration is read from, and how a byte of it becomes a line and a column.
//! No file is opened here.

use crate::fault::{Place, Position};

/// One file's name and text. Not `Debug`: the text may hold secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Source {
    /// The name that faults give it.
    pub name: String,
    /// The whole text.
    pub text: String,
}

/// A byte of one of the sources; ordered as the sources are and by offset within each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct At {
    /// Index of the source.
    pub source: usize,
    /// Bytes from its start.
    pub offset: usize,
}

/// The sources with an index of their lines.
pub(crate) struct Sources<'s>(Vec<(&'s Source, Vec<usize>)>);

impl<'s> Sources<'s> {
    pub fn new(sources: &'s [Source]) -> Self {
        Self(
            sources
                .iter()
                .map(|source| {
                    let ends = source.text.match_indices('\n').map(|(at, _)| at + 1);
                    (source, std::iter::once(0).chain(ends).collect())
                })
                .collect(),
        )
    }

    /// The source and line (from 1) of a place.
    pub fn line(&self, at: At) -> (usize, usize) {
        let starts = self.0.get(at.source).map_or(&[] as &[usize], |(_, starts)| starts);
        (at.source, starts.partition_point(|&start| start <= at.offset).max(1))
    }

    pub fn place(&self, at: At) -> Place {
        let Some((source, starts)) = self.0.get(at.source) else {
            return Place { file: String::new(), position: None };
        };
        let (_, line) = self.line(at);
        let start = starts.get(line - 1).copied().unwrap_or(0);
        let before = source.text.get(start..at.offset).unwrap_or("").trim_start_matches('\u{feff}');
        let position = Position { line, column: before.chars().count() + 1 };
        Place { file: source.name.clone(), position: Some(position) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_not_bytes() {
        let text = "a = 1\nж = 2\n".to_owned();
        let sources = [Source { name: "x".into(), text }];
        let sources = Sources::new(&sources);
        for (offset, expected) in [(0, "x:1:1"), (5, "x:1:6"), (6, "x:2:1"), (9, "x:2:3"), (13, "x:3:1")] {
            assert_eq!(sources.place(At { source: 0, offset }).to_string(), expected);
        }
    }
}
