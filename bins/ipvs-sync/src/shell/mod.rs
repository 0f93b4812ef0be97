//! The shell of ipvs-sync: sets everything up and runs the tasks. One thread, one loop:
//!
//! ```text
//! healthcheckd ─► health ──► daemon ──► wake ─► apply ─► kernel     verdicts in, commands out
//! timer ────────────────────────────────────────► apply              reads the table, repairs what others changed
//! signals ──────► reload ──► daemon     socket ──► mouth
//! ```
//! Blocking work (files of the configuration, the state file) is done on helper threads. Nothing is done at the end: the
//! table stays as it is, and the next life takes it over.

mod apply;
mod daemon;
mod health;
mod mouth;
mod pace;
mod round;
mod start;

use std::cell::RefCell;
use std::rc::Rc;

use tokio::task::JoinSet;
use tracing::info;
use vipkit_control::ipvs::ReloadReply;
use vipkit_daemon::check;
use vipkit_daemon::cli::Options;
use vipkit_daemon::lock::Lock;
use vipkit_daemon::log::Log;
use vipkit_daemon::outside::{self, Outside, tell_status};
use vipkit_daemon::reload::Reloader;

use daemon::Daemon;
use mouth::Mouth;

/// Names its socket and its files.
const NAME: &str = "ipvs-sync";

type Shared = Rc<RefCell<Daemon>>;

/// Runs until a signal ends it.
///
/// # Errors
/// It could not start.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let (main_loop, outside) = outside::begin()?;
    let lock = Rc::new(Lock::take(NAME)?);
    let log = Log::start(options.log_level.into());
    main_loop.run(live(options, outside, lock, &log))
}

async fn live(options: &Options, mut outside: Outside, lock: Rc<Lock>, log: &Log) -> anyhow::Result<()> {
    let start::Started { daemon, reconciler, listening, claim: _claim } =
        start::start(options, &mut outside, log)?;
    let mut tasks = JoinSet::new();
    tasks.spawn_local(lock.clone().keep());
    tasks.spawn_local(health::follow(daemon.clone()));
    tasks.spawn_local(reconciler.clone().run());
    let (news, shown) = (daemon.borrow().news.clone(), daemon.clone());
    tasks.spawn_local(tell_status(outside.notifier(), news, move || shown.borrow().summary()));

    let reloader = reloader(&daemon, &outside);
    let mouth = Rc::new(Mouth::new(daemon, reconciler, reloader.clone()));
    let why = outside.live(listening, mouth, reloader, tasks).await;
    info!("ended; the table stays as it is");
    why
}

fn reloader(daemon: &Shared, outside: &Outside) -> Rc<Reloader<ReloadReply>> {
    let path = daemon.borrow().identity.config_path().to_owned();
    let daemon = daemon.clone();
    Reloader::new(&path, check::without_credentials, outside.notifier(), move |config| {
        let digest = config.digest.to_string();
        let services = daemon.borrow_mut().configure(config);
        info!("configuration {digest}: {services}");
        ReloadReply { digest, services }
    })
}
