//! What is odd about an advert that was believed: counted and told, never acted on. Pure.

use std::net::IpAddr;
use std::time::Duration;

use vipkit_config::Instance;
use vipkit_core::units::Priority;
use vipkit_core::vrrp::hmac::ReplayProtection;
use vipkit_core::vrrp::receive::same_addresses;
use vipkit_core::vrrp::{Accepted, Authentication, Expectation};

use crate::counters;
use crate::router::Level;

/// Something odd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oddity {
    /// Its counter.
    pub counter: &'static str,
    /// How much it matters.
    pub level: Level,
    /// In words.
    pub text: String,
    /// Whether it is worth a line in the log.
    pub told: bool,
}

/// What is odd about an advert. `conflict`: we are Active, for so long, and it did not make us yield.
#[must_use]
pub fn of(
    accepted: &Accepted,
    config: &Instance,
    expect: &Expectation,
    conflict: Option<Duration>,
) -> Vec<Oddity> {
    let (source, advert) = (accepted.source, &accepted.advert);
    let priority = advert.priority;
    let mut odd = Vec::new();
    let mut note = |counter, level, text, told| odd.push(Oddity { counter, level, text, told });
    if priority == Priority::LEAVING {
        let text = format!("{source} leaves (priority 0)");
        note(counters::PRIORITY_ZERO_RECEIVED, Level::Info, text, true);
    } else if let Some(active) = conflict {
        // Nothing to say in the first moments: whoever yields to us sends one last advert.
        let told = active > advert.interval.length();
        let text = format!("{source} (priority {priority}) is Active too, and should yield to us");
        note(counters::CONFLICTS, Level::Warning, text, told);
    }
    if priority.is_owner() && config.priority.is_owner() {
        let text = format!("{source} claims to own the addresses too: only one router may have priority 255");
        note(counters::OTHER_OWNER, Level::Warning, text, true);
    }
    if !same_addresses(&advert.addresses, &expect.addresses) {
        let text = format!("{source} advertises other addresses than ours: the configurations differ");
        note(counters::OTHER_ADDRESSES, Level::Warning, text, true);
    }
    if let Some(IpAddr::V6(first)) = advert.addresses.first()
        && !first.is_unicast_link_local()
    {
        let text = format!("{source} has {first} first, which is not link-local (RFC 9568 section 5.2.9)");
        note(counters::FIRST_ADDRESS, Level::Warning, text, true);
    }
    if advert.interval != config.advertisement_interval {
        let text = format!("{source} advertises every {:?}, we do not", advert.interval.length());
        note(counters::OTHER_INTERVAL, Level::Warning, text, true);
    }
    if let Some(form) = accepted.checksum.filter(|form| *form != config.checksum) {
        let text = format!("{source} sends checksum form {form}: it may refuse ours");
        note(counters::OTHER_CHECKSUM_FORM, Level::Warning, text, true);
    }
    if let Some(ahead) = skew(accepted, config, expect) {
        let text = format!(
            "the clock of {source} is {} s {} ours: its adverts are near the end of time_window",
            ahead.unsigned_abs(),
            if ahead < 0 { "behind" } else { "ahead of" }
        );
        note(counters::CLOCK_SKEW, Level::Warning, text, true);
    }
    odd
}

/// How far the sender's clock is ahead of ours, if that is more than half of the window.
fn skew(accepted: &Accepted, config: &Instance, expect: &Expectation) -> Option<i64> {
    let Authentication::Hmac(hmac) = &config.authentication else { return None };
    let ReplayProtection::Time { window } = hmac.replay_protection else { return None };
    let ahead = accepted.signature?.sequence.ahead_of(expect.wall);
    (Duration::from_secs(ahead.unsigned_abs()) * 2 > window).then_some(ahead)
}
