//! How packets of a check leave this host: `source`, `interface` and `mark`; where they go; and how a connection is
//! closed. Must not know a kind of check.

use std::net::{IpAddr, SocketAddr};

use vipkit_core::units::Family;

use crate::endpoint::{self, Host, Target};
use crate::interface;
use crate::section::{About, Absent, Key, Section};

/// How packets to the target leave this host.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path {
    /// Address to send from, of the target's family; the kernel's choice if it is none.
    pub source: Option<IpAddr>,
    /// Interface to send through (SO_BINDTODEVICE); as the routes say if it is none.
    pub interface: Option<String>,
    /// Mark of the packets (SO_MARK), for rules and packet filters of this host. Takes CAP_NET_RAW.
    pub mark: Option<u32>,
}

/// How a TCP connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Close {
    /// The ordinary way.
    Fin,
    /// At once, with nothing left in TIME-WAIT: the target may log a client that broke off.
    Reset,
}

impl Close {
    const ALL: [Self; 2] = [Self::Fin, Self::Reset];

    /// Its name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fin => "fin",
            Self::Reset => "reset",
        }
    }
}

/// The keys of all kinds that go over the network.
pub(crate) const KEYS: &[About] = &[SOURCE.about, INTERFACE.about, MARK.about];

/// Of kinds with a port.
pub(super) const TARGET: Key<Target> = Key {
    about: About {
        name: "target",
        kind: "an address or a name, and a port",
        absent: Absent::None("the address of the server"),
        doc: "Where to connect to: `\"192.0.2.80:80\"`, `\"[2001:db8::80]:80\"`, `\"www.example.net:80\"`.",
    },
    read: endpoint::target,
};

/// Of kinds that make a TCP connection.
pub(super) const CLOSE: Key<Close> = Key {
    about: About {
        name: "close",
        kind: "\"fin\" or \"reset\"",
        absent: Absent::Default("\"fin\""),
        doc: "How the connection is closed: the ordinary way, or so that nothing of it stays behind here.",
    },
    read: |field| field.word(Close::ALL.into_iter().map(|close| (close.name(), close))),
};

const SOURCE: Key<IpAddr> = Key {
    about: About {
        name: "source",
        kind: "an IP address",
        absent: Absent::None("the kernel's choice"),
        doc: "Address of this machine to send from, of the target's family.",
    },
    read: endpoint::host,
};

const INTERFACE: Key<String> = Key {
    about: About {
        name: "interface",
        kind: "the name of a network interface",
        absent: Absent::None("as the routes say"),
        doc: "Interface to send through.",
    },
    read: interface::read,
};

const MARK: Key<u32> = Key {
    about: About {
        name: "mark",
        kind: "an integer from 1 to 4294967295",
        absent: Absent::None("none"),
        doc: "Firewall mark of the packets, for routing rules and packet filters: `7`, `0x7`.",
    },
    read: |field| field.count(1..=u32::MAX, "leave it out for none"),
};

/// Where packets go, and how.
pub(super) struct Way {
    target: Option<Target>,
    path: Path,
}

impl Way {
    /// What is written down, else the server's address; none if there is neither.
    pub fn to(&self, server: Option<SocketAddr>) -> Option<(Target, Path)> {
        let target = self.target.clone().or_else(|| server.map(Target::from))?;
        Some((target, self.path.clone()))
    }
}

/// `target` with a port, and the path to it.
pub(super) fn way(section: &mut Section<'_, '_>) -> Way {
    let target = section.get(&TARGET);
    let path = read(section, target.as_ref().map(|target| &target.host));
    Way { target, path }
}

/// The path to a host that is written down as `target`, if one is.
pub(super) fn read(section: &mut Section<'_, '_>, host: Option<&Host>) -> Path {
    section.know(KEYS);
    let source = section.get(&SOURCE);
    let interface = section.get(&INTERFACE);
    let mark = section.get(&MARK);
    let family = match host {
        Some(Host::Address(address)) => Some(Family::of(*address)),
        // Servers have IPv4 addresses.
        None if !section.has(&TARGET) => Some(Family::V4),
        _ => None,
    };
    let other = |source: &IpAddr| family.is_some_and(|family| Family::of(*source) != family);
    if let Some((source, family)) = source.filter(other).zip(family) {
        let what = format!("\"source\" {source} of another family than the target");
        section.fault(section.at(&SOURCE), &what, format!("write an {family} address"));
    }
    Path { source, interface, mark }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Kind;
    use crate::testing::{check, faults, service};

    fn tcp(keys: &str) -> String {
        format!("[check.a]\ntype = \"tcp\"\n{keys}")
    }

    fn path(keys: &str) -> Path {
        check(&tcp(keys), "a").kind.path().unwrap().clone()
    }

    #[test]
    fn packets_leave_as_the_kernel_likes_unless_told() {
        assert_eq!(path("target = \"127.0.0.1:80\""), Path::default());
        let expected = Path {
            source: Some("::2".parse().unwrap()),
            interface: Some("eth0.7".to_owned()),
            mark: Some(u32::MAX),
        };
        let keys = "target = \"[fe80::1]:80\"\nsource = \"::2\"\ninterface = \"eth0.7\"\nmark = 0xffffffff";
        assert_eq!(path(keys), expected);
    }

    #[test]
    fn a_server_is_the_target_unless_one_is_given() {
        let kind = |keys: &str| {
            let text = service(&format!("check = {{ type = \"tcp\", close = \"reset\"{keys} }}"));
            check(&text, "web/192.0.2.81:80").kind
        };
        assert!(matches!(kind(""), Kind::Tcp(tcp) if tcp.close == Close::Reset));
        assert_eq!(kind("").target(), "192.0.2.81:80");
        assert_eq!(kind(", target = \"www:8080\"").target(), "www:8080");
    }

    #[test]
    fn the_source_is_of_the_family_of_the_target() {
        assert_eq!(
            path("target = \"www.example.net:80\"\nsource = \"::2\"").source,
            Some("::2".parse().unwrap())
        );
        let refused = |keys: &str, rest: &str| assert_eq!(faults(&tcp(keys)), format!("vipkit.toml:{rest}"));
        refused(
            "target = \"[::1]:80\"\nsource = \"127.0.0.1\"",
            "4:10: \"source\" 127.0.0.1 of another family than the target in [check.a]; write an IPv6 address",
        );
        refused(
            "source = \"::1\"",
            "3:10: \"source\" ::1 of another family than the target in [check.a]; write an IPv4 address",
        );
        refused(
            "target = \"::1\"\nsource = \"::1\"",
            "3:10: \"target\" in [check.a] has ::1 without a port; write it with its port, such as \"[::1]:80\"",
        );
    }

    #[test]
    fn refuses_a_way_that_there_is_not() {
        assert_eq!(
            faults(&tcp("target = \"[fe80::1]:80\"\ninterface = \"e h\"\nmark = 0\nclose = \"rst\"")),
            "vipkit.toml:4:13: \"interface\" in [check.a] must be the name of a network interface, not \"e h\"; \
             1 to 15 bytes without spaces, \"/\" and \":\"\n\
             vipkit.toml:5:8: \"mark\" in [check.a] must be an integer from 1 to 4294967295, not 0; \
             leave it out for none\n\
             vipkit.toml:6:9: \"close\" in [check.a] must be \"fin\" or \"reset\", not \"rst\"; \
             known here: fin, reset"
        );
    }
}
