//! What people and programs are shown of a router: state with its reason, addresses as found, routers heard, and in
//! plain words what is wrong or odd and what to do about it. Must not ask the kernel or change anything.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use vipkit_control::common::Notice;
use vipkit_control::vrrp::{Address, Instance, Peer, State as Shown};
use vipkit_core::epoch::Epoch;
use vipkit_core::units::{Mono, Priority, Version};

use crate::fsm::State;
use crate::observed::Interface;
use crate::peers;
use crate::refused::remedy;
use crate::router::Router;

/// What lets adverts through the usual firewalls.
const OPEN_FIREWALL: &str = "let IP protocol 112 in on every node: `firewall-cmd --add-protocol=vrrp` or \
                             `iptables -I INPUT -p 112 -j ACCEPT`";

/// Senders of refused packets that are shown: whoever sends can choose its address.
const REFUSED_SHOWN: usize = 3;

/// What a router is shown against.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Its interface, if it exists.
    pub interface: Option<&'a Interface>,
    /// The addresses that this program put on the interface.
    pub owned: &'a BTreeSet<IpNet>,
    /// The moment it is.
    pub now: Mono,
    /// Wall time of the moment zero.
    pub epoch: Epoch,
}

/// A router as it is shown.
#[must_use]
pub fn instance(router: &Router, view: View<'_>) -> Instance {
    let (config, fsm) = (router.config(), router.fsm());
    let is_v3 = config.advertisement_interval.version() == Version::V3;
    let source = router.local().source;
    Instance {
        name: router.name().to_owned(),
        interface: config.interface.clone(),
        virtual_router_id: config.virtual_router_id.number(),
        version: config.advertisement_interval.version().number(),
        state: shown(fsm.state()),
        since: view.epoch.time(router.since()),
        reason: router.reason().to_owned(),
        priority: config.priority.0,
        preempt: config.preempt,
        checksum: is_v3.then(|| config.checksum.to_string()),
        source: source.map(|address| address.to_string()),
        advertisement_interval: config.advertisement_interval.length().as_secs_f64(),
        active_adver_interval: fsm.active_adver_interval().length().as_secs_f64(),
        skew_time: fsm.skew_time().as_secs_f64(),
        active_down_interval: fsm.active_down_interval().as_secs_f64(),
        addresses: config.addresses.iter().map(|net| address(*net, view)).collect(),
        peers: router.peers().iter().map(|(source, heard)| peer(*source, heard, view)).collect(),
        faults: router
            .local()
            .faults
            .iter()
            .map(|f| notice(f.what(&config.interface), f.remedy(&config.interface)))
            .collect(),
        warnings: warnings(router, view),
        hints: hints(router, view),
        counters: router.counters().iter().map(|(name, count)| (name.to_owned(), count)).collect(),
    }
}

fn shown(state: State) -> Shown {
    match state {
        State::Initialize => Shown::Initialize,
        State::Backup => Shown::Backup,
        State::Active => Shown::Active,
        State::Fault => Shown::Fault,
    }
}

fn address(net: IpNet, view: View<'_>) -> Address {
    let mut entries = view.interface.iter().flat_map(|interface| interface.entries(net.addr()));
    Address {
        address: net.to_string(),
        present: entries.next().is_some(),
        ours: view.owned.contains(&net)
            && view.interface.is_some_and(|i| i.entries(net.addr()).any(|p| p.net == net)),
    }
}

fn peer(source: IpAddr, heard: &peers::Peer, view: View<'_>) -> Peer {
    Peer {
        address: source.to_string(),
        priority: heard.priority.0,
        advertisement_interval: heard.interval.length().as_secs_f64(),
        checksum: heard.checksum.map(|form| form.to_string()),
        first_heard: view.epoch.time(heard.first_heard),
        last_heard: view.epoch.time(heard.last_heard),
        advertisements: heard.advertisements,
    }
}

