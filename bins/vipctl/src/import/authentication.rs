//! `authentication` and `auth_hmac` of an instance: how its routers know each other today.

use super::block::{Keyword, value};
use super::hmac::{self, Hmac};
use super::lexer;
use super::note::{Later, Notes, Place};
use super::toml;

/// How the routers know each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// They do not.
    None,
    /// By the simple password that is sent.
    Password(String),
    /// By an HMAC.
    Hmac(Hmac),
}

impl Authentication {
    /// What it is called.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Password(_) => "a password",
            Self::Hmac(_) => "an HMAC",
        }
    }
}

/// What was said of it.
#[derive(Default)]
pub struct Draft {
    kind: Option<(String, Place)>,
    password: Option<(String, Place)>,
    /// `auth_hmac`.
    pub hmac: hmac::Draft,
}

/// What counts beside it.
pub struct Beside {
    /// Version of the adverts.
    pub version: u8,
    /// `vrrp_strict`.
    pub strict: bool,
}

const AH: &str = "auth_type AH is not supported by vipkit: peers with AH are not heard, so both nodes would hold the \
                  addresses; do not run this beside keepalived: first go to PASS, or with keepalived 2.4.2 or later to \
                  auth_hmac, on all nodes";

/// The keywords of `authentication`.
pub const KEYWORDS: &[Keyword<Draft>] = &[
    value(&["auth_type"], |draft, said, _| {
        draft.kind = Some((said.value().to_owned(), said.at.clone()));
        Ok(())
    }),
    value(&["auth_pass"], |draft, said, _| {
        draft.password = Some((said.value().to_owned(), said.at.clone()));
        Ok(())
    }),
];

/// Bytes of a password that go into an advert.
const PASSWORD_MAX: usize = 8;

impl Draft {
    /// As it runs.
    pub fn whole(self, beside: &Beside, notes: &mut Notes, later: &mut Vec<Later>) -> Authentication {
        let Self { kind, password, hmac } = self;
        if let Some(hmac) = hmac.whole(beside.strict, notes) {
            if let Some((_, at)) = kind {
                notes.say(&at, "authentication beside auth_hmac: keepalived ignores it");
            }
            return Authentication::Hmac(hmac);
        }
        match self::password(kind, password, beside, notes, later) {
            Some(password) => Authentication::Password(password),
            None => Authentication::None,
        }
    }
}

fn password(
    kind: Option<(String, Place)>,
    password: Option<(String, Place)>,
    beside: &Beside,
    notes: &mut Notes,
    later: &mut Vec<Later>,
) -> Option<String> {
    let (kind, at) = kind?;
    if beside.version == 3 {
        notes.say(&at, "authentication in version 3: there is none, keepalived ignores it");
        return None;
    }
    let Some((password, password_at)) = password.filter(|(password, _)| !password.is_empty()) else {
        notes.say(&at, "authentication without auth_pass: keepalived runs without authentication");
        return None;
    };
    let (cut, _) = lexer::cut(&password, PASSWORD_MAX);
    if cut != password {
        notes.say(&password_at, "auth_pass has more than 8 bytes: keepalived uses the first 8");
    }
    let reason = if beside.strict {
        "in strict mode keepalived runs without authentication".to_owned()
    } else if kind == "PASS" {
        return Some(cut.to_owned());
    } else if kind == "AH" {
        notes.say(&at, AH);
        return None;
    } else {
        format!(
            "auth_type {kind} is none: keepalived knows PASS in capital letters, and runs without authentication"
        )
    };
    let line = format!("authentication = {}", toml::entry::password(cut));
    notes.doubt(&at, reason, "the simple password", line, later).then(|| cut.to_owned())
}
