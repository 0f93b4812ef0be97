//! What can be had only once; and what two instances cannot share: on one interface a VRID of a family and an address,
//! on the host the interface of a virtual MAC, a route and a rule. Looks at what each claims, even if the rest of it is
//! wrong, so that all is reported at once.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::Hash;
use std::net::IpAddr;

use vipkit_core::units::{Family, Vrid};

use crate::context::Context;
use crate::route;
use crate::rule::Rule;
use crate::source::At;

/// What an instance takes, and where it says so.
pub(crate) struct Claim {
    pub interface: Option<String>,
    pub vrid: Option<((Vrid, Family), At)>,
    pub addresses: Vec<(IpAddr, At)>,
    /// The interface that it makes.
    pub virtual_mac: Option<(String, At)>,
    pub routes: Vec<(route::Identity, At)>,
    pub rules: Vec<(Rule, At)>,
    /// Names of checks that it follows, which others may too.
    pub tracked: Vec<(String, At)>,
}

/// Each thing claimed a second time is a fault that names both places.
pub(crate) fn check(claims: &[Claim], cx: &mut Context<'_>) {
    let on_interfaces = || claims.iter().filter_map(|claim| Some((claim.interface.as_deref()?, claim)));
    once(
        on_interfaces().filter_map(|(interface, claim)| claim.vrid.map(|(id, at)| ((interface, id), at))),
        |(interface, (vrid, _))| format!("virtual_router_id {vrid} is taken on {interface:?}"),
        "virtual routers of one interface need different numbers",
        cx,
    );
    // Those of a virtual MAC are on an interface of their own, but in the same network.
    let addresses = on_interfaces().flat_map(|(interface, claim)| {
        claim.addresses.iter().map(move |&(address, at)| ((interface, address), at))
    });
    once(
        addresses,
        |(interface, address)| format!("address {address} is taken on {interface:?}"),
        "an address belongs to one instance, once",
        cx,
    );
    virtual_macs(claims, cx);
    once(
        claims.iter().flat_map(|claim| claim.routes.iter().copied()),
        |(to, table, metric)| {
            let metric = metric.map(|metric| format!(" of metric {metric}")).unwrap_or_default();
            format!("a route{metric} to {to} in table {table} is there")
        },
        "give one of them another metric or table",
        cx,
    );
    once(
        claims.iter().flat_map(|claim| claim.rules.iter().copied()),
        |rule| format!("the same rule of priority {} is there", rule.priority),
        "a rule belongs to one instance",
        cx,
    );
    wider_rules(claims, cx);
}

/// To the kernel a rule is there already if one is that it covers (`rule_exists` of net/core/fib_rules.c), and what
/// takes it away takes the other: which of them there are would depend on their order.
fn wider_rules(claims: &[Claim], cx: &mut Context<'_>) {
    let rules = || claims.iter().flat_map(|claim| claim.rules.iter().copied());
    let places: HashMap<Rule, At> = rules().collect();
    let mut covered = BTreeMap::new();
    for (rule, at) in rules() {
        for (wide, place) in rule.wider().filter_map(|wide| Some((wide, *places.get(&wide)?))) {
            covered.entry(place).or_insert((wide.priority, at));
        }
    }
    for (at, (priority, narrow)) in covered {
        let what = format!("this rule of priority {priority} covers the one at {}", cx.place(narrow));
        cx.fault(at, what, "the kernel would take the two for one: give one of them another priority");
    }
}

