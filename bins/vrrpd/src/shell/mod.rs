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
mod start;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::{JoinSet, LocalSet};
use tracing::{error, info, warn};
use vipkit_control::rights::{ADMIN_GROUP, Peer, Rights};
use vipkit_control::server::{Bounds, Server};
use vipkit_linux::listen::{Listening, inherited};
use vipkit_linux::namespace_lock::Claim;
use vipkit_linux::peer::{self, Credentials};
use vipkit_linux::signals::{Signal, Signals};
use vipkit_linux::systemd::Notifier;

use crate::cli::Cli;
use daemon::{Daemon, now};
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
/// Before a failed write of the ledger is tried again, and the longest wait for one at the end.
const SAVE_PAUSE: Duration = Duration::from_secs(1);
/// Turns in which the addresses must be gone at the end: enough for the most there can be.
const LAST_TURNS: usize = 100_000;

type Shared = Rc<RefCell<Daemon>>;

/// Runs until a signal ends it.
///
/// # Errors
/// It could not start, or the kernel stopped answering.
pub fn run(cli: &Cli) -> anyhow::Result<()> {
    // Before anything opens a file: see `inherited`.
    let inherited = inherited()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let signals = {
        let _inside = runtime.enter();
        Signals::new()?
    };
    let lock = Rc::new(start::lock()?);
    let log = Log::start(cli.log_level.into());
    LocalSet::new().block_on(&runtime, live(cli, signals, inherited, lock, &log))
}

async fn live(
    cli: &Cli,
    mut signals: Signals,
    inherited: Option<Listening>,
    lock: Rc<Claim>,
    log: &Log,
) -> anyhow::Result<()> {
    let notifier = Rc::new(Notifier::from_environment()?);
    let start::Started { daemon, listening, claim: _claim } =
        start::start(cli, inherited, log).inspect_err(|_| start::relinquish())?;

    let mut tasks = JoinSet::new();
    tasks.spawn_local(serve_deadlines(daemon.clone()));
    tasks.spawn_local(watch_host(daemon.clone()));
    tasks.spawn_local(resync(daemon.clone()));
    tasks.spawn_local(keep_lock(lock.clone()));
    let (saved, settled) = watch::channel(0);
    let closing = Rc::new(Notify::new());
    let writer = tokio::task::spawn_local(save_ledger(daemon.clone(), saved, closing.clone()));
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
    let why = loop {
        tokio::select! {
            signal = signals.next() => match signal {
                Signal::Reload => drop(tokio::task::spawn_local({
                    let reloader = reloader.clone();
                    async move { reloader.reload().await }
                })),
                Signal::Terminate => break Ok(()),
            },
            Some(ended) = tasks.join_next() => break ended.map_err(Into::into).flatten(),
        }
    };
    let _ = notifier.stopping();
    tasks.shutdown().await;
    closing.notify_one();
    let _ = tokio::time::timeout(SAVE_PAUSE, writer).await;
    // Whatever the reason, others must be able to take over.
    let ended = end(&daemon);
    why.and(ended)
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
    start::save_now(&mut daemon.holdings)?;
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
        daemon.borrow_mut().resync();
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

/// Writes the ledger whenever it changed, the latest only, until it is told that the end has come.
async fn save_ledger(daemon: Shared, saved: watch::Sender<u64>, closing: Rc<Notify>) {
    let (changed, path) = {
        let daemon = daemon.borrow();
        (daemon.holdings.changed(), daemon.holdings.path().clone())
    };
    loop {
        tokio::select! {
            () = changed.notified() => {}
            () = closing.notified() => return,
        }
        let (version, bytes) = daemon.borrow().holdings.snapshot();
        let to = path.clone();
        let written = tokio::task::spawn_blocking(move || start::write_ledger(&to, &bytes)).await;
        match written.map_err(Into::into).flatten() {
            Ok(()) => drop(saved.send_replace(version)),
            Err(error) => {
                error!("{error:#}: after a crash, addresses would be taken for foreign ones");
                let _ =
                    tokio::time::timeout(SAVE_PAUSE, closing.notified()).await.map(|()| closing.notify_one());
                changed.notify_one();
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
