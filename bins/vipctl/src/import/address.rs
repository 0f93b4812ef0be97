//! An entry of `virtual_ipaddress`.

use std::net::Ipv4Addr;

use super::block::Said;
use super::note::{Notes, Place};

/// An address that an instance holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The address.
    pub address: Ipv4Addr,
    /// Its prefix.
    pub prefix: u8,
    /// Where it stands.
    pub at: Place,
}

/// What may follow an address, with how many values.
const OPTIONS: &[(&str, usize)] = &[
    ("dev", 1),
    ("label", 1),
    ("scope", 1),
    ("brd", 1),
    ("broadcast", 1),
    ("peer", 1),
    ("track_group", 1),
    ("preferred_lft", 1),
    ("home", 0),
    ("-nodad", 0),
    ("mngtmpaddr", 0),
    ("noprefixroute", 0),
    ("autojoin", 0),
    ("no_track", 0),
    ("use_vmac", 0),
];

/// The address of a line; none, with a note, if keepalived skips it.
pub fn read(said: &Said, interface: Option<&(String, Place)>, notes: &mut Notes) -> Option<Address> {
    let (text, prefix) = said.name.split_once('/').unwrap_or((&said.name, "32"));
    let Ok(address) = text.parse::<Ipv4Addr>() else {
        notes.say(&said.at, format!("{:?} is no address: keepalived skips it", said.name));
        return None;
    };
    let prefix = prefix.parse::<u8>().ok().filter(|prefix| *prefix <= 32).unwrap_or_else(|| {
        notes.say(&said.at, format!("{prefix:?} is no prefix: keepalived takes /32"));
        32
    });
    let mut words = said.values.iter();
    while let Some(word) = words.next() {
        let Some((name, values)) = OPTIONS.iter().find(|(name, _)| name == word) else {
            notes.say(
                &said.at,
                format!("{word:?} after {text} is nothing that goes there: keepalived ignores it"),
            );
            continue;
        };
        let value = if *values == 0 { None } else { words.next() };
        let given = value.map(|value| format!("{name} {value}")).unwrap_or_else(|| (*name).to_owned());
        if *name == "dev" && value == interface.map(|(interface, _)| interface) {
            continue;
        }
        let what = match *name {
            "dev" => "the address goes on the interface of the instance",
            _ => "the address is set with its prefix only",
        };
        notes.say(&said.at, format!("{given} of {text} is not carried over: {what}"));
    }
    Some(Address { address, prefix, at: said.at.clone() })
}
