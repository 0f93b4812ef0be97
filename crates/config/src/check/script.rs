//! `type = "script"`: a program of this host says whether the target is up. Looks at no file: whether the program is
//! there is found out when it is run.

use std::net::SocketAddr;

use super::{Aim, Kind, text};
use crate::context::quote;
use crate::section::{About, Absent, Field, Key, Section};
use crate::tree::Datum;

/// Most of a program and its arguments.
const COMMAND_MAX: usize = 64;

/// A program that says whether something is up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Script {
    /// The program by an absolute path, and its arguments, 1 to 64 in all; no shell, no NUL.
    pub command: Vec<String>,
    /// What its exit code means.
    pub exit: ExitCodes,
    /// The server that it is about.
    pub server: Option<SocketAddr>,
}

/// What an exit code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExitCodes {
    /// 0 is up, all else is down.
    Simple,
    /// 0 is up, 1 is down, 2 to 255 is up with a weight of 0 to 253.
    Keepalived,
    /// 0 and 1 are up, 2 is down, 3 is could not run.
    Nagios,
}

impl ExitCodes {
    const ALL: [Self; 3] = [Self::Simple, Self::Keepalived, Self::Nagios];

    /// Its name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Keepalived => "keepalived",
            Self::Nagios => "nagios",
        }
    }
}

pub(crate) const KEYS: &[About] = &[COMMAND.about, EXIT.about];

const COMMAND: Key<Vec<String>> = Key {
    about: About {
        name: "command",
        kind: "a list of 1 to 64 strings",
        absent: Absent::Required,
        doc: "The program by its absolute path, and its arguments; no shell reads them.",
    },
    read: command,
};

const EXIT: Key<ExitCodes> = Key {
    about: About {
        name: "exit",
        kind: "\"simple\", \"keepalived\" or \"nagios\"",
        absent: Absent::Default("\"simple\""),
        doc: "What its exit codes mean; see below.",
    },
    read: |field| field.word(ExitCodes::ALL.into_iter().map(|codes| (codes.name(), codes))),
};

pub(super) fn read(section: &mut Section<'_, '_>) -> Option<Aim> {
    let command = section.get(&COMMAND);
    let exit = section.get(&EXIT);
    let (command, exit) = (command?, exit?);
    Some(Box::new(move |server, _| Some(Kind::Script(Script { command: command.clone(), exit, server }))))
}

fn command(field: &mut Field<'_, '_>) -> Option<Vec<String>> {
    if let Datum::Text(_) = field.value.datum {
        field.mistyped("no shell reads it: write [\"/usr/bin/program\", \"argument\"]");
        return None;
    }
    let list = field.list()?;
    if !(1..=COMMAND_MAX).contains(&list.len()) {
        field.wrong(&list.len().to_string(), "write the program and its arguments");
        return None;
    }
    let words: Vec<_> = list.iter().filter_map(|value| word(&mut field.element(value))).collect();
    if let (Some(program), Some(value)) = (words.first().filter(|word| !word.starts_with('/')), list.first())
    {
        let hint = "write the absolute path of the program: no PATH is searched";
        field.element(value).fault(&format!("begins with {}", quote(program)), hint);
        return None;
    }
    (words.len() == list.len()).then_some(words)
}

fn word(field: &mut Field<'_, '_>) -> Option<String> {
    let text = field.text()?;
    if text.contains('\0') || text.len() > text::TEXT_MAX {
        field.fault(
            &format!("has {}", quote(text)),
            "an argument has at most 4096 bytes, and none of them is NUL",
        );
        return None;
    }
    Some(text.to_owned())
}

pub(super) fn target(check: &Script) -> String {
    check.command.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, faults, service};

    fn text(keys: &str) -> String {
        format!("[check.a]\ntype = \"script\"\n{keys}")
    }

    fn script(text: &str, name: &str) -> Script {
        match check(text, name).kind {
            Kind::Script(script) => script,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn runs_a_program_with_arguments() {
        let expected = Script {
            command: vec!["/usr/lib/check".to_owned(), String::new(), "a b".to_owned()],
            exit: ExitCodes::Simple,
            server: None,
        };
        assert_eq!(script(&text("command = [\"/usr/lib/check\", \"\", \"a b\"]"), "a"), expected);
        let given = text("command = [\"/bin/true\"]\nexit = \"nagios\"");
        assert_eq!(script(&given, "a").exit, ExitCodes::Nagios);
    }

    #[test]
    fn knows_the_server_that_it_is_about() {
        let text = service("check = { type = \"script\", command = [\"/bin/true\"] }");
        let server = script(&text, "web/192.0.2.81:80").server;
        assert_eq!(server, Some("192.0.2.81:80".parse().unwrap()));
    }

    #[test]
    fn refuses_what_only_a_shell_would_take() {
        let must = "must be a list of 1 to 64 strings, not";
        for (value, rest) in [
            (
                "\"/bin/true a\"",
                format!(
                    "11: \"command\" in [check.a] {must} a string; \
                         no shell reads it: write [\"/usr/bin/program\", \"argument\"]"
                ),
            ),
            ("[]", format!("11: \"command\" in [check.a] {must} 0; write the program and its arguments")),
            (
                "[\"curl\", \"-f\"]",
                "12: \"command\" in [check.a] begins with \"curl\"; \
                 write the absolute path of the program: no PATH is searched"
                    .to_owned(),
            ),
            (
                "[\"/bin/a\", \"\\u0000\"]",
                "22: \"command\" in [check.a] has \"\\0\"; \
                 an argument has at most 4096 bytes, and none of them is NUL"
                    .to_owned(),
            ),
        ] {
            assert_eq!(faults(&text(&format!("command = {value}"))), format!("vipkit.toml:3:{rest}"));
        }
    }
}
