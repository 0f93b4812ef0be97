//! An ipvs-sync in a network namespace of its own, with a healthcheckd that says what the test wants, and ipvsadm as the
//! judge. Whatever happens, nothing of it is left.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tempfile::TempDir;
use vipkit_control::call::NoParameters;
use vipkit_control::client::{Client, ClientError};
use vipkit_control::common::{GetParameters, ListParameters};
use vipkit_control::ipvs::{self, Daemon, GetDaemonReply, GetReply, ListReply, ReloadReply, Service};

use crate::health::Health;

/// Programs start slowly in a virtual machine without acceleration.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at a condition.
const POLL: Duration = Duration::from_millis(50);

/// The daemon and what is around it.
pub struct Rig {
    namespace: String,
    child: Option<Child>,
    /// What it listens to; not running at first.
    pub health: Health,
    folder: TempDir,
}

impl Rig {
    /// A namespace, and a configuration; nothing runs.
    pub fn new(config: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let namespace = format!("ipvs-sync-{}-{count}", std::process::id());
        run(Command::new("ip").args(["netns", "add", &namespace]));
        let folder = TempDir::new().unwrap();
        let rig = Self { namespace, health: Health::new(folder.path()), folder, child: None };
        rig.inside(&["ip", "link", "set", "lo", "up"]);
        rig.configure(config);
        rig
    }

    /// One that runs.
    pub fn running(config: &str) -> Self {
        let mut rig = Self::new(config);
        rig.start();
        rig
    }

    /// Writes the configuration; what runs does not notice.
    pub fn configure(&self, config: &str) {
        fs::write(self.folder.path().join("vipkit.toml"), config).unwrap();
    }

    /// Starts the daemon, and waits until it answers.
    pub fn start(&mut self) {
        self.spawn();
        self.wait("ipvs-sync answers", || {
            self.ask::<_, GetDaemonReply>(ipvs::GET_DAEMON, &NoParameters {}).is_ok()
        });
    }

    /// Starts the daemon.
    pub fn spawn(&mut self) {
        let log = File::options().create(true).append(true).open(self.log_path()).unwrap();
        let folder = self.folder.path();
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace, env!("CARGO_BIN_EXE_ipvs-sync")]);
        command.args(["--log-level", "debug", "--config"]).arg(folder.join("vipkit.toml"));
        command.env("VIPKIT_RUNTIME_DIR", folder).env("VIPKIT_STATE_DIR", folder.join("state"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.child = Some(command.spawn().unwrap());
    }

    /// Ends the daemon by SIGKILL.
    pub fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Ends the daemon by SIGTERM.
    pub fn terminate(&mut self) {
        let mut child = self.child.take().unwrap();
        run(Command::new("kill").arg(child.id().to_string()));
        assert!(child.wait().unwrap().success(), "{}", self.log());
    }

    /// Calls a method.
    pub fn ask<P: Serialize, T: DeserializeOwned>(&self, method: &str, asked: &P) -> Result<T, ClientError> {
        let socket = self.folder.path().join("ipvs-sync.sock");
        Client::connect(&socket, PATIENCE, |_| Ok(()))?.call(method, asked)
    }

    /// What the daemon says of itself.
    pub fn daemon(&self) -> Daemon {
        self.ask::<_, GetDaemonReply>(ipvs::GET_DAEMON, &NoParameters {}).unwrap().daemon
    }

    /// What it says of a service.
    pub fn service(&self, name: &str) -> Service {
        let asked = GetParameters { name: name.to_owned() };
        self.ask::<_, GetReply>(ipvs::GET, &asked).unwrap().service
    }

    /// What it says of all services, page by page.
    pub fn services(&self) -> Vec<Service> {
        let mut services = Vec::new();
        let mut cursor = None;
        loop {
            let asked = ListParameters { cursor, limit: None };
            let page: ListReply = self.ask(ipvs::LIST, &asked).unwrap();
            services.extend(page.services);
            cursor = page.cursor;
            if cursor.is_none() {
                return services;
            }
        }
    }

    /// Has it read its configuration again.
    pub fn reload(&self) -> ReloadReply {
        self.ask(ipvs::RELOAD, &NoParameters {}).unwrap()
    }

    /// Runs ipvsadm(8) in the namespace.
    pub fn ipvsadm(&self, arguments: &str) -> String {
        let line: Vec<&str> = std::iter::once("ipvsadm").chain(arguments.split_whitespace()).collect();
        self.inside(&line)
    }

    /// The table as ipvsadm saves it, in order.
    pub fn table(&self) -> Vec<String> {
        let mut lines: Vec<String> =
            self.ipvsadm("-Sn").lines().map(|line| line.trim_end().to_owned()).collect();
        lines.sort();
        lines
    }

    /// Waits until ipvsadm sees this and nothing else.
    pub fn wait_for_table(&self, expected: &[&str]) {
        let mut table = Vec::new();
        let is_so = until(|| {
            table = self.table();
            table == expected
        });
        assert!(is_so, "{table:#?}\ninstead of {expected:#?}\n{}", self.log());
    }

    /// Waits until something is so.
    pub fn wait(&self, what: &str, condition: impl FnMut() -> bool) {
        assert!(until(condition), "not so in time: {what}\n{}", self.log());
    }

    /// Waits until the daemon has made a service, and returns at that moment.
    pub fn wait_for_its_first_service(&self) {
        const HEADER_LINES: usize = 3;
        let table = format!("/proc/{}/net/ip_vs", self.child.as_ref().unwrap().id());
        let deadline = Instant::now() + PATIENCE;
        while fs::read_to_string(&table).unwrap().lines().count() <= HEADER_LINES {
            assert!(Instant::now() < deadline, "no service in time\n{}", self.log());
            thread::yield_now();
        }
    }

    /// Runs a program in the namespace; returns what it prints.
    pub fn inside(&self, line: &[&str]) -> String {
        run(Command::new("ip").args(["netns", "exec", &self.namespace]).args(line))
    }

    /// All that the daemon logged, in all of its lives.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// Where the daemon keeps what outlasts it.
    pub fn state_folder(&self) -> PathBuf {
        self.folder.path().join("state/ipvs-sync")
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = Command::new("ip").args(["netns", "delete", &self.namespace]).status();
    }
}

fn until(mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(POLL);
    }
    true
}

fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
