//! `[check.NAME]`, and `check` of a service or a server: how to tell whether something is up. What each kind of
//! check is told is in its own file in `check/`. Runs nothing: it only says what is to be run, and under which name.

pub(crate) mod tcp;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use crate::context::{Context, quote};
use crate::duration::{DAY, HOUR, between};
use crate::fault::FAULTS_MAX;
use crate::named::{self, Noun};
use crate::section::{About, Absent, Field, Key, Section, closest};
use crate::source::At;
use crate::tree::Datum;

pub use tcp::Tcp;

/// Most checks with a name of their own, `[check.NAME]`.
pub const CHECKS_MAX: usize = 16384;

const CHECKS: Noun = Noun { article: "a", noun: "check", most: CHECKS_MAX, example: "[check.web]" };

/// How to tell whether something is up. Equal checks need one run for all who ask.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Check {
    /// What is done.
    pub kind: Kind,
    /// From one run to the next, 100 ms to a day.
    pub interval: Duration,
    /// A run that takes longer has failed, 10 ms to an hour.
    pub timeout: Duration,
    /// How many failures in a row, after the first, are retried before the target is down, 0-100.
    pub retries: u32,
    /// From a failure that is retried to the next run, at most an hour.
    pub retry_delay: Duration,
}

/// A kind of check: its name, the keys that it alone has, and how they are read.
struct Row {
    name: &'static str,
    keys: &'static [About],
    read: fn(&mut Section<'_, '_>) -> Option<Aim>,
}

/// What is done, once it is known whether a server is meant; none if it needs one and there is none.
type Aim = Box<dyn Fn(Option<SocketAddr>) -> Option<Kind>>;

/// Each kind of check has a line here, its file, and a row in the documentation.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal in $module:ident;)+) => {
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
        }

        const KINDS: &[Row] = &[$(Row { name: $name, keys: $module::KEYS, read: $module::read },)+];
    };
}

kinds! {
    /// A TCP connection is made and closed.
    Tcp = "tcp" in tcp;
}

const TYPE: Key<&Row> = Key {
    about: About {
        name: "type",
        kind: "\"tcp\"",
        absent: Absent::Required,
        doc: "What is done; the other keys of each kind are below.",
    },
    read: |field| field.word(KINDS.iter().map(|row| (row.name, row))),
};

const INTERVAL: Key<Duration> = Key {
    about: About {
        name: "interval",
        kind: "a duration from 100 ms to a day",
        absent: Absent::Default("\"5s\""),
        doc: "Time from one run to the next.",
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
        absent: Absent::Default("2"),
        doc: "How many failures in a row, after the first, are retried before the target is down.",
    },
    read: |field| field.count(0..=100, "leave it out for 2"),
};

const RETRY_DELAY: Key<Duration> = Key {
    about: About {
        name: "retry_delay",
        kind: "a duration of at most an hour",
        absent: Absent::Default("\"1s\""),
        doc: "Time from a failure that is retried to the next run.",
    },
    read: |field| between(field, Duration::ZERO..=HOUR),
};

/// The keys that every check has.
pub(crate) const KEYS: &[About] =
    &[TYPE.about, INTERVAL.about, TIMEOUT.about, RETRIES.about, RETRY_DELAY.about];

/// A check as it is written down: whose target it is may not be known yet.
pub(crate) struct Draft {
    at: At,
    aim: Aim,
    interval: Duration,
    timeout: Duration,
    retries: u32,
    retry_delay: Duration,
}

impl Draft {
    /// The check of a server, or of the target that is written down; none if there is none.
    fn of(&self, server: Option<SocketAddr>) -> Option<Check> {
        let Self { aim, interval, timeout, retries, retry_delay, .. } = self;
        Some(Check {
            kind: aim(server)?,
            interval: *interval,
            timeout: *timeout,
            retries: *retries,
            retry_delay: *retry_delay,
        })
    }
}

/// What a service or a server says of its check.
pub(crate) enum Said {
    /// The name of a check, and where that stands.
    Name(String, At),
    /// A check of its own.
    Own(Draft),
}

