//! `type = "udp"`: the target is up if it answers a datagram as expected, or does not refuse it.

use std::time::Duration;

use super::path::{self, Path, TARGET};
use super::{Aim, Kind, TIMEOUT, text};
use crate::context::quote;
use crate::duration::{HOUR, between, show};
use crate::endpoint::Target;
use crate::section::{About, Absent, Field, Key, Section};

/// Most bytes of a datagram that is sent, and of one that is expected: what passes every link without fragments.
const PAYLOAD_MAX: usize = 1024;

/// A datagram to a target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Udp {
    /// Where to send it.
    pub target: Target,
    /// How packets leave.
    pub path: Path,
    /// What is sent, at most 1024 bytes.
    pub payload: Vec<u8>,
    /// What must come back; none if silence is good.
    pub reply: Option<Reply>,
    /// How long silence without an ICMP error must last when no reply is asked for.
    pub wait: Duration,
}

/// What must come back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reply {
    /// Anything.
    Any,
    /// Something in it matches this regular expression ([`pattern`](crate::pattern)).
    Matches(String),
    /// It begins with these bytes: each with the bits of it that count.
    Bytes(Vec<(u8, u8)>),
}

pub(crate) const KEYS: &[About] = &[
    TARGET.about,
    PAYLOAD.about,
    PAYLOAD_HEX.about,
    REPLY.about,
    REPLY_MATCHES.about,
    REPLY_HEX.about,
    WAIT.about,
];

const PAYLOAD: Key<Vec<u8>> = Key {
    about: About {
        name: "payload",
        kind: "a string of at most 1024 bytes",
        absent: Absent::None("none: see `payload_hex`"),
        doc: "What is sent.",
    },
    read: payload,
};

const PAYLOAD_HEX: Key<Vec<u8>> = Key {
    about: About {
        name: "payload_hex",
        kind: "pairs of hexadecimal digits, at most 1024",
        absent: Absent::None("an empty datagram"),
        doc: "The same as bytes: `\"00 01 ff\"`.",
    },
    read: |field| digits(field, text::hexadecimal),
};

const REPLY: Key<bool> = Key {
    about: About {
        name: "reply",
        kind: "true or false",
        absent: Absent::None("whether one is described"),
        doc: "Whether a reply must come; true alone takes any.",
    },
    read: |field| field.boolean(),
};

const REPLY_MATCHES: Key<String> = Key {
    about: About {
        name: "reply_matches",
        kind: "a regular expression",
        absent: Absent::None("any"),
        doc: "What something in the reply must match.",
    },
    read: text::regex,
};

const REPLY_HEX: Key<Vec<(u8, u8)>> = Key {
    about: About {
        name: "reply_hex",
        kind: "pairs of hexadecimal digits, at most 1024",
        absent: Absent::None("any"),
        doc: "How the reply begins; `x` is any digit: `\"de xx be ef\"`.",
    },
    read: |field| digits(field, text::masked),
};

const WAIT: Key<Duration> = Key {
    about: About {
        name: "wait",
        kind: "a duration from 1 ms to an hour",
        absent: Absent::Default("\"500ms\""),
        doc: "How long nothing must be refused, where no reply must come; less than `timeout`.",
    },
    read: |field| between(field, Duration::from_millis(1)..=HOUR),
};

pub(super) fn read(section: &mut Section<'_, '_>) -> Option<Aim> {
    let way = path::way(section);
    let [payload, digits] = [section.get(&PAYLOAD), section.get(&PAYLOAD_HEX)];
    if section.has(&PAYLOAD) && section.has(&PAYLOAD_HEX) {
        section.fault(section.at(&PAYLOAD_HEX), "both \"payload\" and \"payload_hex\"", "keep one of them");
    }
    let reply = reply(section);
    let wait = section.get(&WAIT);
    if reply.is_some() && section.has(&WAIT) {
        let hint = "a reply may take up to \"timeout\"";
        section.fault(section.at(&WAIT), "\"wait\" beside a reply that must come", hint);
    }
    if let Some((wait, timeout)) = wait.zip(section.get(&TIMEOUT))
        && reply.is_none()
        && wait >= timeout
    {
        let what = format!("{} of silence, and a \"timeout\" of {}", show(wait), show(timeout));
        section.fault(section.at(&WAIT), &what, "write a shorter \"wait\" or a longer \"timeout\"");
    }
    let payload = payload.or(digits).unwrap_or_default();
    let wait = wait?;
    Some(Box::new(move |server, _| {
        let (target, path) = way.to(server)?;
        Some(Kind::Udp(Udp { target, path, payload: payload.clone(), reply: reply.clone(), wait }))
    }))
}

