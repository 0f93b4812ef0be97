//! The shell of vrrpd: sets everything up, runs the tasks that bring events to the daemon, and ends in order.
//! One thread, one loop; each task waits for one thing and hands it over:
//!
//! ```text
//! timer ──────► serve            adverts and takeovers that are due
//! packets ────► receive          one task an interface (ports)
//! netlink ────► host_changed     links and addresses (host)
//! reconcile ◄── holdings         a few address changes a turn; the ledger is in its file first
//! signals ────► reload, stop     socket ──► mouth
//! ```
//! Blocking work (files of the configuration, the ledger's file) is done on helper threads.

mod daemon;
mod holdings;
mod host;
mod log;
mod mouth;
mod paths;
mod ports;
mod reconcile;
mod reload;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::watch;
use tokio::task::{JoinSet, LocalSet};
use tracing::{error, info, warn};
use vipkit_config::Config;
use vipkit_control::place;
use vipkit_control::rights::{ADMIN_GROUP, Peer, Rights};
use vipkit_control::server::{Bounds, Server};
use vipkit_linux::heartbeat::{self, Heartbeat};
use vipkit_linux::listen::listen;
use vipkit_linux::namespace_lock::{Claim, NamespaceLock};
use vipkit_linux::packet_socket::PacketSocket;
use vipkit_linux::peer::{self, Credentials};
use vipkit_linux::signals::{Signal, Signals};
use vipkit_linux::systemd::Notifier;
use vipkit_linux::{clock, state_file};

use crate::adopt::adoptable;
use crate::check;
use crate::cli::Cli;
use crate::ledger::{self, Ledger};
use daemon::{Daemon, Parts, now};
use holdings::Holdings;
use host::Host;
use log::Log;
use mouth::Mouth;
use reconcile::Turn;
use reload::Reloader;

/// Name of the lock: one vrrpd in a network namespace.
const LOCK: &str = "vipkit/vrrpd";
/// The socket's group.
const SOCKET_GROUP: &str = "vipkit";
/// Everything is read anew this often, should a report of the kernel ever be lost.
const RESYNC: Duration = Duration::from_secs(60);
/// Others who asked for the lock are turned away this often.
const LOCK_ROUND: Duration = Duration::from_secs(5);
/// Longest wait for the ledger's file before an address is added all the same: the address counts for more.
const SAVE_PATIENCE: Duration = Duration::from_millis(50);
/// Turns in which the addresses must be gone at the end: enough for the most there can be.
const LAST_TURNS: usize = 100_000;

const _: () = assert!(vipkit_config::INSTANCES_MAX <= heartbeat::MAX_SLOTS, "every instance has a slot");

type Shared = Rc<RefCell<Daemon>>;

