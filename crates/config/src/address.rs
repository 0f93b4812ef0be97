//! `addresses` of an instance, `[[vrrp.NAME.addresses]]`: addresses with their prefixes, each of which a host can have.
//! Which family an instance is of, and what that asks of its addresses, is in `together`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use vipkit_core::units::Family;

use crate::context::quote;
use crate::host;
use crate::scope::{self, Scope};
use crate::section::{About, Absent, Field, Key, Section};
use crate::source::At;
use crate::tree::{Datum, Value};

/// Most addresses of one instance.
pub const ADDRESSES_MAX: usize = 4000;

/// A virtual address, as the interface of an Active router has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The address with its prefix; that of the peer counts if there is one.
    pub net: IpNet,
    /// Its scope; over IPv6 the one that the kernel derives from the address.
    pub scope: Scope,
    /// Its label, 1-15 bytes, IPv4 only.
    pub label: Option<String>,
    /// The other end of a point-to-point link, of the same family.
    pub peer: Option<IpNet>,
    /// Whether the kernel makes a route to its network.
    pub prefix_route: bool,
    /// Whether adverts name it, if they have room.
    pub advertise: bool,
}

impl Address {
    /// An address with all defaults.
    fn new(net: IpNet) -> Self {
        let scope = Scope::of(net.addr());
        Self { net, scope, label: None, peer: None, prefix_route: true, advertise: true }
    }
}

pub(crate) const KEYS: &[About] =
    &[ADDRESS.about, SCOPE.about, LABEL.about, PEER.about, PREFIX_ROUTE.about, ADVERTISE.about];

const ADDRESS: Key<IpNet> = Key {
    about: About {
        name: "address",
        kind: "an address with prefix",
        absent: Absent::Required,
        doc: "The address.",
    },
    read: net,
};

const SCOPE: Key<Scope> = Key {
    about: About {
        name: "scope",
        kind: "\"global\", \"site\", \"link\" or \"host\"",
        absent: Absent::None("`\"global\"`; of IPv6 by the address"),
        doc: "Scope of the address, IPv4 only: one for all of a network.",
    },
    read: scope::read,
};

const LABEL: Key<String> = Key {
    about: About {
        name: "label",
        kind: "a string of 1 to 15 bytes",
        absent: Absent::None("the interface's name"),
        doc: "Label of the address, such as `\"eth0:1\"`, IPv4 only.",
    },
    read: label,
};

const PEER: Key<IpNet> = Key {
    about: About {
        name: "peer",
        kind: "an address with prefix",
        absent: Absent::None("none"),
        doc: "The other end of a point-to-point link, and the prefix that counts.",
    },
    read: peer,
};

const PREFIX_ROUTE: Key<bool> = Key {
    about: About {
        name: "prefix_route",
        kind: "true or false",
        absent: Absent::Default("true"),
        doc: "Whether the kernel makes a route to the network of the address.",
    },
    read: |field| field.boolean(),
};

const ADVERTISE: Key<bool> = Key {
    about: About {
        name: "advertise",
        kind: "true or false",
        absent: Absent::Default("true"),
        doc: "Whether adverts name the address; false holds it beside, and then it may be of the other family.",
    },
    read: |field| field.boolean(),
};

/// Whether an address with its prefix is of some kind.
type Is = fn(IpNet) -> bool;

/// What a prefix makes impossible, and what it is called.
const IMPOSSIBLE: &[(Is, &str)] = &[
    (|net| net.prefix_len() == 0, "an address whose network is the whole Internet"),
    (|net| is_v4_network(net) && net.addr() == net.network(), "the address of the network itself"),
    (|net| is_v4_network(net) && net.addr() == net.broadcast(), "the broadcast address of its network"),
    // RFC 4291 §2.6.1; with 127 bits it is off (RFC 6164 §6).
    (
        |net| matches!(net, IpNet::V6(net) if net.prefix_len() < 127 && net.addr() == net.network()),
        "the subnet-router anycast address",
    ),
];

/// With 31 bits both addresses are of hosts (RFC 3021).
fn is_v4_network(net: IpNet) -> bool {
    matches!(net, IpNet::V4(net) if net.prefix_len() < 31)
}

