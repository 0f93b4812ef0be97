//! The file of sequences of HMACs: read once, written whenever they went on, at most once a second, on a helper thread.
//! What was heard in the second before a crash may be taken again after it, while it is within the clock's window.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tracing::warn;
use vipkit_config::{INSTANCES_MAX, Instance};
use vipkit_daemon::state::StateFile;

use crate::replay::Replay;

/// Longest file that is read back: 64 senders for each of the most instances there can be.
const BYTES_MAX: usize = 32 << 20;

/// Sequences of routers that do not run, by what makes a virtual router: its wire and its VRID.
pub struct Remembered {
    file: StateFile,
    resting: BTreeMap<String, Replay>,
    changed: Rc<Notify>,
}

/// The file's contents.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    routers: BTreeMap<String, Replay>,
}

impl Remembered {
    /// What an earlier life left. A file that cannot be read is as none: then the clock alone tells old from new.
    #[must_use]
    pub fn read(file: StateFile) -> Self {
        let read = file.read(BYTES_MAX).map_err(|error| error.to_string()).and_then(|bytes| {
            let parse = |bytes: Vec<u8>| serde_json::from_slice(&bytes).map_err(|error| error.to_string());
            bytes.map_or(Ok(Contents::default()), parse)
        });
        let Contents { routers } = read.unwrap_or_else(|error| {
            warn!("{}: {error}: adverts that were heard before may be taken again", file.path().display());
            Contents::default()
        });
        let resting = routers.into_iter().map(|(router, replay)| (router, replay.resumed())).collect();
        Self { file, resting, changed: Rc::new(Notify::new()) }
    }

    /// The sequences of a router that begins.
    pub fn take(&mut self, config: &Instance) -> Replay {
        self.resting.remove(&identity(config)).unwrap_or_default()
    }

    /// The sequences of a router that ends. Of those that no longer run, so many are kept as may run.
    pub fn put(&mut self, config: &Instance, replay: Replay) {
        if replay != Replay::default() {
            self.resting.insert(identity(config), replay);
        }
        while self.resting.len() > INSTANCES_MAX {
            self.resting.pop_first();
        }
    }

    /// Something went on.
    pub fn changed(&self) {
        self.changed.notify_one();
    }

    /// Told whenever something went on.
    #[must_use]
    pub fn news(&self) -> Rc<Notify> {
        self.changed.clone()
    }

    /// The file, and the bytes for it, with those of the routers that run; none if there are no sequences at all.
    #[must_use]
    pub fn snapshot<'r>(
        &self,
        running: impl Iterator<Item = (&'r Instance, &'r Replay)>,
    ) -> Option<(StateFile, Vec<u8>)> {
        let known = running.filter(|(_, replay)| **replay != Replay::default());
        let mut routers = self.resting.clone();
        routers.extend(known.map(|(config, replay)| (identity(config), replay.clone())));
        let bytes = (!routers.is_empty()).then(|| serde_json::to_vec(&Contents { routers }).ok()).flatten();
        bytes.map(|bytes| (self.file.clone(), bytes))
    }
}

fn identity(config: &Instance) -> String {
    format!("{} {} {}", config.interface, config.family(), config.virtual_router_id)
}
