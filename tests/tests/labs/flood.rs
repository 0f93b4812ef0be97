//! A host that floods the network with adverts that must not be believed changes nothing, and delays nothing.

use std::time::{Duration, Instant};

use vipkit_control::vrrp::State;
use vipkit_tests::conformance::packet::Packet;
use vipkit_tests::lab::figure::figure;
use vipkit_tests::lab::host::Host;
use vipkit_tests::lab::injector::Injector;
use vipkit_tests::lab::sniffer::{Advert, Sniffer};
use vipkit_tests::lab::vrrpd::{Privilege, Vrrpd};

use crate::fixture::{INTERVAL, Pair, SLACK, SOON, VIP, config, takeover};

as_root_and_with_two_capabilities!(invalid_packets);

const PASSWORD: &str = "version = 2\nauthentication = { type = 'pass', key = '1111' }";
const FLOOD: Duration = Duration::from_secs(10);
const GAP: Duration = Duration::from_millis(100);
/// How much earlier or later than a second an advert may come on a busy machine.
const UNEVEN: Duration = Duration::from_millis(300);
const LINES_MAX: usize = 20;

/// Each of high priority, each with one fault.
fn packets(attacker: &Host) -> Vec<Vec<u8>> {
    let advert = Packet {
        from: attacker.address(),
        version: 2,
        priority: 254,
        auth_type: 1,
        auth_data: "3131313100000000".to_owned(),
        addresses: vec![VIP.parse().unwrap()],
        ..Packet::default()
    };
    let faulty = [
        Packet { flip: Some((6, 0)), ..advert.clone() },
        Packet { ttl: 1, ..advert.clone() },
        Packet { version: 3, ..advert },
    ];
    faulty.iter().map(|packet| packet.bytes().unwrap()).collect()
}

fn invalid_packets(privilege: Privilege) {
    let pair = Pair::new();
    let attacker = pair.lab.host("attacker", 66);
    let mut web1 = Vrrpd::started(&pair.web1, privilege, &config(100, PASSWORD));
    let web2 = Vrrpd::started(&pair.web2, privilege, &config(50, PASSWORD));
    pair.wait_for_holder(&pair.web1, takeover(100));
    pair.lab.wait("web2 has heard web1", SOON, || !web2.instance().peers.is_empty());
    let lines = || web1.log().lines().count() + web2.log().lines().count();
    let (sinces, lines_before) = ((web1.instance().since, web2.instance().since), lines());

    let sniffer = Sniffer::on(&pair.client);
    let began = Instant::now();
    let flood = Injector::on(&attacker, packets(&attacker), GAP);
    pair.lab.stays("the states are as before", FLOOD, || {
        (web1.state(), web2.state()) == (Some(State::Active), Some(State::Backup))
    });

    let adverts = sniffer.adverts_of(&pair.web1, began);
    let unevenness = |two: &[Advert]| (two[1].at - two[0].at).abs_diff(INTERVAL);
    let uneven = adverts.windows(2).map(unevenness).max().unwrap_or_default();
    assert!(uneven <= UNEVEN, "an advert {uneven:?} early or late");
    figure("flooded, most that an advert was early or late", uneven);
    assert!(adverts.len() >= 9, "{} adverts", adverts.len());
    assert!(flood.sent() > 80, "a flood of {} packets", flood.sent());
    for vrrpd in [&web1, &web2] {
        for counter in ["checksum_errors", "ip_ttl_errors", "version_errors"] {
            assert!(vrrpd.counter(counter) > 25, "{counter}: {}", vrrpd.counter(counter));
        }
    }
    assert_eq!((web1.instance().since, web2.instance().since), sinces);
    assert!(lines() - lines_before < LINES_MAX, "{} lines", lines() - lines_before);

    web1.kill();
    let took = pair.wait_for_state(&web2, State::Active, takeover(50));
    figure("flooded and web1 killed, web2 is Active (by the formula at most 3.805 s)", took);
    let sent = flood.sent();
    pair.wait_for_answer(&pair.web2, SOON);
    pair.lab.wait("the flood goes on", SLACK, || flood.sent() > sent);
}
