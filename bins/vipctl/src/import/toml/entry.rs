//! Values of an instance that are tables or lists of them, as TOML.

use vipkit_core::units::Family;

use super::{duration, quote};
use crate::import::address::Address;
use crate::import::authentication::Authentication;
use crate::import::hmac::{Hmac, Key};
use crate::import::keys;
use crate::import::mac::VirtualMac;
use crate::import::route::Route;
use crate::import::rule::Rule;
use crate::import::track::{Track, Watched};
use crate::import::unicast::Peer;

/// A table of the keys that have values.
fn table<const N: usize>(keys: [(&str, Option<String>); N]) -> String {
    let keys = keys.into_iter().filter_map(|(key, value)| Some(format!("{key} = {}", value?)));
    format!("{{ {} }}", keys.collect::<Vec<_>>().join(", "))
}

/// Of `addresses`.
pub fn address(address: &Address) -> String {
    let Address { net, peer, scope, label, prefix_route, advertise, .. } = address;
    let no = |flag: &bool| (!flag).then(|| "false".to_owned());
    let net = quote(&net.to_string());
    let more = [
        ("peer", peer.map(|peer| quote(&peer.to_string()))),
        ("scope", scope.map(quote)),
        ("label", label.as_deref().map(quote)),
        ("prefix_route", no(prefix_route)),
        ("advertise", no(advertise)),
    ];
    if more.iter().all(|(_, value)| value.is_none()) {
        return net;
    }
    let [peer, scope, label, prefix_route, advertise] = more;
    table([("address", Some(net)), peer, scope, label, prefix_route, advertise])
}

/// Of `unicast_peers`.
pub fn peer(Peer { address, min_ttl, .. }: &Peer) -> String {
    let address = quote(&address.to_string());
    match min_ttl {
        0 | 1 => address,
        _ => table([("address", Some(address)), ("min_ttl", Some(min_ttl.to_string()))]),
    }
}

/// Of `routes`.
pub fn route(route: &Route) -> String {
    const MAIN: u32 = 254;
    let Route { to, via, interface, table: number, metric, source, scope, .. } = route;
    table([
        ("to", Some(quote(&to.to_string()))),
        ("via", via.map(|via| quote(&via.to_string()))),
        ("interface", interface.as_deref().map(quote)),
        ("table", (*number != MAIN).then(|| number.to_string())),
        ("metric", metric.map(|metric| metric.to_string())),
        ("source", source.map(|source| quote(&source.to_string()))),
        ("scope", scope.map(quote)),
    ])
}

/// Of `rules`; the family is said where no address says it.
pub fn rule(rule: &Rule) -> String {
    let Rule { family, from, to, table: number, priority, fwmark, .. } = rule;
    let by_mark = from.is_none() && to.is_none();
    let mark = |(mark, mask): (u32, u32)| match mask {
        u32::MAX => mark.to_string(),
        _ => quote(&format!("{mark:#x}/{mask:#x}")),
    };
    let family = match family {
        Family::V4 => "ipv4",
        Family::V6 => "ipv6",
    };
    table([
        ("from", from.map(|from| quote(&from.to_string()))),
        ("to", to.map(|to| quote(&to.to_string()))),
        ("fwmark", fwmark.map(mark)),
        ("family", by_mark.then(|| quote(family))),
        ("table", Some(number.to_string())),
        ("priority", Some(priority.to_string())),
    ])
}

/// Of `track`.
pub fn track(Track { what, weight, up_delay, down_delay, .. }: &Track) -> String {
    let (key, name) = match what {
        Watched::Check(name) => ("check", name),
        Watched::Interface(name) => ("interface", name),
    };
    let delay = |delay: &std::time::Duration| (!delay.is_zero()).then(|| duration(*delay));
    table([
        (key, Some(quote(name))),
        ("weight", weight.map(|weight| weight.to_string())),
        ("up_delay", delay(up_delay)),
        ("down_delay", delay(down_delay)),
    ])
}

/// `virtual_mac`; true if it is as vipkit has it by default.
pub fn virtual_mac(mac: &VirtualMac, virtual_router_id: u64, family: Family, unicast: bool) -> String {
    let digit = if family == Family::V6 { "6" } else { "" };
    let default = format!("vrrp{digit}.{virtual_router_id}");
    let interface = mac.interface.as_deref().filter(|name| *name != default).map(quote);
    let from = (mac.adverts_from_interface && !unicast).then(|| quote("interface"));
    match (interface, from) {
        (None, None) => "true".to_owned(),
        (interface, from) => table([("interface", interface), ("adverts_from", from)]),
    }
}

/// `authentication`, of an instance of this name; none if there is none.
pub fn authentication(authentication: &Authentication, instance: &str) -> Option<String> {
    match authentication {
        Authentication::None => None,
        Authentication::Password(text) => Some(password(text)),
        Authentication::Hmac(hmac) => Some(self::hmac(hmac, instance)),
    }
}

/// `authentication` with a simple password.
pub fn password(password: &str) -> String {
    table([("type", Some(quote("pass"))), ("key", Some(quote(password)))])
}

/// `authentication` with an HMAC; what is keepalived's default is vipkit's.
fn hmac(hmac: &Hmac, instance: &str) -> String {
    let key = |key: &Key| {
        table([("id", Some(key.id.to_string())), ("key_file", Some(quote(&keys::path(instance, key))))])
    };
    let all: Vec<_> = hmac.keys.iter().map(key).collect();
    table([
        ("type", Some(quote("hmac"))),
        ("mode", (hmac.mode != "enforce").then(|| quote(hmac.mode))),
        ("active_key", Some(hmac.active.to_string())),
        ("replay_protection", hmac.monotonic.then(|| quote("monotonic"))),
        ("time_window", hmac.window.map(|window| duration(std::time::Duration::from_secs(window)))),
        ("keys", Some(format!("[{}]", all.join(", ")))),
    ])
}
