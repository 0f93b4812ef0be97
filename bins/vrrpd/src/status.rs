//! What people and programs are shown of a router: state with its reason, addresses as found, routers heard, and what
//! `advice` has to say. Must not ask the kernel or change anything.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use vipkit_control::common::Notice;
use vipkit_control::vrrp::{
    Address, Held, Hmac, Instance, Peer, REFUSED_MAX, Refusal, SHOWN_MAX, State as Shown, UnicastPeer,
    VirtualMac,
};
use vipkit_core::epoch::Epoch;
use vipkit_core::units::{Family, Mono, Version};
use vipkit_core::vrrp::Authentication;
use vipkit_core::vrrp::hmac::{self, ReplayProtection};

use crate::advice::{hints, notice, warnings};
use crate::fsm::State;
use crate::observed::{Entry, Interface};
use crate::peers;
use crate::router::Router;

/// What a router is shown against.
#[derive(Clone, Debug)]
pub struct View<'a> {
    /// The interface that gets its addresses, if it exists.
    pub place: Option<&'a Interface>,
    /// The addresses that this program put on that interface.
    pub owned: &'a BTreeSet<IpNet>,
    /// Its virtual MAC, if it has one.
    pub virtual_mac: Option<VirtualMac>,
    /// Its routes.
    pub routes: Vec<Held>,
    /// Its rules.
    pub rules: Vec<Held>,
    /// What of the host does not serve it as it should.
    pub unmet: Vec<Notice>,
    /// The moment it is.
    pub now: Mono,
    /// Wall time of the moment zero.
    pub epoch: Epoch,
}

