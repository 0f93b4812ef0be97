//! A virtual router over IPv6: what hosts on the network see of it, and what of theirs it believes.

use std::net::IpAddr;
use std::time::Instant;

use vipkit_control::vrrp::State;
use vipkit_tests::conformance::packet::Packet;
use vipkit_tests::lab::host::Host;
use vipkit_tests::lab::injector::Injector;
use vipkit_tests::lab::ping;
use vipkit_tests::lab::sniffer::{Said, Sniffer};
use vipkit_tests::lab::vrrpd::{Privilege, Vrrpd};
use vipkit_tests::lab::wire::{frame, station_of, who_has};

use crate::fixture::{
    INTERVAL, LINK_LOCAL_VIP, ONCE, Pair, SLACK, SOON, VIP, VIP_V6, config, config_v6, takeover,
};

as_root_and_with_two_capabilities!(takes_over);
with_two_capabilities!(
    the_way_of_the_adverts,
    a_forged_hop_limit,
    a_source_that_is_tentative,
    a_source_that_somebody_else_has,
    both_families_with_one_vrid,
);

/// VRRP's group.
const GROUP: &str = "ff02::12";
/// Router and Override.
const FLAGS: u8 = 0xa0;

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn takes_over(privilege: Privilege) {
    let pair = Pair::with_ipv6();
    let (sniffer, began) = (Sniffer::on(&pair.client), Instant::now());
    let mut web1 = Vrrpd::started(&pair.web1, privilege, &config_v6(150, ONCE));
    let mut web2 = Vrrpd::started(&pair.web2, privilege, &config_v6(100, ONCE));
    pair.wait_for_holder_of(VIP_V6, &pair.web1, takeover(150));
    pair.wait_for_answer_at(VIP_V6, &pair.web1, SOON);
    assert_eq!(pair.lab.holders(LINK_LOCAL_VIP), ["web1"]);
    assert_eq!(web2.state(), Some(State::Backup));
    assert_announced(&pair.web1, &sniffer, began);
    for vip in [VIP_V6, LINK_LOCAL_VIP] {
        assert_eq!(who_has(&pair.client, vip), [pair.web1.mac()], "{vip}");
    }

    let killed = Instant::now();
    web1.kill();
    pair.wait_for_answer_at(VIP_V6, &pair.web2, takeover(100));
    assert_announced(&pair.web2, &sniffer, killed);
    assert!(ping::is_answered(&pair.client, VIP_V6));
    web1.start();
    pair.wait_for_holder_of(VIP_V6, &pair.web1, takeover(150));
    pair.wait_for_answer_at(VIP_V6, &pair.web1, SOON);

    web1.terminate();
    web2.terminate();
    for host in [&pair.web1, &pair.web2] {
        let mut own = [format!("{}/64", host.global()), format!("{}/64", host.link_local())];
        let mut left = host.addresses_v6();
        own.sort_unstable();
        left.sort_unstable();
        assert_eq!(left, own);
    }
}

/// Each address was announced once, right after it was there, to all nodes, as a router's that replaces what was known;
/// and it can be used at once.
fn assert_announced(host: &Host, sniffer: &Sniffer, since: Instant) {
    let announced: Vec<_> =
        sniffer.announcements(since).into_iter().filter(|claim| claim.station == host.mac()).collect();
    let mut addresses: Vec<IpAddr> = announced.iter().map(|claim| claim.address).collect();
    addresses.sort_unstable();
    assert_eq!(addresses, [address(VIP_V6), address(LINK_LOCAL_VIP)]);
    let said = Said::Advertisement { destination: "ff02::1".parse().unwrap(), hop_limit: 255, flags: FLAGS };
    for claim in &announced {
        assert_eq!((claim.said, &claim.mac), (said, &host.mac()));
    }
    assert_eq!(host.ip("-6 -oneline address show dev eth0 tentative"), "");
}

/// Its adverts come from the interface's link-local address, which stays so when a virtual one comes beside it.
fn the_way_of_the_adverts(privilege: Privilege) {
    let pair = Pair::with_ipv6();
    let (sniffer, began) = (Sniffer::on(&pair.client), Instant::now());
    let vrrpd = Vrrpd::started(&pair.web1, privilege, &config_v6(150, ""));
    pair.wait_for_holder_of(VIP_V6, &pair.web1, takeover(150));
    pair.lab.wait("some adverts", INTERVAL * 3 + SLACK, || sniffer.adverts(began).len() > 3);
    for advert in sniffer.adverts(began) {
        assert_eq!(advert.source, IpAddr::V6(pair.web1.link_local()));
        assert_eq!((advert.destination, advert.hop_limit), (address(GROUP), 255));
        assert_eq!((advert.vrid, advert.priority, advert.count), (51, 150, 2));
        assert_eq!(advert.station, pair.web1.mac());
        assert!(advert.has_right_checksum(), "{advert:?}");
    }
    assert_eq!(vrrpd.instance().source, Some(pair.web1.link_local().to_string()));
}

