//! What others do to the table by hand: ours is level again, theirs is left alone.

use vipkit_tests::lab::director::{Director, table};

use crate::farm::{Farm, SLACK, VIP, quick};

#[test]
#[ignore = "needs root and IPVS: scripts/test vm"]
fn changed_by_hand() {
    let farm = Farm::new();
    let mut lvs1 = Director::started(&farm.lvs1, &quick(100));
    farm.wait_for_table(&farm.lvs1, &farm.whole(), SLACK);
    let ipvsadm = |arguments: String| {
        let line: Vec<&str> = std::iter::once("ipvsadm").chain(arguments.split_whitespace()).collect();
        let ran = farm.lvs1.run(&line);
        assert_eq!(ran.code, 0, "{arguments}: {}", ran.stderr);
    };

    let service = format!("-t {VIP}:80");
    for change in [
        format!("-d {service} -r 192.168.4.100:80"),
        format!("-e {service} -r 192.168.4.200:80 -g -w 7"),
        format!("-e {service} -r 192.168.4.200:80 -m -w 2"),
        format!("-a {service} -r 192.168.4.201:80 -g"),
        format!("-E {service} -s rr"),
        format!("-E {service} -s wrr -p 50"),
        format!("-D {service}"),
        "-C".to_owned(),
    ] {
        ipvsadm(change);
        farm.wait_for_table(&farm.lvs1, &farm.whole(), SLACK);
    }
    let log = lvs1.daemon("ipvs-sync").log();
    assert!(log.contains("192.168.4.200:80") && log.contains('7'), "drift is not in the log:\n{log}");

    ipvsadm("-A -t 192.168.4.15:443 -s rr".to_owned());
    ipvsadm("-a -t 192.168.4.15:443 -r 192.168.4.100:443 -g".to_owned());
    let foreign = ["-A -t 192.168.4.15:443 -s rr", "-a -t 192.168.4.15:443 -r 192.168.4.100:443 -g -w 1"];
    let mut both: Vec<String> = farm.whole();
    both.extend(foreign.map(str::to_owned));
    both.sort();
    farm.lab.stays("the other service is left alone", SLACK, || table(&farm.lvs1) == both);
    lvs1.daemon("ipvs-sync").terminate();
    assert_eq!(table(&farm.lvs1), both, "the table stays");
    lvs1.configure("");
    lvs1.daemon("ipvs-sync").start();
    farm.wait_for_table(&farm.lvs1, &foreign.map(str::to_owned), SLACK);
}
