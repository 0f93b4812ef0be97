//! vrrpd on a host: its configuration, its life, and what it says on its socket and through vipctl.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde::Serialize;
use serde::de::DeserializeOwned;
use vipkit_control::call::NoParameters;
use vipkit_control::client::{Client, ClientError};
use vipkit_control::vrrp::{self, GetDaemonReply, Instance, ListParameters, ListReply, ReloadReply, State};

use super::host::Host;
use super::process::{Process, Ran, run};
use super::{binary, until};

const PATIENCE: Duration = Duration::from_secs(5);
/// The user that has no rights but the two capabilities.
const UID: &str = "61234";
/// A user that has no rights at all.
const STRANGER: &str = "61235";
const CAPABILITIES: &str = "-all,+net_admin,+net_raw";

/// What vrrpd is allowed to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privilege {
    /// Everything.
    Root,
    /// CAP_NET_ADMIN and CAP_NET_RAW, with a user id of its own.
    TwoCapabilities,
}

/// A vrrpd, running or not.
#[derive(Debug)]
pub struct Vrrpd {
    host: Host,
    privilege: Privilege,
    folder: PathBuf,
    process: Option<Process>,
}

impl Vrrpd {
    /// One that runs.
    #[must_use]
    pub fn started(host: &Host, privilege: Privilege, config: &str) -> Self {
        let mut vrrpd = Self::new(host, privilege, config);
        vrrpd.start();
        vrrpd
    }

    /// One that does not run yet.
    #[must_use]
    pub fn new(host: &Host, privilege: Privilege, config: &str) -> Self {
        Self::named(host, "vrrpd", privilege, config)
    }

    /// One whose files and log have this name on its host.
    #[must_use]
    pub fn named(host: &Host, name: &str, privilege: Privilege, config: &str) -> Self {
        let vrrpd = Self { host: host.clone(), privilege, folder: host.folder().join(name), process: None };
        let uid = privilege.uid().map(|uid| uid.parse().unwrap());
        DirBuilder::new().mode(0o755).create(&vrrpd.folder).unwrap();
        for folder in [vrrpd.runtime_folder(), vrrpd.folder.join("state")] {
            DirBuilder::new().mode(0o755).create(&folder).unwrap();
            chown(&folder, uid, uid).unwrap();
        }
        // Its user need not be able to reach the folder that it was built in.
        for program in ["vrrpd", "vipctl"] {
            let (from, to) = (binary(program), vrrpd.folder.join(program));
            fs::hard_link(&from, &to).or_else(|_| fs::copy(&from, &to).map(drop)).unwrap();
        }
        vrrpd.configure(config);
        vrrpd
    }

    /// Writes its configuration; what runs does not notice.
    pub fn configure(&self, config: &str) {
        fs::write(self.config_path(), config).unwrap();
    }

    /// Its configuration.
    #[must_use]
    pub fn config_path(&self) -> PathBuf {
        self.folder.join("vipkit.toml")
    }

