//! In plain words: what is wrong or odd about a router and those it hears, and what to do about it. Must not change anything.

use std::net::IpAddr;
use std::time::Duration;

use vipkit_control::common::Notice;
use vipkit_core::units::Priority;

use crate::fsm::State;
use crate::peers;
use crate::refused::remedy;
use crate::router::Router;
use crate::status::View;

/// What lets adverts through the usual firewalls.
const OPEN_FIREWALL: &str = "let IP protocol 112 in on every node: `firewall-cmd --add-protocol=vrrp` or \
                             `iptables -I INPUT -p 112 -j ACCEPT`";

/// Senders of refused packets that are shown: whoever sends can choose its address.
const REFUSED_SHOWN: usize = 3;

/// Addresses that are named in a sentence.
const ADDRESSES_SHOWN: usize = 8;

/// What should be looked at.
#[must_use]
pub fn warnings(router: &Router, view: &View<'_>) -> Vec<Notice> {
    let config = router.config();
    let recent = |heard: &peers::Peer| view.now - heard.last_heard <= lately(router);
    let refused = router.refused().within(lately(router), view.now).take(REFUSED_SHOWN);
    let mut warnings: Vec<Notice> = refused
        .map(|(source, refusal)| {
            notice(
                format!("adverts from {source} are refused: {}", refusal.reject),
                remedy(refusal.reject).to_owned(),
            )
        })
        .collect();
    warnings.extend(view.unmet.iter().cloned());
    let tracked = router.trackers().warnings().into_iter();
    warnings.extend(
        tracked.map(|trouble| notice(trouble.what(&config.interface), trouble.remedy(&config.interface))),
    );
    if router.fsm().state() == State::Active {
        let silent = |heard: &peers::Peer| heard.priority != Priority::LEAVING && !recent(heard);
        let missed = router.peers().iter().filter(|(_, heard)| silent(heard) && is_missed(router, heard));
        warnings.extend(missed.map(|(source, heard)| gone_silent(*source, heard, view)));
    }
    for (source, heard) in router.peers().iter().filter(|(_, heard)| recent(heard)) {
        if let Some(form) = heard.checksum.filter(|form| *form != config.checksum) {
            warnings.push(notice(
                format!("{source} sends checksum form {form}, we send {}", config.checksum),
                format!("keepalived and FRR take only their own form; set checksum = \"{form}\" or change {source}"),
            ));
        }
        if heard.other_addresses {
            warnings.push(notice(
                format!("{source} advertises other addresses for VRID {}", config.virtual_router_id),
                format!("make `addresses` the same on both nodes, or give one another virtual_router_id; ours: {}", list(router.advertised())),
            ));
        }
        if heard.interval != config.advertisement_interval {
            warnings.push(notice(
                format!(
                    "{source} advertises every {:?}, we every {:?}",
                    heard.interval.length(),
                    config.advertisement_interval.length()
                ),
                "make advertisement_interval the same on both nodes".to_owned(),
            ));
        }
        if heard.priority.is_owner() && config.priority.is_owner() {
            warnings.push(notice(
                format!("{source} claims to own the addresses (priority 255), and so do we"),
                "give all nodes but the owner a priority from 1 to 254".to_owned(),
            ));
        }
    }
    warnings
}

/// What is normal in a healthy network, but worth knowing when something is not.
#[must_use]
pub fn hints(router: &Router, view: &View<'_>) -> Vec<Notice> {
    // Who refuses adverts does hear them: that has a warning of its own.
    if router.refused().within(lately(router), view.now).next().is_some() {
        return Vec::new();
    }
    let peers = router.peers();
    match router.fsm().state() {
        State::Backup if peers.is_empty() => vec![notice(
            "no advert was ever heard: it becomes Active in a moment".to_owned(),
            format!("if another is Active already: {OPEN_FIREWALL}"),
        )],
        State::Active if peers.is_empty() => vec![notice(
            "no advert was ever heard: normal while all other nodes are Backup, since those are silent"
                .to_owned(),
            format!("if another is Active as well: {OPEN_FIREWALL}"),
        )],
        State::Initialize | State::Backup | State::Active | State::Fault => Vec::new(),
    }
}

/// A router of higher priority would be Active if it were well, unless it does not preempt. Others are silent by nature.
fn is_missed(router: &Router, heard: &peers::Peer) -> bool {
    router.config().preempt && heard.priority > router.fsm().settings().priority
}

fn gone_silent(source: IpAddr, heard: &peers::Peer, view: &View<'_>) -> Notice {
    let since = (view.now - heard.last_heard).as_secs();
    notice(
        format!("{source} (priority {}) went silent {since} s ago without leaving", heard.priority),
        format!(
            "look whether it is down; if it is Active as well: {OPEN_FIREWALL}; if it is gone for good: `vipctl reload`"
        ),
    )
}

/// A peer unheard for longer says nothing about the present.
fn lately(router: &Router) -> Duration {
    router.fsm().active_down_interval() * 2
}

/// The first few.
fn list(addresses: &[IpAddr]) -> String {
    let shown: Vec<String> = addresses.iter().take(ADDRESSES_SHOWN).map(IpAddr::to_string).collect();
    let more = if addresses.len() > shown.len() { ", ..." } else { "" };
    shown.join(", ") + more
}

/// Of what is wrong, and what to do about it.
#[must_use]
pub const fn notice(what: String, remedy: String) -> Notice {
    Notice { what, remedy }
}