/// It passed a router on its way: it is none of a neighbour.
fn a_forged_hop_limit(privilege: Privilege) {
    let pair = Pair::with_ipv6();
    let vrrpd = Vrrpd::started(&pair.web1, privilege, &config_v6(150, ""));
    pair.wait_for_holder_of(VIP_V6, &pair.web1, takeover(150));
    let forged = |hop_limit| {
        let advert = Packet {
            from: pair.client.link_local().into(),
            hop_limit: Some(hop_limit),
            priority: 254,
            addresses: Some(vec![address(LINK_LOCAL_VIP), address(VIP_V6)]),
            ..Packet::default()
        };
        frame(&pair.client.mac(), &station_of(address(GROUP)), &advert.arrival().unwrap())
    };
    let flood = Injector::on(&pair.client, vec![forged(64), forged(254)], INTERVAL / 10);
    pair.lab.wait("they are counted", SOON, || vrrpd.counter("ip_ttl_errors") > 9);
    pair.lab.stays("it is Active", INTERVAL * 2, || vrrpd.state() == Some(State::Active));
    drop(flood);
    let refused = &vrrpd.instance().refused[0];
    assert_eq!(
        (refused.counter.as_str(), address(&refused.address)),
        ("ip_ttl_errors", pair.client.link_local().into())
    );

    let _neighbour = Injector::on(&pair.client, vec![forged(255)], INTERVAL);
    pair.wait_for_state(&vrrpd, State::Backup, SOON);
}

/// The kernel may not send from an address before it knows that nobody else has it.
fn a_source_that_is_tentative(privilege: Privilege) {
    let pair = Pair::with_ipv6();
    let source = pair.web1.link_local();
    pair.web1.ip(&format!("address delete {source}/64 dev eth0"));
    // The more often it asks, the longer that takes.
    pair.web1.set("ipv6/conf/eth0/dad_transmits", "3");
    pair.web1.ip(&format!("address add {source}/64 dev eth0"));
    let vrrpd = Vrrpd::started(&pair.web1, privilege, &config_v6(150, ""));
    let instance = vrrpd.instance();
    assert_eq!(instance.state, State::Fault, "{instance:?}");
    assert_eq!(instance.faults[0].what, "the IPv6 address to send from on eth0 is tentative or a duplicate");
    pair.wait_for_holder_of(VIP_V6, &pair.web1, takeover(150) + INTERVAL * 4);
    assert_eq!(vrrpd.counter("send_errors"), 0);
}

fn a_source_that_somebody_else_has(privilege: Privilege) {
    let pair = Pair::with_ipv6();
    let source = pair.web1.link_local();
    pair.web1.ip(&format!("address delete {source}/64 dev eth0"));
    pair.client.ip(&format!("address add {source}/64 dev eth0 nodad"));
    pair.web1.ip(&format!("address add {source}/64 dev eth0"));
    let failed = || pair.web1.ip("-6 address show dev eth0 dadfailed").contains(&source.to_string());
    pair.lab.wait("it is found to be a duplicate", SOON * 2, failed);
    let vrrpd = Vrrpd::started(&pair.web1, privilege, &config_v6(150, ""));
    pair.lab.stays("it waits", INTERVAL * 2, || vrrpd.state() == Some(State::Fault));
    let status = vrrpd.vipctl(&["status"]);
    assert_eq!(status.code, 1);
    assert!(status.stdout.contains("dadfailed"), "{}", status.stdout);

    pair.client.ip(&format!("address delete {source}/64 dev eth0"));
    pair.web1.ip(&format!("address delete {source}/64 dev eth0"));
    pair.web1.ip(&format!("address add {source}/64 dev eth0"));
    pair.wait_for_holder_of(VIP_V6, &pair.web1, takeover(150) + INTERVAL * 2);
}

/// Two virtual routers, which have nothing to do with each other.
fn both_families_with_one_vrid(privilege: Privilege) {
    let pair = Pair::with_ipv6();
    let both = |v4, v6| format!("{}{}", config(v4, ""), config_v6(v6, ""));
    let _web1 = Vrrpd::started(&pair.web1, privilege, &both(150, 100));
    let web2 = Vrrpd::started(&pair.web2, privilege, &both(100, 150));
    pair.wait_for_holder(&pair.web1, takeover(150));
    pair.wait_for_holder_of(VIP_V6, &pair.web2, takeover(150));
    pair.wait_for_answer(&pair.web1, SOON);
    pair.wait_for_answer_at(VIP_V6, &pair.web2, SOON);
    let before = web2.instance_named("six").since;
    pair.web1.isolate();
    pair.lab.wait("web2 has both", takeover(100), || pair.web2.has(VIP) && pair.web2.has(VIP_V6));
    pair.web1.rejoin();
    pair.wait_for_holder(&pair.web1, takeover(150));
    pair.wait_for_holder_of(VIP_V6, &pair.web2, SOON);
    assert_eq!(web2.instance_named("six").since, before, "what happens to the other is none of its business");
}
