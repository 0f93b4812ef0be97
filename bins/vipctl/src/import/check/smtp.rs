//! `SMTP_CHECK`: a dialogue with a mail server.

use super::{Check, Draft, Kind, Near, Way, Written};
use crate::import::block::{Keyword, block, rows, value};
use crate::import::note::{Notes, Place};
use crate::import::said::Said;

/// An `SMTP_CHECK`.
#[derive(Debug)]
pub struct Smtp {
    at: Place,
    hello: Option<String>,
}

/// What keepalived calls itself if nothing else is said.
const HELLO: &str = "smtpchecker.keepalived.org";

const DIALOGUE: &str = "SMTP_CHECK: keepalived says HELO, and connect_timeout is for each step; vipkit says EHLO, and its \
                        timeout is for all of it";

impl Written for Smtp {
    const KEYWORDS: &'static [Keyword<Draft<Self>>] = &[
        rows(Draft::<Self>::PLAIN),
        value(&["helo_name"], |draft, said, _| {
            draft.own.hello = Some(said.value().to_owned());
            Ok(())
        }),
        // An old way to say where to connect to.
        block(&["host"], |draft, _, cursor, notes| cursor.block(Draft::<Self>::CONNECTING, draft, notes)),
    ];

    fn begin(said: &Said) -> Self {
        Self { at: said.at.clone(), hello: None }
    }
}

impl Kind for Smtp {
    fn whole(self: Box<Self>, mut check: Check, way: Way, _: &Near<'_>, notes: &mut Notes) -> Option<Check> {
        notes.once(&self.at, DIALOGUE);
        check.is("smtp", way.keys());
        check.with("hello", self.hello.unwrap_or_else(|| HELLO.to_owned()));
        Some(check)
    }
}
