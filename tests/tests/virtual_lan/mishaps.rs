//! Whatever happens to a network and its routers: when it is over, one of them holds the addresses.

use std::time::Duration;

use proptest::prelude::*;
use vipkit_tests::lan::link::{DELAY, Link};
use vipkit_tests::lan::{Id, Lan};
use vrrpd::fsm::State;

use super::{SECOND, hmac, link_local, unicast};

/// How the routers reach each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    V4,
    V6,
    Unicast,
}

/// Something that happens to a network.
#[derive(Clone, Debug)]
enum Happening {
    Partition(u8),
    OneWay(Id, Id),
    Heal,
    Loss(u8),
    PowerOff(Id),
    PowerOn(Id),
    Stop(Id),
    Restart(Id),
    Carrier(Id, bool),
    Pass(u16),
}

fn happening() -> impl Strategy<Value = Happening> {
    let id = 0..5usize;
    prop_oneof![
        any::<u8>().prop_map(Happening::Partition),
        (id.clone(), id.clone()).prop_map(|(from, to)| Happening::OneWay(from, to)),
        Just(Happening::Heal),
        (0..=100u8).prop_map(Happening::Loss),
        id.clone().prop_map(Happening::PowerOff),
        id.clone().prop_map(Happening::PowerOn),
        id.clone().prop_map(Happening::Stop),
        id.clone().prop_map(Happening::Restart),
        (id, any::<bool>()).prop_map(|(id, carrier)| Happening::Carrier(id, carrier)),
        (0..6000u16).prop_map(Happening::Pass),
        (0..6000u16).prop_map(Happening::Pass),
    ]
}

proptest! {
    /// `Lan` itself asserts after every event that nobody but an Active router has the addresses.
    #[test]
    fn whatever_happened_a_healed_network_comes_to_one_holder_of_the_highest_priority(
        seed in any::<u64>(),
        priorities in prop::collection::vec((1..=255u8, any::<bool>()), 1..=5),
        common in prop::sample::select(vec![
            "",
            "advertisement_interval = '300ms'",
            "version = 2",
            hmac::ENFORCED,
        ]),
        way in prop::sample::select(vec![Way::V4, Way::V6, Way::Unicast]),
        happenings in prop::collection::vec(happening(), 0..12),
    ) {
        let mut lan = Lan::new(seed);
        for (n, &(priority, preempt)) in priorities.iter().enumerate() {
            let preempt = preempt || priority == 255;
            let common = if way == Way::V6 { common.replace("version = 2", "") } else { common.to_owned() };
            let keys = format!("priority = {priority}\npreempt = {preempt}\n{common}");
            let last = n as u8 + 11;
            match way {
                Way::V4 => lan.add(last, &keys),
                Way::V6 => lan.add_at(link_local(last.into()), &keys),
                Way::Unicast => lan.add(last, &unicast::among(&[11, 12, 13, 14, 15], last, &keys)),
            };
        }
        let hosts = priorities.len();
        for happening in &happenings {
            match *happening {
                Happening::Partition(sides) => lan.partition(|id| usize::from(sides >> id & 1)),
                Happening::OneWay(from, to) => lan.set_link(from, to, Link { up: false, ..Link::default() }),
                Happening::Heal => lan.heal(),
                Happening::Loss(loss) => lan.set_links(Link { loss, doubled: loss / 2, ..Link::default() }),
                Happening::PowerOff(id) if id < hosts => lan.power_off(id),
                Happening::PowerOn(id) if id < hosts => lan.power_on(id),
                Happening::Restart(id) if id < hosts => lan.restart(id),
                Happening::Stop(id) if id < hosts => lan.stop(id),
                Happening::Carrier(id, carrier) if id < hosts => lan.set_carrier(id, carrier),
                Happening::Pass(ms) => lan.run(Duration::from_millis(u64::from(ms))),
                _ => {}
            }
        }
        lan.set_links(Link::default());
        for id in 0..hosts {
            lan.set_carrier(id, true);
            if !lan.is_powered(id) || lan.host(id).state() == State::Initialize {
                lan.power_on(id);
            }
        }
        let healed = lan.now();
        lan.run(5 * SECOND);
        let holders = lan.holders();
        prop_assert_eq!(holders.len(), 1, "{:?}", holders);
        let highest = priorities.iter().map(|(priority, _)| *priority).max().unwrap();
        if priorities.iter().all(|(_, preempt)| *preempt) {
            prop_assert_eq!(priorities[holders[0]].0, highest);
        }
        // One advert after the healing, two hold it for no longer than a question and its answer take.
        prop_assert!(lan.tenures().longest_overlap(healed + SECOND + DELAY, lan.now()) <= DELAY * 2);
    }
}
