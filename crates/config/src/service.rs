//! `[[service]]`: what clients connect to. Its servers, and what they take over from it, are in `server`.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use vipkit_core::ipvs::{SCHEDULERS, Scheduler};

use crate::checked::Use;
use crate::combining::{self, Said};
use crate::conflicts::once;
use crate::context::quote;
use crate::damping;
use crate::endpoint;
use crate::max_out::{self, MaxOut};
use crate::named;
use crate::persistence::{self, Persistence};
use crate::section::{About, Absent, Field, Key, Section};
use crate::server::{self, Forward, Server};
use crate::source::At;

/// Most services of one configuration.
pub const SERVICES_MAX: usize = 16384;
/// Most servers of all services together.
pub const SERVERS_TOTAL_MAX: usize = 65536;

/// A virtual service: an address that clients connect to, and the servers that it is shared out to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// IPv4, with a port; no two services of one protocol have the same.
    pub address: SocketAddr,
    /// Of the connections.
    pub protocol: Protocol,
    /// How a server is chosen.
    pub scheduler: Scheduler,
    /// Whether, and how, a client keeps its server.
    pub persistence: Option<Persistence>,
    /// What becomes of a server that is down.
    pub on_failure: OnFailure,
    /// How many of its servers checks may take out at once; none is all of them.
    pub max_out: Option<MaxOut>,
    /// 1 to [`SERVERS_MAX`](crate::SERVERS_MAX) by address, each once.
    pub servers: Vec<Server>,
}

/// Transport protocol of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// What becomes of a server that is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OnFailure {
    /// It leaves the table, and its connections end.
    Remove,
    /// It gets no new connections, and those that it has go on: weight 0.
    Quiesce,
}

impl Protocol {
    const ALL: [Self; 2] = [Self::Tcp, Self::Udp];

    /// Its name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

impl OnFailure {
    const ALL: [Self; 2] = [Self::Remove, Self::Quiesce];

    /// Its name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Remove => "remove",
            Self::Quiesce => "quiesce",
        }
    }
}

pub(crate) const KEYS: &[About] = &[
    NAME.about,
    ADDRESS.about,
    PROTOCOL.about,
    SCHEDULER.about,
    FORWARD.about,
    PERSISTENCE.about,
    ON_FAILURE.about,
    CHECK.about,
    damping::SERVICE.hold_down.about,
    damping::SERVICE.hold_down_max.about,
    damping::SERVICE.slow_start.about,
    MAX_OUT.about,
    SERVER.about,
];

const NAME: Key<String> = Key {
    about: About {
        name: "name",
        kind: "a name",
        absent: Absent::Required,
        doc: "Name of the service in status and in the verdicts on its servers; once in a configuration.",
    },
    read: name,
};

const ADDRESS: Key<SocketAddr> = Key {
    about: About {
        name: "address",
        kind: "an IPv4 address and a port",
        absent: Absent::Required,
        doc: "What clients connect to: once for each protocol.",
    },
    read: endpoint::ipv4,
};

const PROTOCOL: Key<Protocol> = Key {
    about: About {
        name: "protocol",
        kind: "\"tcp\" or \"udp\"",
        absent: Absent::Default("\"tcp\""),
        doc: "Transport protocol of the service.",
    },
    read: |field| field.word(Protocol::ALL.into_iter().map(|protocol| (protocol.name(), protocol))),
};

const SCHEDULER: Key<Scheduler> = Key {
    about: About {
        name: "scheduler",
        kind: "the name of a scheduler",
        absent: Absent::Default("\"wlc\""),
        doc: "How a server is chosen for a connection; see the list below.",
    },
    read: scheduler,
};

const FORWARD: Key<Forward> = Key {
    about: About {
        name: "forward",
        kind: "\"dr\", \"nat\" or \"tunnel\"",
        absent: Absent::None("required, unless every server has its own"),
        doc: "How packets reach the servers.",
    },
    read: server::forward,
};

const PERSISTENCE: Key<Persistence> = Key {
    about: About {
        name: "persistence",
        kind: "a table",
        absent: Absent::None("none"),
        doc: "That a client keeps the server that it got.",
    },
    read: persistence::read,
};

const ON_FAILURE: Key<OnFailure> = Key {
    about: About {
        name: "on_failure",
        kind: "\"remove\" or \"quiesce\"",
        absent: Absent::Default("\"remove\""),
        doc: "Whether a server that is down leaves the table and its connections end, or gets weight 0 and they go on.",
    },
    read: |field| field.word(OnFailure::ALL.into_iter().map(|what| (what.name(), what))),
};

const CHECK: Key<Said> = Key {
    about: About {
        name: "check",
        kind: combining::KIND,
        absent: Absent::None("none: servers count as up"),
        doc: "How to tell whether a server is up.",
    },
    read: combining::said,
};

