//! A daemon of an installation: its life, its log, its user, and what it says on its socket.
//! Must not know an interface beyond who answers.

use std::fs::{self, DirBuilder, Permissions};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use vipkit_control::call::NoParameters;
use vipkit_control::client::{Client, ClientError};

use super::host::Host;
use super::installation::Installation;
use super::process::{Process, Ran};
use super::until;

/// Programs start slowly in a virtual machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// The group of the sockets.
const GROUP: u32 = 61230;
/// Shell that takes a socket over from its standard input as systemd hands it: descriptor 3, and the process id that the
/// shell becomes.
pub const HAND_OVER: &str = "exec 3<&0 0</dev/null; export LISTEN_FDS=1 LISTEN_PID=$$; exec \"$@\"";

/// A program, and the user whom its unit runs it as.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Its name.
    pub name: &'static str,
    interface: &'static str,
    user: User,
}

/// vrrpd.
pub const VRRPD: Kind = Kind {
    name: "vrrpd",
    interface: "io.vipkit.Vrrp",
    user: User::Limited { uid: 61234, capabilities: "-all,+net_admin,+net_raw" },
};
/// healthcheckd.
pub const HEALTHCHECKD: Kind = Kind {
    name: "healthcheckd",
    interface: "io.vipkit.Health",
    user: User::Limited { uid: 61236, capabilities: "-all" },
};
/// ipvs-sync.
pub const IPVS_SYNC: Kind = Kind {
    name: "ipvs-sync",
    interface: "io.vipkit.Ipvs",
    user: User::Limited { uid: 61237, capabilities: "-all,+net_admin" },
};

impl Kind {
    /// The same, run by root.
    #[must_use]
    pub const fn as_root(self) -> Self {
        Self { user: User::Root, ..self }
    }

    /// The same, with these capabilities of setpriv(1) and no other, if its user is not root.
    #[must_use]
    pub const fn with_capabilities(self, capabilities: &'static str) -> Self {
        match self.user {
            User::Root => self,
            User::Limited { uid, .. } => Self { user: User::Limited { uid, capabilities }, ..self },
        }
    }
}

/// Who a daemon runs as.
#[derive(Clone, Copy, Debug)]
enum User {
    /// Everything is allowed.
    Root,
    /// A user of its own, who has these capabilities and no other.
    Limited { uid: u32, capabilities: &'static str },
}

/// A daemon, running or not.
#[derive(Debug)]
pub struct Daemon {
    kind: Kind,
    installation: Rc<Installation>,
    log: PathBuf,
    /// Its socket, if that is made for it, as by a socket unit.
    listener: Option<UnixListener>,
    process: Option<Process>,
}

impl Daemon {
    /// One that does not run yet, and makes its socket itself.
    #[must_use]
    pub fn new(kind: Kind, installation: Rc<Installation>) -> Self {
        let name = installation.folder().file_name().map(Path::new).unwrap().with_extension("log");
        if let User::Limited { uid, .. } = kind.user {
            installation.give(&installation.runtime_folder(), uid);
        }
        Self::with(kind, installation, &name, None)
    }

    /// One that does not run yet, and is given its socket, which lives as long as this.
    #[must_use]
    pub fn with_socket(kind: Kind, installation: Rc<Installation>) -> Self {
        let path = installation.runtime_folder().join(format!("{}.sock", kind.name));
        let listener = UnixListener::bind(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o660)).unwrap();
        chown(&path, None, Some(GROUP)).unwrap();
        // vrrpd's unit gives it a folder of its own for this file.
        let heartbeat = installation.runtime_folder().join("vrrpd.heartbeat");
        if let ("vrrpd", User::Limited { uid, .. }) = (kind.name, kind.user) {
            fs::write(&heartbeat, []).unwrap();
            installation.give(&heartbeat, uid);
        }
        let log = PathBuf::from(kind.name).with_extension("log");
        Self::with(kind, installation, &log, Some(listener))
    }

    fn with(kind: Kind, installation: Rc<Installation>, log: &Path, listener: Option<UnixListener>) -> Self {
        let state = installation.state_folder().join(kind.name);
        DirBuilder::new().mode(0o755).create(&state).unwrap();
        if let User::Limited { uid, .. } = kind.user {
            installation.give(&state, uid);
        }
        let log = installation.host().folder().join(log);
        Self { kind, installation, log, listener, process: None }
    }

    /// Writes its configuration; what runs does not notice.
    pub fn configure(&self, config: &str) {
        self.installation.configure(config);
    }

    /// Its configuration.
    #[must_use]
    pub fn config_path(&self) -> PathBuf {
        self.installation.config_path()
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.kind.name
    }

