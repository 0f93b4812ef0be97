//! What ipvs-sync knows: the configuration, the verdicts, the table as it was last seen and whose it is; and what is
//! told to those who watch when any of it changes. Called by the tasks in `shell`, one at a time. Nothing here may wait.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::SocketAddr;
use std::rc::Rc;

use tokio::sync::{Notify, watch};
use tracing::{info, warn};
use vipkit_config::Config;
use vipkit_control::client::ClientError;
use vipkit_control::common::{Changes, Notice};
use vipkit_control::health::{Monitor, Step};
use vipkit_control::monitor::Feed;
use vipkit_core::ipvs::{Command, ServiceId};
use vipkit_core::units::Mono;
use vipkit_daemon::clock::now;
use vipkit_daemon::identity::Identity;

use super::Shared;
use crate::desired;
use crate::kept::Kept;
use crate::status::notice;
use crate::table::Table;
use crate::verdicts::{News, Verdicts};

/// The kernel's IPVS as it was last seen.
pub struct Seen {
    /// The table, and what was done to it since.
    pub table: Table,
    /// When it was read.
    pub at: Mono,
    /// This machine passes packets on.
    pub forwards: bool,
}

/// Whether verdicts are coming in.
pub struct Link {
    /// They are.
    pub connected: bool,
    /// Since when that is so.
    pub since: Mono,
    /// What was last logged about it.
    why: String,
}

/// The daemon.
pub struct Daemon {
    pub(super) identity: Identity,
    pub(super) config: Config,
    pub(super) verdicts: Verdicts,
    /// Services that are ours to change and to remove.
    pub(super) owned: BTreeSet<ServiceId>,
    /// None: the kernel's table is not known.
    pub(super) seen: Option<Seen>,
    /// Version of IPVS in the kernel.
    pub(super) ipvs: Option<String>,
    /// Why the table cannot be read, or the state file not be written.
    pub(super) troubles: BTreeMap<Trouble, Notice>,
    /// What the kernel refused, by service.
    pub(super) refused: BTreeMap<ServiceId, Notice>,
    /// What others did and is to be repaired.
    pub(super) drifted: HashSet<Command>,
    pub(super) repairs: u64,
    /// Repairs and foreign services as those who watch were told.
    pub(super) told: (u64, usize),
    pub(super) link: Link,
    /// The servers that are out on account of a verdict.
    pub(super) down: BTreeSet<(String, SocketAddr)>,
    /// Numbers the configurations, and tells which one the table is for.
    pub(super) version: u64,
    pub(super) level: watch::Sender<u64>,
    /// Where changes are told to those who watch.
    pub(super) feed: Feed,
    /// Wakes the task that tells systemd.
    pub(super) news: Rc<Notify>,
    /// Wakes the task that reconciles.
    pub(super) wake: Rc<Notify>,
}

/// What can keep the whole daemon from its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// The table cannot be read.
    Table,
    /// The state file cannot be written.
    StateFile,
}

impl Daemon {
    /// With this configuration, and what an earlier life left.
    #[must_use]
    pub fn new(mut identity: Identity, config: Config, kept: Kept) -> Shared {
        identity.configured(&config);
        let verdicts = Verdicts::remembered(kept.verdicts);
        let down = desired::down(&config.services, &verdicts);
        Rc::new(RefCell::new(Self {
            identity,
            config,
            verdicts,
            owned: kept.services,
            seen: None,
            ipvs: None,
            troubles: BTreeMap::new(),
            refused: BTreeMap::new(),
            drifted: HashSet::new(),
            repairs: 0,
            told: (0, 0),
            link: Link { connected: false, since: now(), why: String::new() },
            down,
            version: 1,
            level: watch::Sender::new(0),
            feed: Feed::default(),
            news: Rc::new(Notify::new()),
            wake: Rc::new(Notify::new()),
        }))
    }

    /// How it is going, in a line.
    #[must_use]
    pub fn summary(&self) -> String {
        let Some(seen) = &self.seen else { return "the kernel's table is not known".to_owned() };
        let servers: usize = self.config.services.values().map(|service| service.servers.len()).sum();
        let present = |service| seen.table.0.contains_key(&desired::id(service));
        let services = self.config.services.values().filter(|service| present(service)).count();
        let (all, down) = (self.config.services.len(), self.down.len());
        format!("services in the table: {services} of {all}, servers down: {down} of {servers}")
    }

