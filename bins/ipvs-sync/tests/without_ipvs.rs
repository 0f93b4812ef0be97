//! ipvs-sync on a kernel that has no IPVS: it says what is missing, answers, and waits.

use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use std::{fs, io};

use tempfile::TempDir;
use vipkit_control::call::NoParameters;
use vipkit_control::client::{Client, ClientError};
use vipkit_control::ipvs::{GET_DAEMON, GetDaemonReply, RELOAD, ReloadReply};

const PATIENCE: Duration = Duration::from_secs(10);
const CONFIG: &str = "
    [[service]]
    name = 'web'
    address = '192.0.2.15:80'
    scheduler = 'wrr'
    forward = 'dr'
    server = [{ address = '192.0.2.81:80' }]
";

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// In a network namespace of its own; `before` comes before it on the command line.
fn start(folder: &TempDir, before: &[&str], log: impl Into<Stdio>) -> io::Result<Running> {
    fs::write(folder.path().join("vipkit.toml"), CONFIG)?;
    let mut command = Command::new("unshare");
    command.arg("--net").args(before).args([env!("CARGO_BIN_EXE_ipvs-sync"), "--config"]);
    command.arg(folder.path().join("vipkit.toml")).stderr(log);
    command.env("VIPKIT_RUNTIME_DIR", folder.path()).env("VIPKIT_STATE_DIR", folder.path().join("state"));
    command.spawn().map(Running)
}

fn until<T>(mut ask: impl FnMut() -> Result<T, ClientError>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match ask() {
            Ok(answer) => return answer,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
#[ignore = "needs root and network namespaces"]
fn a_kernel_without_ipvs_is_one_clear_fault() {
    let folder = TempDir::new().unwrap();
    let log = fs::File::create(folder.path().join("log")).unwrap();
    let mut running = start(&folder, &[], log).unwrap();
    let socket = folder.path().join("ipvs-sync.sock");
    let ask = || Client::connect(&socket, PATIENCE, |_| Ok(()));
    let daemon = until(|| Ok(ask()?.call::<_, GetDaemonReply>(GET_DAEMON, &NoParameters {})?.daemon));
    if daemon.ipvs.is_some() {
        println!("skipped: this kernel has IPVS");
        return;
    }
    let [fault] = &daemon.faults[..] else { panic!("{:?}", daemon.faults) };
    assert!(fault.what.contains("ip_vs") && fault.remedy.contains("`modprobe ip_vs`"), "{fault:?}");
    // Nobody waits for a table that cannot follow.
    let began = Instant::now();
    let reply: ReloadReply = ask().unwrap().call(RELOAD, &NoParameters {}).unwrap();
    assert_eq!(reply.services.unchanged, 1);
    assert!(began.elapsed() < PATIENCE / 2, "{:?}", began.elapsed());
    assert!(running.0.try_wait().unwrap().is_none(), "it goes on");
    let log = fs::read_to_string(folder.path().join("log")).unwrap();
    assert_eq!(log.matches("modprobe ip_vs").count(), 1, "{log}");
}

#[test]
#[ignore = "needs root and network namespaces"]
fn without_the_capability_it_does_not_start_and_says_which() {
    let folder = TempDir::new().unwrap();
    let before = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"];
    let mut running = start(&folder, &before, Stdio::piped()).unwrap();
    let mut said = String::new();
    io::Read::read_to_string(running.0.stderr.as_mut().unwrap(), &mut said).unwrap();
    assert_eq!(running.0.wait().unwrap().code(), Some(1));
    assert!(said.contains("CAP_NET_ADMIN missing") && said.contains("AmbientCapabilities="), "{said}");
}
