//! Hosts by address or by name, with and without a port, each of which one can connect to or from. Resolves no name.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::context::quote;
use crate::section::Field;

/// Whom to connect to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// By an address.
    Address(IpAddr),
    /// By a name, of the form that DNS takes (RFC 1123 §2.1, and underscores).
    Name(String),
}

/// Where to connect to: a host, and a port that is not 0.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    /// Whom.
    pub host: Host,
    /// TCP or UDP port.
    pub port: u16,
}

impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Self {
        Self::Address(address)
    }
}

impl From<SocketAddr> for Target {
    fn from(endpoint: SocketAddr) -> Self {
        Self { host: endpoint.ip().into(), port: endpoint.port() }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

/// As the configuration has it.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Address(address) => SocketAddr::new(*address, self.port).fmt(f),
            Host::Name(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

/// Whether an address is of some kind.
type Is = fn(IpAddr) -> bool;

/// What no host has as an address, and what it is called.
const IMPOSSIBLE: &[(Is, &str)] = &[
    (|address| address.is_unspecified(), "the unspecified address"),
    (|address| address.is_multicast(), "a multicast address"),
    (|address| address == IpAddr::V4(Ipv4Addr::BROADCAST), "the broadcast address"),
];

/// An IPv4 address and a port, "192.0.2.80:80".
pub(crate) fn ipv4(field: &mut Field<'_, '_>) -> Option<SocketAddr> {
    let text = field.text()?;
    if text.parse::<Ipv6Addr>().is_ok() || matches!(text.parse(), Ok(SocketAddr::V6(_))) {
        let hint = "IPv4 only: IPv6 is not supported here by this version";
        field.fault(&format!("has the IPv6 address {}", quote(text)), hint);
        return None;
    }
    usable(field, text)
}

/// An address of either family or a name, and a port: "192.0.2.80:80", "[2001:db8::80]:80", "www.example.net:80".
pub(crate) fn target(field: &mut Field<'_, '_>) -> Option<Target> {
    let text = field.text()?;
    let named = text.rsplit_once(':').filter(|(name, _)| is_name(name));
    let Some((name, port)) = named else {
        if is_name(text) {
            let hint = format!("write it with its port, such as \"{text}:80\"");
            field.fault(&format!("has {} without a port", quote(text)), hint);
            return None;
        }
        return usable(field, text).map(Target::from);
    };
    match port.parse() {
        Ok(0) | Err(_) => {
            field.wrong(&quote(text), "a port is 1 to 65535");
            None
        }
        Ok(port) => Some(Target { host: Host::Name(name.to_owned()), port }),
    }
}

/// An address of either family or a name.
pub(crate) fn host_or_name(field: &mut Field<'_, '_>) -> Option<Host> {
    let text = field.text()?;
    if is_name(text) {
        return Some(Host::Name(text.to_owned()));
    }
    let Ok(address) = text.parse() else {
        field.wrong(&quote(text), "write it without a port and a prefix, such as \"192.0.2.1\"");
        return None;
    };
    possible(field, address).then_some(Host::Address(address))
}

/// Whether a text is a name, and nothing that was meant to be an address.
pub(crate) fn is_name(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    let is_label = |label: &str| {
        let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        (1..=63).contains(&label.len())
            && label.chars().all(valid)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = text.rsplit('.').next().unwrap_or_default();
    text.len() <= 253 && text.split('.').all(is_label) && !last.bytes().all(|byte| byte.is_ascii_digit())
}

/// An address of either family.
pub(crate) fn host(field: &mut Field<'_, '_>) -> Option<IpAddr> {
    let text = field.text()?;
    match text.parse() {
        Ok(IpAddr::V6(address)) if address.is_unicast_link_local() => {
            let hint = "write one that means the same on every interface";
            field.fault(&format!("has {address}, a link-local address"), hint);
            None
        }
        Ok(address) => possible(field, address).then_some(address),
        Err(_) => {
            field.wrong(&quote(text), "write it without a port and a prefix, such as \"192.0.2.1\"");
            None
        }
    }
}

fn usable(field: &mut Field<'_, '_>, text: &str) -> Option<SocketAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        let hint = format!("write it with its port, such as \"{}\"", SocketAddr::new(address, 80));
        field.fault(&format!("has {address} without a port"), hint);
        return None;
    }
    let Ok(endpoint) = text.parse::<SocketAddr>() else {
        field.wrong(&quote(text), "write it as \"192.0.2.80:80\"");
        return None;
    };
    if endpoint.port() == 0 {
        field.wrong(&quote(text), "a port is 1 to 65535");
        return None;
    }
    if let SocketAddr::V6(v6) = endpoint
        && v6.scope_id() != 0
    {
        let hint =
            format!("write \"[{}]:{}\", and the name of the interface as \"interface\"", v6.ip(), v6.port());
        field.fault(&format!("has {} with the number of an interface", v6.ip()), hint);
        return None;
    }
    possible(field, endpoint.ip()).then_some(endpoint)
}

fn possible(field: &mut Field<'_, '_>, address: IpAddr) -> bool {
    let kind = IMPOSSIBLE.iter().find(|(is, _)| is(address));
    if let Some((_, kind)) = kind {
        field.fault(&format!("has {address}, {kind}"), "write an address that a host can have");
    }
    kind.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_service_refused, check, faults, service, the_service};

    #[test]
    fn an_endpoint_is_an_address_and_a_port() {
        let text = service("address = \"203.0.113.7:65535\"").replace("\"dr\"", "\"nat\"");
        assert_eq!(the_service(&text).address.to_string(), "203.0.113.7:65535");
        let text = "[check.a]\ntype = \"tcp\"\ntarget = \"[2001:db8::80]:443\"";
        assert_eq!(check(text, "a").kind.target(), "[2001:db8::80]:443");
        let text = "[check.a]\ntype = \"tcp\"\ntarget = \"www.example.net.:80\"";
        assert_eq!(check(text, "a").kind.target(), "www.example.net.:80");
    }

    #[test]
    fn refuses_what_nobody_can_connect_to() {
        let ipv6 = "IPv4 only: IPv6 is not supported here by this version";
        let possible = "write an address that a host can have";
        for (address, rest) in [
            (
                "192.0.2.80",
                "has 192.0.2.80 without a port; write it with its port, such as \"192.0.2.80:80\"",
            ),
            (
                "192.0.2.80:0",
                "must be an IPv4 address and a port, not \"192.0.2.80:0\"; a port is 1 to 65535",
            ),
            ("www:80", "must be an IPv4 address and a port, not \"www:80\"; write it as \"192.0.2.80:80\""),
            ("", "must be an IPv4 address and a port, not \"\"; write it as \"192.0.2.80:80\""),
            ("2001:db8::80", &format!("has the IPv6 address \"2001:db8::80\"; {ipv6}")),
            ("[2001:db8::80]:80", &format!("has the IPv6 address \"[2001:db8::80]:80\"; {ipv6}")),
            ("0.0.0.0:80", &format!("has 0.0.0.0, the unspecified address; {possible}")),
            ("224.0.0.18:80", &format!("has 224.0.0.18, a multicast address; {possible}")),
            ("255.255.255.255:80", &format!("has 255.255.255.255, the broadcast address; {possible}")),
        ] {
            let expected = format!("vipkit.toml:3:11: \"address\" in [[service]] {rest}");
            assert_service_refused(&[(&format!("address = \"{address}\""), &expected)]);
        }
    }

    #[test]
    fn refuses_targets_that_nobody_can_connect_to() {
        let long = "a".repeat(64);
        for (target, rest) in [
            ("::1", "has ::1 without a port; write it with its port, such as \"[::1]:80\""),
            ("www", "has \"www\" without a port; write it with its port, such as \"www:80\""),
            ("www:", "must be an address or a name, and a port, not \"www:\"; a port is 1 to 65535"),
            (
                "www:65536",
                "must be an address or a name, and a port, not \"www:65536\"; a port is 1 to 65535",
            ),
            (
                "w w:80",
                "must be an address or a name, and a port, not \"w w:80\"; write it as \"192.0.2.80:80\"",
            ),
            (
                "192.0.2.300:80",
                "must be an address or a name, and a port, not \"192.0.2.300:80\"; write it as \"192.0.2.80:80\"",
            ),
            (
                &format!("{long}:80"),
                &format!(
                    "must be an address or a name, and a port, not \"{long}\"...; write it as \"192.0.2.80:80\""
                ),
            ),
            (
                "[fe80::1%2]:80",
                "has fe80::1 with the number of an interface; \
                 write \"[fe80::1]:80\", and the name of the interface as \"interface\"",
            ),
            ("[ff02::1]:80", "has ff02::1, a multicast address; write an address that a host can have"),
        ] {
            assert_eq!(
                faults(&format!("[check.a]\ntype = \"tcp\"\ntarget = {target:?}")),
                format!("vipkit.toml:3:10: \"target\" in [check.a] {rest}")
            );
        }
    }

    #[test]
    fn refuses_a_source_that_is_no_address_of_one_interface() {
        for (source, rest) in [
            (
                "fe80::2",
                "has fe80::2, a link-local address; write one that means the same on every interface",
            ),
            (
                "192.0.2.1/24",
                "must be an IP address, not \"192.0.2.1/24\"; \
                 write it without a port and a prefix, such as \"192.0.2.1\"",
            ),
        ] {
            assert_eq!(
                faults(&format!("[check.a]\ntype = \"tcp\"\nsource = {source:?}")),
                format!("vipkit.toml:3:10: \"source\" in [check.a] {rest}")
            );
        }
    }

    #[test]
    fn a_host_is_an_address_or_a_name() {
        let target = |target: &str| {
            let text = format!("[check.a]\ntype = \"ping\"\ntarget = {target:?}");
            check(&text, "a").kind.host().cloned().unwrap()
        };
        for name in ["www.example.net", "1e100.net", "a_b", "192.0.2.1a"] {
            assert_eq!(target(name), Host::Name(name.to_owned()));
        }
        assert_eq!(target("2001:db8::80"), Host::Address("2001:db8::80".parse().unwrap()));
        for refused in ["192.0.2.1:80", "192.0.2.300", "-a.net", "a..net", "", "."] {
            faults(&format!("[check.a]\ntype = \"ping\"\ntarget = {refused:?}"));
        }
    }
}
