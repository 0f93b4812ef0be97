//! The program as it is run: against a daemon that says what the tests want, with exit codes, pipes and files.

#[cfg(test)]
mod fake;
#[cfg(test)]
mod health;
#[cfg(test)]
mod kinds;
#[cfg(test)]
mod node;
#[cfg(test)]
#[path = "../../src/testing/objects.rs"]
#[expect(dead_code, reason = "the modules' tests look at more of them")]
mod objects;
#[cfg(test)]
mod program;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use serde_json::{Value, json};
use tempfile::TempDir;
use vipkit_control::vrrp::{Instance, State};

use fake::Fake;
use kinds::instance;
use objects::{address, with_addresses};
use program::{Running, code, command, json_of, text, vipctl, wait};

const GOOD: &str =
    "[vrrp.web]\ninterface = \"eth0\"\nvirtual_router_id = 51\naddresses = [\"192.168.4.80/24\"]\n";

#[test]
fn status_is_healthy_degraded_or_unreachable() {
    let folder = TempDir::new().unwrap();
    let gone = vipctl(&folder, &["status"]);
    assert_eq!(code(&gone), Some(2));
    let said = text(&gone.stdout);
    assert!(
        said.contains("vrrpd is not running: there is no ") && said.contains("`systemctl start vrrpd`"),
        "{said}"
    );

    let fake = Fake::start(&folder, vec![instance("web", State::Active)]);
    let healthy = vipctl(&folder, &["status"]);
    assert_eq!(code(&healthy), Some(0), "{healthy:?}");
    assert!(text(&healthy.stdout).starts_with("vrrpd on web1: healthy (up "));

    fake.put(instance("web", State::Fault));
    let degraded = vipctl(&folder, &["--json", "status"]);
    assert_eq!(code(&degraded), Some(1));
    let value = json_of(&degraded);
    assert_eq!(
        (&value["health"], &value["daemons"][0]["instances"][0]["state"]),
        (&json!("degraded"), &json!("fault"))
    );

    drop(fake);
    let dead = vipctl(&folder, &["status", "--json"]);
    assert_eq!(code(&dead), Some(2));
    let what = json_of(&dead)["daemons"][0]["unreachable"]["what"].as_str().unwrap().to_owned();
    assert!(what.starts_with("vrrpd is not running: nobody listens on "), "{what}");
}

#[test]
fn colour_is_used_when_wanted() {
    let folder = TempDir::new().unwrap();
    let _fake = Fake::start(&folder, vec![instance("web", State::Active)]);
    let colored = |arguments: &[&str]| text(&vipctl(&folder, arguments).stdout).contains('\x1b');
    assert!(colored(&["status", "--color", "always"]));
    assert!(!colored(&["status", "--color", "never"]));
    assert!(!colored(&["status"]), "a pipe is no terminal");
}

#[test]
fn more_instances_than_a_page_are_all_shown() {
    let folder = TempDir::new().unwrap();
    let many = (0..300).map(|number| instance(&format!("i{number:03}"), State::Backup)).collect();
    let _fake = Fake::start(&folder, many);
    let value = json_of(&vipctl(&folder, &["vrrp", "--json"]));
    assert_eq!(value["instances"].as_array().unwrap().len(), 300);
}

#[test]
fn thousands_of_addresses_are_read_and_those_in_the_wrong_place_shown() {
    let folder = TempDir::new().unwrap();
    let names = (0..4000).map(|n| format!("2001:db8:1111:2222:3333:4444:5555:{n:04x}/128"));
    let addresses = names.enumerate().map(|(n, name)| address(&name, n != 3000, n != 3000));
    let many = with_addresses(addresses.collect(), instance("many", State::Active));
    let _fake = Fake::start(&folder, vec![many.clone(), instance("web", State::Active)]);

    let value = json_of(&vipctl(&folder, &["vrrp", "--json"]));
    assert_eq!(value["instances"][0], serde_json::to_value(&many).unwrap());
    assert_eq!(value["daemon"]["lateness"], 0.0001);
    let said = text(&vipctl(&folder, &["vrrp", "many"]).stdout);
    let wrong = "\n  addresses               4000, 3999 present\n    2001:db8:1111:2222:3333:4444:5555:0bb8/128 absent\n";
    assert!(said.contains(wrong) && said.lines().count() < 150, "{said}");
    assert!(text(&vipctl(&folder, &["vrrp", "many", "--all"]).stdout).lines().count() > 4000);

    let status = vipctl(&folder, &["status"]);
    let said = text(&status.stdout);
    assert_eq!(code(&status), Some(1));
    assert!(
        said.contains("  warning  1 of 4000 addresses is not on eth0") && said.lines().count() < 20,
        "{said}"
    );
}

