//! `[[service.server]]`: the servers of a service, and what each takes over from it.

use std::net::SocketAddr;

use crate::checked::{Judged, Use};
use crate::combining::{self, Said};
use crate::conflicts::once;
use crate::damping;
use crate::endpoint;
use crate::section::{About, Absent, Field, Key, Section};
use crate::source::At;

/// Most servers of one service.
pub const SERVERS_MAX: usize = 256;

/// A server: one destination of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// IPv4, with a port; the port of the service unless forwarding is [`Forward::Nat`].
    pub address: SocketAddr,
    /// Its share of the connections, 0-65535; 0 is none.
    pub weight: u32,
    /// How packets reach it.
    pub forward: Forward,
    /// Name of its check in [`Config::checks`](crate::Config::checks), SERVICE/ADDRESS; without one it counts as up.
    pub check: Option<String>,
}

/// How packets reach a server: a forwarding method of IPVS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Forward {
    /// With its address in them; the answers must come back through this machine.
    Nat,
    /// By its link-layer address alone; it has the service's address too, and answers clients itself.
    Dr,
    /// Inside packets to it (IP in IP); it has the service's address too, and answers clients itself.
    Tunnel,
}

impl Forward {
    const ALL: [Self; 3] = [Self::Dr, Self::Nat, Self::Tunnel];

    /// Its name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nat => "nat",
            Self::Dr => "dr",
            Self::Tunnel => "tunnel",
        }
    }
}

pub(crate) const KEYS: &[About] = &[
    ADDRESS.about,
    WEIGHT.about,
    FORWARD.about,
    CHECK.about,
    damping::SERVER.hold_down.about,
    damping::SERVER.hold_down_max.about,
    damping::SERVER.slow_start.about,
];

const ADDRESS: Key<SocketAddr> = Key {
    about: About {
        name: "address",
        kind: "an IPv4 address and a port",
        absent: Absent::Required,
        doc: "Where the server answers, once in a service; with \"dr\" and \"tunnel\" the service's port.",
    },
    read: endpoint::ipv4,
};

const WEIGHT: Key<u32> = Key {
    about: About {
        name: "weight",
        kind: "an integer from 0 to 65535",
        absent: Absent::Default("1"),
        doc: "Its share of the connections, for schedulers that weigh; 0 gets no new ones.",
    },
    read: |field| field.count(0..=u32::from(u16::MAX), "leave it out for 1"),
};

const FORWARD: Key<Forward> = Key {
    about: About {
        name: "forward",
        kind: "\"dr\", \"nat\" or \"tunnel\"",
        absent: Absent::None("that of the service"),
        doc: "How packets reach it.",
    },
    read: forward,
};

const CHECK: Key<Said> = Key {
    about: About {
        name: "check",
        kind: combining::KIND,
        absent: Absent::None("that of the service"),
        doc: "How to tell whether it is up.",
    },
    read: combining::said,
};

/// A server as it is written down; what is none is its service's, or wrong.
pub(crate) struct Draft {
    /// And where it stands.
    pub address: Option<(SocketAddr, At)>,
    pub weight: Option<u32>,
    /// None outside if it is left out.
    pub forward: Option<Option<Forward>>,
    pub check: Option<Said>,
    pub damping: damping::Draft,
}

/// The servers in the order in which they are written.
pub(crate) fn read(field: &mut Field<'_, '_>) -> Option<Vec<Draft>> {
    let list = field.tables(SERVERS_MAX)?;
    if list.is_empty() {
        field.wrong("0", "a service needs a server");
        return None;
    }
    let servers: Vec<_> = list.iter().filter_map(|value| Some(draft(field.listed(value, KEYS)?))).collect();
    (servers.len() == list.len()).then_some(servers)
}

fn draft(mut section: Section<'_, '_>) -> Draft {
    let address = section.get(&ADDRESS).map(|address| (address, section.at(&ADDRESS)));
    let weight = section.get(&WEIGHT);
    let forward = section.has(&FORWARD).then(|| section.get(&FORWARD));
    let check = section.get(&CHECK);
    let damping = damping::Draft::read(&mut section, &damping::SERVER);
    section.finish();
    Draft { address, weight, forward, check, damping }
}

