//! Digests that differ, and whose is which: nodes and daemons that agree show the same.

use super::notice::INDENT;
use super::text::{Text, Tone, plain};
use crate::digests::Group;

/// From a digest to whose it is.
const LABEL: usize = 14;

/// Says whose digest is which, and what helps; nothing if there is only one.
pub fn split(text: &mut Text, groups: &[Group<'_>], remedy: &str) {
    if groups.len() < 2 {
        return;
    }
    text.put(Tone::Bad, "the digests differ").end();
    for (digest, whose) in groups {
        text.entry((Tone::Bad, (*digest).to_owned()), plain(whose.join(", ")), INDENT, LABEL);
    }
    text.entry(plain("remedy"), plain(remedy), INDENT, LABEL);
}
