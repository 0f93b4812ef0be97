//! `MISC_CHECK`: a program says whether the server is up.

use std::time::Duration;

use super::{Check, Draft, Kind, Near, Way, Written};
use crate::import::block::{Keyword, flag, rows, value, values};
use crate::import::command::{self, Exit};
use crate::import::note::{Notes, Place};
use crate::import::said::Said;

/// A `MISC_CHECK`.
#[derive(Debug)]
pub struct Misc {
    at: Place,
    path: Option<Said>,
    timeout: Option<u64>,
    dynamic: bool,
    user: Option<String>,
}

impl Written for Misc {
    const KEYWORDS: &'static [Keyword<Draft<Self>>] = &[
        rows(Draft::<Self>::TIMED),
        values(&["misc_path"], |draft, said, _| {
            draft.own.path = Some(said.clone());
            Ok(())
        }),
        value(&["misc_timeout"], |draft, said, notes| {
            draft.own.timeout = said.number(1..=u64::from(u32::MAX), notes)?.or(draft.own.timeout);
            Ok(())
        }),
        flag(&["misc_dynamic"], |draft, _, _| {
            draft.own.dynamic = true;
            Ok(())
        }),
        values(&["user"], |draft, said, _| {
            draft.own.user = Some(said.value().to_owned());
            Ok(())
        }),
    ];

    fn begin(said: &Said) -> Self {
        Self { at: said.at.clone(), path: None, timeout: None, dynamic: false, user: None }
    }
}

impl Kind for Misc {
    fn connects(&self) -> bool {
        false
    }

    fn retries(&self) -> u64 {
        0
    }

    fn whole(self: Box<Self>, mut check: Check, _: Way, near: &Near<'_>, notes: &mut Notes) -> Option<Check> {
        let Some(path) = self.path else {
            notes.say(&self.at, "MISC_CHECK without misc_path: keepalived ignores it");
            return None;
        };
        check.timeout = self.timeout.map_or(near.interval, Duration::from_secs);
        let exit = if self.dynamic { Exit::Keepalived } else { Exit::Simple };
        command::ask(&path, exit, self.user.as_deref().or(near.user), &mut check, notes);
        Some(check)
    }
}