pub(crate) fn forward(field: &mut Field<'_, '_>) -> Option<Forward> {
    field.word(Forward::ALL.into_iter().map(|forward| (forward.name(), forward)))
}

/// What a service says of all its servers.
pub(crate) struct Shared<'n> {
    pub name: &'n str,
    pub address: Option<SocketAddr>,
    /// None outside if it is left out.
    pub forward: Option<Option<Forward>>,
    pub check: Option<Said>,
    pub damping: damping::Draft,
}

impl Shared<'_> {
    /// The servers by address.
    pub fn servers(
        self,
        drafts: Vec<Draft>,
        section: &mut Section<'_, '_>,
        uses: &mut Vec<Use>,
    ) -> Option<Vec<Server>> {
        let addresses = drafts.iter().filter_map(|draft| draft.address);
        let hint = "a service has a server once: keep one, with the weight of both";
        once(addresses, |address| format!("server {address} is in this service"), hint, section.cx());
        if self.forward.is_none() && drafts.iter().any(|draft| draft.forward.is_none()) {
            let hint = "it must be \"dr\", \"nat\" or \"tunnel\"";
            section.lacks("no \"forward\", and not every server has its own", hint);
        }
        let count = drafts.len();
        let mut following = Vec::new();
        let mut is_steep = false;
        let mut servers = Vec::new();
        for Draft { address, weight, forward, check, damping } in drafts {
            let forward = forward.or(self.forward).flatten();
            let checked = check.is_some() || self.check.is_some();
            if let Some(at) = damping.at.filter(|_| !checked) {
                damping::warn_idle(at, section);
            }
            let damping = damping.or(self.damping);
            is_steep |= checked && damping.slow_start.is_some() && weight == Some(1);
            let name = |server| format!("{}/{server}", self.name);
            let service = self.name.to_owned();
            let judged = address.map(|(server, _)| Judged { name: name(server), service, server, damping });
            let verdict = judged.as_ref().map(|judged| judged.name.clone()).filter(|_| checked);
            match check {
                Some(said) => uses.push(Use { said, servers: judged.into_iter().collect() }),
                None => following.extend(judged),
            }
            let Some((((address, at), weight), forward)) = address.zip(weight).zip(forward) else { continue };
            self.same_port(address, forward, at, section);
            servers.push(Server { address, weight, forward, check: verdict });
        }
        uses.extend(self.check.map(|said| Use { said, servers: following }));
        if is_steep {
            let hint = "weights grow by whole numbers: write weight = 100 for each";
            section.warn(section.place(), "\"slow_start\" has no steps for servers of weight 1", hint);
        }
        servers.sort_by_key(|server| server.address);
        (servers.len() == count).then_some(servers)
    }

    /// Packets that are passed on unchanged keep the port of the service.
    fn same_port(&self, server: SocketAddr, forward: Forward, at: At, section: &mut Section<'_, '_>) {
        let Some(port) = self.address.map(|address| address.port()) else { return };
        if forward != Forward::Nat && server.port() != port {
            let what = format!(
                "server {server} has another port than its service, {port}, which {:?} cannot change",
                forward.name()
            );
            section.cx().fault(at, what, format!("write port {port}, or forward = \"nat\""));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_service_refused, faults, service, the_service};

    /// The service web with these servers.
    fn servers(list: &str) -> String {
        service(&format!("server = [{list}]"))
    }

    #[test]
    fn defaults_are_a_weight_of_1_and_what_the_service_says() {
        let [server] = the_service(&servers("{ address = \"192.0.2.81:80\" }")).servers.try_into().unwrap();
        let address = "192.0.2.81:80".parse().unwrap();
        assert_eq!(server, Server { address, weight: 1, forward: Forward::Dr, check: None });
    }

    #[test]
    fn says_for_itself_what_differs() {
        let text = servers("{ address = \"192.0.2.81:8080\", weight = 65535, forward = \"nat\" }");
        let [server] = the_service(&text).servers.try_into().unwrap();
        assert_eq!((server.weight, server.forward), (65535, Forward::Nat));
    }

    #[test]
    fn come_by_address_whatever_their_order() {
        let text = servers("{ address = \"192.0.2.82:80\" }, { address = \"192.0.2.81:80\" }");
        let addresses: Vec<_> =
            the_service(&text).servers.iter().map(|server| server.address.to_string()).collect();
        assert_eq!(addresses, ["192.0.2.81:80", "192.0.2.82:80"]);
    }

    #[test]
    fn refuses_what_is_no_server() {
        assert_service_refused(&[
            (
                "server = []",
                "vipkit.toml:5:10: \"server\" in [[service]] must be a list of 1 to 256 tables, not 0; \
                 a service needs a server",
            ),
            (
                "server = { address = \"192.0.2.81:80\" }",
                "vipkit.toml:5:10: \"server\" in [[service]] must be a list of 1 to 256 tables, not a table; \
                 write each under [[service.server]]",
            ),
            (
                "server = [\"192.0.2.81:80\"]",
                "vipkit.toml:5:11: \"server\" in [[service]] has a string, where a table is due; \
                 write each under [[service.server]]",
            ),
            (
                "server = [{ adress = \"192.0.2.81:80\", weight = 65536, forward = \"DR\" }]",
                "vipkit.toml:5:11: [[service.server]] has no \"address\"; \
                 it is required, and must be an IPv4 address and a port\n\
                 vipkit.toml:5:13: unknown key \"adress\" in [[service.server]]; did you mean \"address\"?\n\
                 vipkit.toml:5:48: \"weight\" in [[service.server]] must be an integer from 0 to 65535, not 65536; \
                 leave it out for 1\n\
                 vipkit.toml:5:65: \"forward\" in [[service.server]] must be \"dr\", \"nat\" or \"tunnel\", \
                 not \"DR\"; did you mean \"dr\"?",
            ),
        ]);
    }

    #[test]
    fn forward_is_said_by_the_service_or_by_every_server() {
        let text = |server: &str| {
            let text = service(&format!("server = [{{ address = \"192.0.2.81:80\"{server} }}]"));
            text.replace("forward = \"dr\"\n", "")
        };
        assert_eq!(the_service(&text(", forward = \"tunnel\"")).servers[0].forward, Forward::Tunnel);
        assert_eq!(
            faults(&text("")),
            "vipkit.toml:1:1: [[service]] has no \"forward\", and not every server has its own; \
             it must be \"dr\", \"nat\" or \"tunnel\""
        );
    }

    #[test]
    fn only_nat_can_change_the_port() {
        let text = |forward: &str| {
            service("server = [{ address = \"192.0.2.81:8080\" }]").replace("\"dr\"", &format!("{forward:?}"))
        };
        assert_eq!(the_service(&text("nat")).servers[0].address.port(), 8080);
        for forward in ["dr", "tunnel"] {
            assert_eq!(
                faults(&text(forward)),
                format!(
                    "vipkit.toml:5:23: server 192.0.2.81:8080 has another port than its service, 80, \
                     which {forward:?} cannot change; write port 80, or forward = \"nat\""
                )
            );
        }
    }

    #[test]
    fn a_server_is_in_a_service_once() {
        assert_eq!(
            faults(&service("server = [{ address = \"192.0.2.81:80\" }, { address = \"192.0.2.81:80\" }]")),
            "vipkit.toml:5:54: server 192.0.2.81:80 is in this service already, at vipkit.toml:5:23; \
             a service has a server once: keep one, with the weight of both"
        );
    }

    #[test]
    fn the_number_of_servers_is_bounded() {
        let many = |count: usize| {
            let list: Vec<_> =
                (0..count).map(|n| format!("{{ address = \"10.0.{}.{}:80\" }}", n / 256, n % 256)).collect();
            servers(&list.join(", "))
        };
        assert_eq!(the_service(&many(SERVERS_MAX)).servers.len(), SERVERS_MAX);
        assert!(faults(&many(SERVERS_MAX + 1)).contains("has 257 tables; 256 are the most"));
    }
}
