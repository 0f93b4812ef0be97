//! The units and scripts/install under a real systemd: who runs with what rights, and what happens at reload, restart,
//! crash, hang and stop. Takes a system apart, so it runs in the virtual machine: `scripts/test systemd`.

mod checks;
mod machine;

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use vipkit_tests::lab::process::Process;

use machine::{
    CONFIG, DAEMONS, INTERFACE, Machine, VIP, answer, connects, install, ok, pid, property, scripts, sh,
    socket, status, table, wait,
};

/// An instance that asks more of the kernel than addresses.
const CLOSED: &str = "
[vrrp.closed]
interface = 'vip0'
virtual_router_id = 52
addresses = ['192.0.2.16/24']
accept = false
virtual_mac = true
routes = [{ to = '198.51.100.0/24', via = '192.0.2.1' }]
authentication = { type = 'hmac', keys = [{ id = 1, key_file = '/etc/vipkit/keys/closed-1.key' }] }
";
/// SCHED_RR of sched.h.
const ROUND_ROBIN: &str = "2";

#[test]
#[ignore = "needs systemd as the first process: scripts/test systemd"]
fn each_daemon_is_a_user_of_its_own_with_its_capabilities() {
    let _machine = Machine::new();
    let mut users = Vec::new();
    for (daemon, capabilities) in [
        ("healthcheckd", "0000000000000000"),
        ("ipvs-sync", "0000000000001000"),
        ("vrrpd", "0000000000003000"),
    ] {
        let user = ok(&format!("id -u vipkit-{daemon}")).trim().to_owned();
        assert_eq!(status(daemon, "Uid"), [user.as_str(); 4].join("\t"), "{daemon}");
        let group = ok("getent group vipkit").split(':').nth(2).unwrap().to_owned();
        assert!(status(daemon, "Groups").split(' ').any(|id| id == group), "{daemon} may not read {CONFIG}");
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(status(daemon, set), capabilities, "{daemon} {set}");
        }
        assert_eq!((status(daemon, "NoNewPrivs").as_str(), status(daemon, "Seccomp").as_str()), ("1", "2"));
        let shown = ok(&format!("stat -c %A:%U:%G {}", socket(daemon).0));
        assert_eq!(shown.trim(), "srw-rw----:root:vipkit", "{daemon}");
        users.push(user);
    }
    users.dedup();
    assert_eq!(users.len(), 3);
    assert_eq!(ok("stat -c %A:%U:%G /run/vipkit").trim(), "drwxr-xr-x:root:root");
    assert_eq!(ok(&format!("stat -c %A:%U:%G {CONFIG}")).trim(), "-rw-r-----:root:vipkit");
}

