//! Many addresses on one virtual router, and addresses that are more than that: as ip(8) shows them.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use vipkit_control::vrrp::State;
use vipkit_tests::lab::address_watch::AddressWatch;
use vipkit_tests::lab::figure::figure;
use vipkit_tests::lab::host::Host;
use vipkit_tests::lab::sniffer::Sniffer;
use vipkit_tests::lab::until;
use vipkit_tests::lab::vrrpd::{Privilege, Vrrpd};

use crate::fixture::{INTERVAL, LINK_LOCAL_VIP, ONCE, Pair, SLACK, SOON, VIP, config, instance, takeover};

with_two_capabilities!(four_thousand, three_hundred_over_ipv6, more_than_an_address);

/// Until they are all there, or gone.
const PATIENCE: Duration = Duration::from_secs(20);
/// All that vrrpd has in memory, in KiB: of a debug build.
const MEMORY_MAX: u64 = 64 * 1024;

/// How many addresses of a prefix a host has on `eth0`.
fn count(host: &Host, prefix: &str) -> usize {
    let all = host.addresses().into_iter().chain(host.addresses_v6());
    all.filter(|net| net.starts_with(prefix)).count()
}

fn memory(vrrpd: &Vrrpd) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", vrrpd.pid().unwrap())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// One beside another one, whose adverts come when they should.
fn many(privilege: Privilege, priority: u8, host: &Host, addresses: &[String], keys: &str) -> Vrrpd {
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let keys = format!("priority = {priority}\n{ONCE}\n{keys}");
    let all = format!("{}{}", config(priority, ""), instance("many", 52, &addresses, &keys));
    Vrrpd::started(host, privilege, &all)
}

fn adverts_are_on_time(sniffer: &Sniffer, host: &Host, began: Instant) {
    for vrid in [51, 52] {
        let of_it =
            || sniffer.adverts_of(host, began).into_iter().filter(|a| a.vrid == vrid).collect::<Vec<_>>();
        assert!(until(INTERVAL * 4, || of_it().len() > 3), "{} adverts of {vrid}", of_it().len());
        let adverts = of_it();
        let gap = adverts.windows(2).map(|two| two[1].at - two[0].at).max().unwrap();
        figure("beside thousands of addresses, longest time between two adverts", gap);
        assert!(gap < INTERVAL + SLACK, "{gap:?} between two adverts of {vrid}");
    }
}

fn four_thousand(privilege: Privilege) {
    let pair = Pair::new();
    let addresses: Vec<String> = (0..4000).map(|n| format!("10.9.{}.{}/16", n / 250, n % 250 + 1)).collect();
    let (sniffer, began) = (Sniffer::on(&pair.client), Instant::now());
    let mut web1 = many(privilege, 150, &pair.web1, &addresses, "");
    let web2 = many(privilege, 100, &pair.web2, &addresses, "");
    let all_there = |host: &Host| count(host, "10.9.") == 4000;
    pair.wait_for_state(&web1, State::Active, takeover(150));
    figure("4000 addresses are there", pair.lab.wait("all are there", PATIENCE, || all_there(&pair.web1)));
    assert_eq!(count(&pair.web2, "10.9."), 0);
    let shown = web1.instance_named("many");
    assert_eq!((shown.address_count, shown.addresses_present, shown.addresses.len()), (4000, 4000, 256));
    let announced = || {
        let announced = sniffer.announcements(began).into_iter().map(|claim| claim.address);
        announced.collect::<BTreeSet<_>>().len()
    };
    pair.lab.wait("each is announced", PATIENCE, || announced() == 4001);
    let advert = sniffer.adverts_of(&pair.web1, began).into_iter().rfind(|advert| advert.vrid == 52).unwrap();
    assert_eq!((advert.count, advert.message.len()), (255, 8 + 4 * 255));
    adverts_are_on_time(&sniffer, &pair.web1, began);
    assert!(memory(&web1) < MEMORY_MAX, "{} KiB", memory(&web1));

    let stopped = Instant::now();
    web1.terminate();
    figure("4000 addresses are gone", stopped.elapsed());
    assert_eq!(pair.web1.addresses(), ["192.168.4.100/24"]);
    pair.lab.wait("web2 has all", PATIENCE, || all_there(&pair.web2));
    let (state, beside) = (web2.instance_named("many").state, web2.instance_named("web").state);
    assert_eq!((state, beside), (State::Active, State::Active));
    adverts_are_on_time(&sniffer, &pair.web2, stopped);
}