/// A check, and the servers that it is run for: the names of their verdicts, and their addresses.
pub(crate) struct Use {
    pub said: Said,
    pub servers: Vec<(String, SocketAddr)>,
}

/// All checks with a name, as they are written down; none for what is wrong, so that its name is known all the same.
pub(crate) fn read(field: &mut Field<'_, '_>) -> Option<BTreeMap<String, Option<Draft>>> {
    named::tables(field, &CHECKS, KEYS, |section| Some(draft(section)))
}

/// `check` of a service or a server.
pub(crate) fn said(field: &mut Field<'_, '_>) -> Option<Said> {
    match &field.value.datum {
        Datum::Text(name) => Some(Said::Name(name.clone(), field.value.at)),
        Datum::Table(_) => draft(field.section(KEYS)?).map(Said::Own),
        _ => {
            field.mistyped("write the NAME of a [check.NAME] in quotes, or its keys in braces");
            None
        }
    }
}

fn draft(mut section: Section<'_, '_>) -> Option<Draft> {
    let kind = section.get(&TYPE);
    match kind {
        Some(row) => section.know(row.keys),
        // Whose keys these are cannot be told, so none is called unknown that any kind has.
        None => KINDS.iter().for_each(|row| section.know(row.keys)),
    }
    let aim = kind.and_then(|row| (row.read)(&mut section));
    let at = section.place();
    let interval = section.get(&INTERVAL);
    let timeout = section.get(&TIMEOUT);
    let retries = section.get(&RETRIES);
    let retry_delay = section.get(&RETRY_DELAY);
    section.finish();
    Some(Draft {
        at,
        aim: aim?,
        interval: interval?,
        timeout: timeout?,
        retries: retries?,
        retry_delay: retry_delay?,
    })
}

/// Everything that is checked, by the names of the verdicts.
pub(crate) fn all(
    named: &BTreeMap<String, Option<Draft>>,
    uses: &[Use],
    cx: &mut Context<'_>,
) -> BTreeMap<String, Check> {
    let mut checks = BTreeMap::new();
    let mut unknown = Vec::new();
    let mut used = BTreeSet::new();
    for Use { said, servers } in uses {
        let (draft, at) = match said {
            Said::Own(draft) => (Some(draft), draft.at),
            Said::Name(name, at) => {
                used.insert(name.as_str());
                let draft = named.get(name);
                unknown.extend(draft.is_none().then_some((name, *at)));
                (draft.and_then(Option::as_ref), *at)
            }
        };
        let target = draft.filter(|_| servers.len() > 1).and_then(|draft| draft.of(None));
        if let Some(target) = target.map(|check| check.kind.target()) {
            let what = format!("{} servers are judged by one target, {target}", servers.len());
            cx.warn(at, (what, "leave out \"target\": each is checked where it answers".to_owned()));
        }
        let of = |(name, server): &(String, SocketAddr)| Some((name.clone(), draft?.of(Some(*server))?));
        checks.extend(servers.iter().filter_map(of));
    }
    for (name, at) in unknown.into_iter().take(FAULTS_MAX) {
        cx.missing(at, format!("there is no check {}", quote(name)), instead_of(name, named));
    }
    for (name, draft) in named.iter().filter_map(|(name, draft)| Some((name, draft.as_ref()?))) {
        let check = draft.of(None);
        if check.is_none() && !used.contains(name.as_str()) {
            let hint = "give it a \"target\", or name it as the \"check\" of a service";
            cx.warn(draft.at, (format!("[check.{name}] is run by nobody"), hint.to_owned()));
        }
        checks.extend(check.map(|check| (name.clone(), check)));
    }
    checks
}

