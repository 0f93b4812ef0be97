//! `type = "ping"`: the target is up if it answers ICMP echo requests.

use std::time::Duration;

use super::path::{self, Path};
use super::{Aim, Kind, TIMEOUT};
use crate::duration::{HOUR, between, show};
use crate::endpoint::{self, Host};
use crate::section::{About, Absent, Key, Section};

/// ICMP echo requests to a target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ping {
    /// Whom to ask.
    pub host: Host,
    /// How packets leave.
    pub path: Path,
    /// How many requests, 1-100; the last leaves before the time of the check is over.
    pub count: u32,
    /// From one to the next.
    pub gap: Duration,
    /// Percent of them that may be lost, 0-99.
    pub loss: u32,
    /// Bytes of payload, at most 65507.
    pub size: u16,
}

pub(crate) const KEYS: &[About] = &[TARGET.about, COUNT.about, GAP.about, LOSS.about, SIZE.about];

const TARGET: Key<Host> = Key {
    about: About {
        name: "target",
        kind: "an address or a name",
        absent: Absent::None("the address of the server"),
        doc: "Whom to ask: `\"192.0.2.80\"`, `\"2001:db8::80\"`, `\"www.example.net\"`.",
    },
    read: endpoint::host_or_name,
};

const COUNT: Key<u32> = Key {
    about: About {
        name: "count",
        kind: "an integer from 1 to 100",
        absent: Absent::Default("3"),
        doc: "How many requests a run sends.",
    },
    read: |field| field.count(1..=100, "leave it out for 3"),
};

const GAP: Key<Duration> = Key {
    about: About {
        name: "gap",
        kind: "a duration from 1 ms to an hour",
        absent: Absent::Default("\"200ms\""),
        doc: "Time from one request to the next; all of them are sent within `timeout`.",
    },
    read: |field| between(field, Duration::from_millis(1)..=HOUR),
};

const LOSS: Key<u32> = Key {
    about: About {
        name: "loss",
        kind: "an integer from 0 to 99",
        absent: Absent::Default("0"),
        doc: "Percent of the requests that may be lost.",
    },
    read: |field| field.count(0..=99, "with 100, all would be up"),
};

const SIZE: Key<u16> = Key {
    about: About {
        name: "size",
        kind: "an integer from 0 to 65507",
        absent: Absent::Default("56"),
        doc: "Bytes of payload.",
    },
    read: |field| field.count(0..=65507, "that is what an IPv4 packet has room for"),
};

pub(super) fn read(section: &mut Section<'_, '_>) -> Option<Aim> {
    let host = section.get(&TARGET);
    let path = path::read(section, host.as_ref());
    let count = section.get(&COUNT);
    let gap = section.get(&GAP);
    let loss = section.get(&LOSS);
    let size = section.get(&SIZE);
    let timeout = section.get(&TIMEOUT);
    let (count, gap, loss, size) = (count?, gap?, loss?, size?);
    let sending = gap * count.saturating_sub(1);
    if let Some(timeout) = timeout.filter(|timeout| sending >= *timeout) {
        let what = format!("{count} requests over {}, and a \"timeout\" of {}", show(sending), show(timeout));
        let hint = "write a lower \"count\", a shorter \"gap\" or a longer \"timeout\"";
        section.fault(section.at(&COUNT), &what, hint);
    }
    Some(Box::new(move |server, _| {
        let host = host.clone().or_else(|| server.map(|server| server.ip().into()))?;
        Some(Kind::Ping(Ping { host, path: path.clone(), count, gap, loss, size }))
    }))
}

pub(super) fn target(check: &Ping) -> String {
    check.host.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, faults, service};

    fn text(keys: &str) -> String {
        format!("[check.a]\ntype = \"ping\"\n{keys}")
    }

    #[test]
    fn asks_three_times_unless_told() {
        let ping = |keys: &str| match check(&text(keys), "a").kind {
            Kind::Ping(ping) => ping,
            other => panic!("{other:?}"),
        };
        let expected = Ping {
            host: Host::Address("::1".parse().unwrap()),
            path: Path::default(),
            count: 3,
            gap: Duration::from_millis(200),
            loss: 0,
            size: 56,
        };
        assert_eq!(ping("target = \"::1\""), expected);
        let given = Ping {
            host: Host::Name("www".to_owned()),
            path: Path { source: Some("::1".parse().unwrap()), ..Path::default() },
            count: 100,
            gap: Duration::from_millis(1),
            loss: 99,
            size: 65507,
        };
        let keys = "target = \"www\"\nsource = \"::1\"\ncount = 100\ngap = \"1ms\"\nloss = 99\nsize = 65507";
        assert_eq!(ping(keys), given);
    }

    #[test]
    fn a_server_is_asked_at_its_address() {
        let text = service("check = { type = \"ping\", source = \"192.0.2.1\" }");
        assert_eq!(check(&text, "web/192.0.2.81:80").kind.target(), "192.0.2.81");
    }

    #[test]
    fn all_requests_are_sent_in_time() {
        assert_eq!(check(&text("target = \"::1\"\ncount = 15"), "a").kind.name(), "ping");
        assert_eq!(
            faults(&text("target = \"::1\"\ncount = 16")),
            "vipkit.toml:4:9: 16 requests over \"3s\", and a \"timeout\" of \"3s\" in [check.a]; \
             write a lower \"count\", a shorter \"gap\" or a longer \"timeout\""
        );
    }

    #[test]
    fn refuses_what_cannot_be_sent() {
        for (key, rest) in [
            ("target = \"127.0.0.1:80\"", "10: \"target\" in [check.a] must be an address or a name, not"),
            ("count = 0", "9: \"count\" in [check.a] must be an integer from 1 to 100, not 0"),
            ("loss = 100", "8: \"loss\" in [check.a] must be an integer from 0 to 99, not 100"),
            ("size = 65508", "8: \"size\" in [check.a] must be an integer from 0 to 65507, not 65508"),
        ] {
            let faults = faults(&text(key));
            assert!(faults.starts_with(&format!("vipkit.toml:3:{rest}")), "{faults}");
        }
    }
}
