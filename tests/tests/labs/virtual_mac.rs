//! Virtual MAC addresses: the station of a virtual router stays the same, whoever it is; and of all that this needs on
//! a host, nothing is left behind.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use vipkit_control::vrrp::State;
use vipkit_tests::lab::address_watch::AddressWatch;
use vipkit_tests::lab::host::Host;
use vipkit_tests::lab::ping;
use vipkit_tests::lab::sniffer::{Claim, Said, Sniffer};
use vipkit_tests::lab::vrrpd::{Privilege, Vrrpd};
use vipkit_tests::lab::wire::who_has;

use crate::fixture::{
    INTERVAL, LINK_LOCAL_VIP, ONCE, Pair, SLACK, SOON, VIP, VIP_V6, config, config_v6, takeover,
};

as_root_and_with_two_capabilities!(takes_over, restarted, drift_is_repaired);
with_two_capabilities!(
    adverts_from_the_interface,
    a_split_heals,
    packets_are_forwarded_once,
    somebody_elses_interface,
    settings_that_somebody_changes,
);
as_root!(settings_that_do_not_hold);

const MAC: &str = "00:00:5e:00:01:33";
const MAC_V6: &str = "00:00:5e:00:02:33";
/// The VIPs, and the stations that have them.
const STATIONS: [(&str, &str); 3] = [(VIP, MAC), (VIP_V6, MAC_V6), (LINK_LOCAL_VIP, MAC_V6)];
const BELOW: [&str; 2] = ["ipv4/conf/eth0/arp_ignore", "ipv4/conf/eth0/arp_announce"];

/// An instance of each family.
fn both(priority: u8, keys: &str) -> String {
    format!("{}{}", config(priority, keys), config_v6(priority, keys))
}

fn started(pair: &Pair, privilege: Privilege, keys: &str) -> (Vrrpd, Vrrpd) {
    let web1 = Vrrpd::started(&pair.web1, privilege, &both(150, keys));
    let web2 = Vrrpd::started(&pair.web2, privilege, &both(100, keys));
    wait_for_holder(pair, &pair.web1, takeover(150));
    (web1, web2)
}

fn wait_for_holder(pair: &Pair, host: &Host, limit: Duration) {
    pair.wait_for_holder(host, limit);
    pair.wait_for_holder_of(VIP_V6, host, SOON);
}

fn links(host: &Host) -> BTreeSet<String> {
    let printed = host.ip("-oneline link show");
    printed.lines().map(|line| line.split(": ").nth(1).unwrap().to_owned()).collect()
}

/// As it was before vrrpd was here.
fn assert_clean(host: &Host) {
    assert_eq!(links(host).len(), 2, "{:?}", links(host));
    assert_eq!(BELOW.map(|path| host.setting(path)), ["0", "0"]);
    assert_eq!((host.addresses().len(), host.addresses_v6().len()), (1, 2));
}

/// Nobody on the network was ever told another station for a virtual address, or a virtual one for another.
fn assert_only_virtual_stations(sniffer: &Sniffer, since: Instant) {
    let claims = sniffer.claims(since);
    assert!(!claims.is_empty());
    for claim in claims {
        let station = STATIONS.iter().find(|(vip, _)| claim.address == vip.parse::<IpAddr>().unwrap());
        match station {
            Some((_, mac)) => {
                assert_eq!((claim.mac.as_str(), claim.station.as_str()), (*mac, *mac), "{claim:?}")
            }
            None => assert!(!claim.mac.starts_with("00:00:5e"), "{claim:?}"),
        }
    }
}

