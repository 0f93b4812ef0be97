//! Counters of one virtual router: a fixed set of names, so that a reader can rely on finding each.

use std::collections::BTreeMap;

use vipkit_core::vrrp::Reject;

/// Adverts that passed every check.
pub const ADVERTISEMENTS_RECEIVED: &str = "advertisements_received";
/// Adverts made to be sent; those that did not leave are send errors too.
pub const ADVERTISEMENTS_SENT: &str = "advertisements_sent";
/// Gratuitous ARP frames or neighbour advertisements sent.
pub const ANNOUNCEMENTS_SENT: &str = "announcements_sent";
/// Accepted adverts whose HMAC's time is far from ours, though within the window.
pub const CLOCK_SKEW: &str = "hmac_clock_skew";
/// Accepted adverts over IPv6 whose first address is not link-local.
pub const FIRST_ADDRESS: &str = "first_address_not_link_local";
/// Times it became Active.
pub const BECAME_ACTIVE: &str = "became_active";
/// Adverts from others while Active: somebody else believed to be Active too.
pub const CONFLICTS: &str = "conflicts";
/// Accepted adverts whose addresses are not ours.
pub const OTHER_ADDRESSES: &str = "other_addresses";
/// Accepted adverts whose checksum has the other form.
pub const OTHER_CHECKSUM_FORM: &str = "other_checksum_form";
/// Accepted adverts with another interval than ours.
pub const OTHER_INTERVAL: &str = "other_interval";
/// Adverts of another address owner, while we are one.
pub const OTHER_OWNER: &str = "other_owner";
/// Priority-0 adverts received.
pub const PRIORITY_ZERO_RECEIVED: &str = "priority_zero_received";
/// Priority-0 adverts sent.
pub const PRIORITY_ZERO_SENT: &str = "priority_zero_sent";
/// Frames and adverts that the kernel did not take.
pub const SEND_ERRORS: &str = "send_errors";

const OWN: [&str; 14] = [
    ADVERTISEMENTS_RECEIVED,
    ADVERTISEMENTS_SENT,
    ANNOUNCEMENTS_SENT,
    BECAME_ACTIVE,
    CLOCK_SKEW,
    CONFLICTS,
    FIRST_ADDRESS,
    OTHER_ADDRESSES,
    OTHER_CHECKSUM_FORM,
    OTHER_INTERVAL,
    OTHER_OWNER,
    PRIORITY_ZERO_RECEIVED,
    PRIORITY_ZERO_SENT,
    SEND_ERRORS,
];

/// Counts by name, monotonic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counters(BTreeMap<&'static str, u64>);

impl Default for Counters {
    /// All names, all zero.
    fn default() -> Self {
        Self(OWN.iter().chain(&Reject::NAMES).map(|&name| (name, 0)).collect())
    }
}

impl Counters {
    /// Adds to a counter.
    pub fn add(&mut self, name: &'static str, count: u64) {
        *self.0.entry(name).or_default() += count;
    }

    /// A counter's value.
    #[must_use]
    pub fn of(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or_default()
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.0.iter().map(|(name, count)| (*name, *count))
    }
}
