//! The shell of vrrpd: sets everything up, runs the tasks that bring events to the daemon, and ends in order.
//! One thread, one loop; each task waits for one thing and hands it over:
//!
//! ```text
//! timer ──────► serve            adverts and takeovers that are due
//! packets ────► receive          one task an interface (ports)
//! netlink ────► host_changed     links and addresses (host); routes, rules (routing); nftables (firewall)
//! reconcile ◄── holdings         a few changes a turn; the ledger is in its file first
//! verdicts ───► hear             healthcheckd's, on the tracked checks (health)
//! signals ────► reload, stop     socket ──► mouth
//! ```
//! Blocking work (files of the configuration, the ledger and the sequences; long dumps; nft(8)) is done on helper threads.

mod daemon;
mod firewall;
mod health;
mod holdings;
mod host;
mod kernel_settings;
mod mouth;
mod ports;
mod reconcile;
mod remember;
mod routing;
mod start;
mod traffic;
mod virtual_macs;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tracing::{error, info, warn};
use vipkit_control::common::Changes;
use vipkit_control::vrrp::ReloadReply;
use vipkit_daemon::cli::Options;
use vipkit_daemon::clock::now;
use vipkit_daemon::lock::Lock;
use vipkit_daemon::log::Log;
use vipkit_daemon::outside::{self, Outside, tell_status};
use vipkit_daemon::reload::Reloader;
use vipkit_linux::nftables::NftablesWatch;
use vipkit_linux::route::RouteMonitor;

use daemon::Daemon;
use mouth::Mouth;
use reconcile::Turn;

use crate::firewall::TABLE;

/// Names its socket and its files.
const NAME: &str = "vrrpd";
/// Everything is read anew this often, should a report of the kernel ever be lost.
const RESYNC: Duration = Duration::from_secs(60);
/// Longest wait for the ledger's file before an address is added all the same: the address counts for more.
const SAVE_PATIENCE: Duration = Duration::from_millis(50);
/// Before a failed write of the ledger is tried again, and the longest wait for one at the end.
const SAVE_PAUSE: Duration = Duration::from_secs(1);
/// Between two looks at the packet filter.
const LOOK_PAUSE: Duration = Duration::from_millis(200);
/// Turns in which the addresses must be gone at the end: enough for the most there can be.
const LAST_TURNS: usize = 100_000;

type Shared = Rc<RefCell<Daemon>>;

/// Runs until a signal ends it.
///
/// # Errors
/// It could not start, or the kernel stopped answering.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let (main_loop, outside) = outside::begin()?;
    let lock = Rc::new(Lock::take(NAME)?);
    let log = Log::start(options.log_level.into());
    main_loop.run(live(options, outside, lock, &log))
}

async fn live(options: &Options, mut outside: Outside, lock: Rc<Lock>, log: &Log) -> anyhow::Result<()> {
    let start::Started { daemon, listening, claim: _claim } =
        start::start(options, &mut outside, log).inspect_err(|_| start::relinquish())?;

    let mut tasks = JoinSet::new();
    tasks.spawn_local(serve_deadlines(daemon.clone()));
    tasks.spawn_local(watch_host(daemon.clone()));
    tasks.spawn_local(resync(daemon.clone()));
    tasks.spawn_local(watch_routing(daemon.clone()));
    tasks.spawn_local(keep_firewall(daemon.clone()));
    tasks.spawn_local(save_sequences(daemon.clone()));
    tasks.spawn_local(health::follow(daemon.clone()));
    tasks.spawn_local(lock.clone().keep());
    let (saved, settled) = watch::channel(0);
    let closing = Rc::new(Notify::new());
    let writer = tokio::task::spawn_local(save_ledger(daemon.clone(), saved, closing.clone()));
    tasks.spawn_local(reconcile(daemon.clone(), settled));
    let (news, shown) = (daemon.borrow().news.clone(), daemon.clone());
    tasks.spawn_local(tell_status(outside.notifier(), news, move || shown.borrow().summary()));

    let reloader = reloader(&daemon, &outside);
    let mouth = Rc::new(Mouth::new(daemon.clone(), reloader.clone()));
    let why = outside.live(listening, mouth, reloader, tasks).await;
    closing.notify_one();
    let _ = tokio::time::timeout(SAVE_PAUSE, writer).await;
    // Whatever the reason, others must be able to take over.
    let ended = end(&daemon);
    why.and(ended)
}