fn takes_over(privilege: Privilege) {
    let pair = Pair::with_ipv6();
    let (sniffer, began) = (Sniffer::on(&pair.client), Instant::now());
    let (mut web1, mut web2) = started(&pair, privilege, &format!("virtual_mac = true\n{ONCE}"));
    for advert in sniffer.adverts(began) {
        let mac = if advert.source.is_ipv4() { MAC } else { MAC_V6 };
        assert_eq!(advert.station, mac);
        assert!(pair.web1.is_at(advert.source) && advert.has_right_checksum(), "{advert:?}");
    }
    let announced: Vec<IpAddr> = sniffer.announcements(began).iter().map(|claim| claim.address).collect();
    assert_eq!(announced.len(), 3, "each once: {announced:?}");
    let known = || STATIONS.map(|(vip, _)| pair.client.neighbour(vip));
    let stations = STATIONS.map(|(_, mac)| Some(mac.to_owned()));

    pair.wait_for_answer(&pair.web1, SOON);
    pair.wait_for_answer_at(VIP_V6, &pair.web1, SOON);
    for (vip, mac) in STATIONS {
        assert_eq!(who_has(&pair.client, vip), [mac], "{vip}");
    }
    assert_eq!(&known()[..2], &stations[..2]);
    assert_eq!(pair.lab.port_of(MAC).as_deref(), Some("web1"));
    let shown = web1.instance().virtual_mac.unwrap();
    assert_eq!((shown.mac.as_str(), shown.present, shown.up), (MAC_V6, true, true));
    let shown = web2.instance().virtual_mac.unwrap();
    assert_eq!((shown.present, shown.up), (true, false), "a Backup takes no frames for it");

    // What the host itself asks on behalf of the address must not teach others where it is.
    for (vip, target) in
        [(VIP, pair.client.address().to_string()), (VIP_V6, format!("[{}]", pair.client.global()))]
    {
        pair.web1.ip("neighbour flush all");
        let flushed = Instant::now();
        let url = format!("http://{target}/");
        pair.web1.run(&["curl", "--silent", "--max-time", "1", "--interface", vip, &url]);
        let (client, kind) = (pair.client.mac(), if vip == VIP { Said::Request } else { Said::Solicitation });
        let asks = |claim: &Claim| claim.said == kind && claim.station != client && claim.at >= flushed;
        pair.lab
            .wait(&format!("it asks on behalf of {vip}"), SOON, || sniffer.claims(began).iter().any(asks));
    }
    assert!(ping::is_answered(&pair.client, &pair.web1.address().to_string()), "the host has its own too");

    pair.web1.cut();
    wait_for_holder(&pair, &pair.web2, takeover(100));
    pair.wait_for_answer(&pair.web2, SOON);
    pair.wait_for_answer_at(VIP_V6, &pair.web2, SOON);
    assert_eq!(&known()[..2], &stations[..2]);
    assert_eq!(pair.lab.port_of(MAC).as_deref(), Some("web2"));
    assert_only_virtual_stations(&sniffer, began);

    pair.web1.mend();
    wait_for_holder(&pair, &pair.web1, takeover(150));
    web1.terminate();
    wait_for_holder(&pair, &pair.web2, takeover(100));
    web2.terminate();
    [&pair.web1, &pair.web2].into_iter().for_each(assert_clean);
    assert_only_virtual_stations(&sniffer, began);
}

fn restarted(privilege: Privilege) {
    let pair = Pair::with_ipv6();
    let (mut web1, web2) = started(&pair, privilege, "virtual_mac = true");
    let (before, watch) = (links(&pair.web1), AddressWatch::on(&pair.web1));
    let index = || pair.web1.run(&["cat", "/sys/class/net/vrrp.51/ifindex"]).stdout;
    let indexed = index();

    web1.kill();
    web1.start();
    assert_eq!(web1.instances().unwrap().iter().map(|i| i.state).collect::<Vec<_>>(), [State::Active; 2]);
    pair.lab.stays("only web1 holds", INTERVAL * 4, || pair.lab.holders(VIP) == ["web1"]);
    assert_eq!((watch.losses(VIP), watch.losses(VIP_V6)), (0, 0));
    assert_eq!((links(&pair.web1), index()), (before, indexed), "the interfaces stayed");
    assert_eq!(web2.state(), Some(State::Backup));
    web1.terminate();
    assert_clean(&pair.web1);

    // Killed and started again when another is Active, and then without a virtual MAC.
    web1.start();
    wait_for_holder(&pair, &pair.web1, takeover(150));
    web1.kill();
    pair.lab.wait("web2 holds", takeover(100), || pair.web2.has(VIP) && pair.web2.has(VIP_V6));
    web1.configure("[node]\nname = 'idle'");
    web1.start();
    assert_clean(&pair.web1);
    web1.terminate();

    // Killed, and what is started then cannot run.
    web1.configure(&both(150, "virtual_mac = true"));
    web1.start();
    wait_for_holder(&pair, &pair.web1, takeover(150));
    web1.kill();
    web1.configure("[vrrp.web]\nnonsense = 1");
    web1.launch();
    assert_eq!(web1.wait(), 1);
    assert_clean(&pair.web1);
}

fn drift_is_repaired(privilege: Privilege) {
    let pair = Pair::with_ipv6();
    let (web1, web2) = started(&pair, privilege, "virtual_mac = true");
    let since = || web1.instances().unwrap().into_iter().map(|i| i.since).collect::<Vec<_>>();
    let before = since();
    for drift in
        ["link set vrrp.51 down", "link delete vrrp6.51", "address flush dev vrrp.51", "link delete vrrp.51"]
    {
        pair.web1.ip(drift);
        wait_for_holder(&pair, &pair.web1, SOON);
        pair.wait_for_answer(&pair.web1, SOON);
        pair.wait_for_answer_at(VIP_V6, &pair.web1, SOON);
        assert_eq!(since(), before, "{drift}");
    }
    // A Backup must not take frames for it, whoever switched it on.
    pair.web2.ip("link set vrrp.51 up");
    pair.lab.wait("it is switched off", SOON, || {
        web2.instance_named("web").virtual_mac.is_some_and(|mac| !mac.up)
    });
    pair.web2.ip("link delete vrrp.51");
    pair.lab.wait("it is made again", SOON, || links(&pair.web2).contains("vrrp.51@eth0"));
    assert_eq!(web2.state(), Some(State::Backup));
}

