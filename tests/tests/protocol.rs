//! The socket of vrrpd, used by clients that are not ours: the Python library `varlink`, and socat with jq; and the
//! examples of docs/protocol.md, as they stand there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Once;
use std::time::Duration;

use vipkit_tests::lab::host::Host;
use vipkit_tests::lab::process::{Process, run};
use vipkit_tests::lab::vrrpd::{Privilege, Vrrpd};
use vipkit_tests::lab::{Lab, build_folder};

/// Until a client has said what it should.
const PATIENCE: Duration = Duration::from_secs(10);
const LIBRARY: &str = "varlink==31.0.0";
const CONFIG: &str = "\
[vrrp.web]
interface = 'eth0'
virtual_router_id = 51
addresses = ['192.168.4.80/24']

[vrrp.mail]
interface = 'eth0'
virtual_router_id = 52
addresses = ['192.168.4.90/24']
";

fn alone() -> (Lab, Host, Vrrpd) {
    let lab = Lab::new();
    let host = lab.host("alone", 100);
    let vrrpd = Vrrpd::started(&host, Privilege::Root, CONFIG);
    (lab, host, vrrpd)
}

/// Python with the library, which is installed beside what cargo builds, once.
fn python() -> Command {
    static INSTALLED: Once = Once::new();
    let library: PathBuf = build_folder().join("python");
    INSTALLED.call_once(|| {
        if !library.join("varlink").exists() {
            let pip =
                ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target"];
            let ran = run(Command::new("python3").args(pip).arg(&library).arg(LIBRARY));
            assert_eq!(ran.code, 0, "pip: {}", ran.stderr);
        }
    });
    let mut python = Command::new("python3");
    python.env("PYTHONPATH", library).env("PYTHONUNBUFFERED", "1");
    python
}

/// The example of the documentation that has this in it, for this socket.
fn example(language: &str, part: &str, socket: &Path) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/protocol.md");
    let text = fs::read_to_string(path).unwrap();
    let opening = format!("```{language}\n");
    let mut blocks = text.split(&opening).skip(1).filter_map(|rest| rest.split("```").next());
    let block = blocks.find(|block| block.contains(part)).expect("an example");
    block.replace("/run/vipkit/vrrpd.sock", socket.to_str().unwrap())
}

/// Starts a client that shows changes, and makes one after the other until the client shows this one: when it begins to
/// listen, only it knows.
fn assert_shows_change(lab: &Lab, host: &Host, client: &mut Command, change: &str) {
    let client = Process::start(client.stdin(Stdio::null()), &host.folder().join("client.log"));
    lab.wait(&format!("the client says {change:?}"), PATIENCE, || {
        host.cut();
        host.mend();
        client.log().contains(change)
    });
}

#[test]
#[ignore = "needs root, network namespaces and pip: scripts/test protocol"]
fn python_library() {
    let (_lab, host, vrrpd) = alone();
    let client = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/protocol/client.py");
    let cut = host.command_to_cut();
    let ran = run(python().arg(client).arg(vrrpd.socket()).args(cut.split_whitespace()));
    assert_eq!((ran.code, ran.stdout.trim()), (0, "all is as it should be"), "{}", ran.stderr);
}

#[test]
#[ignore = "needs root, network namespaces and pip: scripts/test protocol"]
fn documented_python() {
    let (lab, host, vrrpd) = alone();
    let program = example("python", "import varlink", &vrrpd.socket());
    assert_shows_change(&lab, &host, python().args(["-c", &program]), "change web fault");
}

#[test]
#[ignore = "needs root, network namespaces, socat and jq: scripts/test protocol"]
fn documented_shell_list() {
    let (_lab, _host, vrrpd) = alone();
    let ran = run(Command::new("sh").args(["-c", &example("sh", "Vrrp.List", &vrrpd.socket())]));
    let names: Vec<_> = ran.stdout.lines().filter_map(|line| line.split('\t').next()).collect();
    assert_eq!(names, ["mail", "web"], "{}", ran.stderr);
}

#[test]
#[ignore = "needs root, network namespaces, socat and jq: scripts/test protocol"]
fn documented_shell_monitor() {
    let (lab, host, vrrpd) = alone();
    let monitor = example("sh", "ignoreeof", &vrrpd.socket());
    assert_shows_change(&lab, &host, Command::new("sh").args(["-c", &monitor]), "web fault: ");
}
