//! The start of ipvs-sync: what must hold before it runs, and what an earlier life left. The table is not touched here.
//! May wait: the loop does not run yet.

use std::fs::File;
use std::rc::Rc;

use anyhow::bail;
use tracing::{info, warn};
use vipkit_daemon::check;
use vipkit_daemon::cli::Options;
use vipkit_daemon::identity::Identity;
use vipkit_daemon::log::Log;
use vipkit_daemon::outside::Outside;
use vipkit_daemon::state::StateFile;
use vipkit_linux::capabilities::{self, Capability};
use vipkit_linux::clock;
use vipkit_linux::listen::Listening;

use super::apply::Reconciler;
use super::daemon::Daemon;
use super::{NAME, Shared};
use crate::kept::{BYTES_MAX, Kept};

/// A daemon that is ready to run.
pub struct Started {
    /// The daemon.
    pub daemon: Shared,
    /// Its hand.
    pub reconciler: Rc<Reconciler>,
    /// Its socket.
    pub listening: Listening,
    /// Its claim on the state folder.
    pub claim: File,
}

/// Reads the configuration and what an earlier life left.
///
/// # Errors
/// Anything that ipvs-sync cannot do without. A kernel without IPVS is none of it: that may come.
pub fn start(options: &Options, outside: &mut Outside, log: &Log) -> anyhow::Result<Started> {
    let needed = Capability::NetAdmin;
    if !capabilities::missing(&[needed]).is_empty() {
        bail!("{} missing: start {NAME} as root, or give it AmbientCapabilities= in its unit", needed.name());
    }
    let config = check::load(&options.config, check::without_credentials)?;
    check::log_warnings(&config);
    let listening = outside.listen(NAME)?;
    let file = StateFile::new(NAME, "state.json");
    let claim = file.claim()?;
    let boot = clock::boot_id()?;
    let kept = read(&file, &boot);
    info!(
        "{NAME} {}; services: {}, configuration {}",
        env!("CARGO_PKG_VERSION"),
        config.services.len(),
        config.digest
    );
    let identity = Identity::new(env!("CARGO_PKG_VERSION"), &options.config, log)?;
    let daemon = Daemon::new(identity, config, kept);
    let reconciler = Rc::new(Reconciler::new(daemon.clone(), file, boot));
    Ok(Started { daemon, reconciler, listening, claim })
}

/// What an earlier life left. Without it, services in the configuration are taken over, and others are nobody's.
fn read(file: &StateFile, boot: &str) -> Kept {
    let read = file.read(BYTES_MAX).map_err(anyhow::Error::from);
    let kept = read.and_then(|bytes| bytes.map(|bytes| Ok(Kept::parse(&bytes, boot)?)).transpose());
    kept.unwrap_or_else(|error| {
        warn!(
            "{}: {error}: what was known is lost; servers count as up until they are judged",
            file.path().display()
        );
        None
    })
    .unwrap_or_default()
}
