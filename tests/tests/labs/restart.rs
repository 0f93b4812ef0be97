//! vrrpd comes and goes: what it left is adopted or removed, and a Backup never has the address.

use vipkit_control::vrrp::State;
use vipkit_tests::lab::address_watch::AddressWatch;
use vipkit_tests::lab::vrrpd::{Privilege, Vrrpd};

use crate::fixture::{INTERVAL, Pair, SOON, VIP, config, takeover};

as_root_and_with_two_capabilities!(
    killed_and_started_at_once,
    killed_and_started_late,
    killed_and_its_ledger_lost,
    backup_restarted
);

fn started(pair: &Pair, privilege: Privilege) -> (Vrrpd, Vrrpd) {
    let web1 = Vrrpd::started(&pair.web1, privilege, &config(100, ""));
    let web2 = Vrrpd::started(&pair.web2, privilege, &config(50, ""));
    pair.wait_for_holder(&pair.web1, takeover(100));
    pair.lab.wait("web2 has heard web1", SOON, || !web2.instance().peers.is_empty());
    (web1, web2)
}

/// True if the host has the VIP while its vrrpd says, before and after, that it is and was Backup.
fn is_held_by_backup(vrrpd: &Vrrpd) -> bool {
    let backup_since = || vrrpd.instances().ok()?.pop().filter(|i| i.state == State::Backup).map(|i| i.since);
    let before = backup_since();
    before.is_some() && vrrpd.host().has(VIP) && backup_since() == before
}

fn killed_and_started_at_once(privilege: Privilege) {
    let pair = Pair::new();
    let (mut web1, web2) = started(&pair, privilege);
    let (waiting, watch) = (web2.instance().since, AddressWatch::on(&pair.web1));

    web1.kill();
    web1.start();
    assert_eq!(web1.state(), Some(State::Active));
    assert_eq!(web1.instance().reason, "was Active before the restart");
    pair.lab.stays("only web1 holds", INTERVAL * 4, || pair.lab.holders(VIP) == ["web1"]);
    assert_eq!(watch.losses(VIP), 0);
    assert!(web1.instance().addresses.iter().all(|address| address.present && address.ours));
    assert_eq!((web2.instance().state, web2.instance().since), (State::Backup, waiting));

    web1.terminate();
    assert!(!pair.web1.has(VIP), "what was adopted is removed in the end");
}

fn killed_and_started_late(privilege: Privilege) {
    let pair = Pair::new();
    let (mut web1, web2) = started(&pair, privilege);

    web1.kill();
    pair.wait_for_state(&web2, State::Active, takeover(50));
    assert!(pair.web1.has(VIP), "nobody can have removed it");
    web1.launch();
    // Whatever a look finds from its first word on must fit together, until it has preempted web2 and after.
    pair.lab.stays("no Backup holds", takeover(100) + INTERVAL, || {
        !is_held_by_backup(&web1) && !is_held_by_backup(&web2)
    });
    pair.wait_for_holder(&pair.web1, SOON);
    assert!(web1.log().contains("left over from before"));
}

/// The mark on the address stands in for the file.
fn killed_and_its_ledger_lost(privilege: Privilege) {
    let pair = Pair::new();
    let (mut web1, web2) = started(&pair, privilege);

    web1.kill();
    web1.lose_ledger();
    pair.wait_for_state(&web2, State::Active, takeover(50));
    web1.start();
    assert_eq!(web1.state(), Some(State::Backup), "the address is known for its own");
    assert!(!pair.web1.has(VIP));
    pair.wait_for_holder(&pair.web1, takeover(100));
}

fn backup_restarted(privilege: Privilege) {
    let pair = Pair::new();
    let (web1, mut web2) = started(&pair, privilege);
    let (active, watch) = (web1.instance().since, AddressWatch::on(&pair.web2));

    web2.terminate();
    web2.start();
    web2.kill();
    web2.start();
    pair.lab.stays("web2 waits", takeover(50), || {
        web2.state() == Some(State::Backup) && pair.lab.holders(VIP) == ["web1"]
    });
    assert_eq!(watch.changes_of(VIP), 0);
    assert_eq!((web1.instance().state, web1.instance().since), (State::Active, active));
    assert_eq!(web1.counter("priority_zero_received"), 0, "a Backup goes without a word");
    assert_eq!(web2.instance().peers[0].address, "192.168.4.100");
}
