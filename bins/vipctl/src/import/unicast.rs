//! `unicast_peer` of an instance.

use std::net::IpAddr;

use vipkit_core::units::Family;

use super::addresses::Addresses;
use super::block::Cursor;
use super::note::{Notes, Place};
use super::words::{self, Read, Word, value};

/// A router that adverts go to and come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its address.
    pub address: IpAddr,
    /// `min_ttl`; 0 takes any.
    pub min_ttl: u8,
    /// `min_ttl` or `max_ttl` is said, which makes keepalived hear peers only.
    pub checked: bool,
    /// Where it stands.
    pub at: Place,
}

const WORDS: &[Word<Peer>] = &[
    value(&["min_ttl"], |peer, text| {
        let least = text.parse().map_err(|_| format!("min_ttl {text} is not from 0 to 255"))?;
        peer.min_ttl = least;
        peer.checked = true;
        Ok(None)
    }),
    value(&["max_ttl"], |peer, text| {
        peer.checked = true;
        Ok((text != "255").then(|| "vipkit takes adverts from as near as they come".to_owned()))
    }),
];

/// Reads the peers of an instance: of its family, each once.
pub fn read(peers: &mut Vec<Peer>, addresses: &mut Addresses, cursor: &mut Cursor<'_>, notes: &mut Notes) {
    for said in cursor.values(notes) {
        let Ok(address) = said.name.parse::<IpAddr>() else {
            notes.say(&said.at, format!("{:?} is no address: keepalived skips it", said.name));
            continue;
        };
        if !addresses.is(Family::of(address)) {
            notes.say(&said.at, format!("{address} is of another family: keepalived ignores it"));
            continue;
        }
        if peers.iter().any(|peer| peer.address == address) {
            notes.say(&said.at, format!("{address} is there already: once is enough"));
            continue;
        }
        let mut peer = Peer { address, min_ttl: 0, checked: false, at: said.at.clone() };
        let (values, at) = (said.values.iter().map(String::as_str), (&said.at, &mut *notes));
        if let Err(what) = words::read(WORDS, other, values, &said.name, &mut peer, at) {
            notes.say(&said.at, format!("{what}: keepalived ignores it"));
        }
        peers.push(peer);
    }
}

fn other(peer: &mut Peer, word: &str) -> Read {
    Ok(Some(format!("{word:?} after {} is nothing that goes there: keepalived ignores it", peer.address)))
}