const MAX_OUT: Key<MaxOut> = Key {
    about: About {
        name: "max_out",
        kind: "an integer from 0 to 256 or a percentage",
        absent: Absent::None("all of them"),
        doc: "How many servers checks may take out at once: `2`, or `\"50%\"`, rounded down.",
    },
    read: max_out::read,
};

const SERVER: Key<Vec<server::Draft>> = Key {
    about: About {
        name: "server",
        kind: "a list of 1 to 256 tables",
        absent: Absent::Required,
        doc: "The servers, each `[[service.server]]`.",
    },
    read: server::read,
};

/// Services by name, and the checks that are run for their servers.
#[derive(Default)]
pub(crate) struct Services {
    pub services: BTreeMap<String, Service>,
    pub uses: Vec<Use>,
}

/// What a service takes that no other can have, and where it says so.
#[derive(Default)]
struct Claims {
    names: Vec<(String, At)>,
    addresses: Vec<((Protocol, SocketAddr), At)>,
}

/// All services.
pub(crate) fn read(field: &mut Field<'_, '_>) -> Option<Services> {
    let list = field.tables(SERVICES_MAX)?;
    let mut found = Services::default();
    let mut claims = Claims::default();
    for value in list {
        if let Some((name, read)) =
            field.listed(value, KEYS).and_then(|section| service(section, &mut claims, &mut found.uses))
        {
            found.services.insert(name, read);
        }
    }
    let names = claims.names.iter().map(|(name, at)| (name.as_str(), *at));
    once(names, |name| format!("the name {name:?} is taken"), "services need different names", field.cx);
    once(
        claims.addresses.into_iter(),
        |(protocol, address)| format!("{} {address} is taken", protocol.name()),
        "an address is one service for each protocol: join the two",
        field.cx,
    );
    let servers: usize = found.services.values().map(|service| service.servers.len()).sum();
    if servers > SERVERS_TOTAL_MAX {
        field.fault(&format!("has {servers} servers in all"), format!("{SERVERS_TOTAL_MAX} are the most"));
        return None;
    }
    Some(found)
}

fn service(
    mut section: Section<'_, '_>,
    claims: &mut Claims,
    uses: &mut Vec<Use>,
) -> Option<(String, Service)> {
    let name = section.get(&NAME);
    let address = section.get(&ADDRESS);
    let protocol = section.get(&PROTOCOL);
    let scheduler = section.get(&SCHEDULER);
    let persistence = section.get(&PERSISTENCE);
    let on_failure = section.get(&ON_FAILURE);
    let check = section.get(&CHECK);
    let damping = damping::Draft::read(&mut section, &damping::SERVICE);
    let max_out = section.get(&MAX_OUT);
    let forward = section.has(&FORWARD).then(|| section.get(&FORWARD));
    let drafts = section.get(&SERVER);
    claims.names.extend(name.clone().map(|name| (name, section.at(&NAME))));
    claims.addresses.extend(protocol.zip(address).map(|claim| (claim, section.at(&ADDRESS))));
    let shared =
        server::Shared { name: name.as_deref().unwrap_or_default(), address, forward, check, damping };
    let some = drafts.is_some();
    let servers = shared.servers(drafts.unwrap_or_default(), &mut section, uses).filter(|_| some);
    if let Some(servers) = &servers {
        let is_checked = servers.iter().any(|server| server.check.is_some());
        if let Some(at) = damping.at.filter(|_| !is_checked) {
            damping::warn_idle(at, &mut section);
        }
        if let Some(scheduler) = scheduler.as_ref().filter(|_| damping.has_slow_start()) {
            slow_start_is_weighed(scheduler, &mut section);
        }
        if let Some(max_out) = max_out {
            max_out.warn_idle(is_checked, servers.len(), section.at(&MAX_OUT), &mut section);
        }
    }
    section.finish();
    let service = Service {
        address: address?,
        protocol: protocol?,
        scheduler: scheduler?,
        persistence,
        on_failure: on_failure?,
        max_out,
        servers: servers?,
    };
    Some((name?, service))
}

/// Some schedulers tell weights only from 0 (net/netfilter/ipvs).
fn slow_start_is_weighed(scheduler: &Scheduler, section: &mut Section<'_, '_>) {
    let name = scheduler.as_str();
    if ["rr", "lc", "dh"].contains(&name) {
        let what = format!("\"slow_start\" with the scheduler {name:?}, which does not look at weights");
        section.warn(section.at(&SCHEDULER), &what, "write one that does, such as \"wrr\" or \"wlc\"");
    }
}

fn name(field: &mut Field<'_, '_>) -> Option<String> {
    let text = field.text()?;
    if !named::is_name(text) {
        field.wrong(&quote(text), named::RULE);
        return None;
    }
    Some(text.to_owned())
}

