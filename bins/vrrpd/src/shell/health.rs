//! What healthcheckd says of the tracked checks, handed to the routers that track them. Nobody is listened to while no
//! check is tracked. Must not judge what it hears.

use std::collections::BTreeSet;
use std::rc::Rc;

use tokio::sync::Notify;
use tracing::{info, warn};
use vipkit_config::{Config, Tracked};
use vipkit_control::client::ClientError;
use vipkit_control::health::{MONITOR, Monitor};
use vipkit_daemon::follow::follow as follow_daemon;

use super::Shared;
use super::daemon::Daemon;
use crate::heard::Heard;

/// What was heard, and how that goes.
#[derive(Default)]
pub struct Health {
    heard: Heard,
    /// What was last logged about the stream: none, that it is there, or why not.
    told: Option<Result<(), String>>,
    /// Wakes the task that listens, to begin anew.
    anew: Rc<Notify>,
}

/// A task that listens to healthcheckd as long as a check is tracked.
///
/// # Errors
/// None: it does not end.
pub async fn follow(daemon: Shared) -> anyhow::Result<()> {
    let anew = daemon.borrow().health.anew.clone();
    loop {
        if daemon.borrow().health.heard.is_empty() {
            anew.notified().await;
            continue;
        }
        let hear = |said| match said {
            Ok(message) => daemon.borrow_mut().hear(message),
            Err(why) => daemon.borrow_mut().lost_health(&why),
        };
        tokio::select! {
            never = follow_daemon("healthcheckd", MONITOR, hear) => match never {},
            () = anew.notified() => {}
        }
    }
}

impl Daemon {
    /// The checks that count from now on.
    pub(super) fn track(&mut self, config: &Config) {
        let tracks = config.vrrp.values().flat_map(|instance| &instance.track);
        let names = tracks.filter_map(|track| match &track.what {
            Tracked::Check(name) => Some(name.clone()),
            Tracked::Interface { .. } => None,
        });
        let names: BTreeSet<String> = names.collect();
        let none = names.is_empty();
        // What is not asked for is not kept, so the stream begins anew when something else is.
        if self.health.heard.track(names) || none {
            self.health.anew.notify_one();
        }
    }

    /// Tells a router what was heard.
    pub(super) fn tell_verdicts(&mut self, name: &str) {
        let heard = std::mem::take(&mut self.health.heard);
        self.with(name, |router, now, out| router.hear(&heard, now, out));
        self.health.heard = heard;
    }

    fn hear(&mut self, message: Monitor) {
        self.health_is(Ok(()));
        if self.health.heard.hear(message) {
            self.tell_all();
        }
    }

    fn lost_health(&mut self, why: &ClientError) {
        self.health_is(Err(why.to_string()));
        if self.health.heard.lost() {
            self.tell_all();
        }
    }

    fn tell_all(&mut self) {
        for name in self.members.keys().cloned().collect::<Vec<_>>() {
            self.tell_verdicts(&name);
        }
        self.rearm();
    }

    fn health_is(&mut self, now: Result<(), String>) {
        if self.health.told.as_ref() == Some(&now) {
            return;
        }
        match &now {
            Ok(()) => info!("verdicts on tracked checks are coming in"),
            Err(why) => warn!("no verdicts on tracked checks are coming in: {why}"),
        }
        self.health.told = Some(now);
    }
}