    /// Its socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.runtime_folder().join("vrrpd.sock")
    }

    /// Its host.
    #[must_use]
    pub const fn host(&self) -> &Host {
        &self.host
    }

    /// The command that starts it, after what comes before it, such as a shell that prepares something.
    #[must_use]
    pub fn command(&self, before: &[&str]) -> Command {
        let program = self.folder.join("vrrpd");
        let config = self.config_path();
        let mut line = self.privilege.line();
        line.extend(before);
        line.extend([program.to_str().unwrap(), "--config", config.to_str().unwrap()]);
        let mut command = self.host.command(&line);
        command
            .env("VIPKIT_RUNTIME_DIR", self.runtime_folder())
            .env("VIPKIT_STATE_DIR", self.folder.join("state"))
            .stdin(Stdio::null());
        command
    }

    /// Starts it, and waits until it answers.
    pub fn start(&mut self) {
        self.start_as(&mut self.command(&[]));
    }

    /// Starts it by a command made from [`Vrrpd::command`], and waits until it answers.
    pub fn start_as(&mut self, command: &mut Command) {
        self.launch(command);
        assert!(until(PATIENCE, || self.pid().is_ok()), "vrrpd does not answer:\n{}", self.log());
    }

    /// Starts it, and waits for nothing.
    pub fn launch(&mut self, command: &mut Command) {
        self.process = Some(Process::start(command, &self.log_path()));
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
        self.process.as_ref().expect("vrrpd was started").signal(Signal::SIGHUP);
    }

    /// True while its process lives.
    pub fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(Process::is_running)
    }

    /// All that it logged, in all its lives.
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.log_path()).unwrap_or_default()).into_owned()
    }

    /// The process id that it says it has.
    ///
    /// # Errors
    /// It does not answer.
    pub fn pid(&self) -> Result<u32, ClientError> {
        self.call(vrrp::GET_DAEMON, &NoParameters {}).map(|GetDaemonReply { daemon }| daemon.pid)
    }

    /// Its instances by name.
    ///
    /// # Errors
    /// It does not answer.
    pub fn instances(&self) -> Result<Vec<Instance>, ClientError> {
        self.call(vrrp::LIST, &ListParameters::default()).map(|ListReply { instances, .. }| instances)
    }

    /// Its instance, or the first of them.
    #[must_use]
    pub fn instance(&self) -> Instance {
        self.instances().unwrap().into_iter().next().expect("an instance")
    }

    /// The state of its instance, if it answers.
    #[must_use]
    pub fn state(&self) -> Option<State> {
        self.instances().ok()?.first().map(|instance| instance.state)
    }

    /// A counter of its instance.
    #[must_use]
    pub fn counter(&self, name: &str) -> u64 {
        self.instance().counters[name]
    }

    /// Has it read its configuration again, through its socket.
    ///
    /// # Errors
    /// It does not answer, or refuses the configuration.
    pub fn reload(&self) -> Result<ReloadReply, ClientError> {
        self.call(vrrp::RELOAD, &NoParameters {})
    }

    /// Removes the file in which it keeps what it must remember.
    ///
    /// # Panics
    /// There is none.
    pub fn lose_ledger(&self) {
        fs::remove_file(self.folder.join("state/vrrpd/ledger.json")).unwrap();
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
        run(self.vipctl_command(&[]).args(arguments))
    }

    /// Runs vipctl for it as a user who has no rights.
    pub fn vipctl_as_stranger(&self, arguments: &[&str]) -> Ran {
        let stranger = ["setpriv", "--reuid", STRANGER, "--regid", STRANGER, "--clear-groups"];
        run(self.vipctl_command(&stranger).args(arguments))
    }

    fn vipctl_command(&self, before: &[&str]) -> Command {
        let program = self.folder.join("vipctl");
        let line = [before, &[program.to_str().unwrap()]].concat();
        let mut command = self.host.command(&line);
        command.env("VIPKIT_RUNTIME_DIR", self.runtime_folder());
        command
    }

    fn runtime_folder(&self) -> PathBuf {
        self.folder.join("run")
    }

    fn log_path(&self) -> PathBuf {
        let name = self.folder.file_name().map(Path::new).unwrap();
        self.host.folder().join(name.with_extension("log"))
    }

    fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("vrrpd was started")
    }
}

impl Privilege {
    fn uid(self) -> Option<&'static str> {
        (self == Self::TwoCapabilities).then_some(UID)
    }

    /// What goes before a program to run it with this privilege.
    fn line(self) -> Vec<&'static str> {
        match self {
            Self::Root => vec![],
            Self::TwoCapabilities => {
                let sets = [
                    "--inh-caps",
                    CAPABILITIES,
                    "--ambient-caps",
                    CAPABILITIES,
                    "--bounding-set",
                    CAPABILITIES,
                ];
                let user = ["setpriv", "--reuid", UID, "--regid", UID, "--clear-groups"];
                [&user[..], &sets[..]].concat()
            }
        }
    }
}
