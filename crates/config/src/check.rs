//! `[check.NAME]`, and a check without a name of a service or a server: how to tell whether something is up. What each
//! kind of check is told is in its own file in `check/`. Runs nothing, and does not know who needs it: that is `checked`.

pub(crate) mod agent;
pub(crate) mod dns;
pub(crate) mod external;
pub(crate) mod file;
pub(crate) mod http;
pub(crate) mod https;
pub(crate) mod path;
pub(crate) mod ping;
pub(crate) mod process;
pub(crate) mod script;
pub(crate) mod smtp;
pub(crate) mod systemd;
pub(crate) mod tcp;
pub(crate) mod text;
pub(crate) mod tls;
pub(crate) mod udp;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::duration::{DAY, HOUR, between};
use crate::endpoint::Host;
use crate::named::{self, Noun};
use crate::section::{About, Absent, Field, Key, Section};
use crate::source::At;

use agent::Agent;
use dns::Dns;
use external::External;
use file::File;
use http::Http;
use https::Https;
use path::Path;
use ping::Ping;
use process::Process;
use script::Script;
use smtp::Smtp;
use systemd::Unit;
use tcp::Tcp;
use tls::Tls;
use udp::Udp;

/// Most checks with a name of their own, `[check.NAME]`.
pub const CHECKS_MAX: usize = 16384;

const CHECKS: Noun = Noun { article: "a", noun: "check", most: CHECKS_MAX, example: "[check.web]" };

/// How to tell whether something is up. Equal checks need one run for all who ask.
///
/// A round is a run, and its retries if it fails; it has failed when all of them have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Check {
    /// What is done.
    pub kind: Kind,
    /// From one round to the next, 100 ms to a day.
    pub interval: Duration,
    /// A run that takes longer has failed, 10 ms to an hour.
    pub timeout: Duration,
    /// How many more runs a round has after one that failed, 0-100.
    pub retries: u32,
    /// From a run that failed to the next of its round, at most an hour.
    pub retry_delay: Duration,
    /// How many rounds in a row must pass before down turns up, 1-100.
    pub rise: u32,
    /// How many rounds in a row must fail before up turns down, 1-100.
    pub fall: u32,
    /// What becomes of the verdict when it could not be run.
    pub on_could_not_run: CouldNotRun,
}

/// What becomes of the verdict of a check that could not be run, which says nothing of its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CouldNotRun {
    /// It stays what it was.
    Hold,
    /// It is down.
    Down,
    /// It is up.
    Up,
}

impl CouldNotRun {
    const ALL: [Self; 3] = [Self::Hold, Self::Down, Self::Up];

    /// Its name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Down => "down",
            Self::Up => "up",
        }
    }
}

/// A kind of check: its name, the keys that it alone has, and how they are read.
struct Row {
    name: &'static str,
    keys: &'static [About],
    read: fn(&mut Section<'_, '_>) -> Option<Aim>,
}

/// What is done, once it is known whether a server is meant, and what it is called: NAME of the check, or else of the
/// verdict. None if it needs a server and there is none.
pub(crate) type Aim = Box<dyn Fn(Option<SocketAddr>, &str) -> Option<Kind>>;

/// Each kind of check has a line here, its file, and a table in the documentation. One that goes over the network says
/// to whom, and by which path.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal in $module:ident
       $(, for $check:ident to $host:expr, by $path:expr)?;)+) => {
        /// What a check does.
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $($(#[$doc])* $kind($kind),)+
        }

        impl Kind {
            /// Its name, `type` in the configuration.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Self::$kind(_) => $name,)+
                }
            }

            /// What it looks at, for people.
            #[must_use]
            pub fn target(&self) -> String {
                match self {
                    $(Self::$kind(check) => $module::target(check),)+
                }
            }

            /// Whom it asks over the network; none if it looks at this machine.
            #[must_use]
            pub const fn host(&self) -> Option<&Host> {
                match self {
                    $($(Self::$kind($check) => Some(&$host),)?)+
                    _ => None,
                }
            }

            /// How its packets leave this machine, if it sends any.
            #[must_use]
            pub const fn path(&self) -> Option<&Path> {
                match self {
                    $($(Self::$kind($check) => Some(&$path),)?)+
                    _ => None,
                }
            }
        }

        const KINDS: &[Row] = &[$(Row { name: $name, keys: $module::KEYS, read: $module::read },)+];
    };
}