fn three_hundred_over_ipv6(privilege: Privilege) {
    let pair = Pair::with_ipv6();
    let mut addresses = vec![format!("{LINK_LOCAL_VIP}/64")];
    addresses.extend((1..300).map(|n| format!("2001:db8:9::{n:x}/64")));
    let (sniffer, began) = (Sniffer::on(&pair.client), Instant::now());
    let mut web1 = many(privilege, 150, &pair.web1, &addresses, "");
    let _web2 = many(privilege, 100, &pair.web2, &addresses, "");
    pair.wait_for_holder(&pair.web1, takeover(150));
    pair.lab.wait("all are there", PATIENCE, || count(&pair.web1, "2001:db8:9:") == 299);
    pair.wait_for_holder_of(LINK_LOCAL_VIP, &pair.web1, SOON);
    let advert = sniffer.adverts_of(&pair.web1, began).into_iter().rfind(|advert| advert.vrid == 52).unwrap();
    // As many as a packet of 1500 bytes takes.
    assert_eq!(advert.count, 90);
    assert!(advert.has_right_checksum());
    adverts_are_on_time(&sniffer, &pair.web1, began);
    let stopped = Instant::now();
    web1.terminate();
    assert_eq!(pair.web1.addresses_v6().len(), 2);
    pair.lab.wait("web2 has all", PATIENCE, || count(&pair.web2, "2001:db8:9:") == 299);
    assert!(web2_answers(&pair, stopped));
}

fn web2_answers(pair: &Pair, since: Instant) -> bool {
    pair.client.ip("-6 route add 2001:db8:9::/64 dev eth0");
    pair.wait_for_answer_at("2001:db8:9::12b", &pair.web2, SOON);
    since.elapsed() < PATIENCE
}

/// Scope, label, peer, without a route, of the other family: each is as ip(8) would have made it.
fn more_than_an_address(privilege: Privilege) {
    let pair = Pair::with_ipv6();
    let configured = |label: &str| {
        format!(
            "[vrrp.web]\ninterface = 'eth0'\nvirtual_router_id = 51\naddresses = [
                '{VIP}/24',
                {{ address = '10.4.0.1/24', scope = 'link', label = '{label}' }},
                {{ address = '10.5.0.1/32', peer = '10.5.0.2/32' }},
                {{ address = '10.6.0.1/24', prefix_route = false }},
                {{ address = '10.7.0.1/24', advertise = false }},
                {{ address = '2001:db8:6::1/64', advertise = false, prefix_route = false }},
            ]\n"
        )
    };
    let (sniffer, began) = (Sniffer::on(&pair.client), Instant::now());
    let mut vrrpd = Vrrpd::started(&pair.web1, privilege, &configured("eth0:1"));
    pair.wait_for_holder(&pair.web1, takeover(100));
    let all_there = || vrrpd.instance().addresses.iter().all(|address| address.present && address.ours);
    pair.lab.wait("all are there", SOON, all_there);
    let shown = || pair.web1.ip("-oneline address show dev eth0");
    for expected in [
        "inet 192.168.4.80/24 scope global secondary eth0",
        "inet 10.4.0.1/24 scope link eth0:1",
        "inet 10.5.0.1 peer 10.5.0.2/32 scope global eth0",
        "inet 10.6.0.1/24 scope global noprefixroute eth0",
        "inet 10.7.0.1/24 scope global eth0",
        "inet6 2001:db8:6::1/64 scope global nodad noprefixroute",
    ] {
        assert!(shown().contains(expected), "{expected} is not in {}", shown());
    }
    let routes = format!("{}{}", pair.web1.ip("-4 route"), pair.web1.ip("-6 route"));
    for (prefix, there) in
        [("10.5.0.2", true), ("10.6.0.0/24", false), ("10.7.0.0/24", true), ("2001:db8:6::/64", false)]
    {
        assert_eq!(routes.contains(prefix), there, "{prefix}: {routes}");
    }
    let advert = sniffer.adverts_of(&pair.web1, began).pop().unwrap();
    assert_eq!(advert.count, 4, "some are held beside it");
    let announced: BTreeSet<_> =
        sniffer.announcements(began).into_iter().map(|claim| claim.address).collect();
    assert_eq!(announced.len(), 6, "but all of them are announced: {announced:?}");

    let watch = AddressWatch::on(&pair.web1);
    vrrpd.configure(&configured("eth0:shop"));
    vrrpd.reload().unwrap();
    pair.lab.wait("the label is another", SOON, || shown().contains("scope link eth0:shop"));
    assert_eq!((watch.losses(VIP), watch.losses("10.4.0.1")), (0, 1));
    vrrpd.terminate();
    assert_eq!((pair.web1.addresses().len(), pair.web1.addresses_v6().len()), (1, 2));
}
