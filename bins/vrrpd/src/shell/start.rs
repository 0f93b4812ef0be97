//! The start of vrrpd: what must hold before it runs, what there is on the host, what goes on from an earlier life, and
//! what of it is cleared away. A start that fails leaves no address of ours behind. May wait: the loop does not run yet.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::rc::Rc;

use anyhow::{Context, bail};
use tracing::{info, warn};
use vipkit_config::{Config, Credentials, Fault, Faults, Place};
use vipkit_daemon::check;
use vipkit_daemon::cli::Options;
use vipkit_daemon::clock::now;
use vipkit_daemon::identity::Identity;
use vipkit_daemon::log::Log;
use vipkit_daemon::outside::Outside;
use vipkit_daemon::state::{StateError, StateFile, runtime_file};
use vipkit_linux::capabilities::{self, Capability};
use vipkit_linux::clock;
use vipkit_linux::heartbeat::{self, Heartbeat};
use vipkit_linux::listen::Listening;
use vipkit_linux::memory;
use vipkit_linux::nftables;
use vipkit_linux::packet_socket::PacketSocket;

use super::NAME;
use super::daemon::{Daemon, Parts};
use super::firewall::{self, Firewall};
use super::holdings::Holdings;
use super::host::Host;
use super::kernel_settings::put_back;
use super::remember::Remembered;
use super::routing::{self, Routing};
use crate::addresses::Op;
use crate::adopt::adoptable;
use crate::firewall::closed;
use crate::ledger::{self, Entry, Ledger};
use crate::links::{self, LinkOp};
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

/// Reads what there is, decides what goes on from before, clears away the rest, and starts the routers.
///
/// # Errors
/// Anything that vrrpd cannot do without.
pub fn start(options: &Options, outside: &mut Outside, log: &Log) -> anyhow::Result<Started> {
    let missing = capabilities::missing(&[Capability::NetAdmin, Capability::NetRaw]);
    if !missing.is_empty() {
        let names: Vec<_> = missing.iter().map(|capability| capability.name()).collect();
        bail!(
            "{} missing: start vrrpd as root, or give it AmbientCapabilities= in its unit",
            names.join(" and ")
        );
    }
    let config = check::load(&options.config, load)?;
    check::log_warnings(&config);
    // A page that has to be read from a disk would be waited for, and adverts with it.
    if let Err(error) = memory::lock() {
        warn!("cannot lock memory: {error}");
    }
    let listening = outside.listen(NAME)?;

    let heartbeat_path = runtime_file(NAME, "heartbeat")?;
    let file = ledger_file();
    let claim = file.claim()?;
    let host = Host::open().context("cannot read links and addresses")?;
    let old = read_ledger(&file, host.interfaces())?;
    let beats = heartbeat::read(&heartbeat_path).unwrap_or_default();
    let adopt = adoptable(&config.vrrp, &old, &beats, host.interfaces(), now());
    let heartbeat = Heartbeat::open(&heartbeat_path, vipkit_config::INSTANCES_MAX)
        .with_context(|| format!("cannot open {}", heartbeat_path.display()))?;
    let packets = PacketSocket::open().context("cannot send frames")?;
    let routing = Routing::open().context("cannot read routes and rules")?;
    let remembered = Remembered::read(StateFile::new(NAME, "replay.json"));
    let mut holdings = Holdings::new(old.clone(), file);
    let closed = closed(config.vrrp.values());
    holdings.change(|ledger| {
        ledger.active.clear();
        ledger.closed |= !closed.is_empty();
    });
    save_now(&mut holdings)?;
    // Before any router can hold a closed address.
    if old.closed && closed.is_empty() {
        firewall::clear();
    }
    let firewall = Firewall::new(firewall::settle(closed, None).context("accept = false")?);

    info!(
        "vrrpd {}; instances: {}, configuration {}",
        env!("CARGO_PKG_VERSION"),
        config.vrrp.len(),
        config.digest
    );
    let identity = Identity::new(env!("CARGO_PKG_VERSION"), &options.config, log)?;
    let parts = Parts { identity, host, holdings, heartbeat, packets, routing, firewall, remembered };
    let daemon = Daemon::new(parts)?;
    take_up(&mut daemon.borrow_mut(), &old, config, &adopt)?;
    Ok(Started { daemon, listening, claim })
}

