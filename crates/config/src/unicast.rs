//! `unicast_peers` of an instance, `[[vrrp.NAME.unicast_peers]]`: the routers that it exchanges adverts with where there
//! is no multicast.

use std::net::IpAddr;

use vipkit_core::vrrp::UnicastPeer;

use crate::conflicts::once;
use crate::host;
use crate::section::{About, Absent, Field, Key, Section};
use crate::source::At;
use crate::tree::{Datum, Value};

/// Most peers of one instance.
pub const UNICAST_PEERS_MAX: usize = 64;

pub(crate) const KEYS: &[About] = &[ADDRESS.about, MIN_TTL.about];

const ADDRESS: Key<IpAddr> = Key {
    about: About {
        name: "address",
        kind: "an IP address",
        absent: Absent::Required,
        doc: "Where its adverts come from, and ours go to.",
    },
    read: host::read,
};

const MIN_TTL: Key<u8> = Key {
    about: About {
        name: "min_ttl",
        kind: "an integer from 1 to 255",
        absent: Absent::Default("1"),
        doc: "Least TTL or hop limit of its adverts: 255 less the routers on the way; 1 takes any.",
    },
    read: |field| field.count(1..=u8::MAX, "255 is for a peer on the same link, 1 for any"),
};

/// The peers in the order they are written, each with its place.
pub(crate) fn read(field: &mut Field<'_, '_>) -> Option<Vec<(UnicastPeer, At)>> {
    let list = field.list()?;
    if list.is_empty() {
        field.fault("has no peers", "name the other routers, or remove the key for multicast");
        return None;
    }
    if list.len() > UNICAST_PEERS_MAX {
        field.wrong(&list.len().to_string(), "each advert is sent to each peer");
        return None;
    }
    let read: Vec<_> = list.iter().filter_map(|value| Some((one(field, value)?, value.at))).collect();
    once(
        read.iter().map(|&(peer, at)| (peer.address, at)),
        |address| format!("the peer {address} is there"),
        "keep one",
        field.cx,
    );
    (read.len() == list.len()).then_some(read)
}

fn one(field: &mut Field<'_, '_>, value: &Value) -> Option<UnicastPeer> {
    match value.datum {
        Datum::Table(_) => table(field.listed(value, KEYS)?),
        _ => host::read(&mut field.element(value)).map(|address| UnicastPeer { address, min_ttl: 1 }),
    }
}

fn table(mut section: Section<'_, '_>) -> Option<UnicastPeer> {
    let address = section.get(&ADDRESS);
    let min_ttl = section.get(&MIN_TTL);
    section.finish();
    Some(UnicastPeer { address: address?, min_ttl: min_ttl? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_refused, faults, instance, web};

    #[test]
    fn peers_are_addresses_or_tables_in_any_order() {
        let text = web("unicast_peers = [{ address = \"192.0.2.3\", min_ttl = 254 }, \"192.0.2.2\"]");
        let expected = [("192.0.2.2", 1), ("192.0.2.3", 254)];
        let expected =
            expected.map(|(address, min_ttl)| UnicastPeer { address: address.parse().unwrap(), min_ttl });
        assert_eq!(instance(&text).unicast_peers, expected);
    }

    #[test]
    fn refuses_what_is_no_peer() {
        assert_refused(&[
            (
                "unicast_peers = []",
                "vipkit.toml:5:17: \"unicast_peers\" in [vrrp.web] has no peers; \
                 name the other routers, or remove the key for multicast",
            ),
            (
                "unicast_peers = [\"192.0.2.2\", \"224.0.0.18\", { address = \"192.0.2.2\" }]",
                "vipkit.toml:5:31: \"unicast_peers\" in [vrrp.web] has 224.0.0.18, a multicast address; \
                 write an address that a host can have\n\
                 vipkit.toml:5:45: the peer 192.0.2.2 is there already, at vipkit.toml:5:18; keep one",
            ),
            (
                "unicast_peers = [{ min_ttl = 0 }, \"192.0.2.2/24\"]",
                "vipkit.toml:5:18: [[vrrp.web.unicast_peers]] has no \"address\"; \
                 it is required, and must be an IP address\n\
                 vipkit.toml:5:30: \"min_ttl\" in [[vrrp.web.unicast_peers]] must be an integer from 1 to 255, not 0; \
                 255 is for a peer on the same link, 1 for any\n\
                 vipkit.toml:5:35: \"unicast_peers\" in [vrrp.web] has \"192.0.2.2/24\", which is no address; \
                 write an address alone, such as \"192.0.2.1\" or \"fe80::1\"",
            ),
            (
                "unicast_peers = [192]",
                "vipkit.toml:5:18: \"unicast_peers\" in [vrrp.web] has an integer, which is no address; \
                 write an address alone, such as \"192.0.2.1\" or \"fe80::1\"",
            ),
        ]);
    }

    #[test]
    fn their_number_is_bounded() {
        let list = |count: usize| {
            let peers: Vec<_> = (1..=count).map(|host| format!("\"192.0.2.{}\"", 80 + host)).collect();
            web(&format!("unicast_peers = [{}]", peers.join(", ")))
        };
        assert_eq!(instance(&list(UNICAST_PEERS_MAX)).unicast_peers.len(), 64);
        assert!(faults(&list(UNICAST_PEERS_MAX + 1)).contains("1 to 64 addresses or tables, not 65"));
    }
}
