//! `vipctl health` and what it does with one check, against a healthcheckd that answers what the tests want.

use serde_json::json;
use tempfile::TempDir;
use vipkit_control::health::{Check, Judgement};

use crate::fake::Fake;
use crate::objects::{check, disabled, down, down_part, part};
use crate::program::{Running, code, command, json_of, text, vipctl};

fn external(name: &str) -> Check {
    Check { kind: "external".to_owned(), target: String::new(), ..check(name) }
}

/// A folder with a daemon in it that has these checks.
fn serving(checks: Vec<Check>) -> (TempDir, Fake<Check>) {
    let folder = TempDir::new().unwrap();
    let fake = Fake::start(&folder, checks);
    (folder, fake)
}

#[test]
fn ten_thousand_checks_are_read_and_only_those_that_are_not_up_shown() {
    let mut many: Vec<_> = (0..10_000).map(|number| check(&format!("c{number:05}"))).collect();
    many[4711] = down("c04711");
    let (folder, _fake) = serving(many);
    let said = text(&vipctl(&folder, &["health"]).stdout);
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), 5, "{said}");
    assert_eq!(lines[0], "10000 checks: 9999 up, 1 down");
    assert!(lines[2].starts_with("c04711  down   "), "{said}");
    assert_eq!(text(&vipctl(&folder, &["health", "--all"]).stdout).lines().count(), 10_003);
}

#[test]
fn those_that_are_down_and_the_slowest_are_picked_out() {
    let mut slow = check("slow");
    slow.runs[0].latency.as_mut().unwrap().p90 = 0.5;
    let held = Check { judged: Some(Judgement::Down), ..check("held") };
    let (folder, _fake) = serving(vec![check("a"), down("b"), held, slow]);
    let names = |arguments: &[&str]| -> Vec<String> {
        let value = json_of(&vipctl(&folder, &[&["health", "--json"], arguments].concat()));
        let checks = value["checks"].as_array().unwrap();
        checks.iter().map(|check| check["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&[]), ["a", "b", "held", "slow"]);
    assert_eq!(names(&["--down"]), ["b", "held"]);
    assert_eq!(names(&["--slow"]), ["slow", "a", "b", "held"]);
    let said = vipctl(&folder, &["health", "--down"]);
    assert_eq!(code(&said), Some(0), "{said:?}");
    let said = text(&said.stdout);
    let rows: Vec<_> = said.lines().filter(|line| !line.starts_with(' ')).collect();
    assert_eq!(rows.len(), 4, "{said}");
    assert!(
        rows[2].starts_with("b      down          ") && rows[3].starts_with("held   up, held down  "),
        "{said}"
    );
}

#[test]
fn a_run_shows_its_steps_and_its_exit_code_is_its_outcome() {
    let several =
        Check { kind: "any".to_owned(), runs: vec![part("front"), down_part("back")], ..check("any") };
    let (folder, _fake) = serving(vec![check("web"), several]);
    let passed = vipctl(&folder, &["health", "run", "web"]);
    assert_eq!(code(&passed), Some(0), "{passed:?}");
    let said = text(&passed.stdout);
    assert!(
        said.starts_with("tcp: https 192.168.4.100:443: up in 12.3 ms: connected\n  connect      0.2 ms\n"),
        "{said}"
    );

    let failed = vipctl(&folder, &["health", "run", "any"]);
    assert_eq!(code(&failed), Some(1));
    let said = text(&failed.stdout);
    assert!(
        said.contains("\nback: https 192.168.4.100:443: down in 12.3 ms: connection refused\n"),
        "{said}"
    );
    let value = json_of(&vipctl(&folder, &["health", "--json", "run", "any"]));
    let states = [&value["reports"][0]["state"], &value["reports"][1]["state"]];
    assert_eq!(
        (states, &value["reports"][0]["timings"][1]["step"]),
        ([&json!("up"), &json!("down")], &json!("tls"))
    );

    let unknown = vipctl(&folder, &["health", "run", "wbe"]);
    let said = "vipctl: no check wbe; known: any, web\n".to_owned();
    assert_eq!((code(&unknown), text(&unknown.stderr)), (Some(1), said));
}

#[test]
fn what_is_changed_is_answered_with_what_holds_now() {
    let (folder, _fake) = serving(vec![external("app"), check("web")]);
    for (arguments, said) in [
        (&["set", "app", "down"][..], "app: up, held down; holds until it is told anew\n"),
        (
            &["set", "app", "50", "--ttl", "10s"],
            "app: up, weight 50; holds for 10.000 s, unless it is told anew\n",
        ),
        (&["set", "app", "up"], "app: up; holds until it is told anew\n"),
        (&["disable", "web"], "web: disabled, up; not run until `vipctl health enable web`\n"),
        (&["enable", "web"], "web: up; it is run\n"),
    ] {
        let done = vipctl(&folder, &[&["health"], arguments].concat());
        assert_eq!((code(&done), text(&done.stdout).as_str()), (Some(0), said), "{done:?}");
    }
    let value = json_of(&vipctl(&folder, &["health", "disable", "web", "--json"]));
    assert_eq!(value, json!({ "check": disabled("web") }));
}

#[test]
fn what_is_refused_comes_with_what_helps() {
    let (folder, _fake) = serving(vec![external("app"), external("theirs"), check("web")]);
    for (arguments, said) in [
        (
            &["set", "web", "up"][..],
            "vipctl: web is a check of type tcp: it finds its verdict itself
  remedy: only a check of type external is set; to have this one not run: `vipctl health disable web`
",
        ),
        (
            &["set", "theirs", "up"],
            "vipctl: you may not set theirs: it takes user:app, group:web
  remedy: be one of them, or name `user:YOU` in allow of [check.theirs]
",
        ),
        (&["set", "app", "13"], "vipctl: weight 13\n  remedy: any but 13\n"),
        (&["disable", "wbe"], "vipctl: no check wbe; known: app, theirs, web\n"),
    ] {
        let refused = vipctl(&folder, &[&["health"], arguments].concat());
        assert_eq!((code(&refused), text(&refused.stderr).as_str()), (Some(1), said));
    }
    assert_eq!(code(&vipctl(&folder, &["health", "set", "app", "well"])), Some(2));
    assert_eq!(code(&vipctl(&folder, &["health", "web", "run", "web"])), Some(2));
    let nobody = TempDir::new().unwrap();
    assert_eq!(code(&vipctl(&nobody, &["health", "run", "web"])), Some(2));
    assert_eq!(code(&vipctl(&nobody, &["health", "enable", "web"])), Some(2));
}

#[test]
fn only_checks_are_watched_if_wanted() {
    let (folder, fake) = serving(vec![check("web")]);
    let watch = Running::start(command(&folder, &["watch", "health"]));
    assert!(watch.words().starts_with("healthcheckd  on web1, "));
    assert_eq!(watch.words(), "healthcheckd  1 check: 1 up");
    fake.put(disabled("web"));
    assert_eq!(watch.words(), "healthcheckd  web up -> disabled, up by uid 0");
    let gone = vipctl(&folder, &["watch", "services", "--json"]);
    assert_eq!(code(&gone), Some(2), "{gone:?}");
}
