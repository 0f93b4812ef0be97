//! Routers that speak to each other one by one, as where the network takes no multicast.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use vipkit_control::vrrp::State;
use vipkit_tests::conformance::packet::Packet;
use vipkit_tests::lab::host::Host;
use vipkit_tests::lab::injector::Injector;
use vipkit_tests::lab::sniffer::{Advert, Sniffer};
use vipkit_tests::lab::vrrpd::{Privilege, Vrrpd};
use vipkit_tests::lab::wire::{frame, station_of};

use crate::fixture::{
    INTERVAL, LINK_LOCAL_VIP, Pair, SLACK, SOON, VIP, VIP_V6, config, config_v6, skew, takeover,
};

as_root_and_with_two_capabilities!(three_routers);
with_two_capabilities!(three_routers_over_ipv6, who_is_believed);

fn three_routers(privilege: Privilege) {
    three(privilege, VIP, |host| host.address().into(), config);
}

fn three_routers_over_ipv6(privilege: Privilege) {
    three(privilege, VIP_V6, |host| host.global().into(), config_v6);
}

/// Each gets its own copy of each advert, and nobody else any; the next one takes over.
fn three(privilege: Privilege, vip: &str, address: fn(&Host) -> IpAddr, config: fn(u8, &str) -> String) {
    let pair = Pair::with_ipv6();
    let web3 = pair.lab.host("web3", 150);
    web3.add_ipv6();
    let hosts = [&pair.web1, &pair.web2, &web3];
    let priorities = [200, 150, 100];
    let configured = |at: usize| {
        let peers: Vec<String> = hosts
            .iter()
            .enumerate()
            .filter(|(n, _)| *n != at)
            .map(|(_, host)| address(host).to_string())
            .collect();
        let keys = format!("unicast_peers = {peers:?}\nsource_address = '{}'", address(hosts[at]));
        config(priorities[at], &keys)
    };
    let mut routers: Vec<Vrrpd> =
        (0..3).map(|at| Vrrpd::started(hosts[at], privilege, &configured(at))).collect();
    assert!(routers[0].log().contains("can forge"), "{}", routers[0].log());
    pair.wait_for_holder_of(vip, hosts[0], takeover(200));

    let (began, sniffers) = (Instant::now(), [hosts[1], hosts[2], &pair.client].map(Sniffer::on));
    let seen = || sniffers.each_ref().map(|sniffer| sniffer.adverts(began));
    let three_each = || seen()[..2].iter().all(|adverts| adverts.len() >= 3);
    pair.lab.wait("both hear it", INTERVAL * 4 + SLACK, three_each);
    let [second, third, client] = seen();
    for (adverts, to) in [(&second, hosts[1]), (&third, hosts[2])] {
        for advert in adverts {
            assert_eq!((advert.source, advert.destination), (address(hosts[0]), address(to)));
            assert_eq!((advert.hop_limit, advert.priority), (255, 200));
            assert!(advert.has_right_checksum(), "{advert:?}");
        }
        let gap = |two: &[Advert]| two[1].at - two[0].at;
        assert!(adverts.windows(2).map(gap).all(|gap| gap > Duration::from_millis(500)), "{adverts:?}");
    }
    assert!(client.is_empty(), "{client:?}");
    assert_eq!(routers[1].instance().peers.len(), 1);

    let ended = Instant::now();
    routers[0].terminate();
    pair.wait_for_holder_of(vip, hosts[1], skew(150) + SLACK);
    let [second, third, _] = seen();
    for adverts in [&second, &third] {
        assert!(adverts.iter().any(|advert| advert.at >= ended && advert.priority == 0), "{adverts:?}");
    }
    routers[1].kill();
    pair.lab.wait("the third takes over", takeover(100), || web3.has(vip));
    assert_eq!(routers[2].state(), Some(State::Active));
}

/// A peer is, through whatever it was routed, unless that is limited; nobody else is, and nothing that is for all.
fn who_is_believed(privilege: Privilege) {
    let pair = Pair::with_ipv6();
    let (peer, stranger) = (pair.lab.host("peer", 66), pair.lab.host("stranger", 67));
    [&peer, &stranger].into_iter().for_each(|host| host.add_ipv6());
    let with_min_ttl = |min_ttl: u8| {
        let peers =
            |address: IpAddr| format!("unicast_peers = [{{ address = '{address}', min_ttl = {min_ttl} }}]\n");
        let global = format!("source_address = '{}'", pair.web1.global());
        let six = config_v6(150, &(peers(peer.global().into()) + &global));
        format!("{}{six}", config(150, &peers(peer.address().into())))
    };
    let vrrpd = Vrrpd::started(&pair.web1, privilege, &with_min_ttl(254));
    let names = ["web", "six"];
    let states = || names.map(|name| vrrpd.instance_named(name).state);
    pair.lab.wait("it is Active", takeover(150), || states() == [State::Active; 2]);

    let copies = |from: &Host, ttl: u8, to_all: bool| {
        let v4 = Packet {
            from: from.address().into(),
            to: (!to_all).then(|| pair.web1.address().into()),
            ttl,
            addresses: Some(vec![VIP.parse().unwrap()]),
            ..Packet::default()
        };
        let v6 = Packet {
            from: from.global().into(),
            to: (!to_all).then(|| pair.web1.global().into()),
            hop_limit: Some(ttl),
            addresses: Some([LINK_LOCAL_VIP, VIP_V6].map(|vip| vip.parse().unwrap()).to_vec()),
            ..Packet::default()
        };
        let groups = ["224.0.0.18", "ff02::12"].map(|group| station_of(group.parse().unwrap()));
        let frames = [v4, v6].into_iter().zip(groups).map(|(packet, group)| {
            let station = if to_all { group } else { pair.web1.mac() };
            frame(&from.mac(), &station, &packet.arrival().unwrap())
        });
        frames.collect::<Vec<_>>()
    };
    for (from, ttl, to_all, counter) in [
        (&stranger, 255, false, "peer_errors"),
        (&peer, 255, true, "destination_errors"),
        (&peer, 5, false, "peer_ttl_errors"),
        (&peer, 253, false, "peer_ttl_errors"),
    ] {
        let counted = || names.map(|name| vrrpd.instance_named(name).counters[counter]);
        let before = counted();
        let _flood = Injector::on(from, copies(from, ttl, to_all), INTERVAL / 20);
        let what = format!("{counter} by {} with TTL {ttl}", from.name());
        pair.lab.wait(&what, SOON, || counted().iter().zip(before).all(|(now, before)| *now > before + 5));
        assert_eq!(states(), [State::Active; 2], "{what}");
    }
    vrrpd.configure(&with_min_ttl(1));
    vrrpd.reload().unwrap();
    let _peer = Injector::on(&peer, copies(&peer, 5, false), INTERVAL / 20);
    pair.lab.wait("it yields", SOON, || states() == [State::Backup; 2]);
}