fn adverts_from_the_interface(privilege: Privilege) {
    let pair = Pair::with_ipv6();
    let (sniffer, began) = (Sniffer::on(&pair.client), Instant::now());
    let keys = "virtual_mac = { interface = 'NAME', adverts_from = 'interface' }";
    let named = |name: &str| keys.replace("NAME", name);
    let config = format!("{}{}", config(150, &named("shop")), config_v6(150, &named("shop6")));
    let vrrpd = Vrrpd::started(&pair.web1, privilege, &config);
    wait_for_holder(&pair, &pair.web1, takeover(150));
    pair.wait_for_answer(&pair.web1, SOON);
    pair.wait_for_answer_at(VIP_V6, &pair.web1, SOON);
    pair.lab.wait("some adverts", INTERVAL * 3, || sniffer.adverts(began).len() >= 4);
    assert!(sniffer.adverts(began).iter().all(|advert| advert.station == pair.web1.mac()));
    assert_only_virtual_stations(&sniffer, began);
    assert!(links(&pair.web1).contains("shop@eth0"));

    // Another name is another interface.
    vrrpd.configure(&config.replace("'shop'", "'store'"));
    vrrpd.reload().unwrap();
    pair.lab.wait("the other one has the VIP", takeover(150), || {
        pair.web1.ip("-4 address show dev store").contains(VIP)
    });
    assert!(!links(&pair.web1).contains("shop@eth0"));
}

/// Both send from the same station: no kernel may take the other's adverts for its own.
fn a_split_heals(privilege: Privilege) {
    let pair = Pair::with_ipv6();
    let (web1, web2) = started(&pair, privilege, "virtual_mac = true");
    pair.web1.isolate();
    pair.lab.wait("both hold", takeover(100), || {
        [VIP, VIP_V6].iter().all(|vip| pair.lab.holders(vip) == ["web1", "web2"])
    });
    pair.wait_for_answer(&pair.web2, SOON);
    let (sniffer, healed) = (Sniffer::on(&pair.client), Instant::now());
    pair.web1.rejoin();
    wait_for_holder(&pair, &pair.web1, INTERVAL * 2 + SLACK);
    pair.wait_for_answer(&pair.web1, SOON);
    pair.wait_for_answer_at(VIP_V6, &pair.web1, SOON);
    pair.lab.stays("only web1 holds", INTERVAL * 3, || pair.lab.holders(VIP) == ["web1"]);
    assert_only_virtual_stations(&sniffer, healed);
    let conflicts =
        [&web1, &web2].map(|vrrpd| vrrpd.instances().unwrap().into_iter().map(|i| i.counters["conflicts"]));
    let [first, second] = conflicts.map(Iterator::collect::<Vec<_>>);
    assert!(first.iter().zip(&second).all(|(first, second)| first + second > 0), "{first:?} {second:?}");
    assert_eq!(web2.state(), Some(State::Backup));
}

/// On a network that gives everybody every frame, the Active router alone forwards what is sent to the virtual MAC.
fn packets_are_forwarded_once(privilege: Privilege) {
    let pair = Pair::with_ipv6();
    let far = pair.lab.host("far", 77);
    far.add_ipv6();
    pair.lab.flood_everything();
    far.ip("address add 10.7.7.7/32 dev eth0");
    far.ip("address add 2001:db8:7::7/128 dev eth0 nodad");
    for web in [&pair.web1, &pair.web2] {
        web.set("ipv4/ip_forward", "1");
        web.set("ipv6/conf/all/forwarding", "1");
        web.ip(&format!("route add 10.7.7.7/32 via {} dev eth0", far.address()));
        web.ip(&format!("route add 2001:db8:7::7/128 via {} dev eth0", far.global()));
    }
    let (mut web1, _web2) = started(&pair, privilege, "virtual_mac = true");
    pair.client.ip(&format!("route add 10.7.7.7/32 via {VIP}"));
    pair.client.ip(&format!("route add 2001:db8:7::7/128 via {VIP_V6}"));
    let forwarded_once = |through: &Host| {
        for target in ["10.7.7.7", "2001:db8:7::7"] {
            let (sniffer, began) = (Sniffer::on(&far), Instant::now());
            pair.lab.wait("there is an answer from afar", SOON, || ping::is_answered(&pair.client, target));
            let address: IpAddr = target.parse().unwrap();
            // What is forwarded has one hop less.
            let forwarded = || {
                let echoes = sniffer.echoes(began);
                let forwarded = echoes.iter().filter(|e| e.destination == address && e.hop_limit == 63);
                let sent = echoes.iter().filter(|e| e.destination == address && e.hop_limit == 64);
                (sent.count(), forwarded.count())
            };
            pair.lab.stays("each is forwarded once at most", SOON / 4, || forwarded().1 <= forwarded().0);
            assert!(forwarded().1 > 0, "{} forwards to {target}: {:?}", through.name(), forwarded());
        }
    };
    forwarded_once(&pair.web1);
    for (vip, mac) in STATIONS {
        assert_eq!(who_has(&pair.client, vip), [mac], "{vip}");
    }
    web1.terminate();
    wait_for_holder(&pair, &pair.web2, takeover(100));
    forwarded_once(&pair.web2);
}

