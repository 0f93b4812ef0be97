//! `addresses` of an instance: IPv4 addresses with their prefixes, each of which a host can have.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};
use vipkit_core::vrrp::ADDRESSES_MAX;

use crate::context::quote;
use crate::section::Field;
use crate::source::At;
use crate::tree::Datum;

/// Whether an address with its prefix is of some kind.
type Is = fn(Ipv4Net) -> bool;

/// What no virtual address can be, and what it is called.
const IMPOSSIBLE: &[(Is, &str)] = &[
    (|net| net.addr().is_unspecified(), "the unspecified address"),
    (|net| net.addr().is_loopback(), "a loopback address"),
    (|net| net.addr().is_multicast(), "a multicast address"),
    (|net| net.addr() == Ipv4Addr::BROADCAST, "the broadcast address"),
    (|net| net.prefix_len() == 0, "an address whose network is the whole Internet"),
    (|net| net.prefix_len() < 31 && net.addr() == net.network(), "the address of the network itself"),
    (|net| net.prefix_len() < 31 && net.addr() == net.broadcast(), "the broadcast address of its network"),
];

/// The addresses in the order they are written, each with its place.
pub(crate) fn addresses(field: &mut Field<'_, '_>) -> Option<Vec<(IpNet, At)>> {
    let list = field.list()?;
    if list.is_empty() || list.len() > ADDRESSES_MAX {
        field.wrong(&list.len().to_string(), "the count in an advert is a byte, and 0 is not allowed");
        return None;
    }
    let mut seen: Vec<(IpNet, At)> = Vec::new();
    let mut complete = true;
    for value in list {
        let mut element = field.element(value);
        let Some(net) = address(&mut element) else {
            complete = false;
            continue;
        };
        match seen.iter().find(|(other, _)| other.addr() == net.addr()) {
            Some(&(_, first)) => {
                let first = element.cx.place(first);
                let hint = format!("the other is at {first}: keep one");
                element.fault(&format!("has {} twice", net.addr()), hint);
            }
            None => seen.push((net, value.at)),
        }
    }
    complete.then_some(seen)
}

fn address(field: &mut Field<'_, '_>) -> Option<IpNet> {
    let Datum::Text(text) = &field.value.datum else {
        return unreadable(field, field.value.datum.kind());
    };
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        let hint = format!("write \"{address}/24\" with the prefix of its network, or \"{address}/32\"");
        field.fault(&format!("has {address} without a prefix"), hint);
        return None;
    }
    let address = text.split('/').next().unwrap_or(text);
    if address.parse::<Ipv6Addr>().is_ok() {
        let hint = "IPv6 addresses are not supported by this version";
        field.fault(&format!("has the IPv6 address {}", quote(text)), hint);
        return None;
    }
    let Ok(net) = text.parse::<Ipv4Net>() else {
        return unreadable(field, &quote(text));
    };
    if let Some((_, kind)) = IMPOSSIBLE.iter().find(|(is, _)| is(net)) {
        field.fault(&format!("has {net}, {kind}"), "write an address that a host can have");
        return None;
    }
    Some(IpNet::V4(net))
}

fn unreadable(field: &mut Field<'_, '_>, found: &str) -> Option<IpNet> {
    let hint = "write an IPv4 address and a prefix, such as \"192.0.2.80/24\"";
    field.fault(&format!("has {found}, which is no address"), hint);
    None
}

#[cfg(test)]
mod tests {
    use ipnet::IpNet;

    use crate::testing::{assert_refused, faults, instance, web};

    #[test]
    fn keeps_host_bits_and_order() {
        let text = web("addresses = [\"192.0.2.81/24\", \"10.0.0.0/31\", \"192.0.2.80/32\"]");
        let expected =
            ["192.0.2.81/24", "10.0.0.0/31", "192.0.2.80/32"].map(|net| net.parse::<IpNet>().unwrap());
        assert_eq!(instance(&text).addresses, expected);
    }

    #[test]
    fn refuses_what_no_host_can_have() {
        for (address, kind) in [
            ("0.0.0.0/0", "the unspecified address"),
            ("127.0.0.1/8", "a loopback address"),
            ("224.0.0.18/24", "a multicast address"),
            ("255.255.255.255/32", "the broadcast address"),
            ("192.0.2.80/0", "an address whose network is the whole Internet"),
            ("192.168.4.0/24", "the address of the network itself"),
            ("192.168.4.255/24", "the broadcast address of its network"),
        ] {
            let expected = format!(
                "vipkit.toml:4:14: \"addresses\" in [vrrp.web] has {address}, {kind}; \
                 write an address that a host can have"
            );
            assert_eq!(faults(&web(&format!("addresses = [\"{address}\"]"))), expected);
        }
    }

    #[test]
    fn refuses_what_is_no_list_of_addresses() {
        assert_refused(&[
            (
                "addresses = []",
                "vipkit.toml:4:13: \"addresses\" in [vrrp.web] must be a list of 1 to 255 addresses, not 0; \
                 the count in an advert is a byte, and 0 is not allowed",
            ),
            (
                "addresses = \"192.0.2.80/24\"",
                "vipkit.toml:4:13: \"addresses\" in [vrrp.web] must be a list of 1 to 255 addresses, \
                 not a string; write it in brackets: [\"...\"]",
            ),
            (
                "addresses = [\"192.0.2.80\"]",
                "vipkit.toml:4:14: \"addresses\" in [vrrp.web] has 192.0.2.80 without a prefix; \
                 write \"192.0.2.80/24\" with the prefix of its network, or \"192.0.2.80/32\"",
            ),
            (
                "addresses = [\"2001:db8::1/64\"]",
                "vipkit.toml:4:14: \"addresses\" in [vrrp.web] has the IPv6 address \"2001:db8::1/64\"; \
                 IPv6 addresses are not supported by this version",
            ),
            (
                "addresses = [\"192.0.2.80/33\", 7]",
                "vipkit.toml:4:14: \"addresses\" in [vrrp.web] has \"192.0.2.80/33\", which is no address; \
                 write an IPv4 address and a prefix, such as \"192.0.2.80/24\"\n\
                 vipkit.toml:4:31: \"addresses\" in [vrrp.web] has an integer, which is no address; \
                 write an IPv4 address and a prefix, such as \"192.0.2.80/24\"",
            ),
            (
                "addresses = [\"192.0.2.80/24\", \"192.0.2.80/32\"]",
                "vipkit.toml:4:31: \"addresses\" in [vrrp.web] has 192.0.2.80 twice; \
                 the other is at vipkit.toml:4:14: keep one",
            ),
        ]);
    }

    #[test]
    fn an_advert_has_room_for_255() {
        let list = |count: usize| {
            let addresses: Vec<_> =
                (0..count).map(|n| format!("\"10.0.{}.{}/8\"", n / 100, n % 100 + 1)).collect();
            web(&format!("addresses = [{}]", addresses.join(", ")))
        };
        assert_eq!(instance(&list(255)).addresses.len(), 255);
        assert!(faults(&list(256)).contains("must be a list of 1 to 255 addresses, not 256"));
    }
}
