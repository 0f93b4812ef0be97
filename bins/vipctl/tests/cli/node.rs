//! All daemons of a node together: which are expected, and what the commands make of them.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;
use vipkit_control::health::Check;
use vipkit_control::ipvs::Service;
use vipkit_control::vrrp::{Instance, State};

use crate::fake::Fake;
use crate::kinds::{instance, service};
use crate::objects::{check, down};
use crate::program::{Running, code, command, json_of, text, vipctl};

const NODE: &str = "\
[vrrp.web]
interface = \"eth0\"
virtual_router_id = 51
addresses = [\"192.168.4.15/24\"]

[[service]]
name = \"web\"
address = \"192.168.4.15:80\"
scheduler = \"wrr\"
forward = \"dr\"
check = { type = \"tcp\" }
server = [{ address = \"192.168.4.100:80\" }]
";

const CHECK: &str = "web/192.168.4.100:80";

struct Node {
    folder: TempDir,
    health: Option<Fake<Check>>,
    ipvs: Option<Fake<Service>>,
    vrrp: Option<Fake<Instance>>,
}

impl Node {
    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("vipkit.toml"), NODE).unwrap();
        Self {
            health: Some(Fake::start(&folder, vec![check(CHECK)])),
            ipvs: Some(Fake::start(&folder, vec![service("web", true)])),
            vrrp: Some(Fake::start(&folder, vec![instance("web", State::Active)])),
            folder,
        }
    }

    fn health(&self) -> &Fake<Check> {
        self.health.as_ref().unwrap()
    }

    fn ipvs(&self) -> &Fake<Service> {
        self.ipvs.as_ref().unwrap()
    }

    fn vrrp(&self) -> &Fake<Instance> {
        self.vrrp.as_ref().unwrap()
    }

    /// The server is down.
    fn fail(&self) {
        self.health().put(down(CHECK));
        self.ipvs().put(service("web", false));
    }
}

#[test]
fn status_shows_the_node_and_its_exit_code_is_the_worst() {
    let mut node = Node::start();
    let well = vipctl(&node.folder, &["status"]);
    assert_eq!(code(&well), Some(0), "{well:?}");
    let said = text(&well.stdout);
    assert!(said.starts_with("web1: healthy\nvrrpd on web1: healthy (up "), "{said}");
    assert!(said.contains("\n1 check: 1 up\n"), "{said}");

    node.fail();
    let degraded = vipctl(&node.folder, &["status"]);
    assert_eq!(code(&degraded), Some(1));
    let said = text(&degraded.stdout);
    assert!(said.contains("\nipvs-sync on web1: degraded, 1 of 1 service (up "), "{said}");
    let value = json_of(&vipctl(&node.folder, &["status", "--json"]));
    let names: Vec<_> = value["daemons"].as_array().unwrap().iter().map(|daemon| &daemon["name"]).collect();
    assert_eq!(names, ["healthcheckd", "ipvs-sync", "vrrpd"]);
    assert_eq!(value["daemons"][0]["checks"][0]["state"], "down");
    assert_eq!(value["daemons"][1]["services"][0]["servers"][0]["table_weight"], Value::Null);

    node.ipvs = None;
    let lost = vipctl(&node.folder, &["status"]);
    assert_eq!(code(&lost), Some(2));
    assert!(text(&lost.stdout).contains("\nipvs-sync: unreachable\n"), "{lost:?}");
}

#[test]
fn a_daemon_without_work_is_not_missed() {
    let mut node = Node::start();
    (node.health, node.ipvs) = (None, None);
    assert_eq!(code(&vipctl(&node.folder, &["status"])), Some(2), "the configuration needs them");
    let (vrrp, _) = NODE.split_once("\n[[service]]").unwrap();
    fs::write(node.folder.path().join("vipkit.toml"), vrrp).unwrap();
    let alone = vipctl(&node.folder, &["status"]);
    assert_eq!(code(&alone), Some(0), "{alone:?}");
    assert!(text(&alone.stdout).starts_with("vrrpd on web1: healthy (up "), "{alone:?}");
}

#[test]
fn services_and_health_show_all_or_one() {
    let node = Node::start();
    node.fail();
    let services = vipctl(&node.folder, &["services"]);
    assert_eq!(code(&services), Some(0), "{services:?}");
    let said = text(&services.stdout);
    assert!(said.contains("\nweb: tcp 192.168.4.15:80, wrr, 0 of 1 server up\n"), "{said}");
    let one = text(&vipctl(&node.folder, &["services", "web"]).stdout);
    assert!(one.contains("\n  on failure   remove\n"), "{one}");
    let value = json_of(&vipctl(&node.folder, &["services", "--json"]));
    assert_eq!(value, json!({ "services": [service("web", false)] }));
    let unknown = vipctl(&node.folder, &["services", "wbe"]);
    assert_eq!(
        (code(&unknown), text(&unknown.stderr)),
        (Some(1), "vipctl: no service wbe; known: web\n".to_owned())
    );

    let health = vipctl(&node.folder, &["health"]);
    assert_eq!(code(&health), Some(0), "{health:?}");
    assert!(text(&health.stdout).starts_with("1 check: 1 down\nCHECK  "), "{health:?}");
    let one = text(&vipctl(&node.folder, &["health", CHECK]).stdout);
    assert!(one.starts_with("web/192.168.4.100:80: down since 2026-02-03T02:56:48.000Z ("), "{one}");
    let value = json_of(&vipctl(&node.folder, &["health", "--json"]));
    assert_eq!(value, json!({ "checks": [down(CHECK)] }));
    let unknown = vipctl(&node.folder, &["health", "web"]);
    assert_eq!(code(&unknown), Some(1));
    assert_eq!(text(&unknown.stderr), format!("vipctl: no check web; known: {CHECK}\n"));

    let nobody = TempDir::new().unwrap();
    assert_eq!(code(&vipctl(&nobody, &["services"])), Some(2));
    assert_eq!(code(&vipctl(&nobody, &["health"])), Some(2));
}

#[test]
fn of_many_known_names_a_few_are_named() {
    let folder = TempDir::new().unwrap();
    let _fake =
        Fake::start(&folder, (0..300).map(|number| service(&format!("s{number:03}"), true)).collect());
    let unknown = vipctl(&folder, &["services", "web"]);
    let said = "vipctl: no service web; known: s000, s001, s002, s003, s004, s005, s006, s007, ...: `vipctl services`\n";
    assert_eq!((code(&unknown), text(&unknown.stderr).as_str()), (Some(1), said));
}

#[test]
fn reload_goes_in_order_and_stops_at_a_refusal() {
    let mut node = Node::start();
    let good = vipctl(&node.folder, &["reload"]);
    assert_eq!(code(&good), Some(0), "{good:?}");
    let said = text(&good.stdout);
    let heads: Vec<_> = said.lines().filter_map(|line| line.split_once(": reloaded, digest ")).collect();
    let names: Vec<_> = heads.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["healthcheckd", "ipvs-sync", "vrrpd"]);
    assert!(heads.iter().all(|(_, digest)| *digest == heads[0].1), "{said}");
    let at = [node.health().reloads(), node.ipvs().reloads(), node.vrrp().reloads()].map(|at| at[0]);
    assert!(at.is_sorted(), "{at:?}");

    node.ipvs().refuse();
    let refused = vipctl(&node.folder, &["reload"]);
    assert_eq!(code(&refused), Some(1));
    let said = text(&refused.stdout);
    assert!(said.contains("\nipvs-sync: refused, nothing was changed\n"), "{said}");
    assert!(said.ends_with("\nvrrpd: not told, it runs what it ran\n"), "{said}");
    assert_eq!((node.health().reloads().len(), node.vrrp().reloads().len()), (2, 1));

    node.ipvs = None;
    let lost = vipctl(&node.folder, &["reload", "--json"]);
    assert_eq!(code(&lost), Some(2));
    let daemons = &json_of(&lost)["daemons"];
    assert!(daemons[1].get("unreachable").is_some() && daemons[2].get("reloaded").is_some(), "{daemons}");
}

#[test]
fn watch_tells_of_all_daemons_and_outlives_each() {
    let mut node = Node::start();
    let watch = Running::start(command(&node.folder, &["watch"]));
    let mut begun: Vec<_> = (0..6).map(|_| watch.words()).collect();
    begun.sort();
    let on = "on web1, version 0.1.0, digest 0a1b2c3d4e5f";
    assert_eq!(begun[0], "healthcheckd  1 check: 1 up");
    assert_eq!(begun[1], format!("healthcheckd  {on}"));
    assert_eq!(begun[2], format!("ipvs-sync     {on}"));
    assert_eq!(begun[3], format!("vrrpd         {on}"));
    assert!(begun[4].starts_with("web           Active for "), "{begun:?}");
    assert_eq!(begun[5], "web           tcp 192.168.4.15:80, wrr, 1 server up");
    node.health().put(down(CHECK));
    assert_eq!(watch.words(), format!("healthcheckd  {CHECK} up -> down: connection refused"));
    node.ipvs().put(service("web", false));
    assert_eq!(watch.words(), "web           192.168.4.100:80 up -> down: connection refused");
    assert_eq!(watch.words(), "web           192.168.4.100:80 left the table (weight 1 -> none)");
    node.ipvs = None;
    assert_eq!(watch.words(), "ipvs-sync     lost, the server closed the connection; waiting for it");
    node.health().put(check(CHECK));
    assert_eq!(watch.words(), format!("healthcheckd  {CHECK} down -> up: connected"));
    node.ipvs = Some(Fake::start(&node.folder, vec![]));
    assert_eq!(watch.words(), format!("ipvs-sync     {on}"));
}

#[test]
fn watch_waits_for_a_daemon_that_is_not_there_yet() {
    let mut node = Node::start();
    (node.health, node.ipvs) = (None, None);
    let watch = Running::start(command(&node.folder, &["watch"]));
    let waiting = |watch: &Running, name: &str| {
        let said = watch.words();
        assert!(said.starts_with(&format!("{name}  cannot be followed: ")), "{said}");
    };
    waiting(&watch, "healthcheckd");
    waiting(&watch, "ipvs-sync   ");
    assert!(watch.words().starts_with("vrrpd         on web1, "));
    assert!(watch.words().starts_with("web           Active for "));
    node.health = Some(Fake::start(&node.folder, vec![]));
    assert!(watch.words().starts_with("healthcheckd  on web1, "));

    let json = Running::start(command(&node.folder, &["watch", "--json"]));
    let (ended, said) = json.end();
    assert_eq!(ended, Some(2));
    assert!(said.starts_with("vipctl: ipvs-sync is not running: "), "{said}");
}

#[test]
fn watch_as_json_names_the_daemon_and_ends_with_the_first() {
    let mut node = Node::start();
    let watch = Running::start(command(&node.folder, &["watch", "--json"]));
    let begun: Vec<Value> = (0..9).map(|_| serde_json::from_str(&watch.line()).unwrap()).collect();
    for (daemon, field) in [("healthcheckd", "checks"), ("ipvs-sync", "services"), ("vrrpd", "instances")] {
        let own: Vec<_> = begun.iter().filter(|reply| reply["from"] == daemon).collect();
        let steps: Vec<_> = own.iter().map(|reply| &reply["step"]).collect();
        assert_eq!(steps, ["begin", "page", "level"], "{daemon}");
        assert_eq!(own[1][field].as_array().unwrap().len(), 1);
    }
    node.health = None;
    let (ended, said) = watch.end();
    assert_eq!(ended, Some(2));
    assert!(said.starts_with("vipctl: healthcheckd on "), "{said}");
}