/// Reads the configuration, and looks for what this host must have for it.
///
/// # Errors
/// All of its faults; nft(8) is not there, and something asks for it.
pub fn load(path: &Path) -> Result<Config, Faults> {
    let config = vipkit_config::load(path, Credentials::Required)?;
    let closed = config.vrrp.iter().find(|(_, instance)| !instance.accept);
    match closed.map(|(name, _)| (name, nftables::find())) {
        Some((name, Err(error))) => Err(Fault {
            place: Place { file: path.display().to_string(), position: None },
            what: format!("\"accept\" is false in [vrrp.{name}], and {error}"),
            hint: None,
        }
        .into()),
        None | Some((_, Ok(_))) => Ok(config),
    }
}

fn ledger_file() -> StateFile {
    StateFile::new(NAME, "ledger.json")
}

fn take_up(
    daemon: &mut Daemon,
    old: &Ledger,
    config: Config,
    adopt: &BTreeSet<String>,
) -> anyhow::Result<()> {
    daemon.clear_routing(adopt, &config);
    daemon.clear_leftovers(old, &config, adopt)?;
    daemon.configure(config, adopt);
    Ok(())
}

/// Removes what an earlier life left, when this one cannot begin: without a vrrpd, an address must not stay.
pub fn relinquish() {
    let file = ledger_file();
    let removed = || -> anyhow::Result<()> {
        let _claim = match file.claim() {
            Err(StateError::InUse { .. }) => return Ok(()),
            claim => claim?,
        };
        let mut host = Host::open()?;
        let ledger = read_ledger(&file, host.interfaces())?;
        for (name, entry) in &ledger.interfaces {
            let there = host.interfaces().get(name).filter(|interface| interface.index == entry.index);
            let there = there.into_iter().flat_map(|interface| &interface.addresses);
            let ours = there.filter(|present| entry.addresses.contains(&present.net()));
            let ops: Vec<Op> = ours.map(|present| Op::Delete(present.entry.clone())).collect();
            for (op, result) in ops.iter().zip(host.change(entry.index, &ops)?) {
                match result {
                    Ok(()) => info!("{name}: {op}, left over from before"),
                    Err(error) => warn!("{name}: {op}, left over from before: {error}"),
                }
            }
        }
        let made = host.interfaces().iter().filter(|(_, interface)| links::is_ours(interface));
        let ops: Vec<_> =
            made.map(|(name, interface)| LinkOp::Delete(name.clone(), interface.index)).collect();
        for op in ops {
            host.change_link(&op)??;
        }
        let is_there = |(name, entry): &(&String, &Entry)| {
            host.interfaces().get(*name).is_some_and(|i| i.index == entry.index)
        };
        ledger.interfaces.iter().filter(is_there).for_each(|(name, entry)| put_back(name, entry));
        routing::clear()?;
        if ledger.closed {
            firewall::clear();
        }
        Ok(())
    };
    if !file.path().exists() {
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
    holdings.file().write(&bytes)?;
    holdings.settle(version);
    Ok(())
}

/// The ledger of this boot, or what the marks on the addresses tell; interfaces by the names that they have now.
fn read_ledger(file: &StateFile, interfaces: &Interfaces) -> anyhow::Result<Ledger> {
    let boot = clock::boot_id()?;
    let read = file.read(ledger::BYTES_MAX).unwrap_or_else(|error| {
        warn!("{}: {error}: going by the marks on the addresses", file.path().display());
        None
    });
    let ledger = read.and_then(|bytes| Ledger::parse(&bytes, &boot));
    let mut ledger = ledger.unwrap_or_else(|| Ledger::from_marks(&boot, interfaces));
    ledger.follow_names(interfaces);
    Ok(ledger)
}
