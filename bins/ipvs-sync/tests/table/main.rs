//! ipvs-sync on a kernel that has IPVS, with ipvsadm as the judge.

#[cfg(test)]
mod health;
#[cfg(test)]
mod rig;

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use vipkit_control::health::{Judgement, State};
use vipkit_control::ipvs;

use rig::Rig;

const WEB: &str = "
    [ipvs]
    resync_interval = '1s'
    [[service]]
    name = 'web'
    address = '192.0.2.15:80'
    scheduler = 'wrr'
    forward = 'dr'
    server = [{ address = '192.0.2.81:80', weight = 1 }, { address = '192.0.2.82:80', weight = 2 }]
    check = { type = 'tcp' }
";
const WEB_TABLE: [&str; 3] = [
    "-A -t 192.0.2.15:80 -s wrr",
    "-a -t 192.0.2.15:80 -r 192.0.2.81:80 -g -w 1",
    "-a -t 192.0.2.15:80 -r 192.0.2.82:80 -g -w 2",
];
const DNS: &str = "
    [[service]]
    name = 'dns'
    address = '192.0.2.15:53'
    protocol = 'udp'
    scheduler = 'rr'
    forward = 'nat'
    on_failure = 'quiesce'
    persistence = { timeout = '5m', netmask = '255.255.255.0' }
    server = [{ address = '192.0.2.91:5353', weight = 3 }]
    check = { type = 'tcp' }
";
const DNS_TABLE: [&str; 2] =
    ["-A -u 192.0.2.15:53 -s rr -p 300 -M 255.255.255.0", "-a -u 192.0.2.15:53 -r 192.0.2.91:5353 -m -w 3"];
const FIRST: &str = "web/192.0.2.81:80";

/// So many services with 10 servers each; the table is read once an hour.
fn many(services: usize) -> String {
    let mut config = "[ipvs]\nresync_interval = '1h'\n".to_owned();
    for service in 0..services {
        let servers: Vec<String> =
            (1..=10).map(|number| format!("{{ address = '{}' }}", server(service, number))).collect();
        config += &format!(
            "[[service]]\nname = 's{service}'\naddress = '172.16.{}.{}:80'\nscheduler = 'wlc'\nforward = 'dr'\n\
             check = {{ type = 'tcp' }}\nserver = [{}]\n",
            service / 256,
            service % 256,
            servers.join(", ")
        );
    }
    config
}

/// One of the servers of one of these services.
fn server(service: usize, number: usize) -> String {
    format!("10.{}.{}.{number}:80", service / 256, service % 256)
}

