//! The machine that all tests share: vipkit installed by its own script, one interface, one address, one service.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use vipkit_tests::lab::build_folder;
use vipkit_tests::lab::process::{Ran, run};

/// The daemons, in the order in which they start.
pub const DAEMONS: [&str; 3] = ["healthcheckd", "ipvs-sync", "vrrpd"];
pub const VIP: &str = "192.0.2.15/24";
pub const INTERFACE: &str = "vip0";
pub const CONFIG: &str = "/etc/vipkit/vipkit.toml";
/// Within this everything happens: programs start slowly in a virtual machine.
pub const LIMIT: Duration = Duration::from_secs(60);
/// Looking starts a program, most of the time.
const POLL: Duration = Duration::from_millis(200);

/// At priority 255 nobody has to be waited for. The interval leaves time for an adoption in a slow machine.
const GOOD: &str = "
[vrrp.web]
interface = 'vip0'
virtual_router_id = 51
priority = 255
advertisement_interval = '5s'
addresses = ['192.0.2.15/24']

[[service]]
name = 'web'
address = '192.0.2.15:80'
scheduler = 'wrr'
forward = 'nat'
check = { type = 'tcp', interval = '1s', timeout = '500ms', retries = 0 }
server = [{ address = '192.0.2.1:8001' }, { address = '192.0.2.1:8002' }]
";

/// The machine, with all daemons running on [`GOOD`]. One test has it at a time.
pub struct Machine {
    _alone: MutexGuard<'static, ()>,
}

static ALONE: Mutex<()> = Mutex::new(());

impl Machine {
    /// Installs vipkit if need be, and brings everything to where every test begins.
    pub fn new() -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(
            Path::new("/run/vm/command").exists() && comm("1") == "systemd",
            "takes a system apart: runs in scripts/vm --systemd alone"
        );
        if !Path::new("/sys/class/net").join(INTERFACE).exists() {
            // The host's files show through.
            let _ = fs::remove_dir_all("/etc/vipkit");
            ok(&format!("ip link add {INTERFACE} type veth peer name other"));
            ok("ip link set other up");
            ok(&format!("ip link set {INTERFACE} up"));
            ok(&format!("ip address add 192.0.2.1/24 dev {INTERFACE}"));
            serve("192.0.2.1:8001");
            // The kernel loads what IPVS needs when ipvs-sync asks for it.
            ok("modprobe -r ip_vs");
        }
        let fresh = !Path::new("/usr/local/sbin/vrrpd").exists();
        if fresh {
            install();
        }
        let machine = Self { _alone: alone };
        machine.configure(GOOD);
        if fresh {
            ok("systemctl enable --quiet vipkit.target");
        }
        ok("systemctl start vipkit.target healthcheckd ipvs-sync vrrpd");
        wait("web is Active", || machine.instance()["state"] == "active" && machine.has_vip());
        wait("one server is up", || table().contains("-r 192.0.2.1:8001") && !table().contains(":8002"));
        machine
    }

    /// Writes the configuration, over what is there.
    pub fn configure(&self, text: &str) {
        fs::write(CONFIG, text).unwrap();
    }

    /// What vrrpd says of its instance; null if it says nothing.
    pub fn instance(&self) -> Value {
        answer("vrrpd io.vipkit.Vrrp.Get {\"name\":\"web\"}")["instance"].clone()
    }

    /// Whether the VIP is on the interface.
    pub fn has_vip(&self) -> bool {
        ok(&format!("ip -4 address show dev {INTERFACE}")).contains(VIP)
    }
}

/// Installs what was built beside this test.
pub fn install() -> String {
    ok(&format!("{}/install --from {}", scripts(), build_folder().display()))
}

/// The folder of the project's scripts.
pub fn scripts() -> String {
    concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts").to_owned()
}

/// Runs a line of words.
pub fn sh(line: &str) -> Ran {
    let mut words = line.split_whitespace();
    run(Command::new(words.next().unwrap()).args(words))
}

/// Runs a line of words that must succeed, and returns what it prints.
pub fn ok(line: &str) -> String {
    let ran = sh(line);
    assert_eq!(ran.code, 0, "{line}: {ran:?}\n{}", sh("journalctl --no-pager -n 40").stdout);
    ran.stdout
}

/// Calls a method with vipctl; null if there is no answer.
pub fn answer(call: &str) -> Value {
    serde_json::from_str(&sh(&format!("/usr/local/bin/vipctl --json call {call}")).stdout)
        .unwrap_or(Value::Null)
}

/// A property of a unit.
pub fn property(unit: &str, name: &str) -> String {
    ok(&format!("systemctl show --property={name} --value {unit}")).trim().to_owned()
}

/// Main process of a daemon.
pub fn pid(daemon: &str) -> String {
    property(&format!("{daemon}.service"), "MainPID")
}

/// What a process calls itself.
pub fn comm(pid: &str) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned()
}

/// The field of that name in the status of a daemon's process.
pub fn status(daemon: &str, field: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{}/status", pid(daemon))).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {field} in {text}")).trim().to_owned()
}

/// The IPVS table.
pub fn table() -> String {
    ok("ipvsadm -Sn")
}

/// The path of a daemon's socket, and its number in the file system.
pub fn socket(daemon: &str) -> (String, Option<u64>) {
    let path = format!("/run/vipkit/{daemon}.sock");
    let number = fs::metadata(&path).ok().map(|metadata| metadata.ino());
    (path, number)
}

/// Whether somebody lets us in at a daemon's socket.
pub fn connects(daemon: &str) -> bool {
    UnixStream::connect(socket(daemon).0).is_ok()
}

/// A server that lets everybody in.
fn serve(address: &'static str) {
    let listener = TcpListener::bind(address).unwrap();
    thread::spawn(move || listener.incoming().for_each(drop));
}

/// Waits until it is so.
pub fn wait(what: &str, condition: impl Fn() -> bool) -> Duration {
    let began = Instant::now();
    while !condition() {
        let journal = || sh("journalctl --no-pager -n 60").stdout;
        assert!(began.elapsed() < LIMIT, "not within {LIMIT:?}: {what}\n{}", journal());
        thread::sleep(POLL);
    }
    began.elapsed()
}
