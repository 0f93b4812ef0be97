//! Checks whose verdict somebody else says: who may, for how long it holds, and that it outlives healthcheckd. So does what
//! an administrator disables.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use vipkit_control::health::{Judgement, State, Weight, WeightUnit};
use vipkit_tests::lab::process::Ran;

use crate::alone::{Alone, SOON};

/// Somebody whom a check may allow, and a group that he is in.
const USER: &str = "61240";
const GROUP: &str = "61241";

impl Alone {
    /// Runs vipctl as somebody else, who may reach the socket.
    fn vipctl_as(&self, user: &str, groups: &str, arguments: &[&str]) -> Ran {
        fs::set_permissions(self.healthcheckd.socket(), Permissions::from_mode(0o666)).unwrap();
        self.healthcheckd.vipctl_as(user, groups, arguments)
    }

    /// Runs vipctl as root.
    ///
    /// # Panics
    /// If it fails.
    fn vipctl(&self, arguments: &[&str]) {
        let ran = self.healthcheckd.vipctl(arguments);
        assert_eq!(ran.code, 0, "{ran:?}");
    }

    fn restart(&mut self) {
        self.healthcheckd.terminate();
        self.healthcheckd.start();
    }
}

const fn absolute(number: i64) -> Option<Weight> {
    Some(Weight { unit: WeightUnit::Absolute, number })
}

#[test]
#[ignore = "needs root and network namespaces: scripts/test checks"]
fn what_is_set_holds_until_it_runs_out_and_over_a_restart() {
    let mut alone = Alone::started(|_| {
        "[check.leader]\ntype = 'external'\n[check.spare]\ntype = 'external'\non_expiry = 7\n".to_owned()
    });
    let never = alone.wait_for_state("leader", State::CouldNotRun, SOON);
    assert_eq!((never.judged, never.reason.as_str()), (None, "never set: `vipctl health set leader up`"));

    for (said, state, weight) in
        [("up", State::Up, None), ("down", State::Down, None), ("50", State::Up, absolute(50))]
    {
        alone.vipctl(&["health", "set", "leader", said]);
        let check =
            alone.wait_for("leader", said, SOON, |check| check.state == state && check.weight == weight);
        assert_eq!(check.reason, "set by uid 0");
    }
    alone.restart();
    let kept = alone.healthcheckd.check("leader");
    assert_eq!((kept.judged, kept.weight), (Some(Judgement::Up), absolute(50)), "{kept:?}");
    alone.wait_for("leader", "is as it was set", SOON, |check| check.reason == "set by uid 0");

    alone.vipctl(&["health", "set", "leader", "up", "--ttl", "1s"]);
    alone.vipctl(&["health", "set", "spare", "down", "--ttl", "1s"]);
    alone.wait_for_state("spare", State::Down, SOON);
    let over = alone.wait_for_state("leader", State::Down, SOON);
    assert_eq!(over.reason, "what was set has run out");
    alone.wait_for("spare", "is up again", SOON, |check| {
        check.state == State::Up && check.weight == absolute(7)
    });

    // Time goes on while it does not run.
    alone.vipctl(&["health", "set", "leader", "up", "--ttl", "500ms"]);
    let set = std::time::Instant::now();
    alone.healthcheckd.terminate();
    alone.lab.wait("the time is over", SOON, || set.elapsed() > Duration::from_millis(600));
    alone.healthcheckd.start();
    alone.wait_for_state("leader", State::Down, SOON);
}

#[test]
#[ignore = "needs root and network namespaces: scripts/test checks"]
fn only_those_may_set_it_whom_it_allows() {
    let alone = Alone::started(|_| {
        format!(
            "[check.app]\ntype = 'external'\nallow = ['user:{USER}', 'group:{GROUP}']\n\
             [check.own]\ntype = 'external'\n[check.file]\ntype = 'file'\nfile = '/nonexistent'\n"
        )
    });
    let other = "61242";
    for (user, groups, by) in [(USER, other, USER), (other, GROUP, other)] {
        for said in ["up", "down"] {
            let ran = alone.vipctl_as(user, groups, &["health", "set", "app", said]);
            assert_eq!(ran.code, 0, "{ran:?}");
            let by = format!("set by uid {by}");
            alone.wait_for("app", said, SOON, |check| {
                check.reason == by && (check.state == State::Up) == (said == "up")
            });
        }
    }
    let logged = alone.healthcheckd.log();
    assert!(logged.contains(&format!("app set to Up by uid {USER} pid ")), "{logged}");

    for (user, check) in [(other, "app"), (USER, "own")] {
        let denied = alone.vipctl_as(user, other, &["health", "set", check, "up"]);
        assert_eq!(denied.code, 1, "{denied:?}");
        assert!(denied.stderr.contains(&format!("you may not set {check}")), "{denied:?}");
    }
    let logged = || alone.healthcheckd.log().contains(&format!("Health.Set denied to uid {other} pid "));
    alone.lab.wait("the refusal is in the log", SOON, logged);
    assert_eq!(alone.healthcheckd.check("own").judged, None);
    // Who may set it may change nothing else.
    let denied = alone.vipctl_as(USER, other, &["health", "disable", "app"]);
    assert_eq!((denied.code, alone.healthcheckd.check("app").disabled), (1, None), "{denied:?}");
    let refused = alone.healthcheckd.vipctl(&["health", "set", "file", "up"]);
    assert!(refused.code == 1 && refused.stderr.contains("a check of type file"), "{refused:?}");
}

#[test]
#[ignore = "needs root and network namespaces: scripts/test checks"]
fn what_is_disabled_is_not_run_and_stays_so_over_restart_and_reload() {
    let config = |folder: &std::path::Path, more: &str| {
        let text = format!("echo >>{}", folder.join("runs").display());
        format!(
            "[check.app]\ntype = 'script'\ncommand = ['/bin/sh', '-c', {text:?}]\ninterval = '100ms'\n{more}"
        )
    };
    let mut alone = Alone::started(|folder| config(folder, ""));
    let folder = alone.file("");
    let runs = || fs::read_to_string(folder.join("runs")).unwrap_or_default().len();
    alone.wait_for_state("app", State::Up, SOON);
    alone.vipctl(&["health", "disable", "app"]);
    let check = alone.healthcheckd.check("app");
    let disabled = check.disabled.expect("disabled");
    assert_eq!((disabled.by.as_str(), check.judged), ("uid 0", Some(Judgement::Up)));

    let stays_disabled = |alone: &Alone| {
        // One may have been going on.
        alone.lab.wait("nothing goes on", SOON, || alone.healthcheckd.figures().in_flight == 0);
        let before = runs();
        alone.lab.stays("it is not run", Duration::from_millis(500), || runs() == before);
        let check = alone.healthcheckd.check("app");
        assert_eq!(check.disabled.as_ref(), Some(&disabled));
        assert_eq!((check.judged, check.runs[0].next.as_ref()), (Some(Judgement::Up), None));
    };
    stays_disabled(&alone);
    alone.reload(&config(&folder, "timeout = '2s'\n"));
    stays_disabled(&alone);
    alone.restart();
    stays_disabled(&alone);
    alone.healthcheckd.kill();
    alone.healthcheckd.start();
    stays_disabled(&alone);

    let before = runs();
    alone.vipctl(&["health", "enable", "app"]);
    alone.lab.wait("it is run again", SOON, || runs() > before);
    assert_eq!(alone.healthcheckd.check("app").disabled, None);
}