kinds! {
    /// A TCP connection is made and closed.
    Tcp = "tcp" in tcp, for check to check.target.host, by check.path;
    /// A TLS handshake is made.
    Tls = "tls" in tls, for check to check.target.host, by check.path;
    /// HTTP requests are made.
    Http = "http" in http, for check to check.target.host, by check.path;
    /// HTTP requests are made over TLS.
    Https = "https" in https, for check to check.http.target.host, by check.http.path;
    /// A mail server is greeted.
    Smtp = "smtp" in smtp, for check to check.target.host, by check.path;
    /// A DNS server is asked for a name.
    Dns = "dns" in dns, for check to check.target.host, by check.path;
    /// A datagram is sent.
    Udp = "udp" in udp, for check to check.target.host, by check.path;
    /// ICMP echo requests are sent.
    Ping = "ping" in ping, for check to check.host, by check.path;
    /// A program of this machine is run.
    Script = "script" in script;
    /// Processes of this machine are looked for.
    Process = "process" in process;
    /// A unit of systemd is looked at.
    Unit = "systemd" in systemd;
    /// A number is read from a file.
    File = "file" in file;
    /// An agent on the server is asked how much work it wants.
    Agent = "agent" in agent, for check to check.target.host, by check.path;
    /// Nothing is done: somebody says.
    External = "external" in external;
}

/// The names of all kinds.
#[cfg(test)]
pub(crate) fn kinds() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|row| row.name)
}

const TYPE: Key<&Row> = Key {
    about: About {
        name: "type",
        kind: "the name of a kind of check",
        absent: Absent::Required,
        doc: "What is done; the kinds, and the other keys of each, are below.",
    },
    read: |field| field.word(KINDS.iter().map(|row| (row.name, row))),
};

const INTERVAL: Key<Duration> = Key {
    about: About {
        name: "interval",
        kind: "a duration from 100 ms to a day",
        absent: Absent::Default("\"5s\""),
        doc: "Time from one round to the next.",
    },
    read: |field| between(field, Duration::from_millis(100)..=DAY),
};

const TIMEOUT: Key<Duration> = Key {
    about: About {
        name: "timeout",
        kind: "a duration from 10 ms to an hour",
        absent: Absent::Default("\"3s\""),
        doc: "A run that takes longer has failed.",
    },
    read: |field| between(field, Duration::from_millis(10)..=HOUR),
};

const RETRIES: Key<u32> = Key {
    about: About {
        name: "retries",
        kind: "an integer from 0 to 100",
        absent: Absent::None("`2`; `0` for `external`"),
        doc: "How many more runs a round has after one that failed; the round fails if all of them do.",
    },
    read: |field| field.count(0..=100, "leave it out for 2"),
};

const RETRY_DELAY: Key<Duration> = Key {
    about: About {
        name: "retry_delay",
        kind: "a duration of at most an hour",
        absent: Absent::Default("\"1s\""),
        doc: "Time from a run that failed to the next of its round.",
    },
    read: |field| between(field, Duration::ZERO..=HOUR),
};

const RISE: Key<u32> = Key {
    about: About {
        name: "rise",
        kind: "an integer from 1 to 100",
        absent: Absent::Default("1"),
        doc: "How many rounds in a row must pass before what is down is up.",
    },
    read: |field| field.count(1..=100, "1 takes the first"),
};

const FALL: Key<u32> = Key {
    about: About {
        name: "fall",
        kind: "an integer from 1 to 100",
        absent: Absent::Default("1"),
        doc: "How many rounds in a row must fail before what is up is down.",
    },
    read: |field| field.count(1..=100, "1 takes the first"),
};

const ON_COULD_NOT_RUN: Key<CouldNotRun> = Key {
    about: About {
        name: "on_could_not_run",
        kind: "\"hold\", \"down\" or \"up\"",
        absent: Absent::Default("\"hold\""),
        doc: "What becomes of the verdict when this machine could not run the check: it stays what it was, or is this.",
    },
    read: |field| field.word(CouldNotRun::ALL.into_iter().map(|what| (what.name(), what))),
};

/// The keys that every check has.
pub(crate) const KEYS: &[About] = &[
    TYPE.about,
    INTERVAL.about,
    TIMEOUT.about,
    RETRIES.about,
    RETRY_DELAY.about,
    RISE.about,
    FALL.about,
    ON_COULD_NOT_RUN.about,
];

/// Keys that several kinds have; each makes those known that it reads.
const SHARED: &[&[About]] = &[path::KEYS, tls::SETTINGS, http::request::KEYS];

