//! Each daemon is killed at each step of the lab, and started again: soon it is as if nothing had happened, and in
//! between nothing is worse than before.

use vipkit_tests::lab::director::{Director, table};
use vipkit_tests::lab::table_watch::TableWatch;

use crate::farm::{Farm, RECOVERY, SLACK, TAKEOVER, VIP, directors, quick};

const DAEMONS: [&str; 3] = ["healthcheckd", "ipvs-sync", "vrrpd"];

/// Kills each daemon of the Active director, and starts it again. `status` is what vipctl's exit code is at this step.
fn kill_each(farm: &Farm, director: &mut Director, wanted: &[String], status: i32) {
    let watch = TableWatch::on(&farm.lvs1);
    for name in DAEMONS {
        watch.forget();
        director.daemon(name).kill();
        assert_eq!(table(&farm.lvs1), wanted, "{name} killed");
        farm.answers(3);
        director.daemon(name).start();
        let well = || farm.lab.holders(VIP) == ["lvs1"] && director.vipctl(&["status"]).code == status;
        farm.lab.wait(&format!("{name} is back, all is as before"), RECOVERY, well);
        assert_eq!(table(&farm.lvs1), wanted, "{name} back");
        assert_eq!(watch.seen().len(), 1, "the table changed meanwhile: {:?}", watch.seen());
        farm.answers(3);
    }
}

#[test]
#[ignore = "needs root and IPVS: scripts/test vm"]
fn each_daemon_at_each_step() {
    let mut farm = Farm::new();
    let (mut lvs1, mut lvs2) = directors(&farm, quick);
    farm.lab.wait("vipctl finds all well", RECOVERY, || lvs1.vipctl(&["status"]).code == 0);
    kill_each(&farm, &mut lvs1, &farm.whole(), 0);

    farm.httpd1.stop();
    farm.wait_for_table(&farm.lvs1, &farm.without_server1(), SLACK);
    kill_each(&farm, &mut lvs1, &farm.without_server1(), 1);

    farm.httpd1.start();
    farm.wait_for_table(&farm.lvs1, &farm.whole(), SLACK);
    farm.lab.wait("vipctl finds all well", RECOVERY, || lvs1.vipctl(&["status"]).code == 0);
    kill_each(&farm, &mut lvs1, &farm.whole(), 0);

    lvs1.kill();
    farm.lvs1.cut();
    farm.wait_for_answer(TAKEOVER);
    for name in DAEMONS {
        lvs2.daemon(name).kill();
        lvs2.daemon(name).start();
        farm.lab.wait(&format!("{name} is back"), RECOVERY, || farm.lvs2.has(VIP));
        assert_eq!(table(&farm.lvs2), farm.whole());
        farm.answers(3);
    }
}

/// Whoever of the two is gone, and in whatever order they come back, the dead server is not in the table.
#[test]
#[ignore = "needs root and IPVS: scripts/test vm"]
fn a_dead_server_never_returns() {
    let mut farm = Farm::new();
    let mut lvs1 = Director::started(&farm.lvs1, &quick(100));
    farm.wait_for_table(&farm.lvs1, &farm.whole(), SLACK);
    farm.httpd1.stop();
    farm.wait_for_table(&farm.lvs1, &farm.without_server1(), SLACK);

    let watch = TableWatch::on(&farm.lvs1);
    for together in [
        &["healthcheckd"][..],
        &["ipvs-sync"],
        &["healthcheckd", "ipvs-sync"],
        &["ipvs-sync", "healthcheckd"],
    ] {
        together.iter().for_each(|name| lvs1.daemon(name).kill());
        for name in together {
            lvs1.daemon(name).start();
            farm.lab.stays("the dead server is out", RECOVERY / 2, || {
                table(&farm.lvs1) == farm.without_server1()
            });
        }
    }
    let returned = watch.seen().iter().any(|table| table.contains_key(&farm.server1()));
    assert!(!returned, "{:?}", watch.seen());

    lvs1.daemon("healthcheckd").kill();
    farm.httpd1.start();
    farm.lab
        .stays("nobody says that it is well", RECOVERY / 2, || table(&farm.lvs1) == farm.without_server1());
    assert_eq!(lvs1.vipctl(&["status"]).code, 2);
    lvs1.daemon("healthcheckd").start();
    farm.wait_for_table(&farm.lvs1, &farm.whole(), SLACK);
}