fn reloader(daemon: &Shared, outside: &Outside) -> Rc<Reloader<ReloadReply>> {
    let path = daemon.borrow().identity.config_path().to_owned();
    let daemon = daemon.clone();
    Reloader::new(&path, start::load, outside.notifier(), move |config| {
        let digest = config.digest.to_string();
        let instances = daemon.borrow_mut().configure(config, &BTreeSet::new());
        info!("configuration {digest}: {}", Changes::from(&instances));
        ReloadReply { digest, instances }
    })
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
    daemon.make_links();
    daemon.restore_interfaces(&BTreeSet::new());
    if daemon.holdings.ledger().closed {
        firewall::clear();
        daemon.holdings.change(|ledger| ledger.closed = false);
    }
    start::save_now(&mut daemon.holdings)?;
    if let Some((file, bytes)) = daemon.sequences() {
        file.write(&bytes)?;
    }
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

/// Reads our routes and rules whenever they may have changed.
async fn watch_routing(daemon: Shared) -> anyhow::Result<()> {
    let monitor = RouteMonitor::open(host::MARK)?;
    let stale = daemon.borrow().routing.stale();
    let mut ticks = tokio::time::interval(RESYNC);
    loop {
        let look = tokio::select! {
            readable = monitor.readable() => {
                readable?;
                monitor.drain()?
            }
            () = stale.notified() => true,
            _ = ticks.tick() => true,
        };
        if !look {
            continue;
        }
        let version = daemon.borrow().routing.version();
        // On a busy host a dump may be interrupted again and again: no reason to give the addresses away.
        match tokio::task::spawn_blocking(routing::read).await? {
            Ok(present) => daemon.borrow_mut().routing_seen(version, present),
            Err(error) => warn!("routes and rules cannot be read now: {error:#}"),
        }
    }
}

/// Looks at the packet filter whenever something else is to be closed, or somebody changed the kernel's tables.
async fn keep_firewall(daemon: Shared) -> anyhow::Result<()> {
    let changed = daemon.borrow().firewall.changed();
    // Whoever closes nothing has nothing to do with nftables.
    while daemon.borrow().firewall.pending().0.is_empty() {
        changed.notified().await;
    }
    changed.notify_one();
    let watch = NftablesWatch::open(TABLE)
        .inspect_err(|error| warn!("nftables is looked at once a minute only: {error}"))
        .ok();
    let mut ticks = tokio::time::interval(RESYNC);
    loop {
        let look = tokio::select! {
            touched = touched(watch.as_ref()) => touched?,
            () = changed.notified() => true,
            _ = ticks.tick() => true,
        };
        if !look {
            continue;
        }
        let (closed, written) = daemon.borrow().firewall.pending();
        let settle = move || firewall::settle(closed, written.as_ref());
        let result = tokio::task::spawn_blocking(settle).await?;
        // What we wrote ourselves is no news; whatever else happened meanwhile is looked at in the next turn.
        daemon.borrow_mut().firewall.settled(result);
        tokio::time::sleep(LOOK_PAUSE).await;
    }
}

/// Whether somebody changed our table; never, where the kernel does not tell.
async fn touched(watch: Option<&NftablesWatch>) -> std::io::Result<bool> {
    match watch {
        Some(watch) => {
            watch.readable().await?;
            watch.drain()
        }
        None => std::future::pending().await,
    }
}

/// Writes the sequences of HMACs, at most once a second.
async fn save_sequences(daemon: Shared) -> anyhow::Result<()> {
    let news = daemon.borrow().remembered.news();
    loop {
        news.notified().await;
        let Some((file, bytes)) = daemon.borrow().sequences() else { continue };
        let written = tokio::task::spawn_blocking(move || file.write(&bytes)).await?;
        if let Err(error) = written {
            warn!("{error:#}: adverts heard before a crash could be taken again after it");
        }
        tokio::time::sleep(SAVE_PAUSE).await;
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
    let (changed, file) = {
        let daemon = daemon.borrow();
        (daemon.holdings.changed(), daemon.holdings.file().clone())
    };
    loop {
        tokio::select! {
            () = changed.notified() => {}
            () = closing.notified() => return,
        }
        let (version, bytes) = daemon.borrow().holdings.snapshot();
        let to = file.clone();
        let written = tokio::task::spawn_blocking(move || to.write(&bytes)).await;
        match written.map_err(anyhow::Error::from).and_then(|written| Ok(written?)) {
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
