//! Accept_Mode false (RFC 9568 §6.1): an address that is answered for but takes no packets, by a table of nftables that
//! is ours alone.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Instant;

use vipkit_control::vrrp::State;
use vipkit_tests::lab::host::Host;
use vipkit_tests::lab::ping;
use vipkit_tests::lab::sniffer::Sniffer;
use vipkit_tests::lab::vrrpd::{Privilege, Vrrpd};
use vipkit_tests::lab::wire::{still_has, who_has};

use crate::fixture::{INTERVAL, Pair, SOON, VIP, VIP_V6, config, config_v6, takeover};

as_root_and_with_two_capabilities!(closed, repaired);
with_two_capabilities!(closed_with_a_virtual_mac, opened_and_closed_by_reload, a_takeover_runs_nothing);
as_root!(without_nft);

const CLOSED: &str = "accept = false";

fn both(priority: u8, keys: &str) -> String {
    format!("{}{}", config(priority, keys), config_v6(priority, keys))
}

fn wait_for_holder(pair: &Pair, host: &Host) {
    pair.wait_for_holder(host, takeover(100));
    pair.wait_for_holder_of(VIP_V6, host, SOON);
}

/// Whether the VIPs take packets.
fn answers(pair: &Pair) -> [bool; 2] {
    [VIP, VIP_V6].map(|vip| ping::is_answered(&pair.client, vip))
}

fn tables(host: &Host) -> String {
    host.run(&["nft", "list", "tables"]).stdout
}

/// Handles count up: a table that was written anew has another.
fn handle(host: &Host) -> String {
    let listed = host.run(&["nft", "-a", "list", "table", "inet", "vipkit"]).stdout;
    listed.lines().next().unwrap_or_default().to_owned()
}

fn closed(privilege: Privilege) {
    closed_with(privilege, "", |host| [host.mac(), host.mac()]);
}

fn closed_with_a_virtual_mac(privilege: Privilege) {
    closed_with(privilege, "virtual_mac = true", |_| {
        ["00:00:5e:00:01:33", "00:00:5e:00:02:33"].map(str::to_owned)
    });
}

fn closed_with(privilege: Privilege, keys: &str, stations: fn(&Host) -> [String; 2]) {
    let pair = Pair::with_ipv6();
    pair.web1.run(&[
        "nft",
        "add table inet theirs; add chain inet theirs input { type filter hook input priority 0; }",
    ]);
    let theirs = pair.web1.run(&["nft", "-a", "list", "table", "inet", "theirs"]).stdout;
    pair.web1.set("ipv4/ip_forward", "1");
    pair.web1.set("ipv6/conf/all/forwarding", "1");
    let mut vrrpd = Vrrpd::started(&pair.web1, privilege, &both(100, &format!("{CLOSED}\n{keys}")));
    wait_for_holder(&pair, &pair.web1);

    let (sniffer, began) = (Sniffer::on(&pair.client), Instant::now());
    assert_eq!(answers(&pair), [false, false]);
    assert_eq!((pair.client.fetch(VIP), pair.client.fetch(VIP_V6)), (None, None));
    for (vip, station) in [VIP, VIP_V6].into_iter().zip(stations(&pair.web1)) {
        assert_eq!(who_has(&pair.client, vip), [station.as_str()], "{vip}");
        // Which over IPv6 is a packet to the address itself.
        assert_eq!(still_has(&pair.client, vip, &station), [station.as_str()], "{vip}");
    }
    let vips = [VIP, VIP_V6].map(|vip| vip.parse::<IpAddr>().unwrap());
    let echoes = sniffer.echoes(began);
    assert!(echoes.iter().any(|echo| vips.contains(&echo.destination)), "the client has asked");
    assert!(echoes.iter().all(|echo| echo.hop_limit == 64), "none was sent back: {echoes:?}");
    for own in [pair.web1.address().to_string(), pair.web1.global().to_string()] {
        assert!(ping::is_answered(&pair.client, &own), "{own} is open");
    }
    assert!(vrrpd.instances().unwrap().iter().all(|i| !i.accept && i.warnings.is_empty()));
    // The owner of the table may listen; nobody said that it may not reach its own address.
    assert!(ping::is_answered(&pair.web1, VIP));

    vrrpd.terminate();
    assert_eq!(tables(&pair.web1), "table inet theirs\n");
    assert_eq!(pair.web1.run(&["nft", "-a", "list", "table", "inet", "theirs"]).stdout, theirs);

    vrrpd.start();
    wait_for_holder(&pair, &pair.web1);
    vrrpd.kill();
    vrrpd.configure("[node]\nname = 'idle'");
    vrrpd.start();
    assert_eq!(tables(&pair.web1), "table inet theirs\n", "what was left over is gone");
}

