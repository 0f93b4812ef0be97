//! The packet filter of instances that must not accept packets to their addresses (Accept_Mode false, RFC 9568 §6.1): one
//! nftables table of our own, whose sets do not change when a router changes its state. Must not run anything.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::IpAddr;

use vipkit_config::Instance;

/// Its family and name.
pub const FAMILY: &str = "inet";
/// See [`FAMILY`].
pub const TABLE: &str = "vipkit";

/// Addresses whose packets are dropped, each with the interface that they come in on.
pub type Closed = BTreeSet<(String, IpAddr)>;

/// Of these instances.
#[must_use]
pub fn closed<'i>(instances: impl Iterator<Item = &'i Instance>) -> Closed {
    let closed = instances.filter(|instance| !instance.accept);
    closed
        .flat_map(|instance| {
            let places = BTreeSet::from([instance.interface.as_str(), instance.place()]);
            let addresses = instance.addresses.iter().map(|address| address.net.addr());
            addresses.flat_map(move |address| {
                places.clone().into_iter().map(move |place| (place.to_owned(), address))
            })
        })
        .collect()
}

/// The script for nft(8) that replaces the table as a whole, at once. Neighbour discovery goes through: others must
/// learn who answers for an address that does not answer (RFC 9568 §6.1).
#[must_use]
pub fn script(closed: &Closed) -> String {
    let elements = |is_v4: bool| {
        let these = closed.iter().filter(|(_, address)| address.is_ipv4() == is_v4);
        let list: Vec<_> = these.map(|(interface, address)| format!("\"{interface}\" . {address}")).collect();
        if list.is_empty() { String::new() } else { format!("\n\t\telements = {{ {} }}", list.join(", ")) }
    };
    let mut text = format!("table {FAMILY} {TABLE} {{}}\ndelete table {FAMILY} {TABLE}\n");
    let (v4, v6) = (elements(true), elements(false));
    let _ = write!(
        text,
        "table {FAMILY} {TABLE} {{
\tset closed_v4 {{
\t\ttype ifname . ipv4_addr{v4}
\t}}
\tset closed_v6 {{
\t\ttype ifname . ipv6_addr{v6}
\t}}
\tchain input {{
\t\ttype filter hook input priority filter - 1; policy accept;
\t\ticmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert }} accept
\t\tiifname . ip daddr @closed_v4 drop
\t\tiifname . ip6 daddr @closed_v6 drop
\t}}
}}
"
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use vipkit_config::Source;

    #[test]
    fn only_closed_addresses_are_in_the_sets() {
        let text = "[vrrp.open]\ninterface = 'eth0'\nvirtual_router_id = 1\naddresses = ['192.0.2.1/24']\n\
                    [vrrp.closed]\ninterface = 'eth0'\nvirtual_router_id = 2\naddresses = ['192.0.2.2/24']\n\
                    accept = false\n\
                    [vrrp.six]\ninterface = 'eth0'\nvirtual_router_id = 3\naddresses = ['fe80::3/64']\n\
                    accept = false\nvirtual_mac = true";
        let source = Source { name: "vipkit.toml".to_owned(), text: text.to_owned() };
        let config = vipkit_config::parse(&[source]).unwrap();
        let script = script(&closed(config.vrrp.values()));
        for expected in [
            "table inet vipkit {}\ndelete table inet vipkit\n",
            "type ifname . ipv4_addr\n\t\telements = { \"eth0\" . 192.0.2.2 }\n",
            "type ifname . ipv6_addr\n\t\telements = { \"eth0\" . fe80::3, \"vrrp6.3\" . fe80::3 }\n",
        ] {
            assert!(script.contains(expected), "{expected} is not in {script}");
        }
        assert!(!script.contains("192.0.2.1"));
    }

    #[test]
    fn empty_sets_have_no_elements() {
        assert!(!script(&Closed::new()).contains("elements"));
    }
}