/// A check as it is written down: whose target it is may not be known yet.
pub(crate) struct Draft {
    /// Where it stands.
    pub at: At,
    aim: Aim,
    interval: Duration,
    timeout: Duration,
    retries: u32,
    retry_delay: Duration,
    rise: u32,
    fall: u32,
    on_could_not_run: CouldNotRun,
}

impl Draft {
    /// The check of a server, or of the target that is written down; none if there is none. `name` is its own, or else
    /// that of the verdict.
    pub fn of(&self, server: Option<SocketAddr>, name: &str) -> Option<Check> {
        let &Self { ref aim, interval, timeout, retries, retry_delay, rise, fall, on_could_not_run, .. } =
            self;
        let kind = aim(server, name)?;
        Some(Check { kind, interval, timeout, retries, retry_delay, rise, fall, on_could_not_run })
    }
}

/// All checks with a name, as they are written down; none for what is wrong, so that its name is known all the same.
pub(crate) fn read(field: &mut Field<'_, '_>) -> Option<BTreeMap<String, Option<Draft>>> {
    named::tables(field, &CHECKS, KEYS, |section| Some(draft(section)))
}

/// A check that is written down in this table.
pub(crate) fn draft(mut section: Section<'_, '_>) -> Option<Draft> {
    let kind = section.get(&TYPE);
    match kind {
        Some(row) => section.know(row.keys),
        // Whose keys these are cannot be told, so none is called unknown that any kind has.
        None => {
            KINDS.iter().map(|row| row.keys).chain(SHARED.iter().copied()).for_each(|keys| section.know(keys))
        }
    }
    let aim = kind.and_then(|row| (row.read)(&mut section));
    if let Some(kind) = aim.as_ref().and_then(|aim| aim(None, "")) {
        link_local_needs_an_interface(&kind, &mut section);
    }
    let at = section.place();
    let interval = section.get(&INTERVAL);
    let timeout = section.get(&TIMEOUT);
    let retries = if section.has(&RETRIES) { section.get(&RETRIES) } else { Some(retries_of(kind)) };
    let retry_delay = section.get(&RETRY_DELAY);
    let rise = section.get(&RISE);
    let fall = section.get(&FALL);
    let on_could_not_run = section.get(&ON_COULD_NOT_RUN);
    section.finish();
    Some(Draft {
        at,
        aim: aim?,
        interval: interval?,
        timeout: timeout?,
        retries: retries?,
        retry_delay: retry_delay?,
        rise: rise?,
        fall: fall?,
        on_could_not_run: on_could_not_run?,
    })
}

/// What is told once need not be asked again.
fn retries_of(kind: Option<&Row>) -> u32 {
    if kind.is_some_and(|row| row.name == "external") { 0 } else { 2 }
}