fn repaired(privilege: Privilege) {
    let pair = Pair::with_ipv6();
    let vrrpd = Vrrpd::started(&pair.web1, privilege, &both(100, CLOSED));
    wait_for_holder(&pair, &pair.web1);
    for damage in [
        "delete table inet vipkit",
        "flush ruleset",
        "flush set inet vipkit closed_v4; flush set inet vipkit closed_v6",
        "insert rule inet vipkit input accept",
    ] {
        assert_eq!(pair.web1.run(&["nft", damage]).code, 0, "{damage}");
        let what = format!("it is closed again after `{damage}`");
        pair.lab.wait(&what, SOON * 2, || answers(&pair) == [false, false] && !handle(&pair.web1).is_empty());
    }
    assert!(vrrpd.log().contains("somebody else changed the table"), "{}", vrrpd.log());
    assert_eq!(vrrpd.counter("became_active"), 1);
}

fn opened_and_closed_by_reload(privilege: Privilege) {
    let pair = Pair::with_ipv6();
    let mut vrrpd = Vrrpd::started(&pair.web1, privilege, &both(100, ""));
    wait_for_holder(&pair, &pair.web1);
    assert_eq!((answers(&pair), tables(&pair.web1).as_str()), ([true, true], ""));
    for (keys, open) in [(CLOSED, [false, false]), ("", [true, true]), (CLOSED, [false, false])] {
        vrrpd.configure(&both(100, keys));
        vrrpd.reload().unwrap();
        pair.lab.wait(&format!("{keys:?} counts"), SOON, || answers(&pair) == open);
    }
    // One of two.
    vrrpd.configure(&format!("{}{}", config(100, CLOSED), config_v6(100, "")));
    vrrpd.reload().unwrap();
    pair.lab.wait("one is open", SOON, || answers(&pair) == [false, true]);
    assert_eq!(vrrpd.counter("became_active"), 1);
    vrrpd.terminate();
    assert_eq!(tables(&pair.web1), "");
}

/// The table speaks of addresses, not of states: who takes over is closed already.
fn a_takeover_runs_nothing(privilege: Privilege) {
    let pair = Pair::with_ipv6();
    let mut web1 = Vrrpd::started(&pair.web1, privilege, &both(150, CLOSED));
    let web2 = Vrrpd::started(&pair.web2, privilege, &both(100, CLOSED));
    wait_for_holder(&pair, &pair.web1);
    let handles = || [&pair.web1, &pair.web2].map(handle);
    let before = handles();
    assert!(before.iter().all(|handle| handle.contains("# handle ")), "{before:?}");
    pair.web1.cut();
    wait_for_holder(&pair, &pair.web2);
    assert_eq!(answers(&pair), [false, false]);
    pair.web1.mend();
    wait_for_holder(&pair, &pair.web1);
    pair.lab.stays("it is closed", INTERVAL, || answers(&pair) == [false, false]);
    assert_eq!(handles(), before);
    assert_eq!(web2.state(), Some(State::Backup));
    web1.terminate();
    assert_eq!(tables(&pair.web1), "");
}

/// Where nft(8) is not installed: an empty folder hides it.
fn without_nft(privilege: Privilege) {
    let pair = Pair::with_ipv6();
    let hidden = pair.web1.folder().join("hidden");
    std::fs::write(&hidden, "").unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    let files: BTreeSet<PathBuf> =
        folders.filter_map(|folder| folder.join("nft").canonicalize().ok()).collect();
    let hide: String =
        files.iter().map(|nft| format!("mount --bind {} {} && ", hidden.display(), nft.display())).collect();
    let hide = hide + "exec \"$@\"";
    let without_nft: &[&str] = &["sh", "-c", &hide, "sh"];
    let mut vrrpd = Vrrpd::new(&pair.web1, privilege, &config(100, CLOSED));
    let mut start = vrrpd.command(without_nft);
    vrrpd.launch_as(&mut start);
    assert_eq!(vrrpd.wait(), 1);
    assert!(vrrpd.log().contains("install the package nftables"), "{}", vrrpd.log());

    // Who closes nothing does not need it, until a reload is to close something.
    vrrpd.configure(&config(100, ""));
    let mut start = vrrpd.command(without_nft);
    vrrpd.start_as(&mut start);
    pair.wait_for_holder(&pair.web1, takeover(100));
    vrrpd.configure(&config(100, CLOSED));
    let refused = vrrpd.vipctl(&["reload"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    let said = format!("{}{}", refused.stdout, refused.stderr);
    assert!(said.contains("install the package nftables"), "{said}");
    assert!(ping::is_answered(&pair.client, VIP), "nothing changed");
}
