//! Another program in the place of healthcheckd, the one that docs/protocol.md shows: ipvs-sync follows it.

use std::fs;
use std::path::Path;

use vipkit_tests::lab::director::{Director, table};

use crate::farm::{Farm, RECOVERY, SLACK, quick};

/// The example says that it is so short.
const LINES: usize = 40;

#[test]
#[ignore = "needs root and IPVS: scripts/test vm"]
fn a_healthcheckd_in_forty_lines_of_python() {
    let mut farm = Farm::new();
    let mut lvs1 = Director::new(&farm.lvs1, &quick(100));
    let example = example();
    let lines = example.lines().filter(|line| !line.is_empty()).count();
    assert!(lines <= LINES, "{lines} lines");
    let path = farm.lvs1.folder().join("healthcheckd.py");
    fs::write(&path, example).unwrap();

    let healthcheckd = lvs1.daemon("healthcheckd");
    let mut command = healthcheckd.command_of(&["python3"], &path);
    healthcheckd.start_as(&mut command);
    for name in ["ipvs-sync", "vrrpd"] {
        lvs1.daemon(name).start();
    }
    farm.wait_for_table(&farm.lvs1, &farm.whole(), SLACK);
    farm.wait_for_answer(SLACK);
    farm.lab.wait("vipctl finds all well", RECOVERY, || lvs1.vipctl(&["status"]).code == 0);

    let reload = lvs1.vipctl(&["reload"]).stdout;
    assert!(
        reload.contains("healthcheckd: cannot reload") && reload.contains("ipvs-sync: reloaded"),
        "{reload}"
    );

    farm.httpd1.stop();
    farm.wait_for_table(&farm.lvs1, &farm.without_server1(), SLACK);
    assert_eq!(farm.answers(3), farm.shares(0, 3));
    assert!(lvs1.vipctl(&["services"]).stdout.contains("Connection refused"), "its reason is shown");

    lvs1.daemon("healthcheckd").kill();
    lvs1.daemon("healthcheckd").start();
    farm.lab.stays("ours goes on from there", RECOVERY / 2, || table(&farm.lvs1) == farm.without_server1());
    farm.httpd1.start();
    farm.wait_for_table(&farm.lvs1, &farm.whole(), SLACK);
}

fn example() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/protocol.md");
    let text = fs::read_to_string(path).unwrap();
    let (_, rest) = text.split_once("## Taking a daemon's place").unwrap();
    let (_, code) = rest.split_once("```python\n").unwrap();
    code.split("```").next().unwrap().to_owned()
}
