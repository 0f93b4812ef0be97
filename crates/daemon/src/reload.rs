//! Reading the configuration again: on a helper thread, checked as a whole, then taken over at once or not at all.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde::Serialize;
use tokio::sync::Mutex;
use tracing::warn;
use vipkit_config::{Config, Faults};
use vipkit_control::handler::Outcome;
use vipkit_linux::systemd::Notifier;

use crate::check::{self, Load};
use crate::mouth::refused;

/// Reloads, one after another.
pub struct Reloader<R> {
    config_path: PathBuf,
    load: Load,
    notifier: Rc<Notifier>,
    take_over: Box<dyn Fn(Config) -> R>,
    one_at_a_time: Mutex<()>,
}

impl<R: 'static> Reloader<R> {
    /// Hands each good configuration to `take_over`, which says what came of it.
    #[must_use]
    pub fn new(
        config_path: &Path,
        load: Load,
        notifier: Rc<Notifier>,
        take_over: impl Fn(Config) -> R + 'static,
    ) -> Rc<Self> {
        let (config_path, take_over) = (config_path.to_owned(), Box::new(take_over));
        Rc::new(Self { config_path, load, notifier, take_over, one_at_a_time: Mutex::new(()) })
    }

    /// Reads the configuration and goes over to it. The log has its warnings and faults.
    ///
    /// # Errors
    /// All of its faults; then nothing changed.
    pub async fn reload(&self) -> Result<R, Faults> {
        let _turn = self.one_at_a_time.lock().await;
        let _ = self.notifier.reloading();
        let (path, load) = (self.config_path.clone(), self.load);
        let loaded = match tokio::task::spawn_blocking(move || load(&path)).await {
            Ok(loaded) => loaded,
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        };
        let result = loaded.map(|config| {
            check::log_warnings(&config);
            (self.take_over)(config)
        });
        if let Err(faults) = &result {
            warn!("the configuration was refused, nothing changed:");
            faults.iter().for_each(|fault| warn!("{fault}"));
        }
        let _ = self.notifier.ready();
        result
    }

    /// Answers a call of `Reload`; faults go into the error of the name `error`.
    #[must_use]
    pub fn answer(self: &Rc<Self>, error: &'static str) -> Outcome
    where
        R: Serialize,
    {
        let this = self.clone();
        Outcome::later(async move { this.reload().await.map_err(|faults| refused(error, &faults)) })
    }
}