fn scheduler(field: &mut Field<'_, '_>) -> Option<Scheduler> {
    let known = |&(name, _): &(&'static str, _)| Some((name, name.parse().ok()?));
    field.word(SCHEDULERS.iter().filter_map(known))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_service_refused, config, faults, service, the_service};

    #[test]
    fn defaults() {
        let service = the_service(&service(""));
        assert_eq!(service.address.to_string(), "192.0.2.80:80");
        assert_eq!(service.protocol, Protocol::Tcp);
        assert_eq!(service.scheduler.as_str(), "wlc");
        assert_eq!(service.on_failure, OnFailure::Remove);
    }

    #[test]
    fn reads_each_key() {
        let service =
            the_service(&service("protocol = \"udp\"\nscheduler = \"mh\"\non_failure = \"quiesce\""));
        assert_eq!(service.protocol, Protocol::Udp);
        assert_eq!(service.scheduler.as_str(), "mh");
        assert_eq!(service.on_failure, OnFailure::Quiesce);
    }

    #[test]
    fn knows_every_scheduler() {
        for (name, _) in SCHEDULERS {
            assert_eq!(the_service(&service(&format!("scheduler = {name:?}"))).scheduler.as_str(), *name);
        }
    }

    #[test]
    fn refuses_a_value_that_a_key_cannot_have() {
        assert_service_refused(&[
            (
                "name = \"a b\"",
                "vipkit.toml:2:8: \"name\" in [[service]] must be a name, not \"a b\"; \
                 1 to 64 letters, digits, \"_\", \".\" and \"-\"",
            ),
            (
                "protocol = \"sctp\"",
                "vipkit.toml:6:12: \"protocol\" in [[service]] must be \"tcp\" or \"udp\", not \"sctp\"; \
                 known here: tcp, udp",
            ),
            (
                "scheduler = \"round-robin\"",
                "vipkit.toml:6:13: \"scheduler\" in [[service]] must be the name of a scheduler, \
                 not \"round-robin\"; \
                 known here: rr, wrr, lc, wlc, lblc, lblcr, dh, sh, mh, sed, nq, fo, ovf, twos",
            ),
            (
                "forward = \"DR\"",
                "vipkit.toml:4:11: \"forward\" in [[service]] must be \"dr\", \"nat\" or \"tunnel\", \
                 not \"DR\"; did you mean \"dr\"?",
            ),
            (
                "on_failure = 0",
                "vipkit.toml:6:14: \"on_failure\" in [[service]] must be \"remove\" or \"quiesce\", \
                 not an integer; write it in quotes: \"0\"",
            ),
        ]);
    }

    #[test]
    fn refuses_what_is_no_service() {
        assert_eq!(
            faults("[service]\nname = \"web\""),
            "vipkit.toml:1:1: \"service\" at the top level must be a list of tables, not a table; \
             write each under [[service]]"
        );
        assert_eq!(
            faults("[[service]]"),
            "vipkit.toml:1:1: [[service]] has no \"address\"; \
             it is required, and must be an IPv4 address and a port\n\
             vipkit.toml:1:1: [[service]] has no \"name\"; it is required, and must be a name\n\
             vipkit.toml:1:1: [[service]] has no \"server\"; \
             it is required, and must be a list of 1 to 256 tables"
        );
    }

    #[test]
    fn names_and_addresses_are_taken_once() {
        assert_eq!(
            faults(&format!("{}\n{}", service(""), service(""))),
            "vipkit.toml:8:8: the name \"web\" is taken already, at vipkit.toml:2:8; \
             services need different names\n\
             vipkit.toml:9:11: tcp 192.0.2.80:80 is taken already, at vipkit.toml:3:11; \
             an address is one service for each protocol: join the two"
        );
        let other = service("protocol = \"udp\"").replace("\"web\"", "\"dns\"");
        assert_eq!(config(&format!("{}\n{other}", service(""))).services.len(), 2);
    }

    #[test]
    fn the_numbers_of_services_and_servers_are_bounded() {
        let many = |count: usize| "[[service]]\n".repeat(count);
        assert!(!faults(&many(1)).contains("are the most"));
        let over = "vipkit.toml:1:1: \"service\" at the top level has 16385 tables; 16384 are the most";
        assert_eq!(faults(&many(SERVICES_MAX + 1)), over);
        let full = |services: usize| -> String {
            let service = |n| {
                let servers: Vec<_> =
                    (0..256).map(|m| format!("{{address=\"10.0.{}.{m}:80\"}}", n % 256)).collect();
                format!(
                    "[[service]]\nname=\"s{n}\"\naddress=\"10.1.0.1:{}\"\nforward=\"nat\"\nserver=[{}]\n",
                    n + 1,
                    servers.join(",")
                )
            };
            (0..services).map(service).collect()
        };
        assert_eq!(config(&full(256)).services.len(), 256);
        assert_eq!(
            faults(&full(257)),
            "vipkit.toml:1:1: \"service\" at the top level has 65792 servers in all; 65536 are the most"
        );
    }
}