#[test]
#[ignore = "needs systemd as the first process: scripts/test systemd"]
fn what_keeps_adverts_on_time_is_vrrpds_loops_alone() {
    let _machine = Machine::new();
    let pid = pid("vrrpd");
    let policy = |thread: &str| {
        let stat = fs::read_to_string(format!("/proc/{pid}/task/{thread}/stat")).unwrap();
        stat.rsplit(") ").next().unwrap().split(' ').nth(38).unwrap().to_owned()
    };
    let threads: Vec<String> = fs::read_dir(format!("/proc/{pid}/task"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(threads.len() > 1);
    for thread in threads {
        assert_eq!(policy(&thread) == ROUND_ROBIN, thread == pid, "thread {thread} of {pid}");
    }
    assert_ne!(status("vrrpd", "VmLck"), "0 kB");
    assert_eq!(fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).unwrap().trim(), "-900");
    let promote = format!("/proc/sys/net/ipv4/conf/{INTERFACE}/promote_secondaries");
    assert_eq!(fs::read_to_string(promote).unwrap().trim(), "1", "an unprivileged vrrpd may set it");
}

#[test]
#[ignore = "needs systemd as the first process: scripts/test systemd"]
fn systemd_finds_the_units_good_and_the_daemons_well_confined() {
    let _machine = Machine::new();
    let verified = sh("systemd-analyze verify vipkit.target");
    assert_eq!((verified.code, verified.stderr.as_str()), (0, ""));
    for daemon in DAEMONS {
        // Tenths of what it shows: 10.0 is a process without any confinement.
        ok(&format!("systemd-analyze security --no-pager --threshold=25 {daemon}.service"));
    }
}

#[test]
#[ignore = "needs systemd as the first process: scripts/test systemd"]
fn systemctl_status_says_how_each_daemon_is() {
    let _machine = Machine::new();
    for (daemon, says) in [
        ("healthcheckd", "2 checks, 1 up, 1 down"),
        ("ipvs-sync", "services in the table: 1 of 1, servers down: 1 of 2"),
        ("vrrpd", "1 Active"),
    ] {
        wait(says, || property(daemon, "StatusText") == says);
        let shown = ok(&format!("systemctl status --no-pager {daemon}"));
        assert!(shown.contains(&format!("Status: \"{says}\"")), "{shown}");
    }
}

#[test]
#[ignore = "needs systemd as the first process: scripts/test systemd"]
fn a_confined_vrrpd_makes_virtual_macs_and_closes_addresses() {
    let machine = Machine::new();
    let good = fs::read_to_string(CONFIG).unwrap();
    ok("install -d -m 0750 -g vipkit /etc/vipkit/keys");
    fs::write("/etc/vipkit/keys/closed-1.key", "0123456789abcdef".repeat(3)).unwrap();
    ok("chgrp vipkit /etc/vipkit/keys/closed-1.key");
    ok("chmod 0640 /etc/vipkit/keys/closed-1.key");
    machine.configure(&format!("{good}{CLOSED}"));
    ok("systemctl reload vrrpd");
    let on_its_interface = || sh("ip -4 address show dev vrrp.52").stdout.contains("192.0.2.16/24");
    wait("the closed address is on its interface", on_its_interface);
    let closed = || sh("nft list table inet vipkit").stdout.contains("192.0.2.16");
    wait("packets to it are dropped", closed);
    assert!(ok("ip route show proto 112").contains("198.51.100.0/24"));
    assert!(ok("ip link show dev vrrp.52").contains("00:00:5e:00:01:34"));
    assert_eq!(ok(&format!("cat /proc/sys/net/ipv4/conf/{INTERFACE}/arp_ignore")).trim(), "1");

    machine.configure(&good);
    ok("systemctl reload vrrpd");
    wait("nothing of it is left", || {
        sh("nft list table inet vipkit").code != 0 && sh("ip link show dev vrrp.52").code != 0
    });
}

#[test]
#[ignore = "needs systemd as the first process: scripts/test systemd"]
fn a_reload_is_done_when_systemctl_returns_and_fails_when_it_is_refused() {
    let machine = Machine::new();
    let good = fs::read_to_string(CONFIG).unwrap();
    let before = DAEMONS.map(pid);
    machine.configure(&good.replace("5s", "6s"));
    ok("systemctl reload healthcheckd ipvs-sync vrrpd");
    assert_eq!(machine.instance()["advertisement_interval"], 6.0);

    machine.configure("nonsense");
    for daemon in DAEMONS {
        assert_ne!(sh(&format!("systemctl reload {daemon}")).code, 0, "{daemon}");
        assert_eq!(property(daemon, "ActiveState"), "active");
    }
    assert_eq!(machine.instance()["advertisement_interval"], 6.0);
    assert_eq!(DAEMONS.map(pid), before);
    machine.configure(&good);
    ok("systemctl reload healthcheckd ipvs-sync vrrpd");
}

#[test]
#[ignore = "needs systemd as the first process: scripts/test systemd"]
fn a_restart_refuses_no_connection_and_forgets_no_verdict() {
    let _machine = Machine::new();
    let before = DAEMONS.map(pid);
    let sockets = DAEMONS.map(socket);
    let over = AtomicBool::new(false);
    let tried = thread::scope(|scope| {
        let trying = scope.spawn(|| {
            let mut tried = 0;
            while !over.load(Ordering::Relaxed) {
                for daemon in DAEMONS {
                    assert!(connects(daemon), "{daemon} refuses");
                    tried += 1;
                }
                thread::sleep(Duration::from_millis(20));
            }
            tried
        });
        ok("systemctl restart healthcheckd ipvs-sync vrrpd");
        over.store(true, Ordering::Relaxed);
        trying.join().unwrap()
    });
    assert!(tried > 10, "{tried}");
    assert_eq!(DAEMONS.map(socket), sockets, "the sockets are the same");
    assert!(DAEMONS.map(pid).iter().zip(&before).all(|(now, before)| now != before));

    let verdict = &answer("healthcheckd io.vipkit.Health.Get {\"name\":\"web/192.0.2.1:8002\"}")["check"];
    assert_eq!(verdict["judged"], "down", "{verdict}");
    assert!(!table().contains(":8002"));
}

#[test]
#[ignore = "needs systemd as the first process: scripts/test systemd"]
fn a_killed_daemon_is_back_at_once_and_takes_over_what_it_left() {
    let machine = Machine::new();
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("addresses");
    let watch = Process::start(std::process::Command::new("ip").args(["monitor", "address"]), &log);
    let whole = table();
    let before = DAEMONS.map(pid);
    for daemon in DAEMONS {
        ok(&format!("systemctl kill --signal=KILL {daemon}"));
    }
    // Asked while it is away: the socket keeps the question until it is back.
    assert_eq!(machine.instance()["reason"], "was Active before the restart");
    for (daemon, before) in DAEMONS.iter().zip(before) {
        wait("another process", || !["0", &before].contains(&pid(daemon).as_str()));
        wait("ready", || property(daemon, "ActiveState") == "active");
    }
    assert_eq!(table(), whole);
    drop(watch);
    let seen = fs::read_to_string(log).unwrap();
    assert!(!seen.contains(VIP), "{VIP} was touched:\n{seen}");
}

#[test]
#[ignore = "needs systemd as the first process: scripts/test systemd"]
fn what_hangs_is_started_anew() {
    let machine = Machine::new();
    let before = pid("vrrpd");
    ok(&format!("kill -STOP {before}"));
    let took = wait("another vrrpd", || !["0", &before].contains(&pid("vrrpd").as_str()));
    assert!(took < Duration::from_secs(15), "{took:?}");
    wait("web is Active", || machine.instance()["state"] == "active" && machine.has_vip());
}

#[test]
#[ignore = "needs systemd as the first process: scripts/test systemd"]
fn what_is_stopped_hands_over_and_stays_stopped_whoever_asks() {
    let machine = Machine::new();
    let whole = table();
    ok("systemctl stop vrrpd");
    assert!(!machine.has_vip());
    wait("the socket goes too", || socket("vrrpd").1.is_none());
    let asked = sh("/usr/local/bin/vipctl status");
    assert!(asked.code == 2 && asked.stdout.contains("`systemctl start vrrpd`"), "{asked:?}");
    assert_eq!(property("vrrpd", "ActiveState"), "inactive");

    // ipvs-sync asks again and again.
    ok("systemctl stop healthcheckd");
    wait("ipvs-sync asks in vain", || {
        ok("journalctl --no-pager --output=cat --unit=ipvs-sync").contains("No such file or directory")
    });
    assert_eq!(property("healthcheckd", "ActiveState"), "inactive");
    assert_eq!(table(), whole, "what was found down stays out");
}

#[test]
#[ignore = "needs systemd as the first process: scripts/test systemd"]
fn a_start_that_fails_is_tried_until_it_succeeds() {
    let machine = Machine::new();
    let good = fs::read_to_string(CONFIG).unwrap();
    machine.configure("nonsense");
    let _ = sh("systemctl --no-block restart vrrpd");
    // More than systemd's usual limit, and with somebody who asks all the time.
    wait("many starts", || {
        let _ = connects("vrrpd");
        property("vrrpd", "NRestarts").parse().is_ok_and(|starts: u32| starts > 8)
    });
    assert!(!machine.has_vip());
    assert_eq!(property("vrrpd.socket", "ActiveState"), "active");
    machine.configure(&good);
    wait("web is Active", || machine.instance()["state"] == "active" && machine.has_vip());
}

#[test]
#[ignore = "needs systemd as the first process: scripts/test systemd"]
fn what_was_installed_is_renewed_or_taken_away_and_the_configuration_stays() {
    let machine = Machine::new();
    machine.configure("# ours");
    let said = install();
    assert!(
        said.contains("systemctl restart healthcheckd.service ipvs-sync.service vrrpd.service"),
        "{said}"
    );
    assert_eq!(fs::read_to_string(CONFIG).unwrap(), "# ours");

    // A real server's unit needs vipctl at boot.
    let realserver = "/etc/systemd/system/vipkit-realserver.service";
    fs::write(realserver, "[Service]\nExecStart=/usr/local/bin/vipctl realserver add 192.0.2.1\n").unwrap();
    let refused = sh(&format!("{}/uninstall", scripts()));
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("first `vipctl realserver remove VIP`"), "{refused:?}");
    assert_eq!(property("vrrpd", "LoadState"), "loaded");
    fs::remove_file(realserver).unwrap();

    let said = ok(&format!("{}/uninstall", scripts()));
    assert!(said.contains("/etc/vipkit"), "{said}");
    assert_eq!(fs::read_to_string(CONFIG).unwrap(), "# ours");
    let mut left = String::new();
    for name in ["*vipkit*", "*vipctl*", "*vrrpd*", "*healthcheckd*", "*ipvs-sync*"] {
        left += &ok(&format!("find /usr/local /etc/systemd /run/vipkit -name {name}"));
    }
    assert_eq!(left, "/run/vipkit\n");
    for daemon in DAEMONS {
        assert_eq!(property(daemon, "LoadState"), "not-found", "{daemon}");
    }
    assert!(!machine.has_vip());
}
