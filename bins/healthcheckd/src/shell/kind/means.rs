//! What the kinds of checks share: what is bounded over all of them, what is costly to make, and what others said.
//! Must not run anything.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::{Notify, Semaphore};
use vipkit_config::Health;

use super::files::Files;
use super::processes::Processes;
use super::tls::TlsConfigs;
use super::watches::Watches;
use crate::shell::keeper::Keepers;
use crate::told::{Told, ToldTable};

/// Names that are looked up at once: each takes a thread.
const RESOLVING_MAX: usize = 8;
/// Answers that are judged at once: each takes a thread.
const JUDGING_MAX: usize = 4;
/// Large bodies of HTTP that are kept at once.
const LARGE_BODIES_MAX: usize = 64;

/// What the kinds share.
#[derive(Debug)]
pub struct Means {
    /// What TLS connections are made with.
    pub tls: TlsConfigs,
    /// One permit for each program that may run.
    pub scripts: Semaphore,
    scripts_max: Cell<usize>,
    /// Runs programs.
    pub keepers: Keepers,
    /// Reads files.
    pub files: Files,
    /// Tells when files change.
    pub watches: Watches,
    /// Sees which processes there are.
    pub processes: Processes,
    /// One permit for each name that may be looked up; whoever looks keeps it, also when nobody waits for it any more.
    pub resolving: Arc<Semaphore>,
    /// One permit for each answer that may be judged; kept as long as it takes, also when nobody waits for it any more.
    pub judging: Arc<Semaphore>,
    /// One permit for each large body of HTTP that may be kept.
    pub large_bodies: Arc<Semaphore>,
    /// What was said of external checks.
    pub told: RefCell<ToldTable>,
    /// Told when something was said.
    pub told_news: Notify,
}

impl Means {
    /// As the configuration bounds them.
    #[must_use]
    pub fn new(bounds: &Health, told: ToldTable) -> Self {
        Self {
            tls: TlsConfigs::default(),
            scripts: Semaphore::new(bounds.scripts),
            scripts_max: Cell::new(bounds.scripts),
            keepers: Keepers::default(),
            files: Files::default(),
            watches: Watches::default(),
            processes: Processes::default(),
            resolving: Arc::new(Semaphore::new(RESOLVING_MAX)),
            judging: Arc::new(Semaphore::new(JUDGING_MAX)),
            large_bodies: Arc::new(Semaphore::new(LARGE_BODIES_MAX)),
            told: RefCell::new(told),
            told_news: Notify::new(),
        }
    }

    /// Goes over to other bounds; certificates are read anew. Programs that run already may end first.
    pub fn configured(self: &Rc<Self>, bounds: &Health) {
        self.tls.forget();
        let before = self.scripts_max.replace(bounds.scripts);
        self.scripts.add_permits(bounds.scripts.saturating_sub(before));
        let fewer = u32::try_from(before.saturating_sub(bounds.scripts)).unwrap_or(u32::MAX);
        if fewer > 0 {
            let means = self.clone();
            tokio::task::spawn_local(async move {
                if let Ok(permits) = means.scripts.acquire_many(fewer).await {
                    permits.forget();
                }
            });
        }
    }

    /// Somebody says what an external check is.
    pub fn tell(&self, name: &str, told: Told) {
        self.told.borrow_mut().tell(name, told);
        self.told_news.notify_waiters();
    }
}