/// What should be looked at.
fn warnings(router: &Router, view: View<'_>) -> Vec<Notice> {
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
                format!("make `addresses` the same on both nodes, or give one another virtual_router_id; ours: {}", list(&config.addresses)),
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
fn hints(router: &Router, view: View<'_>) -> Vec<Notice> {
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
    router.config().preempt && heard.priority > router.config().priority
}

fn gone_silent(source: IpAddr, heard: &peers::Peer, view: View<'_>) -> Notice {
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

fn list(addresses: &[IpNet]) -> String {
    addresses.iter().map(|net| net.addr().to_string()).collect::<Vec<_>>().join(", ")
}

const fn notice(what: String, remedy: String) -> Notice {
    Notice { what, remedy }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    use vipkit_config::Source;
    use vipkit_core::ipv4;
    use vipkit_core::units::{Centis, Interval, Priority, Vrid};
    use vipkit_core::vrrp::{self, Advert, Authentication, ChecksumForm, GROUP_V4, Route};

    use crate::fault::{Fault, Local};

    const PEER: [u8; 4] = [10, 0, 1, 2];
    const NOW: Mono = Mono(1_000_000);

    fn router(local: Local) -> Router {
        let text = "[vrrp.web]\ninterface = 'eth0'\nvirtual_router_id = 51\naddresses = ['10.0.1.5/24']";
        let source = Source { name: "vipkit.toml".to_owned(), text: text.to_owned() };
        let config = vipkit_config::parse(&[source]).unwrap().vrrp["web"].clone();
        let mut router = Router::new("web", config, NOW);
        router.start(local, false, NOW, &mut Vec::new());
        router
    }

    fn healthy() -> Local {
        Local { source: Some([10, 0, 1, 1].into()), ..Local::default() }
    }

    /// The peer's advert, as it must be.
    fn advert() -> Advert {
        Advert {
            vrid: Vrid::new(51).unwrap(),
            priority: Priority(200),
            interval: Interval::Centis(Centis::new(100).unwrap()),
            addresses: vec![[10, 0, 1, 5].into()],
        }
    }

    fn hear(router: &mut Router, advert: &Advert, form: ChecksumForm) {
        let route = Route { source: PEER.into(), destination: GROUP_V4.into() };
        let message = vrrp::emit(advert, route, form, &Authentication::None);
        router.packet(&ipv4::emit(PEER.into(), GROUP_V4, &message), NOW, &mut Vec::new());
    }

    fn shown(router: &Router, now: Mono) -> Instance {
        let owned = BTreeSet::new();
        instance(router, View { interface: None, owned: &owned, now, epoch: Epoch::new(UNIX_EPOCH, Mono(0)) })
    }

    fn what(notices: &[Notice]) -> Vec<&str> {
        notices.iter().map(|notice| notice.what.as_str()).collect()
    }

    #[test]
    fn who_hears_nobody_is_told_the_usual_cause() {
        let mut router = router(healthy());
        let backup = shown(&router, NOW);
        assert!(backup.hints[0].remedy.contains("protocol 112"), "{:?}", backup.hints);
        hear(&mut router, &advert(), ChecksumForm::PseudoHeader);
        let hearing = shown(&router, NOW);
        assert_eq!((what(&hearing.hints), what(&hearing.warnings)), (vec![], vec![]));
        assert_eq!(hearing.peers[0].address, "10.0.1.2");
    }

    #[test]
    fn what_is_odd_about_a_peer_is_a_warning_while_it_speaks() {
        let mut router = router(healthy());
        let odd = Advert {
            interval: Interval::Centis(Centis::new(300).unwrap()),
            addresses: vec![[10, 0, 1, 6].into()],
            ..advert()
        };
        hear(&mut router, &odd, ChecksumForm::Rfc9568);
        assert_eq!(
            what(&shown(&router, NOW).warnings),
            [
                "10.0.1.2 sends checksum form rfc9568, we send pseudo-header",
                "10.0.1.2 advertises other addresses for VRID 51",
                "10.0.1.2 advertises every 3s, we every 1s"
            ]
        );
        let later = shown(&router, NOW + Duration::from_secs(60));
        assert_eq!(what(&later.warnings), [""; 0]);
    }

    #[test]
    fn refused_adverts_are_a_warning_and_no_firewall_is_blamed() {
        let mut router = router(healthy());
        let other = Advert { interval: Interval::Seconds(1.try_into().unwrap()), ..advert() };
        hear(&mut router, &other, ChecksumForm::PseudoHeader);
        let refusing = shown(&router, NOW);
        assert_eq!(what(&refusing.warnings), ["adverts from 10.0.1.2 are refused: VRRP version 2"]);
        assert_eq!(what(&refusing.hints), [""; 0]);
        hear(&mut router, &advert(), ChecksumForm::PseudoHeader);
        assert_eq!(what(&shown(&router, NOW).warnings), [""; 0], "forgiven");
    }

    #[test]
    fn a_peer_that_went_silent_is_missed_if_it_would_be_active() {
        let later = NOW + Duration::from_secs(60);
        for (priority, missed) in [(200, 1), (50, 0), (0, 0)] {
            let mut router = router(healthy());
            hear(
                &mut router,
                &Advert { priority: Priority(priority), ..advert() },
                ChecksumForm::PseudoHeader,
            );
            router.timer(later, &mut Vec::new());
            let shown = shown(&router, later);
            assert_eq!((shown.state, shown.warnings.len(), shown.hints), (Shown::Active, missed, vec![]));
        }
    }

    #[test]
    fn a_fault_is_shown_with_its_remedy() {
        let router = router(Local { faults: vec![Fault::InterfaceDown], ..Local::default() });
        let shown = shown(&router, NOW);
        assert_eq!((shown.state, shown.reason.as_str()), (Shown::Fault, "interface eth0 is down"));
        assert_eq!(shown.faults[0].remedy, "`ip link set eth0 up`");
        assert_eq!(shown.since, "1970-01-01T00:00:01.000Z");
    }
}
