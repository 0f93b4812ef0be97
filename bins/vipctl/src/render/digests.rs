//! Digests that differ, and whose is which: nodes and daemons that agree show the same.

use super::notice::INDENT;
use super::text::{Text, Tone, plain};
use crate::digests::Group;

/// From a digest to whose it is.
const LABEL: usize = 14;

const ONE_FILE: &str = "start all daemons on the same file: `--config FILE`";

/// Says whose digest is which, and what helps; nothing if there is only one. `files` is from how many they are.
pub fn split(text: &mut Text, groups: &[Group<'_>], files: usize, remedy: &str) {
    if groups.len() < 2 {
        return;
    }
    text.put(Tone::Bad, "the digests differ").end();
    for (digest, whose) in groups {
        text.entry((Tone::Bad, (*digest).to_owned()), plain(whose.join(", ")), INDENT, LABEL);
    }
    let remedy = if files > 1 { ONE_FILE } else { remedy };
    text.entry(plain("remedy"), plain(remedy), INDENT, LABEL);
}
