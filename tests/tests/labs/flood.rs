//! A host that floods the network with adverts that must not be believed changes nothing, delays nothing, and costs little.

use std::net::IpAddr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use vipkit_control::vrrp::State;
use vipkit_tests::conformance::hex::hex;
use vipkit_tests::conformance::packet::Packet;
use vipkit_tests::conformance::trailer::{self, Trailer};
use vipkit_tests::lab::figure::figure;
use vipkit_tests::lab::host::Host;
use vipkit_tests::lab::injector::Injector;
use vipkit_tests::lab::sniffer::{Advert, Sniffer};
use vipkit_tests::lab::vrrpd::{Privilege, Vrrpd};
use vipkit_tests::lab::wire::{frame, station_of};

use crate::fixture::{INTERVAL, LINK_LOCAL_VIP, Pair, SLACK, SOON, VIP, VIP_V6, config, config_v6, takeover};

as_root_and_with_two_capabilities!(invalid_packets);
with_two_capabilities!(a_thousand_a_second);

const PASSWORD: &str = "version = 2\nauthentication = { type = 'pass', key = '1111' }";
const FLOOD: Duration = Duration::from_secs(10);
const GAP: Duration = Duration::from_millis(100);
/// How much earlier or later than a second an advert may come on a busy machine.
const UNEVEN: Duration = Duration::from_millis(300);
const LINES_MAX: usize = 20;
/// Of one processor, for a debug build.
const PROCESSOR_MAX: f64 = 0.3;
/// Ticks a second, in /proc.
const USER_HZ: f64 = 100.0;

/// As they are on the wire.
fn frames(attacker: &Host, faulty: &[Packet]) -> Vec<Vec<u8>> {
    let mac = attacker.mac();
    let to = |packet: &Packet| {
        let group = if packet.from.is_ipv4() { "224.0.0.18" } else { "ff02::12" };
        station_of(group.parse().unwrap())
    };
    faulty.iter().map(|packet| frame(&mac, &to(packet), &packet.arrival().unwrap())).collect()
}

/// Each of high priority, each with one fault.
fn packets(attacker: &Host) -> Vec<Vec<u8>> {
    let advert = Packet {
        from: attacker.address().into(),
        version: 2,
        priority: 254,
        auth_type: 1,
        auth_data: "3131313100000000".to_owned(),
        addresses: Some(vec![VIP.parse().unwrap()]),
        ..Packet::default()
    };
    let faulty = [
        Packet { flip: Some((6, 0)), ..advert.clone() },
        Packet { ttl: 1, ..advert.clone() },
        Packet { version: 3, ..advert },
    ];
    frames(attacker, &faulty)
}

/// How much earlier or later than they should adverts came.
fn unevenness(adverts: &[Advert]) -> Duration {
    let gaps = adverts.windows(2).map(|two| (two[1].at - two[0].at).abs_diff(INTERVAL));
    gaps.max().unwrap_or_default()
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
    let uneven = unevenness(&adverts);
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

/// Of both families: with a wrong checksum, without an HMAC, with one of another key, and one that looks as if a key could
/// be guessed; from many senders.
fn many_packets(attacker: &Host) -> Vec<Vec<u8>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let at_ms = (now.as_secs_f64() - f64::from(trailer::CLOCK)) * 1000.0;
    let wrong_key = Trailer { key: 2, key_id: Some(1), at_ms, ..Trailer::default() };
    let unknown_key = Trailer { key: 3, at_ms, ..Trailer::default() };
    let vips: [Vec<IpAddr>; 2] =
        [vec![VIP.parse().unwrap()], [LINK_LOCAL_VIP, VIP_V6].map(|vip| vip.parse().unwrap()).to_vec()];
    let senders =
        |n: u8| -> [IpAddr; 2] { [[192, 168, 4, n].into(), format!("fe80::bad:{n:x}").parse().unwrap()] };
    let faulty: Vec<Packet> = (1..=50)
        .flat_map(|n| senders(n).into_iter().zip(vips.clone()))
        .flat_map(|(from, vips)| {
            let advert = Packet { from, priority: 254, addresses: Some(vips), ..Packet::default() };
            let signed = |trailer: &Trailer| Packet { hmac: Some(trailer.clone()), ..advert.clone() };
            [
                Packet { flip: Some((6, 0)), ..signed(&Trailer { at_ms, ..Trailer::default() }) },
                signed(&wrong_key),
                signed(&unknown_key),
                advert.clone(),
            ]
        })
        .collect();
    frames(attacker, &faulty)
}