fn instead_of<T>(name: &str, named: &BTreeMap<String, T>) -> String {
    // Looking for a slip among all names, for each that is unknown, would take long.
    const LOOKED_AT_MAX: usize = 256;
    match closest(name, named.keys().take(LOOKED_AT_MAX).map(String::as_str)) {
        Some(close) => format!("did you mean {close:?}?"),
        None if named::is_name(name) => format!("write [check.{name}]"),
        None => format!("a name is {}", named::RULE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, config, faults, service};

    /// The service web with more of a file behind it.
    fn with(line: &str, more: &str) -> String {
        format!("{}\n{more}", service(line))
    }

    #[test]
    fn defaults() {
        let check = check("[check.nginx]\ntype = \"tcp\"\ntarget = \"127.0.0.1:80\"", "nginx");
        assert_eq!((check.kind.name(), check.kind.target().as_str()), ("tcp", "127.0.0.1:80"));
        assert_eq!(check.interval, Duration::from_secs(5));
        assert_eq!(check.timeout, Duration::from_secs(3));
        assert_eq!((check.retries, check.retry_delay), (2, Duration::from_secs(1)));
    }

    #[test]
    fn a_server_is_checked_where_it_answers_unless_the_target_is_given() {
        let target = |line: &str, more: &str| check(&with(line, more), "web/192.0.2.81:80").kind.target();
        assert_eq!(target("check = { type = \"tcp\" }", ""), "192.0.2.81:80");
        assert_eq!(target("check = { type = \"tcp\", target = \"192.0.2.81:8080\" }", ""), "192.0.2.81:8080");
        assert_eq!(target("check = \"up\"", "[check.up]\ntype = \"tcp\""), "192.0.2.81:80");
        let own = "server = [{ address = \"192.0.2.81:80\", check = \"up\" }]";
        assert_eq!(target(own, "[check.up]\ntype = \"tcp\"\ntarget = \"127.0.0.1:1\""), "127.0.0.1:1");
    }

    #[test]
    fn the_check_of_a_server_replaces_that_of_its_service() {
        let text = service(
            "check = { type = \"tcp\", retries = 7 }\n\
             [[service.server]]\naddress = \"192.0.2.81:80\"\n\
             [[service.server]]\naddress = \"192.0.2.82:80\"\ncheck = { type = \"tcp\" }",
        )
        .replace("server = [{ address = \"192.0.2.81:80\" }]\n", "");
        let checks = config(&text).checks;
        assert_eq!(checks["web/192.0.2.81:80"].retries, 7);
        assert_eq!(checks["web/192.0.2.82:80"].retries, 2);
    }

    #[test]
    fn a_verdict_has_the_name_of_the_check_or_of_service_and_server() {
        let text = with("check = \"both\"", "[check.both]\ntype = \"tcp\"\ntarget = \"127.0.0.1:80\"");
        let config = config(&text);
        assert_eq!(config.checks.keys().collect::<Vec<_>>(), ["both", "web/192.0.2.81:80"]);
        assert_eq!(config.checks["both"], config.checks["web/192.0.2.81:80"]);
        assert_eq!(config.services["web"].servers[0].check.as_deref(), Some("web/192.0.2.81:80"));
    }

    #[test]
    fn without_a_check_there_is_no_verdict() {
        let config = config(&service(""));
        assert!(config.checks.is_empty());
        assert_eq!(config.services["web"].servers[0].check, None);
    }

    #[test]
    fn a_check_without_a_target_that_no_service_names_is_a_warning() {
        let warnings =
            |text: &str| config(text).warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        assert_eq!(
            warnings("[check.up]\ntype = \"tcp\""),
            "vipkit.toml:1:8: [check.up] is run by nobody; \
             give it a \"target\", or name it as the \"check\" of a service"
        );
        assert_eq!(warnings("[check.up]\ntype = \"tcp\"\ntarget = \"127.0.0.1:80\""), "");
        assert_eq!(warnings(&with("check = \"up\"", "[check.up]\ntype = \"tcp\"")), "");
    }

    #[test]
    fn one_target_for_several_servers_is_a_warning() {
        let two = "[service.check]\ntype = \"tcp\"\ntarget = \"127.0.0.1:80\"\n\
                   [[service.server]]\naddress = \"192.0.2.81:80\"\n[[service.server]]\naddress = \"192.0.2.82:80\"";
        let text = service(two).replace("server = [{ address = \"192.0.2.81:80\" }]\n", "");
        let warned = "vipkit.toml:5:10: 2 servers are judged by one target, 127.0.0.1:80; \
                      leave out \"target\": each is checked where it answers";
        assert_eq!(config(&text).warnings.iter().map(ToString::to_string).collect::<Vec<_>>(), [warned]);
        for (more, less) in
            [("target = \"127.0.0.1:80\"\n", ""), ("[[service.server]]\naddress = \"192.0.2.82:80\"", "")]
        {
            assert_eq!(config(&text.replace(more, less)).warnings, []);
        }
    }

    #[test]
    fn refuses_a_check_that_is_not_there() {
        let more = "[check.nginx]\ntype = \"tcp\"";
        for (name, hint) in [
            ("ngnix", "did you mean \"nginx\"?"),
            ("mail", "write [check.mail]"),
            ("a/b", "a name is 1 to 64 letters, digits, \"_\", \".\" and \"-\""),
        ] {
            assert_eq!(
                faults(&with(&format!("check = \"{name}\""), more)),
                format!("vipkit.toml:6:9: there is no check \"{name}\"; {hint}")
            );
        }
        assert_eq!(
            faults("[check.a]\n[[service]]\ncheck = \"b\"\n[[service.server]]\ncheck = \"c\"")
                .matches("there is no check")
                .count(),
            2
        );
        let swallowed = format!("{}[check.mail\n", service("check = \"mail\"\n"));
        assert_eq!(faults(&swallowed), "vipkit.toml:7:12: unclosed table; expected `]`");
    }

    #[test]
    fn refuses_a_value_that_a_key_cannot_have() {
        for (key, rest) in [
            ("interval = \"99ms\"", "from 100 ms to a day, not \"99ms\"; the nearest is \"100ms\""),
            ("interval = \"25h\"", "from 100 ms to a day, not \"1day 1h\"; the nearest is \"1day\""),
            ("timeout = \"1ms\"", "from 10 ms to an hour, not \"1ms\"; the nearest is \"10ms\""),
            ("retry_delay = \"2h\"", "of at most an hour, not \"2h\"; the nearest is \"1h\""),
        ] {
            let (name, value) = key.split_once(" = ").unwrap();
            let column = name.len() + 4;
            assert_eq!(
                faults(&format!("[check.a]\ntype = \"tcp\"\n{name} = {value}")),
                format!("vipkit.toml:3:{column}: \"{name}\" in [check.a] must be a duration {rest}")
            );
        }
        assert_eq!(
            faults("[check.a]\ntype = \"tcp\"\nretries = 101"),
            "vipkit.toml:3:11: \"retries\" in [check.a] must be an integer from 0 to 100, not 101; \
             leave it out for 2"
        );
    }

    #[test]
    fn refuses_a_kind_that_there_is_not_and_keys_of_no_kind() {
        assert_eq!(
            faults(
                "[check.a]\ntype = \"TPC\"\ntarget = \"127.0.0.1:80\"\nretrys = 1\n[check.b]\ntimeout = \"1s\""
            ),
            "vipkit.toml:2:8: \"type\" in [check.a] must be \"tcp\", not \"TPC\"; did you mean \"tcp\"?\n\
             vipkit.toml:4:1: unknown key \"retrys\" in [check.a]; did you mean \"retries\"?\n\
             vipkit.toml:5:8: [check.b] has no \"type\"; it is required, and must be \"tcp\""
        );
        assert_eq!(
            faults("[[check]]\ntype = \"tcp\""),
            "vipkit.toml:1:1: \"check\" at the top level must be a table, not a list; \
             each is a table with a name, such as [check.web]"
        );
        assert_eq!(
            faults(&service("check = true")),
            "vipkit.toml:6:9: \"check\" in [[service]] must be a table or the name of a check, not a boolean; \
             write the NAME of a [check.NAME] in quotes, or its keys in braces"
        );
    }

    #[test]
    fn the_documented_kinds_are_all() {
        let names: Vec<_> = KINDS.iter().map(|row| format!("{:?}", row.name)).collect();
        assert_eq!(TYPE.about.kind, names.join(" or "));
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
}
