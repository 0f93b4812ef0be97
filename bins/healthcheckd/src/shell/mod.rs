//! The shell of healthcheckd: sets everything up, runs the tasks, and ends in order. One thread, one loop:
//!
//! ```text
//! runner ─── starts what is due ──► kind ─── outcome ──► daemon ──► log, socket (mouth)
//! settle ◄── changes of state: at most once a second, the file of verdicts and the line of `systemctl status`
//! signals, socket ──► reload (load)
//! ```
//! Blocking work (files of the configuration, the file of verdicts, names, certificates) is done on helper threads.

mod caller;
mod daemon;
pub mod keeper;
mod kind;
mod load;
mod mouth;
mod runner;
mod settle;
mod trial;

use std::rc::Rc;

use anyhow::Context as _;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tracing::{info, warn};
use vipkit_daemon::check;
use vipkit_daemon::cli::Options;
use vipkit_daemon::identity::Identity;
use vipkit_daemon::log::Log;
use vipkit_daemon::outside::{self, Outside};
use vipkit_daemon::reload::Reloader;
use vipkit_daemon::state::StateFile;

use crate::kept::{self, Kept};
use daemon::Daemon;
use mouth::Mouth;

pub use kind::fuzz;

const NAME: &str = "healthcheckd";
/// The file of verdicts.
const VERDICTS: &str = "verdicts.json";

/// Runs until a signal ends it.
///
/// # Errors
/// It could not start.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let (life, outside) = outside::begin()?;
    keeper::prepare().context("cannot take charge of what scripts start")?;
    let log = Log::start(options.log_level.into());
    life.run(live(options, outside, &log))
}

async fn live(options: &Options, mut outside: Outside, log: &Log) -> anyhow::Result<()> {
    let config = check::load(&options.config, load::load)?;
    check::log_warnings(&config);
    let listening = outside.listen(NAME)?;
    let file = StateFile::new(NAME, VERDICTS);
    let _claim = file.claim()?;
    let identity = Identity::new(env!("CARGO_PKG_VERSION"), &options.config, log)?;
    info!(
        "healthcheckd {}; checks: {}, configuration {}",
        env!("CARGO_PKG_VERSION"),
        config.checks.len(),
        config.digest
    );
    let config_path = identity.config_path().to_owned();
    let daemon = Daemon::new(identity, config, &read(&file));

    let closing = Rc::new(Notify::new());
    let settled =
        tokio::task::spawn_local(settle::settle(daemon.clone(), file, outside.notifier(), closing.clone()));
    let mut tasks: JoinSet<anyhow::Result<()>> = JoinSet::new();
    tasks.spawn_local(runner::run_checks(daemon.clone()));
    let reloading = daemon.clone();
    let take_over = move |config| reloading.borrow_mut().reload(config);
    let reloader = Reloader::new(&config_path, load::load, outside.notifier(), take_over);
    let mouth = Rc::new(Mouth::new(daemon, reloader.clone()));
    let why = outside.live(listening, mouth, reloader, tasks).await;
    closing.notify_one();
    settled.await?;
    info!("ended");
    why
}

/// What an earlier life left. Without it nothing is known, which is no reason not to begin.
fn read(file: &StateFile) -> Kept {
    let read = || -> anyhow::Result<Kept> {
        let bytes = file.read(kept::BYTES_MAX)?;
        Ok(bytes.map(|bytes| kept::parse(&bytes)).transpose()?.unwrap_or_default())
    };
    read().unwrap_or_else(|error| {
        warn!("{}: {error:#}: beginning without earlier verdicts", file.path().display());
        Kept::default()
    })
}