#[test]
fn a_program_that_does_not_list_addresses_shows_the_first() {
    let folder = TempDir::new().unwrap();
    let many = Instance { address_count: 300, addresses_present: 300, ..instance("many", State::Active) };
    let _fake = Fake::start(&folder, vec![many]);
    let shown = vipctl(&folder, &["vrrp"]);
    assert_eq!(code(&shown), Some(0), "{shown:?}");
    assert!(text(&shown.stdout).contains("    and 299 more: `vipctl vrrp many`\n"), "{shown:?}");
}

#[test]
fn an_unknown_instance_is_an_error_that_names_the_known() {
    let folder = TempDir::new().unwrap();
    let _fake = Fake::start(&folder, vec![instance("mail", State::Active), instance("web", State::Backup)]);
    let known = vipctl(&folder, &["vrrp", "web"]);
    assert_eq!(code(&known), Some(0));
    assert!(text(&known.stdout).starts_with("web: Backup since "));
    let unknown = vipctl(&folder, &["vrrp", "wbe"]);
    assert_eq!(code(&unknown), Some(1));
    assert_eq!(text(&unknown.stderr), "vipctl: no instance wbe; known: mail, web\n");
}

#[test]
fn watch_tells_changes_and_outlives_the_daemon() {
    let folder = TempDir::new().unwrap();
    let fake = Fake::start(&folder, vec![instance("web", State::Backup)]);
    let watch = Running::start(command(&folder, &["watch"]));
    assert_eq!(watch.words(), "vrrpd         on web1, version 0.1.0, digest 0a1b2c3d4e5f");
    assert!(watch.words().starts_with("web           Backup for "));
    fake.put(instance("web", State::Active));
    assert_eq!(watch.words(), "web           Backup -> Active: because");
    assert_eq!(watch.words(), "web           192.168.4.80/24 present on eth0");
    drop(fake);
    assert_eq!(watch.words(), "vrrpd         lost, the server closed the connection; waiting for it");
    let fake = Fake::start(&folder, vec![instance("web", State::Active)]);
    assert!(watch.words().starts_with("vrrpd         on web1, "));
    assert!(watch.words().starts_with("web           Active for "));
    fake.remove("web");
    assert_eq!(watch.words(), "web           removed");
}

#[test]
fn watch_as_json_is_the_stream_and_ends_with_it() {
    let folder = TempDir::new().unwrap();
    let fake = Fake::start(&folder, vec![instance("web", State::Active)]);
    let watch = Running::start(command(&folder, &["watch", "--json"]));
    let steps = |watch: &Running| -> Vec<Value> {
        std::iter::repeat_with(|| serde_json::from_str::<Value>(&watch.line()).unwrap()).take(3).collect()
    };
    let begun = steps(&watch);
    let names: Vec<_> = begun.iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(names, ["begin", "page", "level"]);
    assert_eq!(begun[0]["daemon"]["node"], "web1");
    assert!(begun.iter().all(|reply| reply["from"] == "vrrpd"));
    let expected = serde_json::to_value(instance("web", State::Active)).unwrap();
    assert_eq!(begun[1]["instances"], json!([expected]));
    drop(fake);
    let (ended, said) = watch.end();
    assert_eq!(ended, Some(2));
    assert!(
        said.starts_with("vipctl: vrrpd on ") && said.contains(": the server closed the connection\n"),
        "{said}"
    );

    let fake = Fake::<Instance>::start(&folder, vec![]);
    let watch = Running::start(command(&folder, &["watch", "--json", "--reconnect"]));
    assert_eq!(serde_json::from_str::<Value>(&watch.line()).unwrap()["step"], "begin");
    assert_eq!(serde_json::from_str::<Value>(&watch.line()).unwrap()["step"], "level");
    drop(fake);
    let _fake = Fake::<Instance>::start(&folder, vec![]);
    assert_eq!(serde_json::from_str::<Value>(&watch.line()).unwrap()["step"], "begin");
}

