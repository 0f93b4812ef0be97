//! Labs: the real programs on a real kernel. Hosts are network namespaces on a switch of their own, so that nothing
//! leaves the machine and labs run side by side. A lab that ends, even by a panic, leaves nothing behind. Needs root.
//!
//! ```text
//! Lab ── Host ── Namespace        a network, its hosts, and where they live (also: what a dead run left)
//!         ├── Installation ── Daemon   vipkit on it; Vrrpd, Healthcheckd: one alone; Director: all daemons together
//!         ├── Keepalived          the peer that is not ours; like a Daemon a Process with a log
//!         ├── WebServer, Agent, Sniffer, Wire, Injector, AddressWatch
//!         ├── Server              what is checked: nginx, openssl, exim, dnsmasq, socat; Hostile: what is up to no good
//! ```

pub mod address_watch;
pub mod agent;
pub mod certificates;
pub mod daemon;
pub mod director;
pub mod dns_server;
pub mod figure;
pub mod healthcheckd;
pub mod host;
pub mod hostile;
pub mod httpd;
pub mod injector;
pub mod installation;
pub mod keepalived;
pub mod mail_server;
pub mod namespace;
pub mod nginx;
pub mod openssl;
pub mod ping;
pub mod process;
pub mod server;
pub mod sniffer;
pub mod socat;
pub mod table_watch;
pub mod vrrpd;
pub mod web_server;
pub mod wire;
pub mod worker;

use std::cell::{Cell, RefCell};
use std::fmt::Write;
use std::fs::{self, Permissions};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use host::Host;
use namespace::Namespace;

/// Between two looks at a condition.
const POLL: Duration = Duration::from_millis(20);
/// Lines of each log that a failure shows.
const EVIDENCE_LINES: usize = 40;

/// A network of hosts in 192.168.4.0/24.
#[derive(Debug)]
pub struct Lab {
    prefix: String,
    switch: Rc<Namespace>,
    hosts: RefCell<Vec<Host>>,
    folder: TempDir,
    evidence_shown: Cell<bool>,
}

impl Lab {
    /// A switch without hosts.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "a lab is no value that anything could stand in for")]
    pub fn new() -> Self {
        static SWEPT: Once = Once::new();
        static COUNT: AtomicU32 = AtomicU32::new(0);
        SWEPT.call_once(namespace::sweep);

        let prefix = format!("{}-{}", namespace::prefix(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = tempfile::Builder::new().prefix(&format!("{prefix}-")).tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let switch = Namespace::create(format!("{prefix}-switch"));
        switch.ip("link add br0 up type bridge mcast_snooping 0 forward_delay 0");
        Self {
            prefix,
            switch: Rc::new(switch),
            hosts: RefCell::default(),
            folder,
            evidence_shown: Cell::new(false),
        }
    }

    /// A host with a cable to the switch: `eth0` has 192.168.4.`last`/24.
    pub fn host(&self, name: &str, last: u8) -> Host {
        let host = self.host_without_interface(name, last);
        host.attach();
        host
    }

    /// A host that has no `eth0` before [`Host::attach`].
    pub fn host_without_interface(&self, name: &str, last: u8) -> Host {
        let namespace = Namespace::create(format!("{}-{name}", self.prefix));
        namespace.ip("link set lo up");
        let folder = self.folder.path().join(name);
        fs::create_dir(&folder).unwrap();
        let host = Host::new(name, Ipv4Addr::new(192, 168, 4, last), namespace, self.switch.clone(), folder);
        self.hosts.borrow_mut().push(host.clone());
        host
    }

    /// Makes the switch one that learns nothing: everybody gets every frame.
    pub fn flood_everything(&self) {
        self.switch.ip("link set br0 type bridge ageing_time 0");
    }

    /// The host behind whose port the switch has a station.
    #[must_use]
    pub fn port_of(&self, station: &str) -> Option<String> {
        let table =
            process::run(Command::new("bridge").args(["-n", self.switch.name(), "fdb", "show"])).stdout;
        let line = table.lines().find(|line| line.starts_with(station))?;
        Some(line.split_whitespace().nth(2)?.strip_prefix("s-")?.to_owned())
    }

    /// A folder for files of this lab.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Names of the hosts that have the address now.
    #[must_use]
    pub fn holders(&self, address: &str) -> Vec<String> {
        self.hosts
            .borrow()
            .iter()
            .filter(|host| host.has(address))
            .map(|host| host.name().to_owned())
            .collect()
    }

    /// Waits until something is so, and says how long that took.
    ///
    /// # Panics
    /// With the evidence, if it is not so in time.
    pub fn wait(&self, what: &str, limit: Duration, condition: impl FnMut() -> bool) -> Duration {
        let began = Instant::now();
        if !until(limit, condition) {
            self.fail(&format!("not within {limit:?}: {what}"));
        }
        began.elapsed()
    }

    /// Looks again and again whether something is so, all the time that is given.
    ///
    /// # Panics
    /// With the evidence, if it once is not so.
    pub fn stays(&self, what: &str, span: Duration, mut condition: impl FnMut() -> bool) {
        let began = Instant::now();
        if until(span, || !condition()) {
            self.fail(&format!("no longer so after {:?}: {what}", began.elapsed()));
        }
    }

    fn fail(&self, what: &str) -> ! {
        self.evidence_shown.set(true);
        panic!("{what}\n{}", self.evidence())
    }

    /// Addresses and neighbours of all hosts, and the end of every log.
    fn evidence(&self) -> String {
        let mut evidence = String::new();
        for host in self.hosts.borrow().iter() {
            let _ = writeln!(evidence, "── {}", host.name());
            for look in
                [&["ip", "-brief", "address"][..], &["ip", "-brief", "neighbour"], &["ipvsadm", "-Ln"]]
            {
                evidence += &host.command(look).output().map_or_else(
                    |error| error.to_string(),
                    |ran| String::from_utf8_lossy(&ran.stdout).into_owned(),
                );
            }
            for path in logs(host.folder()) {
                let log = fs::read(&path).unwrap_or_default();
                let log = String::from_utf8_lossy(&log).into_owned();
                let lines: Vec<&str> = log.lines().collect();
                let shown = &lines[lines.len().saturating_sub(EVIDENCE_LINES)..];
                let _ = writeln!(evidence, "── {}\n{}", path.display(), shown.join("\n"));
            }
        }
        evidence
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if thread::panicking() && !self.evidence_shown.get() {
            eprintln!("{}", self.evidence());
        }
    }
}

/// Looks again and again until something is so. False if it was not in time.
pub fn until(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(POLL);
    }
}

/// A program of this workspace, built in the same folder as the running test.
///
/// # Panics
/// If it was not built.
#[must_use]
pub fn binary(name: &str) -> PathBuf {
    let path = build_folder().join(name);
    assert!(path.exists(), "there is no {}: run `cargo build --bins` first", path.display());
    path
}

/// Where cargo puts the programs of the profile in use: two up from the test, which is in `deps`.
#[must_use]
pub fn build_folder() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().to_owned()
}

fn logs(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "log")).collect()
}
