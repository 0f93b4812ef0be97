//! Addresses of hosts, and addresses with a port, each of which one can connect to or from.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::context::quote;
use crate::section::Field;

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

/// An address of either family and a port, "192.0.2.80:80" or "[2001:db8::80]:80".
pub(crate) fn any(field: &mut Field<'_, '_>) -> Option<SocketAddr> {
    let text = field.text()?;
    usable(field, text)
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
    match endpoint {
        // Every interface may have it, so that it means nothing without one (RFC 4007 §6).
        SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() && v6.scope_id() == 0 => {
            let written = format!("[{}%2]:{}", v6.ip(), v6.port());
            let hint = format!("write it with the number of the interface, such as {written:?}");
            field.fault(&format!("has {}, a link-local address without an interface", v6.ip()), hint);
            None
        }
        _ => possible(field, endpoint.ip()).then_some(endpoint),
    }
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
    use crate::testing::{assert_service_refused, check, faults, service, the_service};

    #[test]
    fn an_endpoint_is_an_address_and_a_port() {
        let text = service("address = \"203.0.113.7:65535\"").replace("\"dr\"", "\"nat\"");
        assert_eq!(the_service(&text).address.to_string(), "203.0.113.7:65535");
        let text = "[check.a]\ntype = \"tcp\"\ntarget = \"[2001:db8::80]:443\"";
        assert_eq!(check(text, "a").kind.target(), "[2001:db8::80]:443");
        let text = text.replace("2001:db8::80", "fe80::1%2");
        assert_eq!(check(&text, "a").kind.target(), "[fe80::1%2]:443");
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
        assert_eq!(
            faults("[check.a]\ntype = \"tcp\"\ntarget = \"[fe80::1]:80\"\nsource = \"fe80::2\""),
            "vipkit.toml:3:10: \"target\" in [check.a] has fe80::1, a link-local address without an interface; \
             write it with the number of the interface, such as \"[fe80::1%2]:80\"\n\
             vipkit.toml:4:10: \"source\" in [check.a] has fe80::2, a link-local address; \
             write one that means the same on every interface"
        );
        assert_eq!(
            faults("[check.a]\ntype = \"tcp\"\ntarget = \"::1\"\nsource = \"192.0.2.1/24\""),
            "vipkit.toml:3:10: \"target\" in [check.a] has ::1 without a port; \
             write it with its port, such as \"[::1]:80\"\n\
             vipkit.toml:4:10: \"source\" in [check.a] must be an IP address, not \"192.0.2.1/24\"; \
             write it without a port and a prefix, such as \"192.0.2.1\""
        );
    }
}