#[test]
fn watch_ends_quietly_when_its_reader_leaves() {
    let folder = TempDir::new().unwrap();
    let _fake = Fake::start(&folder, vec![instance("web", State::Active)]);
    let mut child =
        command(&folder, &["watch"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.by_ref().take(3).all(|line| line.is_ok()));
    // All is told and nothing changes any more: no write will fail.
    drop(lines);
    assert_eq!(wait(&mut child), Some(0));
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(said, "");
}

#[test]
fn output_that_nobody_reads_is_no_panic() {
    let folder = TempDir::new().unwrap();
    let many = (0..300).map(|number| instance(&format!("i{number:03}"), State::Backup)).collect();
    let _fake = Fake::start(&folder, many);
    let mut child =
        command(&folder, &["vrrp"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(wait(&mut child), Some(0));
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(said, "");
}

#[test]
fn reload_checks_first_and_only_then_reloads() {
    let folder = TempDir::new().unwrap();
    let config = folder.path().join("vipkit.toml");
    fs::write(&config, GOOD).unwrap();
    let fake = Fake::<Instance>::start(&folder, vec![]);
    let good = vipctl(&folder, &["reload"]);
    assert_eq!(code(&good), Some(0), "{good:?}");
    assert!(text(&good.stdout).starts_with("vrrpd: reloaded, digest "), "{good:?}");
    assert_eq!(fake.reloads().len(), 1);

    fs::write(&config, GOOD.replace("51", "0")).unwrap();
    let bad = vipctl(&folder, &["reload"]);
    assert_eq!(code(&bad), Some(1));
    assert!(text(&bad.stdout).ends_with("1 fault; nothing was reloaded\n"), "{bad:?}");
    assert_eq!(fake.reloads().len(), 1);
    let value = json_of(&vipctl(&folder, &["reload", "--json"]));
    assert_eq!((&value["checked"][0]["faults"][0]["line"], &value["daemons"]), (&json!(3), &json!([])));

    fs::write(&config, GOOD).unwrap();
    let value = json_of(&vipctl(&folder, &["reload", "--json"]));
    assert_eq!(value["daemons"][0]["name"], "vrrpd");
    assert_eq!(value["daemons"][0]["reloaded"]["digest"], value["checked"][0]["digest"]);

    drop(fake);
    assert_eq!(code(&vipctl(&folder, &["reload"])), Some(2));
}

#[test]
fn check_is_good_or_faulty() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("vipkit.toml");
    let path = file.to_str().unwrap();
    fs::write(&file, GOOD).unwrap();
    let good = vipctl(&folder, &["check", path]);
    assert_eq!(code(&good), Some(0));
    assert!(text(&good.stdout).starts_with(&format!("{path}: good, digest ")));
    fs::write(&file, "[vrrp.web]\nprioriy = 1\n").unwrap();
    let bad = vipctl(&folder, &["check", path, "--json"]);
    assert_eq!(code(&bad), Some(1));
    assert_eq!(json_of(&bad)["good"], false);
    assert!(json_of(&bad)["faults"].as_array().unwrap().len() > 1);
    assert_eq!(code(&vipctl(&folder, &["check", "/nowhere/vipkit.toml"])), Some(1));
}

#[test]
fn call_prints_replies_and_errors() {
    let folder = TempDir::new().unwrap();
    let _fake = Fake::start(&folder, vec![instance("web", State::Active)]);
    let path = folder.path().join("vrrpd.sock");
    for socket in ["vrrpd", path.to_str().unwrap()] {
        let reply = vipctl(&folder, &["call", socket, "io.vipkit.Vrrp.Get", r#"{"name":"web"}"#]);
        assert_eq!(code(&reply), Some(0), "{reply:?}");
        assert_eq!(json_of(&reply)["instance"]["name"], "web");
    }
    let error = vipctl(&folder, &["call", "vrrpd", "io.vipkit.Vrrp.Get", r#"{"name":"x"}"#]);
    assert_eq!((code(&error), text(&error.stdout)), (Some(1), String::new()));
    let expected = "vipctl: io.vipkit.Vrrp.NoSuchInstance: known=[\"web\"], name=\"x\"\n";
    assert_eq!(text(&error.stderr), expected);

    let more = Running::start(command(&folder, &["call", "vrrpd", "io.vipkit.Vrrp.Monitor", "--more"]));
    for step in ["begin", "page", "level"] {
        assert_eq!(serde_json::from_str::<Value>(&more.line()).unwrap()["step"], step);
    }
    assert_eq!(code(&vipctl(&folder, &["call", "nobody", "a.B"])), Some(2));
    assert_eq!(code(&vipctl(&folder, &["call", "vrrpd", "a.B", "[]"])), Some(2), "wrong usage");
}

#[test]
fn introspect_prints_the_program_and_the_interfaces() {
    let folder = TempDir::new().unwrap();
    let _fake = Fake::<Instance>::start(&folder, vec![]);
    let all = text(&vipctl(&folder, &["introspect", "vrrpd"]).stdout);
    for part in ["product     fake\n", "\ninterface org.varlink.service\n", "\ninterface io.vipkit.Vrrp\n"] {
        assert!(all.contains(part), "{part}: {all}");
    }
    let one = text(&vipctl(&folder, &["introspect", "vrrpd", "io.vipkit.Vrrp"]).stdout);
    assert_eq!(one, vipkit_control::vrrp::INTERFACE.description);
    assert_eq!(code(&vipctl(&folder, &["introspect", "vrrpd", "a.B"])), Some(1));
}

#[test]
fn a_server_that_does_not_answer_is_unreachable_in_time() {
    let folder = TempDir::new().unwrap();
    let _silent = std::os::unix::net::UnixListener::bind(folder.path().join("vrrpd.sock")).unwrap();
    let output = vipctl(&folder, &["status", "--timeout", "100ms"]);
    assert_eq!(code(&output), Some(2));
    assert!(text(&output.stdout).contains("no answer within 100ms"), "{output:?}");
}
