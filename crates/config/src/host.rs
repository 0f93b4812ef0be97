//! Addresses that a host on a network can have: virtual ones, and those of routers.

use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use crate::context::quote;
use crate::section::Field;
use crate::tree::Datum;

/// Whether an address is of some kind.
type Is = fn(IpAddr) -> bool;

/// What no host has as an address on a network, and what it is called.
const IMPOSSIBLE: &[(Is, &str)] = &[
    (|address| address.is_unspecified(), "the unspecified address"),
    (|address| address.is_loopback(), "a loopback address"),
    (|address| address.is_multicast(), "a multicast address"),
    (|address| address == IpAddr::V4(Ipv4Addr::BROADCAST), "the broadcast address"),
    (|address| matches!(address, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some()), "an IPv4-mapped address"),
];

/// What an address is called that no host on a network has.
pub(crate) fn impossible(address: IpAddr) -> Option<&'static str> {
    IMPOSSIBLE.iter().find(|(is, _)| is(address)).map(|&(_, kind)| kind)
}

/// What is not an address of a host is a fault, which names its kind.
pub(crate) fn refuse(field: &mut Field<'_, '_>, found: &str, kind: &str) {
    field.fault(&format!("has {found}, {kind}"), "write an address that a host can have");
}

/// What a text says; none if the value is no text, or says something else.
pub(crate) fn parsed<T: FromStr>(field: &Field<'_, '_>) -> Option<T> {
    match &field.value.datum {
        Datum::Text(text) => text.parse().ok(),
        _ => None,
    }
}

/// What is not even an address is a fault.
pub(crate) fn unreadable(field: &mut Field<'_, '_>, hint: &str) {
    let found = match &field.value.datum {
        Datum::Text(text) => quote(text),
        other => other.kind().to_owned(),
    };
    field.fault(&format!("has {found}, which is no address"), hint);
}

/// The address of a host, of either family, without a prefix.
pub(crate) fn read(field: &mut Field<'_, '_>) -> Option<IpAddr> {
    let Some(address) = parsed(field) else {
        unreadable(field, "write an address alone, such as \"192.0.2.1\" or \"fe80::1\"");
        return None;
    };
    if let Some(kind) = impossible(address) {
        refuse(field, &address.to_string(), kind);
        return None;
    }
    Some(address)
}
