//! The start of vrrpd: what must hold before it runs, what there is on the host, what goes on from an earlier life, and
//! what of it is cleared away. A start that fails leaves no address of ours behind. May wait: the loop does not run yet.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::rc::Rc;

use anyhow::{Context, bail};
use tracing::{info, warn};
use vipkit_config::Config;
use vipkit_control::place;
use vipkit_linux::capabilities::{self, Capability};
use vipkit_linux::heartbeat::{self, Heartbeat};
use vipkit_linux::listen::{Listening, bind};
use vipkit_linux::namespace_lock::{Claim, NamespaceLock};
use vipkit_linux::packet_socket::PacketSocket;
use vipkit_linux::{clock, state_file};

use super::daemon::{Daemon, Parts, now};
use super::holdings::Holdings;
use super::host::Host;
use super::log::Log;
use super::{LOCK, SOCKET_GROUP, paths};
use crate::addresses::Op;
use crate::adopt::adoptable;
use crate::check;
use crate::cli::Cli;
use crate::ledger::{self, Ledger};
use crate::observed::Interfaces;

const _: () = assert!(vipkit_config::INSTANCES_MAX <= heartbeat::MAX_SLOTS, "every instance has a slot");

/// A daemon that is ready to run.
pub struct Started {
    /// The daemon.
    pub daemon: Rc<RefCell<Daemon>>,
    /// Its socket.
    pub listening: Listening,
    /// Its claim on the state folder.
    pub claim: File,
}

/// Makes sure that no other vrrpd runs in this network namespace.
///
/// # Errors
/// One does.
pub fn lock() -> anyhow::Result<Claim> {
    let claim = NamespaceLock::acquire(LOCK)?;
    if let Claim::Squatted(holder) = &claim {
        let who = holder.as_ref().map_or_else(|| "somebody".to_owned(), ToString::to_string);
        eprintln!("vrrpd: {who} has the lock's name, but cannot be a vrrpd: going on without the lock");
    }
    Ok(claim)
}

/// Reads what there is, decides what goes on from before, clears away the rest, and starts the routers.
///
/// # Errors
/// Anything that vrrpd cannot do without.
pub fn start(cli: &Cli, inherited: Option<Listening>, log: &Log) -> anyhow::Result<Started> {
    let missing = capabilities::missing(&[Capability::NetAdmin, Capability::NetRaw]);
    if !missing.is_empty() {
        let names: Vec<_> = missing.iter().map(|capability| capability.name()).collect();
        bail!(
            "{} missing: start vrrpd as root, or give it AmbientCapabilities= in its unit",
            names.join(" and ")
        );
    }
    let config = check::load(&cli.config)?;
    config.warnings.iter().for_each(|warning| warn!("{warning}"));
    let listening = inherited.map_or_else(|| bind(&place::socket("vrrpd"), SOCKET_GROUP), Ok)?;

    let (ledger_path, heartbeat_path) = (paths::ledger(), paths::heartbeat());
    make_folder_of(&heartbeat_path, "VIPKIT_RUNTIME_DIR")?;
    make_folder_of(&ledger_path, "VIPKIT_STATE_DIR")?;
    let lock_path = ledger_path.with_extension("lock");
    let Some(folder) = state_file::claim(&lock_path).with_context(|| lock_path.display().to_string())? else {
        bail!("{} is used by another vrrpd: give each its own VIPKIT_STATE_DIR", lock_path.display());
    };
    let host = Host::open().context("cannot read links and addresses")?;
    let old = read_ledger(&ledger_path, host.interfaces())?;
    let beats = heartbeat::read(&heartbeat_path).unwrap_or_default();
    let adopt = adoptable(&config.vrrp, &old, &beats, host.interfaces(), now());
    let heartbeat = Heartbeat::open(&heartbeat_path, vipkit_config::INSTANCES_MAX)
        .with_context(|| format!("cannot open {}", heartbeat_path.display()))?;
    let packets = PacketSocket::open().context("cannot send ARP")?;
    let mut holdings = Holdings::new(old.clone(), ledger_path);
    holdings.change(|ledger| ledger.active.clear());
    save_now(&mut holdings)?;

    info!(
        "vrrpd {}; instances: {}, configuration {}",
        env!("CARGO_PKG_VERSION"),
        config.vrrp.len(),
        config.digest
    );
    let log_records_dropped = log.dropped();
    let config_path = std::path::absolute(&cli.config)?;
    let daemon = Daemon::new(Parts { config_path, host, holdings, heartbeat, packets, log_records_dropped })?;
    take_up(&mut daemon.borrow_mut(), &old, config, &adopt)?;
    Ok(Started { daemon, listening, claim: folder })
}

fn take_up(
    daemon: &mut Daemon,
    old: &Ledger,
    config: Config,
    adopt: &BTreeSet<String>,
) -> anyhow::Result<()> {
    daemon.clear_leftovers(old, &config, adopt)?;
    daemon.configure(config, adopt);
    Ok(())
}

/// Removes what an earlier life left, when this one cannot begin: without a vrrpd, an address must not stay.
pub fn relinquish() {
    let removed = || -> anyhow::Result<()> {
        let Some(_folder) = state_file::claim(&paths::ledger().with_extension("lock"))? else {
            return Ok(());
        };
        let mut host = Host::open()?;
        let ledger = read_ledger(&paths::ledger(), host.interfaces())?;
        for (name, entry) in &ledger.interfaces {
            let there = host.interfaces().get(name).filter(|interface| interface.index == entry.index);
            let there =
                there.into_iter().flat_map(|interface| &interface.addresses).map(|present| present.net);
            let ops: Vec<Op> = there.filter(|net| entry.addresses.contains(net)).map(Op::Delete).collect();
            for (op, result) in ops.iter().zip(host.change(entry.index, &ops)?) {
                match result {
                    Ok(()) => info!("{name}: {op}, left over from before"),
                    Err(error) => warn!("{name}: {op}, left over from before: {error}"),
                }
            }
        }
        Ok(())
    };
    if !paths::ledger().exists() {
        return;
    }
    if let Err(error) = removed() {
        warn!("cannot remove what may be left over from before: {error:#}");
    }
}

/// Writes the ledger here and now.
///
/// # Errors
/// The file system's.
pub fn save_now(holdings: &mut Holdings) -> anyhow::Result<()> {
    let (version, bytes) = holdings.snapshot();
    write_ledger(holdings.path(), &bytes)?;
    holdings.settle(version);
    Ok(())
}

/// Writes the ledger's file, and its folder if that is gone.
///
/// # Errors
/// The file system's.
pub fn write_ledger(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    make_folder_of(path, "VIPKIT_STATE_DIR")?;
    state_file::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

/// The ledger of this boot, or what the marks on the addresses tell; interfaces by the names that they have now.
fn read_ledger(path: &Path, interfaces: &Interfaces) -> anyhow::Result<Ledger> {
    let boot = clock::boot_id()?;
    let read = state_file::read(path, ledger::BYTES_MAX).unwrap_or_else(|error| {
        warn!("{}: {error}: going by the marks on the addresses", path.display());
        None
    });
    let ledger = read.and_then(|bytes| Ledger::parse(&bytes, &boot));
    let mut ledger = ledger.unwrap_or_else(|| Ledger::from_marks(&boot, interfaces));
    ledger.follow_names(interfaces);
    Ok(ledger)
}

fn make_folder_of(path: &Path, variable: &str) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let what = || format!("cannot make {}: make it writable for vrrpd, or set {variable}", folder.display());
    fs::create_dir_all(folder).with_context(what)
}