    /// Its socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.installation.runtime_folder().join(format!("{}.sock", self.kind.name))
    }

    /// Its host.
    #[must_use]
    pub fn host(&self) -> &Host {
        self.installation.host()
    }

    /// The command that starts it, after what comes before it, such as a shell that prepares something.
    #[must_use]
    pub fn command(&self, before: &[&str]) -> Command {
        self.command_of(before, &self.installation.program(self.kind.name))
    }

    /// The command that starts another program in its place, with its user and its socket.
    #[must_use]
    pub fn command_of(&self, before: &[&str], program: &Path) -> Command {
        let user = self.kind.user.line();
        let user: Vec<&str> = user.iter().map(String::as_str).collect();
        let hand_over: &[&str] = if self.listener.is_some() { &["sh", "-c", HAND_OVER, "sh"] } else { &[] };
        let mut command = self.installation.command(&[&user, hand_over, before].concat(), program);
        command.arg("--config").arg(self.config_path());
        match &self.listener {
            Some(listener) => command.stdin(OwnedFd::from(listener.try_clone().unwrap())),
            None => command.stdin(Stdio::null()),
        };
        command
    }

    /// Starts it, and waits until it answers.
    pub fn start(&mut self) {
        self.start_as(&mut self.command(&[]));
    }

    /// Starts it by a command made from [`Daemon::command`], and waits until it answers.
    pub fn start_as(&mut self, command: &mut Command) {
        self.launch_as(command);
        assert!(until(PATIENCE, || self.pid().is_ok()), "{} does not answer:\n{}", self.name(), self.log());
    }

    /// Starts it, and waits for nothing.
    pub fn launch(&mut self) {
        self.launch_as(&mut self.command(&[]));
    }

    /// Starts it by a command made from [`Daemon::command`], and waits for nothing.
    pub fn launch_as(&mut self, command: &mut Command) {
        self.process = Some(Process::start(command, &self.log));
    }

    /// Waits for its end. Returns its exit code.
    pub fn wait(&mut self) -> i32 {
        let code = self.process().wait(PATIENCE);
        self.process = None;
        code
    }

    /// Ends it by SIGTERM.
    pub fn terminate(&mut self) {
        self.process().signal(Signal::SIGTERM);
        assert_eq!(self.wait(), 0, "{}", self.log());
    }

    /// Ends it by SIGKILL: it can do nothing more.
    pub fn kill(&mut self) {
        self.process().signal(Signal::SIGKILL);
        self.wait();
    }

    /// Has it read its configuration again, by SIGHUP.
    pub fn hang_up(&self) {
        self.process.as_ref().expect("it was started").signal(Signal::SIGHUP);
    }

    /// True while its process lives.
    pub fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(Process::is_running)
    }

    /// All that it logged, in all its lives.
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// The process id that it says it has.
    ///
    /// # Errors
    /// It does not answer.
    pub fn pid(&self) -> Result<u64, ClientError> {
        let reply: Value = self.call(&format!("{}.GetDaemon", self.kind.interface), &NoParameters {})?;
        Ok(reply["daemon"]["pid"].as_u64().expect("a process id"))
    }

    /// Has it read its configuration again, through its socket.
    ///
    /// # Errors
    /// It does not answer, or refuses the configuration.
    pub fn reload<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        self.call(&format!("{}.Reload", self.kind.interface), &NoParameters {})
    }

    /// Calls a method.
    ///
    /// # Errors
    /// It does not answer, or answers with an error.
    pub fn call<P: Serialize, T: DeserializeOwned>(
        &self,
        method: &str,
        parameters: &P,
    ) -> Result<T, ClientError> {
        Client::connect(&self.socket(), PATIENCE, |_| Ok(()))?.call(method, parameters)
    }

    /// Runs vipctl for it, as root.
    pub fn vipctl(&self, arguments: &[&str]) -> Ran {
        self.installation.vipctl(arguments)
    }

    /// Runs vipctl for it as a user who has no rights.
    pub fn vipctl_as_stranger(&self, arguments: &[&str]) -> Ran {
        self.installation.vipctl_as_stranger(arguments)
    }

    /// Runs vipctl for it as a user in a group.
    pub fn vipctl_as(&self, user: &str, group: &str, arguments: &[&str]) -> Ran {
        self.installation.vipctl_as(user, group, arguments)
    }

    /// Removes a file in which it keeps what it must remember.
    ///
    /// # Panics
    /// There is none.
    pub fn lose(&self, file: &str) {
        fs::remove_file(self.installation.state_folder().join(self.name()).join(file)).unwrap();
    }

    fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("it was started")
    }
}

impl User {
    /// What goes before a program to run it as this user.
    fn line(self) -> Vec<String> {
        match self {
            Self::Root => vec![],
            Self::Limited { uid, capabilities } => {
                let line = format!(
                    "setpriv --reuid {uid} --regid {uid} --groups {GROUP} --inh-caps {capabilities} \
                     --ambient-caps {capabilities} --bounding-set {capabilities}"
                );
                line.split_whitespace().map(str::to_owned).collect()
            }
        }
    }
}
