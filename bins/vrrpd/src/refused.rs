//! Whose packets were refused lately, and why: two nodes that refuse each other's adverts are both Active, and the
//! reason must be seen. Must not act on it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use vipkit_core::units::Mono;
use vipkit_core::vrrp::Reject;

/// Senders kept; the one refused longest ago makes room. Whoever sends can choose its address.
pub const SENDERS_MAX: usize = 16;

/// The latest refusal of a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reject: Reject,
    /// When.
    pub at: Mono,
}

/// The latest refusals, by sender.
#[derive(Clone, Debug, Default)]
pub struct Refused(BTreeMap<IpAddr, Refusal>);

impl Refused {
    /// Notes a refusal. True if this is news: another sender, or another reason.
    pub fn note(&mut self, sender: IpAddr, reject: Reject, now: Mono) -> bool {
        if !self.0.contains_key(&sender) && self.0.len() == SENDERS_MAX {
            let oldest = self.0.iter().min_by_key(|(_, refusal)| refusal.at).map(|(sender, _)| *sender);
            oldest.and_then(|sender| self.0.remove(&sender));
        }
        let before = self.0.insert(sender, Refusal { reject, at: now });
        before.is_none_or(|before| before.reject.name() != reject.name())
    }

    /// A sender's adverts are believed again.
    pub fn forgive(&mut self, sender: IpAddr) {
        self.0.remove(&sender);
    }

    /// Those refused within this span before now.
    pub fn within(&self, span: Duration, now: Mono) -> impl Iterator<Item = (&IpAddr, &Refusal)> {
        self.0.iter().filter(move |(_, refusal)| now - refusal.at <= span)
    }
}

/// What an administrator does about adverts that are refused for this reason.
#[must_use]
pub const fn remedy(reject: Reject) -> &'static str {
    match reject {
        Reject::Version { .. } => "set the same `version` on all nodes",
        Reject::AuthenticationType { .. } => {
            "set the same `authentication` on all nodes; keepalived has none unless auth_type is PASS in capitals"
        }
        Reject::AuthenticationData => "set the same `authentication` key on all nodes",
        Reject::Interval { .. } => {
            "set the same `advertisement_interval` on all nodes: version 2 asks for it"
        }
        Reject::IntervalZero | Reject::NoAddress | Reject::Type { .. } | Reject::PacketLength { .. } => {
            "look at the program that sends them"
        }
        Reject::PeerTtl { .. } => {
            "if there are that many routers between, lower its `min_ttl`; else somebody forges them"
        }
        Reject::NotAPeer { .. } => "add it to `unicast_peers`, or find the sender",
        Reject::HmacMissing => {
            "set `authentication` there too; while it is introduced, mode = \"permissive\" takes adverts without"
        }
        Reject::HmacUnexpected => "set `authentication` here too",
        Reject::HmacMalformed => "keepalived before 2.4.2 makes other ones: set the same on all nodes",
        Reject::HmacStale { .. } => "set the clocks of all nodes by NTP, or widen `time_window`",
        Reject::HmacUnknownKey { .. } => "give all nodes that key before one makes it its active_key",
        Reject::HmacInvalid => "see that all nodes have the same key under this number",
        Reject::HmacReplay => {
            "somebody sends adverts again; after a clock of the sender stepped back, it ends by itself in time mode"
        }
        Reject::OtherChecksumForm { .. } => "set the same `checksum` on all nodes, or strict = false",
        Reject::OtherAddresses => "make `addresses` the same on all nodes, or strict = false",
        Reject::FirstAddress { .. } => "have a link-local address first on all nodes, or strict = false",
        Reject::IpTtl { .. } => "they came through a router, or somebody forges them: find the sender",
        Reject::Destination { .. } | Reject::Vrid { .. } => {
            "find the sender: they are not meant for this router"
        }
        Reject::OwnSource { .. } => {
            "look for a loop in the network, for another host with this node's own address, or for that in `unicast_peers`"
        }
        Reject::Source { .. } | Reject::IpHeader | Reject::Fragment | Reject::Protocol { .. } => {
            "find the sender: no VRRP router sends such packets"
        }
        Reject::Checksum => "look for a device on the way that changes packets, or for a forger",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Duration = Duration::from_micros(10);

    fn sender(n: u8) -> IpAddr {
        [10, 0, 1, n].into()
    }

    #[test]
    fn another_sender_or_another_reason_is_news() {
        let mut refused = Refused::default();
        assert!(refused.note(sender(1), Reject::IpTtl { found: Some(1) }, Mono(0)));
        assert!(!refused.note(sender(1), Reject::IpTtl { found: Some(2) }, Mono(1)));
        assert!(refused.note(sender(1), Reject::Checksum, Mono(2)));
        assert!(refused.note(sender(2), Reject::Checksum, Mono(3)));
    }

    #[test]
    fn what_is_long_ago_or_forgiven_is_not_shown() {
        let mut refused = Refused::default();
        refused.note(sender(1), Reject::Checksum, Mono(0));
        refused.note(sender(2), Reject::Checksum, Mono(20));
        assert_eq!(refused.within(SPAN, Mono(21)).map(|(s, _)| *s).collect::<Vec<_>>(), [sender(2)]);
        refused.forgive(sender(2));
        assert_eq!(refused.within(SPAN, Mono(21)).count(), 0);
    }

    #[test]
    fn a_flood_of_senders_is_bounded() {
        let mut refused = Refused::default();
        for n in 0..=255 {
            refused.note(sender(n), Reject::Checksum, Mono(u64::from(n)));
        }
        assert_eq!(refused.within(Duration::MAX, Mono(255)).count(), SENDERS_MAX);
        assert!(refused.within(Duration::MAX, Mono(255)).all(|(_, refusal)| refusal.at >= Mono(240)));
    }
}