/// The addresses in the order they are written, each with its place.
pub(crate) fn read(field: &mut Field<'_, '_>) -> Option<Vec<(Address, At)>> {
    let list = field.list()?;
    if list.is_empty() || list.len() > ADDRESSES_MAX {
        field.wrong(&list.len().to_string(), "an instance has one at least; spread more over several");
        return None;
    }
    let read: Vec<_> = list.iter().filter_map(|value| Some((one(field, value)?, value.at))).collect();
    one_scope_in_a_network(&read, field);
    (read.len() == list.len()).then_some(read)
}

/// The kernel refuses another scope in the network of an address (`__inet_insert_ifa` in net/ipv4/devinet.c).
fn one_scope_in_a_network(addresses: &[(Address, At)], field: &mut Field<'_, '_>) {
    let mut scopes: BTreeMap<IpNet, &Address> = BTreeMap::new();
    let plain = |address: &&(Address, At)| address.0.net.addr().is_ipv4() && address.0.peer.is_none();
    for (address, at) in addresses.iter().filter(plain) {
        let first = *scopes.entry(address.net.trunc()).or_insert(address);
        if first.scope != address.scope {
            let what = format!("{} and {} are of one network and have two scopes", first.net, address.net);
            field.cx.fault(*at, what, "give both the same \"scope\": the kernel takes no other");
        }
    }
}

fn one(field: &mut Field<'_, '_>, value: &Value) -> Option<Address> {
    match value.datum {
        Datum::Table(_) => table(field.listed(value, KEYS)?),
        _ => net(&mut field.element(value)).map(Address::new),
    }
}

fn table(mut section: Section<'_, '_>) -> Option<Address> {
    let net = section.get(&ADDRESS);
    let scope = section.get(&SCOPE);
    let label = section.get(&LABEL);
    let peer = section.get(&PEER);
    let prefix_route = section.get(&PREFIX_ROUTE);
    let advertise = section.get(&ADVERTISE);
    if net.is_some_and(|net| net.addr().is_ipv6()) {
        let only_v4 = [
            (
                section.has(&SCOPE),
                section.at(&SCOPE),
                "\"scope\" of an IPv6 address",
                "the kernel derives it",
            ),
            (section.has(&LABEL), section.at(&LABEL), "\"label\" of an IPv6 address", "only IPv4 has labels"),
        ];
        for (_, at, what, why) in only_v4.into_iter().filter(|(has, ..)| *has) {
            section.fault(at, what, format!("{why}: remove it"));
        }
    }
    if let Some((net, peer)) = net.zip(peer) {
        let family = Family::of(net.addr());
        let wrong = if Family::of(peer.addr()) != family {
            Some(("of another family than the address", format!("write an {family} address")))
        } else if peer.addr() == net.addr() {
            Some(("is the address itself", "write that of the other end, or remove it".to_owned()))
        } else {
            None
        };
        if let Some((what, hint)) = wrong {
            section.fault(section.at(&PEER), &format!("\"peer\" {peer} {what}"), hint);
        }
    }
    section.finish();
    let plain = Address::new(net?);
    Some(Address {
        scope: scope.unwrap_or(plain.scope),
        label,
        peer,
        prefix_route: prefix_route?,
        advertise: advertise?,
        ..plain
    })
}

/// An address that a host can have, with its prefix.
fn net(field: &mut Field<'_, '_>) -> Option<IpNet> {
    let net = with_prefix(field)?;
    let impossible = || IMPOSSIBLE.iter().find(|(is, _)| is(net)).map(|&(_, kind)| kind);
    if let Some(kind) = host::impossible(net.addr()).or_else(impossible) {
        host::refuse(field, &net.to_string(), kind);
        return None;
    }
    Some(net)
}

/// The address of one host at the other end: its prefix is of whatever is there.
fn peer(field: &mut Field<'_, '_>) -> Option<IpNet> {
    let net = with_prefix(field)?;
    if let Some(kind) = host::impossible(net.addr()) {
        host::refuse(field, &net.to_string(), kind);
        return None;
    }
    Some(net)
}

/// An address and a prefix, whatever they are.
fn with_prefix(field: &mut Field<'_, '_>) -> Option<IpNet> {
    if let Some(address) = host::parsed::<IpAddr>(field) {
        let (network, host) = if address.is_ipv4() { (24, 32) } else { (64, 128) };
        let hint =
            format!("write \"{address}/{network}\" with the prefix of its network, or \"{address}/{host}\"");
        field.fault(&format!("has {address} without a prefix"), hint);
        return None;
    }
    let net = host::parsed(field);
    if net.is_none() {
        let hint = "write an address and a prefix, such as \"192.0.2.80/24\" or \"2001:db8::80/64\"";
        host::unreadable(field, hint);
    }
    net
}

