//! `TCP_CHECK`: connects, and that is all.

use super::{Check, Draft, Kind, Near, Way, Written};
use crate::import::block::{Keyword, rows};
use crate::import::note::Notes;
use crate::import::said::Said;

/// A `TCP_CHECK`.
#[derive(Debug)]
pub struct Tcp;

impl Written for Tcp {
    const KEYWORDS: &'static [Keyword<Draft<Self>>] = &[rows(Draft::<Self>::PLAIN)];

    fn begin(_: &Said) -> Self {
        Self
    }
}

impl Kind for Tcp {
    fn whole(self: Box<Self>, mut check: Check, way: Way, _: &Near<'_>, _: &mut Notes) -> Option<Check> {
        check.is("tcp", way.keys());
        Some(check)
    }
}
