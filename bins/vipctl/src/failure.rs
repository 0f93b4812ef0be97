//! How a command ends: with an exit code, or with a failure that says what to do about it.
//! Must not write anywhere but to standard error, and only when told to.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use serde::{Deserialize, Serialize};
use vipkit_control::error::{Error, PERMISSION_DENIED};

use crate::render::text::{Places, Style, Text, plain};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Done; all is well.
    Good = 0,
    /// Degraded, faulty or refused.
    Bad = 1,
    /// A daemon cannot be asked.
    Unreachable = 2,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a daemon cannot be asked, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{what}\n  remedy: {remedy}")]
pub struct Unreachable {
    /// What was seen.
    pub what: String,
    /// What to do.
    pub remedy: String,
    /// What there is of it all the same.
    #[serde(skip)]
    pub sign: Sign,
}

/// What there is of a daemon that cannot be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// No socket.
    Nothing,
    /// A socket on which nobody listens.
    Socket,
    /// Somebody who does not answer as wanted; or it may not be looked at.
    Server,
}

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A daemon cannot be asked.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// A daemon answered with an error.
    #[error(transparent)]
    Refused(#[from] Error),
    /// A daemon answered with an error, and it is known what helps.
    #[error("{what}\n  remedy: {remedy}")]
    Denied {
        /// What it says.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// There is no such object.
    #[error("no {noun} {name}; known: {known}")]
    NoSuch {
        /// What it would be.
        noun: &'static str,
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// The output cannot be written.
    #[error("cannot write: {0}")]
    Output(#[from] io::Error),
}

/// What [`PERMISSION_DENIED`] says, and what helps; nothing if it is another error.
#[must_use]
pub fn permission_denied(error: &Error) -> Option<(String, String)> {
    #[derive(Deserialize)]
    struct PermissionDenied {
        uid: u32,
        needed: String,
    }
    if error.name != PERMISSION_DENIED {
        return None;
    }
    let PermissionDenied { uid, needed } = error.decode().ok()?;
    Some((format!("uid {uid} may not: it takes {needed}"), JOIN_ADMIN.to_owned()))
}

const JOIN_ADMIN: &str =
    "be root, or a member of group vipkit-admin: `usermod -aG vipkit-admin USER`, then log in again";

impl Failure {
    /// Says it on standard error. A reader of the output that left early is no failure.
    #[must_use]
    pub fn report(&self) -> ExitCode {
        let exit = match self {
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => return Exit::Good.into(),
            Self::Unreachable(_) => Exit::Unreachable,
            Self::Refused(_) | Self::Denied { .. } | Self::NoSuch { .. } | Self::Output(_) => Exit::Bad,
        };
        let mut text = Text::new(Style::Plain);
        for line in format!("vipctl: {self}").lines() {
            let words = line.trim_start();
            text.skip(line.len() - words.len())
                .place(&[plain(words)], Places::on(io::stderr().is_terminal()));
        }
        eprint!("{}", text.finish());
        exit.into()
    }
}
