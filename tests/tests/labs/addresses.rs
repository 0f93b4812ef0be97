//! The addresses on the interface: ours stay while they should, whatever goes beside them, and nobody else's is ever
//! touched.

use std::time::Instant;

use vipkit_control::vrrp::State;
use vipkit_tests::lab::Lab;
use vipkit_tests::lab::address_watch::AddressWatch;
use vipkit_tests::lab::host::Host;
use vipkit_tests::lab::sniffer::Sniffer;
use vipkit_tests::lab::vrrpd::{Privilege, Vrrpd};

use crate::fixture::{INTERVAL, Pair, SLACK, SOON, VIP, config, instance, takeover};

as_root_and_with_two_capabilities!(
    reloaded,
    renamed,
    another_prefix,
    removed_by_hand,
    foreign,
    foreign_with_another_prefix,
    foreign_beside_ours
);

const PROMOTE: &str = "/proc/sys/net/ipv4/conf/eth0/promote_secondaries";
/// One burst of announcements, and no later one to wait for.
const ONE_BURST: &str = "garp = { delay = '0s' }";

fn started(lab: &Lab, host: &Host, privilege: Privilege, config: &str) -> Vrrpd {
    let vrrpd = Vrrpd::started(host, privilege, config);
    lab.wait("it holds", takeover(100), || host.has(VIP));
    vrrpd
}

fn promotes(host: &Host) -> String {
    host.run(&["cat", PROMOTE]).stdout.trim().to_owned()
}

/// Two pairs go down to one each: of the first pair both are secondaries of the host's own address, of the second pair
/// the one that goes is the primary of its subnet. Then one is added. Another instance does not notice.
fn reloaded(privilege: Privilege) {
    let pair = Pair::new();
    pair.web1.run(&["sh", "-c", &format!("echo 0 > {PROMOTE}")]);
    let beside = instance("beside", 52, &["192.168.4.90/24"], ONE_BURST);
    let web = |addresses: &[&str]| format!("{beside}{}", instance("web", 51, addresses, ONE_BURST));
    let first = web(&["192.168.4.80/24", "192.168.4.81/24", "10.9.0.1/24", "10.9.0.2/24"]);
    let mut vrrpd = started(&pair.lab, &pair.web1, privilege, &first);
    let all_present =
        || vrrpd.instances().unwrap().iter().flat_map(|i| i.addresses.clone()).all(|a| a.present);
    pair.lab.wait("all addresses are there", SOON, all_present);
    assert_eq!(promotes(&pair.web1), "1");
    let sinces = || vrrpd.instances().unwrap().into_iter().map(|i| i.since).collect::<Vec<_>>();
    let before = sinces();

    let (watch, sniffer, began) = (AddressWatch::on(&pair.web1), Sniffer::on(&pair.client), Instant::now());
    vrrpd.configure(&web(&["192.168.4.81/24", "10.9.0.2/24"]));
    assert_eq!(vrrpd.vipctl(&["reload"]).code, 0);
    pair.lab.wait("the first ones go", SOON, || !pair.web1.has(VIP) && !pair.web1.has("10.9.0.1"));
    pair.lab.stays("the others stay", INTERVAL * 2, || {
        pair.web1.has("192.168.4.81") && pair.web1.has("10.9.0.2")
    });
    assert_eq!(
        (watch.losses("192.168.4.81"), watch.losses("10.9.0.2"), watch.losses("192.168.4.90")),
        (0, 0, 0)
    );
    assert!(sniffer.announcements(began).is_empty(), "{:?}", sniffer.announcements(began));

    vrrpd.configure(&web(&["192.168.4.81/24", "10.9.0.2/24", "192.168.4.82/24"]));
    vrrpd.hang_up();
    pair.lab.wait("the new one comes", SOON, || pair.web1.has("192.168.4.82"));
    let announced = || sniffer.announcements(began).iter().map(|a| a.address.to_string()).collect::<Vec<_>>();
    pair.lab.wait("it is announced", SOON, || !announced().is_empty());
    pair.lab
        .stays("nothing else is announced", INTERVAL * 2, || announced().iter().all(|a| a == "192.168.4.82"));

    let adverts = sniffer.adverts_of(&pair.web1, began);
    assert!(adverts.iter().all(|advert| advert.priority == 100));
    for vrid in [51, 52] {
        let moments: Vec<_> = adverts.iter().filter(|a| a.vrid == vrid).map(|a| a.at).collect();
        assert!(moments.len() >= 3, "{} adverts", moments.len());
        assert!(moments.windows(2).all(|two| two[1] - two[0] < INTERVAL + SLACK), "a gap in {moments:?}");
    }
    assert_eq!(sinces(), before);

    vrrpd.terminate();
    assert_eq!(pair.web1.addresses(), ["192.168.4.100/24"]);
    assert_eq!(promotes(&pair.web1), "0");
}

