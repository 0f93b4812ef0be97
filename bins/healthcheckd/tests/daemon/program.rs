//! healthcheckd as a process with folders of its own, and what it says on its socket.

use std::fs;
use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use tempfile::TempDir;
use vipkit_control::call::NoParameters;
use vipkit_control::client::Client;
use vipkit_control::health::{
    self, Check, Daemon, GetDaemonReply, GetReply, Monitor, ReloadReply, State, Step,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_healthcheckd");
/// Longest wait for what has to come.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until something holds.
pub fn patiently(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A check of a target on loopback, as it is written in the configuration.
pub fn check(name: &str, target: SocketAddr, keys: &str) -> String {
    format!("[check.{name}]\ntype = \"tcp\"\ntarget = \"{target}\"\n{keys}\n")
}

/// Somebody who listens.
pub fn server() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// An address where nobody listens.
pub fn nobody() -> SocketAddr {
    server().1
}

/// A configuration and folders, for one life of the program after another.
pub struct Program {
    folder: TempDir,
}

/// A life of the program.
pub struct Running {
    child: Child,
}

impl Program {
    pub fn new(configuration: &str) -> Self {
        let program = Self { folder: TempDir::new().unwrap() };
        program.configure(configuration);
        program
    }

    pub fn configure(&self, configuration: &str) {
        fs::write(self.folder.path().join("vipkit.toml"), configuration).unwrap();
    }

    /// Starts it, and waits until it answers.
    pub fn start(&self) -> Running {
        self.run(&mut Command::new(PROGRAM))
    }

    fn run(&self, command: &mut Command) -> Running {
        let folder = self.folder.path();
        let child = command
            .env("VIPKIT_RUNTIME_DIR", folder)
            .env("VIPKIT_STATE_DIR", folder)
            .arg("--config")
            .arg(folder.join("vipkit.toml"))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut running = Running { child };
        patiently("it answers", || {
            assert_eq!(running.child.try_wait().unwrap(), None, "it ended");
            self.connect().is_some()
        });
        running
    }

    fn connect(&self) -> Option<Client> {
        Client::connect(&self.folder.path().join("healthcheckd.sock"), PATIENCE, |_| Ok(())).ok()
    }

    fn client(&self) -> Client {
        self.connect().unwrap()
    }

    pub fn get(&self, name: &str) -> Check {
        let reply: GetReply = self.client().call(health::GET, &json!({ "name": name })).unwrap();
        reply.check
    }

    pub fn daemon(&self) -> Daemon {
        let reply: GetDaemonReply = self.client().call(health::GET_DAEMON, &NoParameters {}).unwrap();
        reply.daemon
    }

    pub fn reload(&self) -> Result<ReloadReply, String> {
        self.client().call(health::RELOAD, &NoParameters {}).map_err(|error| error.to_string())
    }

    /// The check once it is in that state.
    pub fn wait_for(&self, name: &str, state: State) -> Check {
        let mut check = self.get(name);
        patiently(&format!("{name} is {state:?}"), || {
            check = self.get(name);
            check.state == state
        });
        check
    }

    /// All checks, and each change of one, as they are told; the snapshot is there.
    pub fn watch(&self) -> Arc<Mutex<Vec<Check>>> {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let replies = self.client().more(health::MONITOR, &NoParameters {}).unwrap();
        let mut replies = replies.map_while(|reply: Result<Monitor, _>| reply.ok());
        for reply in replies.by_ref().take_while(|reply| reply.step != Step::Level) {
            seen.lock().unwrap().extend(reply.checks);
        }
        let told = seen.clone();
        thread::spawn(move || replies.for_each(|reply| told.lock().unwrap().extend(reply.checks)));
        seen
    }

    fn state_path(&self) -> PathBuf {
        self.folder.path().join("healthcheckd/verdicts.json")
    }

    pub fn state_file(&self) -> String {
        fs::read_to_string(self.state_path()).unwrap_or_default()
    }

    /// Not even for root: a file is where its folder should be.
    pub fn make_state_file_unwritable(&self) {
        let folder = self.folder.path().join("healthcheckd");
        fs::rename(&folder, self.folder.path().join("moved")).unwrap();
        fs::write(folder, "").unwrap();
    }

    pub fn damage_state_file(&self) {
        fs::create_dir(self.folder.path().join("healthcheckd")).unwrap();
        fs::write(self.state_path(), "[{\"kind\":").unwrap();
    }
}

impl Running {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as a crash does.
    pub fn crash(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it as it should end; its log.
    pub fn end(mut self) -> String {
        kill(Pid::from_raw(self.pid().try_into().unwrap()), Signal::SIGTERM).unwrap();
        patiently("it ends", || self.child.try_wait().unwrap().is_some());
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        assert!(self.child.wait().unwrap().success(), "{log}");
        log
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
