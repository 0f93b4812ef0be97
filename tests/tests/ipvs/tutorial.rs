//! The tutorial's second lab, with the files that the documentation gives: shares by weight, a server that goes and
//! comes back, a director that dies.

use std::fs;
use std::path::Path;
use std::time::Duration;

use vipkit_tests::lab::director::{Director, table};
use vipkit_tests::lab::figure::figure;
use vipkit_tests::lab::host::Host;

use crate::farm::{Farm, RECOVERY, SLACK, TAKEOVER, VIP, directors};

/// Interval, and retries with what is between them.
const DOWN: Duration = Duration::from_secs(6 + 3 * 3);
/// Interval.
const UP: Duration = Duration::from_secs(6);

#[test]
#[ignore = "needs root and IPVS: scripts/test vm"]
fn the_tutorials_second_lab() {
    let mut farm = Farm::new();
    let (mut lvs1, lvs2) =
        directors(&farm, |priority| example(if priority == 100 { "lvs1" } else { "lvs2" }));
    assert_eq!(farm.answers(12), farm.shares(4, 8));
    for director in [&lvs1, &lvs2] {
        farm.lab.wait("vipctl finds all well", RECOVERY, || director.vipctl(&["status"]).code == 0);
    }
    assert!(lvs1.vipctl(&["services"]).stdout.contains(&format!("{VIP}:80")));

    farm.httpd1.stop();
    let took = farm.wait_for_table(&farm.lvs1, &farm.without_server1(), DOWN + SLACK);
    figure("a server stopped, out of the table (by the rule of its check at most 15 s)", took);
    farm.wait_for_table(&farm.lvs2, &farm.without_server1(), DOWN + SLACK);
    assert_eq!(farm.answers(12), farm.shares(0, 12), "no request fails after that");
    assert_down_is_shown(&farm, &lvs1);

    farm.httpd1.start();
    let took = farm.wait_for_table(&farm.lvs1, &farm.whole(), UP + SLACK);
    figure("a server started, back in the table (by the rule of its check at most 6 s)", took);
    farm.wait_for_table(&farm.lvs2, &farm.whole(), UP + SLACK);
    assert_eq!(farm.answers(12), farm.shares(4, 8));

    lvs1.kill();
    farm.lvs1.cut();
    let took = farm.wait_for_answer(TAKEOVER);
    figure("lvs1 killed and cut off, the client is answered (by the formula 3.805 s)", took);
    assert!(farm.lvs2.has(VIP));
    assert_eq!(table(&farm.lvs2), farm.whole());
    farm.wait_for_shares(4, 8);
    assert_eq!(table(&farm.lvs1), farm.whole(), "what a dead director leaves is whole");

    farm.lvs1.mend();
    for name in ["healthcheckd", "ipvs-sync", "vrrpd"] {
        lvs1.daemon(name).start();
    }
    farm.wait_for_holder(&farm.lvs1, TAKEOVER);
    farm.wait_for_answer(SLACK);
    let tables: [&Host; 2] = [&farm.lvs1, &farm.lvs2];
    assert!(tables.into_iter().all(|director| table(director) == farm.whole()));
    farm.wait_for_shares(4, 8);
}

fn assert_down_is_shown(farm: &Farm, director: &Director) {
    let down = farm.server1().to_string();
    for command in ["status", "services", "health"] {
        let shown = director.vipctl(&[command]).stdout;
        let line = shown.lines().find(|line| line.contains(&down) && line.contains("down"));
        assert!(line.is_some(), "vipctl {command} does not show that {down} is down:\n{shown}");
    }
    assert_eq!(director.vipctl(&["status"]).code, 1);
}

fn example(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../docs/examples/lab2-{name}.toml"));
    fs::read_to_string(path).unwrap()
}
