//! `type = "tcp"`: the target is up if it accepts a TCP connection.

use std::net::{IpAddr, SocketAddr};

use super::{Aim, Kind};
use crate::endpoint;
use crate::section::{About, Absent, Key, Section};

/// A TCP connection to a target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tcp {
    /// Where to connect to.
    pub target: SocketAddr,
    /// Address to connect from, of the target's family; the kernel's choice if it is none.
    pub source: Option<IpAddr>,
}

pub(crate) const KEYS: &[About] = &[TARGET.about, SOURCE.about];

const TARGET: Key<SocketAddr> = Key {
    about: About {
        name: "target",
        kind: "an address and a port",
        absent: Absent::None("the address of the server"),
        doc: "Where to connect to: `\"192.0.2.80:80\"`, `\"[2001:db8::80]:80\"`.",
    },
    read: endpoint::any,
};

const SOURCE: Key<IpAddr> = Key {
    about: About {
        name: "source",
        kind: "an IP address",
        absent: Absent::None("the kernel's choice"),
        doc: "Address of this machine to connect from, of the target's family.",
    },
    read: endpoint::host,
};

pub(super) fn read(section: &mut Section<'_, '_>) -> Option<Aim> {
    let target = section.get(&TARGET);
    let source = section.get(&SOURCE);
    // Servers have IPv4 addresses.
    let ipv4 = target.is_none_or(|target| target.is_ipv4());
    if let Some(source) = source.filter(|source| source.is_ipv4() != ipv4) {
        let family = if ipv4 { "IPv4" } else { "IPv6" };
        let what = format!("\"source\" {source} of another family than the target");
        section.fault(section.at(&SOURCE), &what, format!("write an {family} address"));
    }
    Some(Box::new(move |server| Some(Kind::Tcp(Tcp { target: target.or(server)?, source }))))
}

pub(super) fn target(check: &Tcp) -> String {
    check.target.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, faults};

    fn tcp(keys: &str) -> String {
        format!("[check.a]\ntype = \"tcp\"\n{keys}")
    }

    #[test]
    fn connects_to_its_target_from_a_source() {
        let expected = |target: &str, source: Option<&str>| {
            let source = source.map(|source| source.parse().unwrap());
            Kind::Tcp(Tcp { target: target.parse().unwrap(), source })
        };
        let kind = |keys: &str| check(&tcp(keys), "a").kind;
        assert_eq!(kind("target = \"127.0.0.1:80\""), expected("127.0.0.1:80", None));
        assert_eq!(kind("target = \"[::1]:80\"\nsource = \"::2\""), expected("[::1]:80", Some("::2")));
    }

    #[test]
    fn the_source_is_of_the_family_of_the_target() {
        let refused = |keys: &str, rest: &str| assert_eq!(faults(&tcp(keys)), format!("vipkit.toml:{rest}"));
        refused(
            "target = \"[::1]:80\"\nsource = \"127.0.0.1\"",
            "4:10: \"source\" 127.0.0.1 of another family than the target in [check.a]; write an IPv6 address",
        );
        refused(
            "source = \"::1\"",
            "3:10: \"source\" ::1 of another family than the target in [check.a]; write an IPv4 address",
        );
    }
}
