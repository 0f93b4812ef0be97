//! The routers heard for one virtual router, and what is odd about them. Must not act on it: an odd peer is
//! shown and counted, elections are the state machine's.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use vipkit_core::units::{Interval, Mono, Priority};
use vipkit_core::vrrp::receive::same_addresses;
use vipkit_core::vrrp::{Accepted, ChecksumForm, KeyId};

/// Peers kept; the one unheard for longest makes room.
pub const PEERS_MAX: usize = 16;

/// A router heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Priority in its latest advert.
    pub priority: Priority,
    /// Its Advertisement_Interval.
    pub interval: Interval,
    /// Form of its checksum (version 3 over IPv4).
    pub checksum: Option<ChecksumForm>,
    /// The key of its HMAC, if it has one.
    pub key_id: Option<KeyId>,
    /// Its advert lists other addresses than ours.
    pub other_addresses: bool,
    /// When its first advert came.
    pub first_heard: Mono,
    /// When its latest advert came.
    pub last_heard: Mono,
    /// Adverts accepted.
    pub advertisements: u64,
}

/// The routers heard, by address.
#[derive(Clone, Debug, Default)]
pub struct Peers(BTreeMap<IpAddr, Peer>);

impl Peers {
    /// Notes an accepted advert; `ours` are our addresses, in any order. True if what is odd about the peer changed.
    pub fn heard(&mut self, accepted: &Accepted, ours: &[IpAddr], now: Mono) -> bool {
        let other_addresses = !same_addresses(&accepted.advert.addresses, ours);
        let before = self.0.get(&accepted.source);
        let peer = Peer {
            priority: accepted.advert.priority,
            interval: accepted.advert.interval,
            checksum: accepted.checksum,
            key_id: accepted.signature.map(|signature| signature.key_id),
            other_addresses,
            first_heard: before.map_or(now, |b| b.first_heard),
            last_heard: now,
            advertisements: before.map_or(1, |b| b.advertisements + 1),
        };
        let changed = before.is_none_or(|b| {
            (b.interval, b.checksum, b.key_id, b.other_addresses)
                != (peer.interval, peer.checksum, peer.key_id, peer.other_addresses)
        });
        if before.is_none() && self.0.len() == PEERS_MAX {
            let oldest = self.0.iter().min_by_key(|(_, p)| p.last_heard).map(|(address, _)| *address);
            oldest.and_then(|address| self.0.remove(&address));
        }
        self.0.insert(accepted.source, peer);
        changed
    }

    /// By address.
    pub fn iter(&self) -> impl Iterator<Item = (&IpAddr, &Peer)> {
        self.0.iter()
    }

    /// True if nobody was ever heard.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Forgets those unheard for longer than this.
    pub fn forget_silent(&mut self, span: Duration, now: Mono) {
        self.0.retain(|_, peer| now - peer.last_heard <= span);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vipkit_core::units::{Centis, Vrid};
    use vipkit_core::vrrp::Advert;

    fn accepted(source: u8, addresses: &[[u8; 4]]) -> Accepted {
        Accepted {
            source: [10, 0, 1, source].into(),
            advert: Advert {
                vrid: Vrid::new(51).unwrap(),
                priority: Priority(100),
                interval: Interval::Centis(Centis::new(100).unwrap()),
                addresses: addresses.iter().map(|&a| a.into()).collect(),
            },
            checksum: Some(ChecksumForm::Rfc9568),
            signature: None,
        }
    }

    #[test]
    fn the_order_of_addresses_does_not_matter() {
        let ours = [IpAddr::from([10, 0, 1, 5]), IpAddr::from([10, 0, 1, 6])];
        for (theirs, other) in [
            (&[[10, 0, 1, 6], [10, 0, 1, 5]][..], false),
            (&[[10, 0, 1, 5]], true),
            (&[[10, 0, 1, 5], [10, 0, 1, 7]], true),
            (&[[10, 0, 1, 5], [10, 0, 1, 5]], true),
        ] {
            let mut peers = Peers::default();
            peers.heard(&accepted(2, theirs), &ours, Mono(0));
            assert_eq!(peers.iter().next().unwrap().1.other_addresses, other, "{theirs:?}");
        }
    }

    #[test]
    fn the_peer_unheard_for_longest_makes_room() {
        let mut peers = Peers::default();
        for n in 0..20 {
            assert!(peers.heard(&accepted(n, &[]), &[], Mono(u64::from(n))));
        }
        assert_eq!(peers.iter().count(), PEERS_MAX);
        assert!(peers.iter().all(|(_, peer)| peer.last_heard >= Mono(4)));
    }

    #[test]
    fn only_what_is_odd_counts_as_a_change() {
        let mut peers = Peers::default();
        let mut advert = accepted(2, &[]);
        assert!(peers.heard(&advert, &[], Mono(0)));
        advert.advert.priority = Priority(7);
        assert!(!peers.heard(&advert, &[], Mono(1)));
        advert.checksum = Some(ChecksumForm::PseudoHeader);
        assert!(peers.heard(&advert, &[], Mono(2)));
        peers.forget_silent(Duration::from_micros(1), Mono(3));
        assert!(!peers.is_empty());
        peers.forget_silent(Duration::from_micros(1), Mono(4));
        assert!(peers.is_empty());
    }
}