/// The same virtual router under another name is the same virtual router.
fn renamed(privilege: Privilege) {
    let pair = Pair::new();
    let vrrpd = started(&pair.lab, &pair.web1, privilege, &config(100, ""));
    let (watch, sniffer, began) = (AddressWatch::on(&pair.web1), Sniffer::on(&pair.client), Instant::now());
    let before = vrrpd.instance();
    vrrpd.configure(&instance("shop", 51, &[&format!("{VIP}/24")], ""));
    vrrpd.reload().unwrap();
    let after = vrrpd.instance();
    assert_eq!((after.name.as_str(), after.state, after.since), ("shop", State::Active, before.since));
    let adverts = || sniffer.adverts_of(&pair.web1, began);
    pair.lab.wait("it goes on", INTERVAL * 3 + SLACK, || adverts().len() >= 3);
    assert!(adverts().iter().all(|advert| advert.priority == 100), "{:?}", adverts());
    assert_eq!(watch.changes_of(VIP), 0);
}

fn another_prefix(privilege: Privilege) {
    let pair = Pair::new();
    let vrrpd = started(&pair.lab, &pair.web1, privilege, &config(100, ""));
    let watch = AddressWatch::on(&pair.web1);
    vrrpd.configure(&instance("web", 51, &[&format!("{VIP}/32")], ""));
    vrrpd.reload().unwrap();
    let nets = [format!("{VIP}/32"), "192.168.4.100/24".to_owned()];
    let as_configured = || {
        let mut addresses = pair.web1.addresses();
        addresses.sort_unstable_by_key(|net| !net.starts_with(VIP));
        addresses == nets
    };
    pair.lab.wait("the prefix is the new one", SOON, as_configured);
    assert_eq!(watch.losses(VIP), 0);
    assert_eq!(vrrpd.state(), Some(State::Active));
}

fn removed_by_hand(privilege: Privilege) {
    let pair = Pair::new();
    let vrrpd = started(&pair.lab, &pair.web1, privilege, &config(100, ""));
    for _ in 0..2 {
        pair.web1.ip(&format!("address delete {VIP}/24 dev eth0"));
        pair.lab.wait("it comes back", SOON, || pair.web1.has(VIP));
    }
    pair.wait_for_answer(&pair.web1, SOON);
    assert!(vrrpd.log().contains("was removed by somebody else"));
    assert_eq!(vrrpd.counter("became_active"), 1);
}

fn foreign(privilege: Privilege) {
    foreign_at_start(privilege, &format!("{VIP}/24"));
}

fn foreign_with_another_prefix(privilege: Privilege) {
    foreign_at_start(privilege, &format!("{VIP}/32"));
}

fn foreign_at_start(privilege: Privilege, net: &str) {
    let pair = Pair::new();
    pair.web1.ip(&format!("address add {net} dev eth0"));
    let watch = AddressWatch::on(&pair.web1);
    let mut vrrpd = Vrrpd::started(&pair.web1, privilege, &config(100, ""));
    pair.lab.stays("it is held in fault", takeover(100), || vrrpd.state() == Some(State::Fault));
    let status = vrrpd.vipctl(&["status"]);
    assert_eq!(status.code, 1);
    let remedy = format!("ip addr del {net} dev eth0");
    // A narrow terminal breaks lines.
    let said = status.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        said.contains(&format!("{net} is on eth0 already")) && said.contains(&remedy),
        "{}",
        status.stdout
    );
    vrrpd.terminate();
    vrrpd.start();
    assert_eq!(vrrpd.state(), Some(State::Fault));
    assert_eq!(watch.changes_of(VIP), 0, "nobody touched it");
    assert_eq!(pair.web1.addresses().len(), 2);

    pair.web1.run(&["sh", "-c", &remedy]);
    pair.wait_for_state(&vrrpd, State::Active, takeover(100));
    pair.lab.wait("it holds", SOON, || pair.web1.addresses().contains(&format!("{VIP}/24")));
    assert_eq!(vrrpd.vipctl(&["status"]).code, 0);
    vrrpd.terminate();
    assert!(!pair.web1.has(VIP), "this one was ours");
}

/// Somebody adds the same address with another prefix to ours.
fn foreign_beside_ours(privilege: Privilege) {
    let pair = Pair::new();
    let mut vrrpd = started(&pair.lab, &pair.web1, privilege, &config(100, ""));
    pair.web1.ip(&format!("address add {VIP}/32 dev eth0"));
    pair.lab.stays("it goes on", INTERVAL * 2, || vrrpd.state() == Some(State::Active));
    vrrpd.terminate();
    let mut left = pair.web1.addresses();
    left.sort_unstable();
    assert_eq!(left, ["192.168.4.100/24".to_owned(), format!("{VIP}/32")]);
}