/// Seconds that a program has had of the processors.
fn processor(vrrpd: &Vrrpd) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", vrrpd.pid().unwrap())).unwrap();
    let behind_its_name = stat.rsplit(')').next().unwrap();
    let ticks =
        behind_its_name.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<f64>().unwrap());
    ticks.sum::<f64>() / USER_HZ
}

fn a_thousand_a_second(privilege: Privilege) {
    let pair = Pair::with_ipv6();
    let attacker = pair.lab.host("attacker", 66);
    let key = pair.lab.folder().join("key");
    std::fs::write(&key, format!("hex:{}", hex(&trailer::key(1)))).unwrap();
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
    std::os::unix::fs::chown(&key, Some(61234), Some(61234)).unwrap();
    let keys = format!(
        "authentication = {{ type = 'hmac', time_window = '60s', keys = [{{ id = 1, key_file = '{}' }}] }}\n",
        key.display()
    );
    let both = |priority| format!("{}{}", config(priority, &keys), config_v6(priority, &keys));
    let web1 = Vrrpd::started(&pair.web1, privilege, &both(100));
    let web2 = Vrrpd::started(&pair.web2, privilege, &both(50));
    pair.wait_for_holder(&pair.web1, takeover(100));
    pair.wait_for_holder_of(VIP_V6, &pair.web1, SOON);
    let states = |vrrpd: &Vrrpd| vrrpd.instances().unwrap().iter().map(|i| i.state).collect::<Vec<_>>();
    let lines = || web1.log().lines().count() + web2.log().lines().count();
    let lines_before = lines();
    let sniffer = Sniffer::on(&pair.client);

    let (began, used_before) = (Instant::now(), [&web1, &web2].map(processor));
    let flood = Injector::on(&attacker, many_packets(&attacker), Duration::from_millis(1));
    // Looks are rare: each has a cost too.
    pair.lab.wait("the flood lasts", FLOOD * 3, || flood.sent() >= 10_000);
    let took = began.elapsed();
    let used = [&web1, &web2].map(processor);
    drop(flood);
    for (used, before) in used.iter().zip(used_before) {
        let share = (used - before) / took.as_secs_f64();
        figure("1000 bad packets a second, of one processor", Duration::from_secs_f64(share));
        assert!(share < PROCESSOR_MAX, "{share:.2} of a processor");
    }
    for vrid_of in [IpAddr::is_ipv4, IpAddr::is_ipv6] {
        let mut adverts = sniffer.adverts_of(&pair.web1, began);
        adverts.retain(|advert| vrid_of(&advert.source));
        assert!(unevenness(&adverts) <= UNEVEN, "an advert {:?} early or late", unevenness(&adverts));
    }
    assert_eq!(states(&web1), [State::Active; 2]);
    assert_eq!(states(&web2), [State::Backup; 2]);
    for instance in web1.instances().unwrap().iter().chain(&web2.instances().unwrap()) {
        for counter in
            ["checksum_errors", "hmac_invalid_errors", "hmac_unknown_key_errors", "hmac_missing_errors"]
        {
            assert!(
                instance.counters[counter] > 800,
                "{}: {counter}: {:?}",
                instance.name,
                instance.counters
            );
        }
    }
    assert!(lines() - lines_before < LINES_MAX, "{} lines", lines() - lines_before);
}