/// What is in all of these tables.
fn all(tables: &[&[&'static str]]) -> Vec<&'static str> {
    let mut lines = tables.concat();
    lines.sort_unstable();
    lines
}

#[test]
#[ignore = "needs root and IPVS in the kernel"]
fn ipvs_follows_the_configuration() {
    let rig = Rig::running(&[WEB, DNS].concat());
    rig.wait_for_table(&all(&[&WEB_TABLE, &DNS_TABLE]));
    let daemon = rig.daemon();
    assert_eq!((daemon.ipvs.as_deref(), daemon.foreign, daemon.repairs), (Some("1.2.1"), 0, 0));

    rig.configure(&WEB.replace("weight = 2", "weight = 5").replace("'wrr'", "'wlc'"));
    let done = rig.reload().services;
    assert_eq!((done.added, done.changed, done.removed, done.unchanged), (0, 1, 1, 0));
    // The table has followed when the reload is answered.
    assert_eq!(
        rig.table(),
        [
            "-A -t 192.0.2.15:80 -s wlc",
            "-a -t 192.0.2.15:80 -r 192.0.2.81:80 -g -w 1",
            "-a -t 192.0.2.15:80 -r 192.0.2.82:80 -g -w 5",
        ]
    );
    rig.configure("[[service]]\nname = 7");
    assert!(rig.ask::<_, ipvs::ReloadReply>(ipvs::RELOAD, &serde_json::json!({})).is_err());
    assert_eq!(rig.table().len(), 3, "a faulty configuration changes nothing");
}

#[test]
#[ignore = "needs root and IPVS in the kernel"]
fn ipvs_follows_the_verdicts_and_a_lost_healthcheckd_brings_nobody_back() {
    let mut rig = Rig::running(&[WEB, DNS].concat());
    rig.wait_for_table(&all(&[&WEB_TABLE, &DNS_TABLE]));
    rig.health.start();
    rig.wait("verdicts come in", || rig.daemon().health_connected);
    rig.health.say(FIRST, State::Down, None, "connection refused");
    rig.health.say("dns/192.0.2.91:5353", State::Down, None, "timed out");
    let silent = [DNS_TABLE[0], "-a -u 192.0.2.15:53 -r 192.0.2.91:5353 -m -w 0"];
    let without_first = all(&[&[WEB_TABLE[0], WEB_TABLE[2]], &silent]);
    rig.wait_for_table(&without_first);
    let first = rig.service("web").servers.remove(0);
    assert_eq!((first.state, first.table_weight, first.stale), (ipvs::State::Down, None, false));
    assert!(rig.log().contains("web: server 192.0.2.81:80 leaves, its weight was 1: connection refused"));

    rig.health.stop();
    rig.wait("the loss is noticed", || rig.service("web").servers[0].stale);
    rig.kill();
    rig.start();
    rig.wait("the table is read", || rig.service("web").present);
    assert_eq!(rig.table(), without_first, "what was known outlasts both");

    // Another healthcheckd, which has not checked anything yet, and does not know the first at all.
    rig.health.forget(FIRST);
    rig.health.say("dns/192.0.2.91:5353", State::Unknown, Some(Judgement::Down), "");
    rig.health.start();
    rig.wait("verdicts come in", || rig.daemon().health_connected);
    assert_eq!(rig.table(), without_first);
    assert!(rig.service("web").servers[0].stale);

    // Under another name, too, nobody is back before it was checked.
    rig.configure(&[&WEB.replace("'web'", "'www'"), DNS].concat());
    rig.reload();
    assert_eq!(rig.table(), without_first);
    // Nor in another service.
    let (first, second) =
        ("{ address = '192.0.2.81:80', weight = 1 }, ", "{ address = '192.0.2.82:80', weight = 2 }");
    let moved = format!(
        "[[service]]\nname = 'aaa'\naddress = '192.0.2.16:80'\nscheduler = 'rr'\nforward = 'dr'\n\
                         server = [{first} {second}]\ncheck = {{ type = 'tcp' }}\n"
    );
    rig.configure(&[&WEB.replace(first, ""), DNS, &moved].concat());
    rig.reload();
    let other = ["-A -t 192.0.2.16:80 -s rr", "-a -t 192.0.2.16:80 -r 192.0.2.82:80 -g -w 2"];
    assert_eq!(rig.table(), all(&[&without_first, &other]));
    rig.configure(&[WEB, DNS].concat());
    rig.reload();
    assert_eq!(rig.table(), without_first);

    rig.health.say(FIRST, State::Up, None, "connected");
    rig.health.say("dns/192.0.2.91:5353", State::Up, None, "answered");
    rig.wait_for_table(&all(&[&WEB_TABLE, &DNS_TABLE]));
    assert!(rig.log().contains("web: server 192.0.2.81:80 returns with weight 1: connected"));
    assert_eq!(rig.daemon().repairs, 0, "nobody else changed anything");
}

#[test]
#[ignore = "needs root and IPVS in the kernel"]
fn ipvs_that_others_change_is_repaired_and_their_services_are_left_alone() {
    let rig = Rig::running(WEB);
    rig.wait_for_table(&WEB_TABLE);
    rig.ipvsadm("-A -t 203.0.113.9:9 -s rr");
    rig.ipvsadm("-a -t 203.0.113.9:9 -r 203.0.113.10:9 -m");
    let foreign = ["-A -t 203.0.113.9:9 -s rr", "-a -t 203.0.113.9:9 -r 203.0.113.10:9 -m -w 1"];
    let expected = all(&[&WEB_TABLE, &foreign]);
    for (count, change) in [
        "-d -t 192.0.2.15:80 -r 192.0.2.81:80",
        "-e -t 192.0.2.15:80 -r 192.0.2.82:80 -m -w 9 -x 5",
        "-a -t 192.0.2.15:80 -r 192.0.2.83:80 -g",
        "-E -t 192.0.2.15:80 -s rr -p 60",
        "-D -t 192.0.2.15:80",
    ]
    .into_iter()
    .enumerate()
    {
        rig.ipvsadm(change);
        let repaired = u64::try_from(count).unwrap() + 1;
        rig.wait(change, || rig.daemon().repairs >= repaired);
        assert_eq!(rig.table(), expected, "{change}");
    }
    // A service that is gone took its two servers with it.
    assert_eq!((rig.daemon().repairs, rig.daemon().foreign), (7, 1));
    for line in [
        "web: server 192.0.2.81:80 was gone from the table: put back with weight 1, dr",
        "web: server 192.0.2.82:80 had weight 9, nat, thresholds 0 to 5 in the table: set to weight 2, dr",
        "web: server 192.0.2.83:80 is not to be in the table: removed",
        "web: was rr, persistent for 60 s by netmask 255.255.255.255 in the table: set to wrr",
        "web: was gone from the table: put back",
    ] {
        assert!(rig.log().contains(line), "{line}\n{}", rig.log());
    }
}

#[test]
#[ignore = "needs root and IPVS in the kernel"]
fn ipvs_that_others_changed_a_moment_ago_follows_a_reload_all_the_same() {
    let rig = Rig::running(&WEB.replace("'1s'", "'1h'"));
    rig.wait_for_table(&WEB_TABLE);
    rig.ipvsadm("-C");
    rig.configure(&WEB.replace("'1s'", "'1h'").replace("weight = 2", "weight = 5"));
    rig.reload();
    assert_eq!(rig.table(), [WEB_TABLE[0], WEB_TABLE[1], "-a -t 192.0.2.15:80 -r 192.0.2.82:80 -g -w 5"]);
    assert!(rig.log().contains("web: was gone from the table: put back"));
    assert!(!rig.log().contains("cannot be"), "no refusal is a fault of ours:\n{}", rig.log());
}

#[test]
#[ignore = "needs root and IPVS in the kernel"]
fn ipvs_is_taken_over_after_any_end_without_a_write() {
    let mut rig = Rig::new(&[WEB, DNS].concat());
    rig.inside(&["ip", "address", "add", "192.0.2.15/32", "dev", "lo"]);
    // One service is there already, as it should be: made by somebody else.
    rig.ipvsadm("-A -u 192.0.2.15:53 -s rr -p 300 -M 255.255.255.0");
    rig.ipvsadm("-a -u 192.0.2.15:53 -r 192.0.2.91:5353 -m -w 3");
    rig.inside(&["bash", "-c", "echo > /dev/udp/192.0.2.15/53"]);
    rig.start();
    rig.wait_for_table(&all(&[&WEB_TABLE, &DNS_TABLE]));
    // The kernel counts with some delay; a server that was made anew would have carried nothing.
    rig.wait("the connection is counted", || rig.service("dns").servers[0].connections == 1);
    assert_eq!(rig.log().matches("commands: ").count(), 1, "those of web:\n{}", rig.log());

    for end in [Rig::kill, Rig::terminate] {
        end(&mut rig);
        assert_eq!(rig.table(), all(&[&WEB_TABLE, &DNS_TABLE]), "an end leaves the table as it is");
        rig.start();
        rig.wait("the table is read", || rig.service("web").present);
        assert_eq!(rig.table(), all(&[&WEB_TABLE, &DNS_TABLE]));
    }
    assert_eq!(rig.service("dns").servers[0].connections, 1);
    assert_eq!(rig.log().matches("commands: ").count(), 1, "not one more:\n{}", rig.log());

    // What was taken over is ours, and goes with the configuration, even if that changed meanwhile.
    rig.terminate();
    rig.configure(WEB);
    rig.start();
    rig.wait_for_table(&WEB_TABLE);
}

#[test]
#[ignore = "needs root and IPVS in the kernel"]
fn ipvs_without_a_scheduler_is_a_fault_of_one_service() {
    // Newer than most kernels' configurations.
    let is_missing = Command::new("modprobe").args(["-n", "ip_vs_twos"]).stderr(Stdio::null()).status();
    if is_missing.is_ok_and(|status| status.success()) {
        println!("skipped: this kernel has every scheduler");
        return;
    }
    let rig = Rig::running(&[WEB, &DNS.replace("'rr'", "'twos'")].concat());
    rig.wait_for_table(&WEB_TABLE);
    rig.wait("the fault is shown", || !rig.service("dns").faults.is_empty());
    let dns = rig.service("dns");
    assert!(!dns.present);
    let fault = &dns.faults[0];
    assert_eq!(fault.what, "the kernel has no scheduler twos");
    assert!(fault.remedy.contains("modprobe ip_vs_twos"), "{fault:?}");
    assert_eq!(dns.faults.len(), 1);
    assert!(rig.service("web").faults.is_empty() && rig.daemon().faults.len() == 1, "no healthcheckd");
    rig.ipvsadm("-d -t 192.0.2.15:80 -r 192.0.2.81:80");
    rig.wait_for_table(&WEB_TABLE);

    rig.configure(&[WEB, DNS].concat());
    rig.reload();
    assert_eq!(rig.table(), all(&[&WEB_TABLE, &DNS_TABLE]));
    assert!(rig.service("dns").faults.is_empty());
}

#[test]
#[ignore = "needs root and IPVS in the kernel"]
fn ipvs_follows_even_if_nothing_can_be_kept() {
    let rig = Rig::running(WEB);
    rig.wait_for_table(&WEB_TABLE);
    let folder = rig.state_folder();
    fs::remove_dir_all(&folder).unwrap();
    fs::write(&folder, "in the way").unwrap();
    rig.health.start();
    rig.health.say(FIRST, State::Down, None, "connection refused");
    rig.wait_for_table(&[WEB_TABLE[0], WEB_TABLE[2]]);
    let faults = rig.daemon().faults;
    assert!(faults.iter().any(|fault| fault.what.starts_with("cannot make ")), "{faults:?}");
    fs::remove_file(&folder).unwrap();
    rig.wait("it is kept", || rig.daemon().faults.is_empty());
    assert!(fs::read_to_string(folder.join("state.json")).unwrap().contains("connection refused"));
}

#[test]
#[ignore = "needs root and IPVS in the kernel"]
fn ipvs_of_300_services_with_10_servers_each() {
    let config = many(300);
    let began = Instant::now();
    let mut rig = Rig::running(&config);
    let took = |what: &str, began: Instant| println!("{what}: {:.2} s", began.elapsed().as_secs_f64());
    rig.wait("all are there", || rig.table().len() == 3300);
    took("started and programmed", began);

    rig.health.start();
    rig.wait("verdicts come in", || rig.daemon().health_connected);
    let names: Vec<String> = (0..300)
        .flat_map(|service| (1..=3).map(move |number| (service, number)))
        .map(|(service, number)| format!("s{service}/{}", server(service, number)))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let began = Instant::now();
    rig.health.say_all(&names, State::Down, None, "connection refused");
    rig.wait("900 are out", || rig.table().len() == 2400);
    took("900 servers taken out", began);

    let before = rig.log().len();
    let began = Instant::now();
    rig.kill();
    rig.health.stop();
    rig.start();
    rig.wait("all are seen", || rig.log()[before..].contains("of these configured: 300"));
    took("killed, started and taken over", began);
    assert_eq!(rig.services().iter().filter(|service| service.present).count(), 300);
    assert!(!rig.log()[before..].contains("commands: "), "without a write");
    assert_eq!(rig.table().len(), 2400);

    let began = Instant::now();
    rig.configure(&config.replace("'wlc'", "'wrr'"));
    assert_eq!(rig.reload().services.changed, 300);
    took("300 schedulers changed by a reload", began);
    assert!(rig.table().iter().filter(|line| line.starts_with("-A")).all(|line| line.ends_with("-s wrr")));
    assert!(began.elapsed() < Duration::from_secs(60));
}

#[test]
#[ignore = "needs root and IPVS in the kernel"]
fn ipvs_is_whole_and_ours_after_an_end_in_the_midst_of_it() {
    let mut rig = Rig::new(&many(300));
    rig.spawn();
    rig.wait_for_its_first_service();
    rig.kill();
    let lines = rig.table().len();
    assert!((1..3300).contains(&lines), "it was not in the midst of it: {lines}");
    rig.start();
    rig.wait("all are there", || rig.table().len() == 3300);
    let daemon = rig.daemon();
    assert_eq!((daemon.repairs, daemon.foreign), (0, 0), "{}", rig.log());

    // All of them are its own, whichever life made them.
    rig.configure("");
    rig.reload();
    assert_eq!(rig.table(), [""; 0]);
}