fn reply(section: &mut Section<'_, '_>) -> Option<Reply> {
    let wanted = section.get(&REPLY);
    let matches = section.get(&REPLY_MATCHES);
    let bytes = section.get(&REPLY_HEX);
    let at = match (section.has(&REPLY_MATCHES), section.has(&REPLY_HEX)) {
        (true, true) => {
            let what = "both \"reply_matches\" and \"reply_hex\"";
            section.fault(section.at(&REPLY_HEX), what, "keep one of them");
            None
        }
        (true, false) => Some(section.at(&REPLY_MATCHES)),
        (false, true) => Some(section.at(&REPLY_HEX)),
        (false, false) => None,
    };
    if let Some(at) = at.filter(|_| wanted == Some(false)) {
        section.fault(at, "a reply described beside reply = false", "remove one of the two");
    }
    let any = (wanted == Some(true)).then_some(Reply::Any);
    matches.map(Reply::Matches).or(bytes.map(Reply::Bytes)).or(any)
}

fn payload(field: &mut Field<'_, '_>) -> Option<Vec<u8>> {
    let text = field.text()?;
    if text.len() > PAYLOAD_MAX {
        field.fault(&format!("has {} bytes", text.len()), format!("{PAYLOAD_MAX} are the most"));
        return None;
    }
    Some(text.as_bytes().to_vec())
}

fn digits<T>(field: &mut Field<'_, '_>, parse: fn(&str) -> Option<Vec<T>>) -> Option<Vec<T>> {
    let text = field.text()?;
    let bytes = parse(text).filter(|bytes| bytes.len() <= PAYLOAD_MAX);
    if bytes.is_none() {
        field.wrong(&quote(text), "such as \"00 01 ff\"");
    }
    bytes
}

pub(super) fn target(check: &Udp) -> String {
    check.target.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, faults};

    fn text(keys: &str) -> String {
        format!("[check.a]\ntype = \"udp\"\ntarget = \"192.0.2.1:514\"\n{keys}")
    }

    fn udp(keys: &str) -> Udp {
        match check(&text(keys), "a").kind {
            Kind::Udp(udp) => udp,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_empty_datagram_may_meet_silence() {
        let default = udp("");
        assert_eq!(
            (default.payload, default.reply, default.wait),
            (vec![], None, Duration::from_millis(500))
        );
        assert_eq!(udp("payload = \"é\"").payload, [0xc3, 0xa9]);
        assert_eq!(udp("payload_hex = \"00 ff\"\nwait = \"2s\"").payload, [0, 255]);
    }

    #[test]
    fn a_reply_is_any_or_described() {
        for (keys, expected) in [
            ("reply = false", None),
            ("reply = true", Some(Reply::Any)),
            ("reply_matches = \"^OK\"", Some(Reply::Matches("^OK".to_owned()))),
            ("reply = true\nreply_hex = \"d? xx\"", None),
            ("reply = true\nreply_hex = \"dx xx\"", Some(Reply::Bytes(vec![(0xd0, 0xf0), (0, 0)]))),
        ] {
            match keys.contains('?') {
                true => assert!(faults(&text(keys)).ends_with("not \"d? xx\"; such as \"00 01 ff\"")),
                false => assert_eq!(udp(keys).reply, expected),
            }
        }
    }

    #[test]
    fn refuses_keys_that_do_not_go_together() {
        for (keys, rest) in [
            (
                "payload = \"a\"\npayload_hex = \"00\"",
                "5:15: both \"payload\" and \"payload_hex\" in [check.a]; keep one of them",
            ),
            (
                "reply_matches = \"a\"\nreply_hex = \"00\"",
                "5:13: both \"reply_matches\" and \"reply_hex\" in [check.a]; keep one of them",
            ),
            (
                "reply_hex = \"00\"\nreply = false",
                "4:13: a reply described beside reply = false in [check.a]; remove one of the two",
            ),
            (
                "reply = true\nwait = \"1s\"",
                "5:8: \"wait\" beside a reply that must come in [check.a]; a reply may take up to \"timeout\"",
            ),
            (
                "wait = \"3s\"",
                "4:8: \"3s\" of silence, and a \"timeout\" of \"3s\" in [check.a]; \
                 write a shorter \"wait\" or a longer \"timeout\"",
            ),
            (
                "timeout = \"1ms\"",
                "4:11: \"timeout\" in [check.a] must be a duration from 10 ms to an hour, not \"1ms\"; \
                 the nearest is \"10ms\"",
            ),
        ] {
            assert_eq!(faults(&text(keys)), format!("vipkit.toml:{rest}"));
        }
        let long = "00".repeat(PAYLOAD_MAX + 1);
        assert!(faults(&text(&format!("payload_hex = \"{long}\""))).contains("at most 1024, not"));
        assert!(
            faults(&text(&format!("payload = \"{long}\""))).ends_with("has 2050 bytes; 1024 are the most")
        );
    }
}
