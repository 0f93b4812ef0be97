//! Reading the configuration again: on a helper thread, checked as a whole, then taken over at once or not at all.

use std::cell::RefCell;
use std::rc::Rc;

use tokio::sync::Mutex;
use tracing::{info, warn};
use vipkit_config::Faults;
use vipkit_control::vrrp::ReloadReply;
use vipkit_linux::systemd::Notifier;

use super::daemon::Daemon;

/// Reloads, one after another.
pub struct Reloader {
    daemon: Rc<RefCell<Daemon>>,
    notifier: Rc<Notifier>,
    one_at_a_time: Mutex<()>,
}

impl Reloader {
    /// Nothing happens yet.
    #[must_use]
    pub fn new(daemon: Rc<RefCell<Daemon>>, notifier: Rc<Notifier>) -> Self {
        Self { daemon, notifier, one_at_a_time: Mutex::new(()) }
    }

    /// Reads the configuration and goes over to it.
    ///
    /// # Errors
    /// All of its faults; then nothing changed.
    pub async fn reload(&self) -> Result<ReloadReply, Faults> {
        let _turn = self.one_at_a_time.lock().await;
        let _ = self.notifier.reloading();
        let path = self.daemon.borrow().config_path.clone();
        let loaded = match tokio::task::spawn_blocking(move || vipkit_config::load(&path)).await {
            Ok(loaded) => loaded,
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        };
        let reply = loaded.map(|config| self.take_over(config));
        if let Err(faults) = &reply {
            warn!("the configuration was refused, nothing changed:");
            faults.iter().for_each(|fault| warn!("{fault}"));
        }
        let _ = self.notifier.ready();
        reply
    }

    fn take_over(&self, config: vipkit_config::Config) -> ReloadReply {
        config.warnings.iter().for_each(|warning| warn!("{warning}"));
        let mut daemon = self.daemon.borrow_mut();
        let instances = daemon.configure(config, &Default::default());
        let digest = daemon.digest.clone();
        info!(
            "configuration {digest}: {} added, {} changed, {} removed, {} unchanged",
            instances.added.len(),
            instances.changed.len(),
            instances.removed.len(),
            instances.unchanged.len()
        );
        ReloadReply { digest, instances }
    }
}