/// Each makes an interface of its own.
fn virtual_macs(claims: &[Claim], cx: &mut Context<'_>) {
    let made = || claims.iter().filter_map(|claim| claim.virtual_mac.as_ref());
    once(
        made().map(|(name, at)| (name.as_str(), *at)),
        |name| format!("the interface {name:?} of a virtual MAC is taken"),
        "give one of them another: virtual_mac = { interface = \"...\" }",
        cx,
    );
    let spoken_on: HashSet<_> = claims.iter().filter_map(|claim| claim.interface.as_ref()).collect();
    for (name, at) in made().filter(|(name, _)| spoken_on.contains(name)) {
        let hint = "give it a name that no interface has: virtual_mac = { interface = \"...\" }";
        cx.fault(
            *at,
            format!("the interface {name:?} of a virtual MAC is one that an instance speaks on"),
            hint,
        );
    }
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
             an address belongs to one instance, once"
        );
    }

    #[test]
    fn both_families_may_have_a_vrid_on_an_interface() {
        let v6 = |host: u8| format!("addresses = [\"fe80::{host}/64\"]");
        assert_eq!(config(&two("", &v6(1))).vrrp.len(), 2);
        assert!(faults(&two(&v6(1), &v6(2))).contains("virtual_router_id 51 is taken on \"eth0\" already"));
    }

    #[test]
    fn a_virtual_mac_has_an_interface_that_nobody_else_has() {
        let mac = "virtual_mac = true";
        let another = "give one of them another: virtual_mac = { interface = \"...\" }";
        assert_eq!(
            faults(&two(mac, &format!("interface = \"eth1\"\n{mac}"))),
            format!(
                "vipkit.toml:8:15: the interface \"vrrp.51\" of a virtual MAC is taken already, \
                 at vipkit.toml:5:15; {another}"
            )
        );
        assert_eq!(
            faults(&two("virtual_mac = { interface = \"eth1\" }", "interface = \"eth1\"")),
            "vipkit.toml:5:15: the interface \"eth1\" of a virtual MAC is one that an instance speaks on; \
             give it a name that no interface has: virtual_mac = { interface = \"...\" }"
        );
        let v6 = format!("addresses = [\"fe80::51/64\"]\n{mac}");
        assert_eq!(config(&two(mac, &v6)).vrrp.len(), 2);
    }

    #[test]
    fn an_address_of_two_virtual_macs_is_in_one_network() {
        let mac = |vrid: u8| format!("virtual_router_id = {vrid}\nvirtual_mac = true");
        assert!(faults(&two(&mac(1), &mac(2))).contains("address 192.0.2.80 is taken on \"eth0\" already"));
    }

    #[test]
    fn a_route_and_a_rule_are_taken_once() {
        let with = |line: &str| two(line, &format!("interface = \"eth1\"\n{line}"));
        assert_eq!(
            faults(&with("routes = [{ to = \"default\", metric = 5 }]")),
            "vipkit.toml:8:11: a route of metric 5 to 0.0.0.0/0 in table 254 is there already, \
             at vipkit.toml:5:11; give one of them another metric or table"
        );
        assert_eq!(
            faults(&with("rules = [{ fwmark = 1, table = 1, priority = 7 }]")),
            "vipkit.toml:8:10: the same rule of priority 7 is there already, at vipkit.toml:5:10; \
             a rule belongs to one instance"
        );
        let routes = "routes = [{ to = \"default\" }, { to = \"default\", metric = 5 }, { to = \"default\", table = 9 }]";
        assert_eq!(config(&web(routes)).vrrp["web"].routes.len(), 3);
    }

    #[test]
    fn ipv6_routes_without_a_metric_have_that_of_the_kernel() {
        let routes = |metric: u16| {
            web(&format!(
                "routes = [{{ to = \"2001:db8::/32\" }}, {{ to = \"2001:db8::/32\", metric = {metric} }}]"
            ))
        };
        assert_eq!(
            faults(&routes(1024)),
            "vipkit.toml:5:37: a route of metric 1024 to 2001:db8::/32 in table 254 is there already, \
             at vipkit.toml:5:11; give one of them another metric or table"
        );
        assert_eq!(config(&routes(1023)).vrrp["web"].routes.len(), 2);
    }

    #[test]
    fn a_rule_is_no_wider_than_another_of_its_priority() {
        let wide = "{ from = \"10.0.0.0/8\", table = 1, priority = 7 }";
        let narrow = "{ from = \"10.0.0.0/8\", to = \"10.1.0.0/16\", table = 1, priority = 7 }";
        let hint = "the kernel would take the two for one: give one of them another priority";
        for (first, second, expected) in [
            (
                wide,
                narrow,
                format!("5:10: this rule of priority 7 covers the one at vipkit.toml:8:10; {hint}"),
            ),
            (
                narrow,
                wide,
                format!("8:10: this rule of priority 7 covers the one at vipkit.toml:5:10; {hint}"),
            ),
        ] {
            let line = |rule: &str| format!("interface = \"eth1\"\nrules = [{rule}]");
            let first = web(&format!("rules = [{first}]"));
            let second = web(&line(second)).replace("[vrrp.web]", "[vrrp.mail]");
            assert_eq!(faults(&format!("{first}\n{second}")), format!("vipkit.toml:{expected}"));
        }
        let marked = "{ fwmark = 1, table = 1, priority = 7 }, \
                      { fwmark = 1, from = \"::1:0/112\", table = 1, priority = 7 }, \
                      { fwmark = 1, to = \"10.1.0.0/16\", table = 1, priority = 7 }";
        assert!(faults(&web(&format!("rules = [{marked}]"))).starts_with("vipkit.toml:5:10: this rule"));
        let apart = format!(
            "{wide}, {}, {}, {}, {}",
            narrow.replace("priority = 7", "priority = 8"),
            narrow.replace("table = 1", "table = 2"),
            narrow.replace("to =", "fwmark = 7, to ="),
            narrow.replace("from = \"10.0.0.0/8\"", "from = \"10.0.0.0/9\""),
        );
        assert_eq!(config(&web(&format!("rules = [{apart}]"))).vrrp["web"].rules.len(), 5);
    }

    #[test]
    fn on_two_interfaces_both_may_be_the_same() {
        assert_eq!(config(&two("", "interface = \"eth1\"")).vrrp.len(), 2);
    }
}