/// Every interface may have it, so that it means nothing without one (RFC 4007 §6).
fn link_local_needs_an_interface(kind: &Kind, section: &mut Section<'_, '_>) {
    if let (Some(Host::Address(IpAddr::V6(address))), Some(Path { interface: None, .. })) =
        (kind.host(), kind.path())
        && address.is_unicast_link_local()
    {
        let what = format!("the link-local address {address} without an \"interface\"");
        section.fault(section.at_key("target"), &what, "write the name of the interface that it is on");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, config, faults, service};

    #[test]
    fn defaults() {
        let check = check("[check.nginx]\ntype = \"tcp\"\ntarget = \"127.0.0.1:80\"", "nginx");
        assert_eq!((check.kind.name(), check.kind.target().as_str()), ("tcp", "127.0.0.1:80"));
        assert_eq!(check.interval, Duration::from_secs(5));
        assert_eq!(check.timeout, Duration::from_secs(3));
        assert_eq!((check.retries, check.retry_delay), (2, Duration::from_secs(1)));
        assert_eq!((check.rise, check.fall, check.on_could_not_run), (1, 1, CouldNotRun::Hold));
    }

    #[test]
    fn reads_each_key() {
        let text = "[check.a]\ntype = \"tcp\"\ntarget = \"127.0.0.1:80\"\ninterval = \"1s\"\ntimeout = \"2s\"\n\
                    retries = 0\nretry_delay = \"3s\"\nrise = 100\nfall = 4\non_could_not_run = \"down\"";
        let check = check(text, "a");
        let [second, two, three] = [1, 2, 3].map(Duration::from_secs);
        assert_eq!((check.interval, check.timeout, check.retry_delay), (second, two, three));
        assert_eq!((check.retries, check.rise, check.fall), (0, 100, 4));
        assert_eq!(check.on_could_not_run, CouldNotRun::Down);
    }

    #[test]
    fn refuses_a_value_that_a_key_cannot_have() {
        for (key, rest) in [
            (
                "interval = \"99ms\"",
                "a duration from 100 ms to a day, not \"99ms\"; the nearest is \"100ms\"",
            ),
            (
                "interval = \"25h\"",
                "a duration from 100 ms to a day, not \"1day 1h\"; the nearest is \"1day\"",
            ),
            ("timeout = \"1ms\"", "a duration from 10 ms to an hour, not \"1ms\"; the nearest is \"10ms\""),
            ("retry_delay = \"2h\"", "a duration of at most an hour, not \"2h\"; the nearest is \"1h\""),
            ("retries = 101", "an integer from 0 to 100, not 101; leave it out for 2"),
            ("rise = 0", "an integer from 1 to 100, not 0; 1 takes the first"),
            ("fall = 101", "an integer from 1 to 100, not 101; 1 takes the first"),
            (
                "on_could_not_run = \"wait\"",
                "\"hold\", \"down\" or \"up\", not \"wait\"; known here: hold, down, up",
            ),
        ] {
            let (name, _) = key.split_once(" = ").unwrap();
            let column = name.len() + 4;
            assert_eq!(
                faults(&format!("[check.a]\ntype = \"tcp\"\n{key}")),
                format!("vipkit.toml:3:{column}: \"{name}\" in [check.a] must be {rest}")
            );
        }
    }

    #[test]
    fn refuses_a_kind_that_there_is_not_and_keys_of_no_kind() {
        assert_eq!(
            faults(
                "[check.a]\ntype = \"TPC\"\ntarget = \"127.0.0.1:80\"\nretrys = 1\n[check.b]\ntimeout = \"1s\""
            ),
            "vipkit.toml:2:8: \"type\" in [check.a] must be the name of a kind of check, not \"TPC\"; \
             did you mean \"tcp\"?\n\
             vipkit.toml:4:1: unknown key \"retrys\" in [check.a]; did you mean \"retries\"?\n\
             vipkit.toml:5:8: [check.b] has no \"type\"; it is required, and must be the name of a kind of check"
        );
        assert_eq!(
            faults("[[check]]\ntype = \"tcp\""),
            "vipkit.toml:1:1: \"check\" at the top level must be a table, not a list; \
             each is a table with a name, such as [check.web]"
        );
        let names: Vec<_> = kinds().collect();
        assert!(faults("[check.a]\ntype = \"\"").ends_with(&format!("known here: {}", names.join(", "))));
    }

    #[test]
    fn a_link_local_target_is_on_an_interface() {
        assert_eq!(
            faults("[check.a]\ntype = \"tcp\"\ntarget = \"[fe80::1]:80\""),
            "vipkit.toml:3:10: the link-local address fe80::1 without an \"interface\" in [check.a]; \
             write the name of the interface that it is on"
        );
        let text = "[check.a]\ntype = \"tcp\"\ntarget = \"[fe80::1]:80\"\ninterface = \"eth0\"";
        assert_eq!(check(text, "a").kind.target(), "[fe80::1]:80");
    }

    #[test]
    fn the_host_and_the_path_are_those_of_the_kind() {
        let kind = |text: &str| check(text, "a").kind;
        let tcp = kind("[check.a]\ntype = \"tcp\"\ntarget = \"www.example.net:80\"\nsource = \"192.0.2.1\"");
        assert_eq!(tcp.host(), Some(&Host::Name("www.example.net".to_owned())));
        assert_eq!(tcp.path().unwrap().source, Some("192.0.2.1".parse().unwrap()));
        let file = kind("[check.a]\ntype = \"file\"\nfile = \"/run/weight\"");
        assert_eq!((file.host(), file.path()), (None, None));
    }

    #[test]
    fn the_number_of_checks_is_bounded() {
        let many = |count: usize| -> String {
            let check = |n| format!("[check.c{n}]\ntype = \"tcp\"\ntarget = \"127.0.0.1:80\"\n");
            (0..count).map(check).collect()
        };
        assert_eq!(config(&many(CHECKS_MAX)).checks.len(), CHECKS_MAX);
        assert!(faults(&many(CHECKS_MAX + 1)).contains("has 16385 checks; 16384 are the most"));
    }

    #[test]
    fn a_check_of_a_service_says_where_it_is_wrong() {
        assert_eq!(
            faults(&service("check = { type = \"tcp\", retries = -1 }")),
            "vipkit.toml:6:35: \"retries\" in [service.check] must be an integer from 0 to 100, not -1; \
             leave it out for 2"
        );
    }
}