/// A label as the kernel stores it (`IFA_LABEL`, IFNAMSIZ with its NUL).
fn label(field: &mut Field<'_, '_>) -> Option<String> {
    let text = field.text()?;
    if (1..=15).contains(&text.len()) && text.chars().all(|c| c.is_ascii_graphic()) {
        return Some(text.to_owned());
    }
    field.wrong(&quote(text), "the interface's name, a colon and a word, such as \"eth0:1\"");
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_refused, config, faults, instance, web};

    const V6: &str = "\"fe80::51/64\"";

    #[test]
    fn keeps_host_bits_and_order() {
        let text = web("addresses = [\"192.0.2.81/24\", \"10.0.0.0/31\", \"192.0.2.80/32\"]");
        let expected = ["192.0.2.81/24", "10.0.0.0/31", "192.0.2.80/32"];
        assert_eq!(instance(&text).addresses, expected.map(|net| Address::new(net.parse().unwrap())));
    }

    #[test]
    fn a_network_has_one_scope() {
        let list = |other: &str| {
            web(&format!("addresses = [\"192.0.2.80/24\", {{ address = \"{other}\", scope = \"link\" }}]"))
        };
        assert!(
            faults(&list("192.0.2.81/24")).contains(
                "192.0.2.80/24 and 192.0.2.81/24 are of one network and have two scopes; give both"
            )
        );
        assert_eq!(instance(&list("192.0.2.81/32")).addresses.len(), 2);
    }

    #[test]
    fn a_table_says_more_of_an_address() {
        let text = web("addresses = [\"192.0.2.80/24\", { address = \"192.0.2.81/24\" }, \
                        { address = \"192.0.2.82/24\", scope = \"link\", label = \"eth0:1\", peer = \"192.0.2.99/32\", \
                        prefix_route = false, advertise = false }]");
        let instance = instance(&text);
        let [plain, table, whole] = &instance.addresses[..] else { panic!("{instance:?}") };
        assert_eq!(*plain, Address::new("192.0.2.80/24".parse().unwrap()));
        assert_eq!(*table, Address::new("192.0.2.81/24".parse().unwrap()));
        let expected = Address {
            net: "192.0.2.82/24".parse().unwrap(),
            scope: Scope::Link,
            label: Some("eth0:1".to_owned()),
            peer: Some("192.0.2.99/32".parse().unwrap()),
            prefix_route: false,
            advertise: false,
        };
        assert_eq!(*whole, expected);
        assert_eq!(instance.advertised().count(), 2);
    }

    #[test]
    fn the_scope_of_ipv6_is_that_of_the_kernel() {
        let text = web(&format!("addresses = [{V6}, \"2001:db8::80/64\", \"fd00::1/64\", \"fec0::1/64\"]"));
        let scopes: Vec<_> = instance(&text).addresses.iter().map(|address| address.scope).collect();
        assert_eq!(scopes, [Scope::Link, Scope::Global, Scope::Global, Scope::Site]);
        assert_eq!(Scope::ALL.map(Scope::number), [0, 200, 253, 254]);
    }

    #[test]
    fn refuses_what_no_host_can_have() {
        for (address, kind) in [
            ("::/64", "the unspecified address"),
            ("::1/128", "a loopback address"),
            ("ff02::12/64", "a multicast address"),
            ("::ffff:192.0.2.80/128", "an IPv4-mapped address"),
            ("2001:db8::80/0", "an address whose network is the whole Internet"),
            ("2001:db8::/64", "the subnet-router anycast address"),
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
                "vipkit.toml:4:13: \"addresses\" in [vrrp.web] must be a list of 1 to 4000 addresses or tables, not 0; \
                 an instance has one at least; spread more over several",
            ),
            (
                "addresses = \"192.0.2.80/24\"",
                "vipkit.toml:4:13: \"addresses\" in [vrrp.web] must be a list of 1 to 4000 addresses or tables, \
                 not a string; write it in brackets: [\"...\"]",
            ),
            (
                "addresses = [\"192.0.2.80\"]",
                "vipkit.toml:4:14: \"addresses\" in [vrrp.web] has 192.0.2.80 without a prefix; \
                 write \"192.0.2.80/24\" with the prefix of its network, or \"192.0.2.80/32\"",
            ),
            (
                "addresses = [\"fe80::51\"]",
                "vipkit.toml:4:14: \"addresses\" in [vrrp.web] has fe80::51 without a prefix; \
                 write \"fe80::51/64\" with the prefix of its network, or \"fe80::51/128\"",
            ),
            (
                "addresses = [\"192.0.2.80/33\", 7]",
                "vipkit.toml:4:14: \"addresses\" in [vrrp.web] has \"192.0.2.80/33\", which is no address; \
                 write an address and a prefix, such as \"192.0.2.80/24\" or \"2001:db8::80/64\"\n\
                 vipkit.toml:4:31: \"addresses\" in [vrrp.web] has an integer, which is no address; \
                 write an address and a prefix, such as \"192.0.2.80/24\" or \"2001:db8::80/64\"",
            ),
            (
                "addresses = [\"192.0.2.80/24\", \"192.0.2.80/32\"]",
                "vipkit.toml:4:31: address 192.0.2.80 is taken on \"eth0\" already, at vipkit.toml:4:14; \
                 an address belongs to one instance, once",
            ),
        ]);
    }

    #[test]
    fn refuses_what_an_address_cannot_have() {
        let refused = |table: &str, expected: &str| {
            assert_eq!(
                faults(&web(&format!("addresses = [{V6}, {{ {table} }}]"))),
                format!("vipkit.toml:{expected}")
            );
        };
        refused(
            "address = \"fe80::52/64\", scope = \"site\", label = \"eth0:1\"",
            "4:64: \"scope\" of an IPv6 address in [[vrrp.web.addresses]]; the kernel derives it: remove it\n\
             vipkit.toml:4:80: \"label\" of an IPv6 address in [[vrrp.web.addresses]]; only IPv4 has labels: remove it",
        );
        refused(
            "address = \"fe80::52/64\", peer = \"192.0.2.1/32\"",
            "4:63: \"peer\" 192.0.2.1/32 of another family than the address in [[vrrp.web.addresses]]; \
             write an IPv6 address",
        );
        refused(
            "address = \"192.0.2.81/24\", advertise = false, peer = \"192.0.2.81/32\"",
            "4:84: \"peer\" 192.0.2.81/32 is the address itself in [[vrrp.web.addresses]]; \
             write that of the other end, or remove it",
        );
        refused(
            "scope = \"nowhere\", peer = \"::1/64\", label = \"\", adress = 1",
            "4:29: [[vrrp.web.addresses]] has no \"address\"; it is required, and must be an address with prefix\n\
             vipkit.toml:4:39: \"scope\" in [[vrrp.web.addresses]] must be \"global\", \"site\", \"link\" or \"host\", \
             not \"nowhere\"; known here: global, site, link, host\n\
             vipkit.toml:4:57: \"peer\" in [[vrrp.web.addresses]] has ::1/64, a loopback address; \
             write an address that a host can have\n\
             vipkit.toml:4:75: \"label\" in [[vrrp.web.addresses]] must be a string of 1 to 15 bytes, not \"\"; \
             the interface's name, a colon and a word, such as \"eth0:1\"\n\
             vipkit.toml:4:79: unknown key \"adress\" in [[vrrp.web.addresses]]; did you mean \"address\"?",
        );
        refused(
            "address = \"fe80::51/128\"",
            "4:29: address fe80::51 is taken on \"eth0\" already, at vipkit.toml:4:14; \
             an address belongs to one instance, once",
        );
    }

    #[test]
    fn their_number_is_bounded() {
        let list = |count: usize| {
            let addresses: Vec<_> =
                (0..count).map(|n| format!("\"10.0.{}.{}/8\"", n / 100, n % 100 + 1)).collect();
            web(&format!("addresses = [{}]", addresses.join(", ")))
        };
        assert_eq!(instance(&list(ADDRESSES_MAX)).addresses.len(), 4000);
        assert!(
            faults(&list(ADDRESSES_MAX + 1))
                .contains("must be a list of 1 to 4000 addresses or tables, not 4001")
        );
    }

    #[test]
    fn their_order_counts_even_if_they_are_tables() {
        let list = |hosts: [u8; 2]| {
            let [one, two] = hosts.map(|host| format!("{{ address = \"192.0.2.{host}/24\" }}"));
            web(&format!("addresses = [{one}, {two}]"))
        };
        assert_ne!(config(&list([80, 81])).digest, config(&list([81, 80])).digest);
    }
}