fn somebody_elses_interface(privilege: Privilege) {
    let pair = Pair::with_ipv6();
    pair.web1.ip("link add vrrp.51 type bridge");
    let mut vrrpd = Vrrpd::started(&pair.web1, privilege, &config(150, "virtual_mac = true"));
    let instance = vrrpd.instance();
    assert_eq!(instance.state, State::Fault);
    let fault = &instance.faults[0];
    assert_eq!(fault.what, "interface vrrp.51 exists, and vrrpd did not make it");
    assert!(fault.remedy.contains("virtual_mac = { interface"), "{}", fault.remedy);
    vrrpd.terminate();
    assert!(links(&pair.web1).contains("vrrp.51"));
    vrrpd.start();
    pair.web1.ip("link delete vrrp.51");
    pair.wait_for_holder(&pair.web1, takeover(150));
    assert!(links(&pair.web1).contains("vrrp.51@eth0"));
}

/// A setting that is changed is set again, and nobody loses anything meanwhile; it is put back as it was at first.
fn settings_that_somebody_changes(privilege: Privilege) {
    let pair = Pair::with_ipv6();
    let ignored = "ipv4/conf/eth0/arp_ignore";
    pair.web1.set("ipv4/conf/eth0/arp_announce", "1");
    pair.web1.set(ignored, "2");
    let mut vrrpd = Vrrpd::started(&pair.web1, privilege, &both(150, "virtual_mac = true"));
    wait_for_holder(&pair, &pair.web1, takeover(150));
    assert_eq!(BELOW.map(|path| pair.web1.setting(path)), ["2", "2"], "what serves is left alone");
    pair.web1.set(ignored, "0");
    // The kernel tells nobody of a setting: they are looked at once a minute, and at each reload.
    vrrpd.reload().unwrap();
    pair.lab.wait("it is set again", SOON, || pair.web1.setting(ignored) == "1");
    assert_eq!(who_has(&pair.client, VIP), [MAC]);
    vrrpd.terminate();
    assert_eq!(BELOW.map(|path| pair.web1.setting(path)), ["0", "1"]);
}

/// As in a container that may not change settings: it goes on, and says what goes wrong.
fn settings_that_do_not_hold(privilege: Privilege) {
    let pair = Pair::with_ipv6();
    let mut vrrpd = Vrrpd::new(&pair.web1, privilege, &both(150, "virtual_mac = true"));
    let read_only = "mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys && exec \"$@\"";
    let mut command = vrrpd.command(&["sh", "-c", read_only, "sh"]);
    vrrpd.start_as(&mut command);
    pair.lab.wait("it is Active all the same", takeover(150), || pair.web1.has(VIP));
    let warnings = vrrpd.instance_named("web").warnings;
    let ignored = warnings.iter().find(|warning| warning.what.starts_with("arp_ignore of eth0 is 0"));
    let ignored = ignored.unwrap_or_else(|| panic!("{warnings:?}"));
    assert!(ignored.what.contains("answered with the physical MAC"), "{}", ignored.what);
    assert_eq!(ignored.remedy, "`sysctl net.ipv4.conf.eth0.arp_ignore=1`");
    assert!(who_has(&pair.client, VIP).contains(&pair.web1.mac()), "that is what goes wrong");
    let lines = || vrrpd.log().matches("arp_ignore of eth0").count();
    assert_eq!(lines(), 1, "it is said once");

    pair.web1.set("ipv4/conf/eth0/arp_ignore", "1");
    vrrpd.reload().unwrap();
    let is_shown = || {
        let warnings = vrrpd.instance_named("web").warnings;
        warnings.iter().any(|warning| warning.what.starts_with("arp_ignore of eth0"))
    };
    pair.lab.wait("it holds now", SOON, || !is_shown());
    assert!(!who_has(&pair.client, VIP).contains(&pair.web1.mac()));
}
