//! An entry of `virtual_ipaddress` or `virtual_ipaddress_excluded`.

use std::net::IpAddr;

use ipnet::IpNet;
use vipkit_core::units::Family;

use super::note::{Notes, Place};
use super::said::Said;
use super::words::{self, Read, Word, flag, lost, lost_value, nothing, value};

/// An address that an instance holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The address with its prefix.
    pub net: IpNet,
    /// `peer`, with the prefix that counts.
    pub peer: Option<IpNet>,
    /// `scope`, if it is not the one that every address has; IPv4 only.
    pub scope: Option<&'static str>,
    /// `label`, IPv4 only.
    pub label: Option<String>,
    /// `dev`.
    pub dev: Option<String>,
    /// Not `noprefixroute`.
    pub prefix_route: bool,
    /// It goes into adverts.
    pub advertise: bool,
    /// keepalived deprecates it: with 128 bits, unless it is told otherwise.
    pub deprecated: bool,
    /// Where it stands.
    pub at: Place,
}

/// Bytes of a label that the kernel takes.
const LABEL_MAX: usize = 15;

/// What may follow an address.
const WORDS: &[Word<Address>] = &[
    value(&["dev"], |address, name| {
        address.dev = Some(name.to_owned());
        Ok(None)
    }),
    value(&["label"], label),
    value(&["scope"], scope),
    value(&["peer"], peer),
    value(&["preferred_lft"], |address, length| {
        address.deprecated = length == "0";
        Ok((length != "forever" && length != "0").then(|| "vipkit's addresses do not age".to_owned()))
    }),
    flag(&["noprefixroute"], |address| address.prefix_route = false),
    lost_value(&["brd", "broadcast"], "vipkit sets no broadcast address"),
    lost(&["home", "mngtmpaddr", "autojoin"], "vipkit does not set this flag"),
    lost(&["no_track"], "vipkit puts an address back whenever it is taken away"),
    lost(&["use_vmac"], "vipkit has one virtual MAC address for an instance"),
    lost_value(&["track_group"], "vipkit puts an address back whenever it is taken away"),
    nothing(&["-nodad"], false),
];

/// The address of a line; none, with a note, if keepalived skips it.
pub fn read(said: &Said, advertise: bool, notes: &mut Notes) -> Option<Address> {
    let mut skipped = |what: String| {
        notes.say(&said.at, format!("{what}: keepalived skips it"));
        None
    };
    let (text, prefix) = match said.name.split_once('/') {
        Some((text, prefix)) => (text, Some(prefix)),
        None => (said.name.as_str(), None),
    };
    let Ok(ip) = text.parse::<IpAddr>() else { return skipped(format!("{:?} is no address", said.name)) };
    let whole = IpNet::from(ip);
    let length = prefix.map_or(Some(whole.max_prefix_len()), |prefix| prefix.parse().ok());
    let net = length.and_then(|length| IpNet::new(ip, length).ok()).unwrap_or_else(|| {
        let most = whole.max_prefix_len();
        notes.say(
            &said.at,
            format!("{:?} is no prefix: keepalived takes /{most}", prefix.unwrap_or_default()),
        );
        whole
    });
    let mut address = Address {
        net,
        peer: None,
        scope: None,
        label: None,
        dev: None,
        prefix_route: true,
        advertise,
        deprecated: net.prefix_len() == 128,
        at: said.at.clone(),
    };
    let values = said.values.iter().map(String::as_str);
    if let Err(what) = words::read(WORDS, other, values, text, &mut address, (&said.at, notes)) {
        notes.say(&said.at, format!("{what}: keepalived does not set {text}"));
        return None;
    }
    if address.peer.is_some() && address.net != whole {
        notes
            .say(&said.at, format!("{} has a peer: keepalived ignores the prefix of the address", said.name));
        address.net = whole;
    }
    Some(address)
}

fn other(address: &mut Address, word: &str) -> Read {
    let ip = address.net.addr();
    Ok(Some(format!("{word:?} after {ip} is nothing that goes there: keepalived ignores it")))
}

fn label(address: &mut Address, label: &str) -> Read {
    if label.len() > LABEL_MAX {
        return Err(format!("label {label} has more than {LABEL_MAX} bytes"));
    }
    if address.net.addr().is_ipv6() {
        return Ok(Some("only IPv4 has labels".to_owned()));
    }
    address.label = Some(label.to_owned());
    Ok(None)
}

/// The kernel finds the scope of an IPv6 address by itself.
fn scope(address: &mut Address, word: &str) -> Read {
    match scope_of(word) {
        _ if address.net.addr().is_ipv6() => Ok(None),
        Some("global") => Ok(None),
        Some(scope) => {
            address.scope = Some(scope);
            Ok(None)
        }
        None => Ok(Some("vipkit knows global, site, link and host".to_owned())),
    }
}

/// The name of a scope, by which or by whose number it is given (iproute2's rt_scopes).
#[must_use]
pub fn scope_of(word: &str) -> Option<&'static str> {
    let scopes = [("global", "0"), ("site", "200"), ("link", "253"), ("host", "254")];
    scopes.into_iter().find(|(name, number)| [*name, number].contains(&word)).map(|(name, _)| name)
}

fn peer(address: &mut Address, text: &str) -> Read {
    match text.parse::<IpAddr>() {
        Ok(peer) if peer.is_ipv4() == address.net.addr().is_ipv4() => {
            address.peer = Some(peer.into());
            Ok(None)
        }
        _ => Ok(Some("keepalived takes no other prefix or family there, and goes without".to_owned())),
    }
}

/// The family of a text that is an address, whatever its prefix.
#[must_use]
pub fn family(text: &str) -> Option<Family> {
    text.split('/').next().unwrap_or_default().parse().ok().map(Family::of)
}

/// Whether it is an IPv6 address for its link only (RFC 4291 §2.5.6).
#[must_use]
pub const fn is_link_local(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local())
}
