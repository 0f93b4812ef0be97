//! What can be had only once; and what two instances on one interface cannot share: a VRID, an address. Looks at
//! what each claims, even if the rest of it is wrong, so that all is reported at once.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;

use ipnet::IpNet;
use vipkit_core::units::Vrid;

use crate::context::Context;
use crate::source::At;

/// What an instance takes of its interface, and where it says so.
pub(crate) struct Claim {
    pub interface: String,
    pub vrid: Option<(Vrid, At)>,
    pub addresses: Vec<(IpNet, At)>,
}

/// Each thing claimed a second time is a fault that names both places.
pub(crate) fn check(claims: Vec<Claim>, cx: &mut Context<'_>) {
    let vrids = claims.iter().filter_map(|claim| Some((&claim.interface, claim.vrid?)));
    once(
        vrids.map(|(interface, (vrid, at))| ((interface, vrid), at)),
        |(interface, vrid)| format!("virtual_router_id {vrid} is taken on {interface:?}"),
        "virtual routers of one interface need different numbers",
        cx,
    );
    let addresses =
        claims.iter().flat_map(|claim| claim.addresses.iter().map(move |it| (&claim.interface, it)));
    once(
        addresses.map(|(interface, &(net, at))| ((interface, net.addr()), at)),
        |(interface, address)| format!("address {address} is taken on {interface:?}"),
        "an address belongs to one instance",
        cx,
    );
}

/// Each of `claims` that an earlier one has claimed is a fault.
pub(crate) fn once<T: Eq + Hash + Copy>(
    claims: impl Iterator<Item = (T, At)>,
    what: impl Fn(T) -> String,
    hint: &str,
    cx: &mut Context<'_>,
) {
    let mut claims: Vec<_> = claims.collect();
    claims.sort_by_key(|&(_, at)| at);
    let mut taken = HashMap::new();
    for (thing, at) in claims {
        match taken.entry(thing) {
            Entry::Vacant(slot) => {
                slot.insert(at);
            }
            Entry::Occupied(slot) => {
                let first = cx.place(*slot.get());
                cx.fault(at, format!("{} already, at {first}", what(thing)), hint);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{config, faults, web};

    fn two(first: &str, second: &str) -> String {
        format!("{}\n{}", web(first), web(second).replace("[vrrp.web]", "[vrrp.mail]"))
    }

    #[test]
    fn a_vrid_is_taken_once_on_an_interface() {
        assert_eq!(
            faults(&two("", "addresses = [\"192.0.2.81/24\"]")),
            "vipkit.toml:8:21: virtual_router_id 51 is taken on \"eth0\" already, at vipkit.toml:3:21; \
             virtual routers of one interface need different numbers"
        );
    }

    #[test]
    fn an_address_is_taken_once_on_an_interface() {
        assert_eq!(
            faults(&two("", "virtual_router_id = 52")),
            "vipkit.toml:9:14: address 192.0.2.80 is taken on \"eth0\" already, at vipkit.toml:4:14; \
             an address belongs to one instance"
        );
    }

    #[test]
    fn on_two_interfaces_both_may_be_the_same() {
        assert_eq!(config(&two("", "interface = \"eth1\"")).vrrp.len(), 2);
    }
}
