//! Which virtual routers go on as Active when the program starts, because it was they who held the addresses a
//! moment ago: within two intervals no other router can have taken over. Everything else starts anew. Pure.

use std::collections::{BTreeMap, BTreeSet};

use vipkit_config::Instance;
use vipkit_core::units::Mono;

use crate::fault::Local;
use crate::ledger::Ledger;
use crate::observed::Interfaces;

/// Names of the instances to adopt. `beats` holds the time of each slot's latest own advert, in microseconds
/// since boot.
#[must_use]
pub fn adoptable(
    instances: &BTreeMap<String, Instance>,
    ledger: &Ledger,
    beats: &[u64],
    interfaces: &Interfaces,
    now: Mono,
) -> BTreeSet<String> {
    let was_active_just_now = |name: &str, instance: &Instance| {
        let active = ledger.active.get(name)?;
        let interface = interfaces.get(&instance.interface)?;
        let beat = Mono(*beats.get(active.slot)?);
        let age = now - beat;
        let same_router = active.interface == instance.interface
            && active.index == interface.index
            && active.virtual_router_id == instance.virtual_router_id.number();
        // Another family or other addresses under the old name are another router's, which may have an Active one.
        let place = interfaces.get(instance.place())?;
        let in_place = instance.advertised().any(|address| place.entries(address).next().is_some());
        let index = |name: &str| interfaces.get(name).map_or(0, |interface| interface.index);
        let local = Local::judge(instance, interfaces, |name, net| ledger.owns(name, index(name), net));
        let fresh = beat.0 > 0 && beat <= now && age < instance.advertisement_interval.length() * 2;
        (same_router && in_place && fresh && local.faults.is_empty()).then_some(())
    };
    instances
        .iter()
        .filter(|(name, instance)| was_active_just_now(name, instance).is_some())
        .map(|(name, _)| name.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Active;
    use crate::observed::{Entry, Interface, Present};
    use vipkit_config::Source;

    const NOW: Mono = Mono(100_000_000);
    const LATE: u64 = 98_000_000;

    struct Case {
        ledger: Ledger,
        beats: Vec<u64>,
        interfaces: Interfaces,
    }

    type Spoil = fn(&mut Case);

    /// Everything as it must be: the advert is just under two intervals old.
    fn adoptable_case() -> Case {
        let mut ledger = Ledger::new("boot");
        ledger.entry("eth0", 2).addresses.insert("192.0.2.80/24".parse().unwrap());
        let active = Active { slot: 0, interface: "eth0".to_owned(), index: 2, virtual_router_id: 51 };
        ledger.active.insert("web".to_owned(), active);
        let present = |net: &str| {
            let entry = Entry::plain(net.parse().unwrap());
            Present { entry, secondary: false, marked: true, unusable: false }
        };
        let addresses = vec![present("192.0.2.1/24"), present("192.0.2.80/24")];
        let eth0 = Interface { index: 2, up: true, carrier: true, addresses, ..Interface::default() };
        Case { ledger, beats: vec![LATE + 1], interfaces: [("eth0".to_owned(), eth0)].into() }
    }

    fn adopted(case: &Case) -> bool {
        let text = "[vrrp.web]\ninterface = 'eth0'\nvirtual_router_id = 51\naddresses = ['192.0.2.80/24']";
        let source = Source { name: "vipkit.toml".to_owned(), text: text.to_owned() };
        let config = vipkit_config::parse(&[source]).unwrap();
        adoptable(&config.vrrp, &case.ledger, &case.beats, &case.interfaces, NOW).contains("web")
    }

    #[test]
    fn a_router_that_was_active_a_moment_ago_goes_on() {
        assert!(adopted(&adoptable_case()));
    }

    #[test]
    fn any_doubt_starts_it_anew() {
        let doubts: [(&str, Spoil); 9] = [
            ("not active", |c| c.ledger.active.clear()),
            ("advert too old", |c| c.beats = vec![LATE]),
            ("no advert", |c| c.beats = vec![0]),
            ("advert from the future", |c| c.beats = vec![NOW.0 + 1]),
            ("no slot", |c| c.beats.clear()),
            ("another interface of that name", |c| c.interfaces.get_mut("eth0").unwrap().index = 3),
            ("no carrier", |c| c.interfaces.get_mut("eth0").unwrap().carrier = false),
            ("other addresses", |c| c.interfaces.get_mut("eth0").unwrap().addresses.truncate(1)),
            ("another router", |c| c.ledger.active.get_mut("web").unwrap().virtual_router_id = 52),
        ];
        for (doubt, make) in doubts {
            let mut case = adoptable_case();
            make(&mut case);
            assert!(!adopted(&case), "{doubt}");
        }
    }
}