    /// What keeps it from its job.
    #[must_use]
    pub fn faults(&self) -> Vec<Notice> {
        let checked = self.config.services.values().flat_map(|service| &service.servers);
        let deaf = !self.link.connected && checked.into_iter().any(|server| server.check.is_some());
        // Why is in the log: it differs from one attempt to the next.
        let deaf = deaf.then(|| {
            let remedy = "`systemctl start healthcheckd`; until then the last verdicts are acted on";
            notice("no verdicts are coming in: healthcheckd does not answer", remedy)
        });
        // Where nothing is to be balanced, the kernel need not be able to.
        let idle = self.config.services.is_empty() && self.owned.is_empty();
        let troubles = self.troubles.iter().filter(|(which, _)| !(idle && **which == Trouble::Table));
        troubles.map(|(_, notice)| notice.clone()).chain(deaf).collect()
    }

    /// Services in the table that are not ours.
    #[must_use]
    pub fn foreign(&self) -> usize {
        let table = self.seen.as_ref().map(|seen| &seen.table.0);
        table.map_or(0, |table| table.keys().filter(|id| !self.owned.contains(id)).count())
    }

    /// What keeps a service from being as it should.
    #[must_use]
    pub fn refused(&self, id: ServiceId) -> Option<&Notice> {
        self.refused.get(&id)
    }

    /// Goes over to a configuration. The table follows in the next round.
    pub fn configure(&mut self, config: Config) -> Changes {
        self.identity.configured(&config);
        let mut changes = Changes::default();
        let old = std::mem::replace(&mut self.config, config);
        for (name, service) in &self.config.services {
            match old.services.get(name) {
                Some(before) if before == service => {
                    changes.unchanged += 1;
                    continue;
                }
                Some(_) => changes.changed += 1,
                None => changes.added += 1,
            }
            self.feed.touch(name);
        }
        for name in old.services.keys().filter(|name| !self.config.services.contains_key(*name)) {
            changes.removed += 1;
            self.feed.touch(name);
        }
        // Nobody is back before it was checked, whatever its check is called now.
        for (from, to) in desired::heirs(&old.services, &self.config.services) {
            self.verdicts.inherit(&from, to);
        }
        self.forget();
        self.version += 1;
        self.feed.touch_daemon();
        self.wake.notify_one();
        changes
    }

    /// Forgets the verdicts that are about nothing any more.
    fn forget(&mut self) {
        self.verdicts.forget(|name| desired::is_asked_for(&self.config.services, name));
    }

    /// Done when the table is for the configuration as it is now, or could not be.
    pub fn level(&self) -> impl Future<Output = ()> + use<> {
        let (version, mut level) = (self.version, self.level.subscribe());
        async move { drop(level.wait_for(|reached| *reached >= version).await) }
    }

    /// Takes in what healthcheckd says.
    pub fn hear(&mut self, message: Monitor) {
        self.link_is(true, "verdicts are coming in");
        let is_shorter = message.step == Step::Level || !message.removed.is_empty();
        let news = self.verdicts.hear(message);
        if is_shorter {
            self.forget();
        }
        self.verdicts_changed(&news);
    }

    /// healthcheckd is not there.
    pub fn lost_health(&mut self, why: &ClientError) {
        self.link_is(false, &why.to_string());
        let news = self.verdicts.lost();
        self.verdicts_changed(&news);
    }

    fn link_is(&mut self, connected: bool, why: &str) {
        if self.link.connected == connected && self.link.why == why {
            return;
        }
        if connected {
            info!("{why}");
        } else {
            warn!("no verdicts are coming in, the last ones are acted on: {why}");
        }
        let since = if self.link.connected == connected { self.link.since } else { now() };
        self.link = Link { connected, since, why: why.to_owned() };
        self.feed.touch_daemon();
    }

    fn verdicts_changed(&self, news: &News) {
        for name in &news.names {
            // SERVICE/ADDRESS
            let service = name.rsplit_once('/').map_or(name.as_str(), |(service, _)| service);
            if self.config.services.contains_key(service) {
                self.feed.touch(service);
            }
        }
        if news.judged {
            self.wake.notify_one();
        }
    }

    /// Something stands in the way of everything, or does no more.
    pub fn trouble(&mut self, which: Trouble, what: Option<Notice>) {
        if self.troubles.get(&which) == what.as_ref() {
            return;
        }
        match what {
            Some(notice) => {
                warn!("{}; {}", notice.what, notice.remedy);
                self.troubles.insert(which, notice);
            }
            None => drop(self.troubles.remove(&which)),
        }
        self.feed.touch_daemon();
        self.news.notify_one();
    }

    /// Everything looks different.
    pub(super) fn touch_all(&self) {
        self.config.services.keys().for_each(|name| self.feed.touch(name));
        self.feed.touch_daemon();
        self.news.notify_one();
    }
}
