//! Checks under healthcheckd's own unit: what its confinement leaves them, and the files for those that need more.

use std::fs;

use crate::machine::{CONFIG, Machine, answer, ok, sh, status, wait};

const CHECKS: &str = "
[check.unit]
type = 'systemd'
unit = 'vipkit-sleeper'
interval = '1s'
retries = 0

[check.ping]
type = 'ping'
target = '127.0.0.1'
interval = '1s'
retries = 0

[check.script]
type = 'script'
command = ['/usr/bin/id', '-un']
interval = '1s'

[check.process]
type = 'process'
name = 'vrrpd'
interval = '1s'
";
const MARKED: &str = "
[check.marked]
type = 'tcp'
target = '192.0.2.1:8001'
interval = '1s'
mark = 7
";
const SHARE: &str = "/usr/local/share/vipkit";
const DROP_INS: &str = "/etc/systemd/system/healthcheckd.service.d";

/// State and reason of a check.
fn check(name: &str) -> (String, String) {
    let check = &answer(&format!("healthcheckd io.vipkit.Health.Get {{\"name\":\"{name}\"}}"))["check"];
    let word = |key: &str| check[key].as_str().unwrap_or_default().to_owned();
    (word("state"), word("reason"))
}

fn wait_for(name: &str, state: &str) -> String {
    wait(&format!("{name} is {state}"), || check(name).0 == state);
    check(name).1
}

#[test]
#[ignore = "needs systemd as the first process: scripts/test systemd"]
fn units_programs_processes_and_pings_are_checked_from_within_the_confinement() {
    let machine = Machine::new();
    let good = fs::read_to_string(CONFIG).unwrap();
    fs::write("/proc/sys/net/ipv4/ping_group_range", "1 0").unwrap();
    ok("systemctl start dbus.socket");
    ok("systemd-run --quiet --unit vipkit-sleeper /usr/bin/sleep 1000");
    machine.configure(&format!("{good}{CHECKS}"));
    ok("systemctl reload healthcheckd");
    assert_eq!(wait_for("script", "up"), "vipkit-healthcheckd", "its own user");
    wait_for("process", "up");
    assert_eq!(wait_for("unit", "up"), "active (running)");
    let remedy = wait_for("ping", "could_not_run");
    assert!(remedy.contains("net.ipv4.ping_group_range"), "{remedy}");

    ok(&format!("sysctl --load {SHARE}/vipkit-ping.conf"));
    wait_for("ping", "up");
    ok("systemctl stop vipkit-sleeper");
    wait_for("unit", "down");
    machine.configure(&good);
    ok("systemctl reload healthcheckd");
}

#[test]
#[ignore = "needs systemd as the first process: scripts/test systemd"]
fn what_needs_more_is_refused_until_its_drop_in_is_there() {
    let machine = Machine::new();
    let good = fs::read_to_string(CONFIG).unwrap();
    machine.configure(&format!("{good}{MARKED}"));
    let refused = sh("systemctl reload healthcheckd");
    assert_ne!(refused.code, 0);
    assert!(ok("journalctl --no-pager -n 40 -u healthcheckd").contains("healthcheckd-mark.conf"));

    ok(&format!("install -D -m 644 {SHARE}/healthcheckd-mark.conf {DROP_INS}/mark.conf"));
    ok("systemctl daemon-reload");
    ok("systemctl restart healthcheckd");
    wait_for("marked", "up");
    assert_eq!(status("healthcheckd", "CapEff"), "0000000000002000");

    ok(&format!("install -D -m 644 {SHARE}/healthcheckd-sudo.conf {DROP_INS}/mark.conf"));
    machine.configure(&good);
    ok("systemctl daemon-reload");
    ok("systemctl restart healthcheckd");
    assert_eq!(status("healthcheckd", "NoNewPrivs"), "0", "sudo works");
    assert_eq!(status("healthcheckd", "CapEff"), "0000000000000000");

    fs::remove_dir_all(DROP_INS).unwrap();
    ok("systemctl daemon-reload");
    ok("systemctl restart healthcheckd");
    assert_eq!(status("healthcheckd", "NoNewPrivs"), "1");
}

#[test]
#[ignore = "needs systemd as the first process: scripts/test systemd"]
fn another_namespace_has_a_healthcheckd_of_its_own() {
    let _machine = Machine::new();
    let target = "[check.there]\ntype = 'tcp'\ntarget = '198.51.100.1:22'\ninterval = '1s'\nretries = 0\n";
    ok("ip netns add blue");
    ok("ip -n blue address add 198.51.100.1/32 dev lo");
    ok("ip -n blue link set lo up");
    ok("install -d -m 0750 -g vipkit /etc/vipkit/blue");
    fs::write("/etc/vipkit/blue/vipkit.toml", target).unwrap();
    ok("systemctl start healthcheckd@blue");
    let shown =
        || sh("env VIPKIT_RUNTIME_DIR=/run/vipkit-blue /usr/local/bin/vipctl --json health there").stdout;
    // Refused, not unreachable: it looks from within.
    wait("nobody answers there", || shown().contains("\"reason\":\"refused\""));
    ok("systemctl reload healthcheckd@blue");
    ok("systemctl stop healthcheckd@blue");
    ok("ip netns delete blue");
}