/// Runs until a signal ends it.
///
/// # Errors
/// It could not start, or the kernel stopped answering.
pub fn run(cli: &Cli) -> anyhow::Result<()> {
    let lock = Rc::new(lock()?);
    let config = check::load(&cli.config)?;
    let log = Log::start(cli.log_level.into());
    config.warnings.iter().for_each(|warning| warn!("{warning}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let ended = LocalSet::new().block_on(&runtime, live(cli, config, &log, lock.clone()));
    if let Err(error) = &ended {
        error!("{error:#}");
    }
    ended
}

fn lock() -> anyhow::Result<Claim> {
    let claim = NamespaceLock::acquire(LOCK)?;
    if let Claim::Squatted(holder) = &claim {
        let who = holder.as_ref().map_or_else(|| "somebody".to_owned(), ToString::to_string);
        eprintln!("vrrpd: {who} has the lock's name, but cannot be a vrrpd: going on without the lock");
    }
    Ok(claim)
}

async fn live(cli: &Cli, config: Config, log: &Log, lock: Rc<Claim>) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    let notifier = Rc::new(Notifier::from_environment()?);
    let listening = listen(&place::socket("vrrpd"), SOCKET_GROUP)?;
    let daemon = start(cli, config, log)?;

    let mut tasks = JoinSet::new();
    tasks.spawn_local(serve_deadlines(daemon.clone()));
    tasks.spawn_local(watch_host(daemon.clone()));
    tasks.spawn_local(resync(daemon.clone()));
    tasks.spawn_local(keep_lock(lock));
    let (saved, settled) = watch::channel(0);
    tasks.spawn_local(save_ledger(daemon.clone(), saved));
    tasks.spawn_local(reconcile(daemon.clone(), settled));
    tasks.spawn_local(stay_alive(notifier.clone()));
    tasks.spawn_local(tell_systemd(daemon.clone(), notifier.clone()));
    let reloader = Rc::new(Reloader::new(daemon.clone(), notifier.clone()));
    let server = Server {
        handler: Rc::new(Mouth::new(daemon.clone(), reloader.clone())),
        rights: Rights { daemon_uid: peer::effective_uid(), admin_gid: peer::group_id(ADMIN_GROUP) },
        identify: |socket| {
            let Credentials { uid, gid, pid, groups } = Credentials::of(socket)?;
            Ok(Peer { uid, gid, pid, groups })
        },
        bounds: Bounds::default(),
    };
    let listener = tokio::net::UnixListener::from_std(listening.listener)?;
    tasks.spawn_local(async move { match server.run(listener).await {} });

    let _ = notifier.ready();
    loop {
        tokio::select! {
            signal = signals.next() => match signal {
                Signal::Reload => drop(tokio::task::spawn_local({
                    let reloader = reloader.clone();
                    async move { reloader.reload().await }
                })),
                Signal::Terminate => break,
            },
            Some(ended) = tasks.join_next() => return ended?,
        }
    }
    let _ = notifier.stopping();
    tasks.shutdown().await;
    end(&daemon)
}

/// Reads what there is, decides what goes on from before, clears away the rest, and starts the routers.
fn start(cli: &Cli, config: Config, log: &Log) -> anyhow::Result<Shared> {
    let boot = clock::boot_id()?;
    let host = Host::open().context("cannot read links and addresses")?;
    let (ledger_path, heartbeat_path) = (paths::ledger(), paths::heartbeat());
    for folder in [&ledger_path, &heartbeat_path].into_iter().filter_map(|path| path.parent()) {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let beats = heartbeat::read(&heartbeat_path).unwrap_or_default();
    let old =
        read_ledger(&ledger_path, &boot).unwrap_or_else(|| Ledger::from_marks(&boot, host.interfaces()));
    let adopt = adoptable(&config.vrrp, &old, &beats, host.interfaces(), now());
    let heartbeat = Heartbeat::open(&heartbeat_path, vipkit_config::INSTANCES_MAX)
        .with_context(|| format!("cannot open {}", heartbeat_path.display()))?;
    let packets = PacketSocket::open().context("cannot send ARP: vrrpd needs CAP_NET_RAW")?;
    let mut holdings = Holdings::new(old.clone(), ledger_path);
    holdings.change(|ledger| ledger.active.clear());
    save_now(&mut holdings)
        .context("cannot write the ledger: vrrpd would not know its own addresses again")?;

    info!(
        "vrrpd {}; instances: {}, configuration {}",
        env!("CARGO_PKG_VERSION"),
        config.vrrp.len(),
        config.digest
    );
    let log_records_dropped = log.dropped();
    let config_path = std::path::absolute(&cli.config)?;
    let parts = Parts { config_path, host, holdings, heartbeat, packets, log_records_dropped };
    let daemon = Daemon::new(parts)?;
    {
        let mut daemon = daemon.borrow_mut();
        daemon.clear_leftovers(&old, &config, &adopt)?;
        daemon.configure(config, &adopt);
    }
    Ok(daemon)
}

fn read_ledger(path: &Path, boot: &str) -> Option<Ledger> {
    match state_file::read(path, ledger::BYTES_MAX) {
        Ok(bytes) => Ledger::parse(&bytes?, boot),
        Err(error) => {
            warn!("{}: {error}: going by the marks on the addresses", path.display());
            None
        }
    }
}

fn save_now(holdings: &mut Holdings) -> std::io::Result<()> {
    let (version, bytes) = holdings.snapshot();
    state_file::write(holdings.path(), &bytes)?;
    holdings.settle(version);
    Ok(())
}

/// Hands over and leaves nothing behind.
fn end(daemon: &Shared) -> anyhow::Result<()> {
    let mut daemon = daemon.borrow_mut();
    daemon.stop();
    for _ in 0..LAST_TURNS {
        match daemon.reconcile_turn()? {
            Turn::More => {}
            Turn::Save(version) => daemon.holdings.settle(version),
            Turn::Done | Turn::Later(_) => break,
        }
    }
    daemon.restore_interfaces(&BTreeSet::new());
    save_now(&mut daemon.holdings)?;
    info!("ended");
    Ok(())
}

async fn serve_deadlines(daemon: Shared) -> anyhow::Result<()> {
    let deadline = daemon.borrow().deadline();
    loop {
        deadline.expired().await?;
        daemon.borrow_mut().serve();
    }
}

async fn watch_host(daemon: Shared) -> anyhow::Result<()> {
    let monitor = daemon.borrow().host.monitor();
    loop {
        monitor.readable().await?;
        daemon.borrow_mut().host_changed()?;
    }
}

async fn resync(daemon: Shared) -> anyhow::Result<()> {
    let mut ticks = tokio::time::interval(RESYNC);
    loop {
        ticks.tick().await;
        daemon.borrow_mut().resync()?;
    }
}

/// Holds the lock, and turns away those who asked for it, so that it can be asked again.
async fn keep_lock(lock: Rc<Claim>) -> anyhow::Result<()> {
    let mut ticks = tokio::time::interval(LOCK_ROUND);
    loop {
        ticks.tick().await;
        if let Claim::Held(lock) = &*lock {
            lock.turn_away();
        }
    }
}

async fn reconcile(daemon: Shared, mut settled: watch::Receiver<u64>) -> anyhow::Result<()> {
    let wanted = daemon.borrow().reconcile.clone();
    loop {
        let turn = daemon.borrow_mut().reconcile_turn()?;
        match turn {
            Turn::Done => wanted.notified().await,
            Turn::More => tokio::task::yield_now().await,
            Turn::Save(version) => {
                let saved = settled.wait_for(|saved| *saved >= version);
                if tokio::time::timeout(SAVE_PATIENCE, saved).await.is_err() {
                    warn!("the ledger is not in its file yet: adding addresses all the same");
                }
                daemon.borrow_mut().holdings.settle(version);
            }
            Turn::Later(at) => {
                let _ = tokio::time::timeout(at - now(), wanted.notified()).await;
            }
        }
    }
}

/// Writes the ledger whenever it changed, the latest only.
async fn save_ledger(daemon: Shared, saved: watch::Sender<u64>) -> anyhow::Result<()> {
    let (changed, path) = {
        let daemon = daemon.borrow();
        (daemon.holdings.changed(), daemon.holdings.path().clone())
    };
    loop {
        changed.notified().await;
        let (version, bytes) = daemon.borrow().holdings.snapshot();
        let to = path.clone();
        match tokio::task::spawn_blocking(move || state_file::write(&to, &bytes)).await? {
            Ok(()) => drop(saved.send_replace(version)),
            Err(error) => {
                error!("{}: {error}: after a crash, addresses may be taken for foreign ones", path.display())
            }
        }
    }
}

/// Keeps the line of `systemctl status` true.
async fn tell_systemd(daemon: Shared, notifier: Rc<Notifier>) -> anyhow::Result<()> {
    let news = daemon.borrow().news.clone();
    loop {
        let summary = daemon.borrow().summary();
        let _ = notifier.status(&summary);
        news.notified().await;
    }
}

async fn stay_alive(notifier: Rc<Notifier>) -> anyhow::Result<()> {
    let Some(watchdog) = notifier.watchdog() else { return std::future::pending().await };
    let mut ticks = tokio::time::interval(watchdog / 2);
    loop {
        ticks.tick().await;
        let _ = notifier.alive();
    }
}