/// A router as it is shown.
#[must_use]
pub fn instance(router: &Router, view: View<'_>) -> Instance {
    let (config, fsm) = (router.config(), router.fsm());
    let has_forms = config.advertisement_interval.version() == Version::V3 && config.family() == Family::V4;
    let source = router.local().source;
    let there = Addresses::new(router, &view);
    Instance {
        name: router.name().to_owned(),
        interface: config.interface.clone(),
        place: config.place().to_owned(),
        family: config.family().to_string(),
        virtual_router_id: config.virtual_router_id.number(),
        version: config.advertisement_interval.version().number(),
        state: shown(fsm.state()),
        since: view.epoch.time(router.since()),
        reason: router.reason().to_owned(),
        priority: config.priority.0,
        effective_priority: fsm.settings().priority.0,
        preempt: config.preempt,
        accept: config.accept,
        strict: config.strict,
        authentication: authentication(&config.authentication).to_owned(),
        hmac: match &config.authentication {
            Authentication::Hmac(hmac) => Some(show_hmac(hmac)),
            Authentication::None | Authentication::Pass(_) => None,
        },
        unicast_peers: config
            .unicast_peers
            .iter()
            .map(|peer| UnicastPeer { address: peer.address.to_string(), min_ttl: peer.min_ttl })
            .collect(),
        virtual_mac: view.virtual_mac.clone(),
        checksum: has_forms.then(|| config.checksum.to_string()),
        source: source.map(|address| address.to_string()),
        advertisement_interval: config.advertisement_interval.length().as_secs_f64(),
        active_adver_interval: fsm.active_adver_interval().length().as_secs_f64(),
        skew_time: fsm.skew_time().as_secs_f64(),
        active_down_interval: fsm.active_down_interval().as_secs_f64(),
        timer: fsm.deadline().map(|deadline| (deadline - view.now).as_secs_f64()),
        trackers: router.trackers().shown(config.priority, view.epoch).collect(),
        addresses: there.shown().take(SHOWN_MAX).collect(),
        address_count: count(config.addresses.len()),
        addresses_present: count(there.present()),
        routes: view.routes.clone(),
        rules: view.rules.clone(),
        peers: router.peers().iter().map(|(source, heard)| peer(*source, heard, &view)).collect(),
        refused: refused(router, &view),
        faults: router
            .faults()
            .iter()
            .map(|f| notice(f.what(&config.interface), f.remedy(&config.interface)))
            .collect(),
        warnings: warnings(router, &view),
        hints: hints(router, &view),
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

/// The addresses of a router, and which of them are there: looked up once for all.
pub struct Addresses<'a> {
    router: &'a Router,
    owned: &'a BTreeSet<IpNet>,
    there: BTreeMap<IpAddr, BTreeSet<IpNet>>,
    advertised: BTreeSet<IpAddr>,
}

impl<'a> Addresses<'a> {
    /// Of a router against what was seen.
    #[must_use]
    pub fn new(router: &'a Router, view: &View<'a>) -> Self {
        let mut there: BTreeMap<IpAddr, BTreeSet<IpNet>> = BTreeMap::new();
        for present in view.place.iter().flat_map(|interface| &interface.addresses) {
            there.entry(present.net().addr()).or_default().insert(present.net());
        }
        let advertised = router.advertised().iter().copied().collect();
        Self { router, owned: view.owned, there, advertised }
    }

    /// As they are shown, in the order of the configuration.
    pub fn shown(&self) -> impl Iterator<Item = Address> {
        let show = |address: &vipkit_config::Address| {
            let there = self.there.get(&address.net.addr());
            let net = Entry::wanted(address).net;
            Address {
                address: address.net.to_string(),
                advertised: address.advertise && self.advertised.contains(&address.net.addr()),
                present: there.is_some(),
                ours: self.owned.contains(&net) && there.is_some_and(|nets| nets.contains(&net)),
            }
        };
        self.router.config().addresses.iter().map(show)
    }

    /// How many are there.
    #[must_use]
    pub fn present(&self) -> usize {
        let addresses = self.router.config().addresses.iter();
        addresses.filter(|address| self.there.contains_key(&address.net.addr())).count()
    }
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

const fn authentication(authentication: &Authentication) -> &'static str {
    match authentication {
        Authentication::None => "none",
        Authentication::Pass(_) => "pass",
        Authentication::Hmac(_) => "hmac",
    }
}

fn show_hmac(hmac: &hmac::Hmac) -> Hmac {
    Hmac {
        mode: hmac.mode.name().to_owned(),
        active_key: hmac.active_key.number(),
        keys: hmac.keys.keys().map(|id| id.number()).collect(),
        replay_protection: hmac.replay_protection.name().to_owned(),
        time_window: match hmac.replay_protection {
            ReplayProtection::Time { window } => Some(window.as_secs_f64()),
            ReplayProtection::Monotonic => None,
        },
    }
}

fn refused(router: &Router, view: &View<'_>) -> Vec<Refusal> {
    let all = router.refused().within(Duration::MAX, view.now);
    let show = |(sender, refusal): (&IpAddr, &crate::refused::Refusal)| Refusal {
        address: sender.to_string(),
        counter: refusal.reject.name().to_owned(),
        reason: refusal.reject.to_string(),
        last: view.epoch.time(refusal.at),
    };
    all.take(REFUSED_MAX).map(show).collect()
}

fn peer(source: IpAddr, heard: &peers::Peer, view: &View<'_>) -> Peer {
    Peer {
        address: source.to_string(),
        version: heard.interval.version().number(),
        key_id: heard.key_id.map(|id| id.number()),
        other_addresses: heard.other_addresses,
        priority: heard.priority.0,
        advertisement_interval: heard.interval.length().as_secs_f64(),
        checksum: heard.checksum.map(|form| form.to_string()),
        first_heard: view.epoch.time(heard.first_heard),
        last_heard: view.epoch.time(heard.last_heard),
        advertisements: heard.advertisements,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    use vipkit_config::Source;
    use vipkit_core::ipv4;
    use vipkit_core::units::{Centis, Interval, Priority, Vrid};
    use vipkit_core::vrrp::{self, Advert, ChecksumForm, GROUP_V4, Received, Route, Seal};

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
        let message = vrrp::emit(advert, route, form, &Seal::None);
        let packet = ipv4::emit(PEER.into(), GROUP_V4, &message);
        router.packet(&Received::V4(&packet), NOW, &mut Vec::new());
    }

    fn shown(router: &Router, now: Mono) -> Instance {
        let owned = BTreeSet::new();
        let view = View {
            place: None,
            owned: &owned,
            virtual_mac: None,
            routes: Vec::new(),
            rules: Vec::new(),
            unmet: Vec::new(),
            now,
            epoch: Epoch::new(UNIX_EPOCH, Mono(0)),
        };
        instance(router, view)
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
