//! `type = "agent"`: an agent on the server says how much work it wants, as HAProxy's agent-check does.

use super::path::{self, CLOSE, Close, Path, TARGET};
use super::{Aim, Kind, text};
use crate::endpoint::Target;
use crate::section::{About, Absent, Key, Section};

/// An agent of a server (HAProxy's agent-check).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Agent {
    /// Where to connect to.
    pub target: Target,
    /// How packets leave.
    pub path: Path,
    /// How the connection is closed.
    pub close: Close,
    /// What is sent first, 1 to 4096 bytes.
    pub send: Option<String>,
}

pub(crate) const KEYS: &[About] = &[TARGET.about, CLOSE.about, SEND.about];

const SEND: Key<String> = Key {
    about: About {
        name: "send",
        kind: "a string of 1 to 4096 bytes",
        absent: Absent::None("nothing"),
        doc: "What is sent first, with its line end: `\"state\\n\"`.",
    },
    read: text::read,
};

pub(super) fn read(section: &mut Section<'_, '_>) -> Option<Aim> {
    let way = path::way(section);
    let close = section.get(&CLOSE);
    let send = section.get(&SEND);
    let close = close?;
    Some(Box::new(move |server, _| {
        let (target, path) = way.to(server)?;
        Some(Kind::Agent(Agent { target, path, close, send: send.clone() }))
    }))
}

pub(super) fn target(check: &Agent) -> String {
    check.target.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, faults};

    #[test]
    fn sends_nothing_unless_told() {
        let send = |keys: &str| {
            let text = format!("[check.a]\ntype = \"agent\"\ntarget = \"127.0.0.1:9000\"\n{keys}");
            match check(&text, "a").kind {
                Kind::Agent(Agent { send, .. }) => send,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(send(""), None);
        assert_eq!(send("send = \"state\\n\"").as_deref(), Some("state\n"));
        assert_eq!(
            faults("[check.a]\ntype = \"agent\"\nsend = \"\""),
            "vipkit.toml:3:8: \"send\" in [check.a] has 0 bytes; 1 to 4096 are possible"
        );
    }
}
