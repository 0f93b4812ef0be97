//! A round, from what was read to what came of it: the table is taken in, what is to be done is planned, and what the
//! kernel answered is told. The commands themselves are carried out by `apply`. Nothing here may wait.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::SocketAddr;

use tracing::{info, warn};
use vipkit_config::{Forward, OnFailure, Server};
use vipkit_control::common::Notice;
use vipkit_core::ipvs::{Command, ServiceId};
use vipkit_daemon::clock::now;
use vipkit_linux::ipvs::CommandError;

use super::daemon::{Daemon, Seen};
use crate::desired::{self, desired};
use crate::drift::{drift, line};
use crate::kept::Kept;
use crate::plan::plan;
use crate::status::refusal;
use crate::table::Table;

/// Lines about what others changed, or what the kernel refuses, that are logged at a time; the rest is counted.
const LINES: usize = 20;

/// What is to be done in a round.
pub struct Round {
    /// In order.
    pub commands: Vec<Command>,
    /// To be in the state file before.
    pub kept: Kept,
    /// The configuration that it is for, by number.
    version: u64,
    /// The servers that are out then.
    down: BTreeSet<(String, SocketAddr)>,
}

impl Daemon {
    /// The kernel has no IPVS, or no more.
    pub fn no_ipvs(&mut self) {
        self.drifted.clear();
        if self.seen.take().is_some() | self.ipvs.take().is_some() {
            self.touch_all();
        }
    }

    /// The kernel's IPVS is there.
    pub fn has_ipvs(&mut self, version: String) {
        info!("IPVS {version}");
        self.ipvs = Some(version);
        self.feed.touch_daemon();
    }

    /// Takes in the table as it was read now. What is not as it was left is somebody else's doing.
    pub fn saw(&mut self, table: Table, forwards: bool) {
        let wanted = desired(&self.config.services, &self.verdicts);
        match self.seen.take() {
            None => {
                let ours = table.0.keys().filter(|id| wanted.0.contains_key(id));
                info!("services in the table: {}, of these configured: {}", table.0.len(), ours.count());
                self.touch_all();
            }
            Some(before) => {
                let drifted = drift(&wanted, &before.table, &table, &self.owned);
                self.report(&plan(&wanted, &table, &self.owned), &drifted, &table);
                self.drifted.extend(drifted);
                for (name, service) in &self.config.services {
                    let id = desired::id(service);
                    let (old, new) = (before.table.0.get(&id), table.0.get(&id));
                    let is_like = match (old, new) {
                        (Some(old), Some(new)) => old.is_like(new),
                        (old, new) => old.is_none() && new.is_none(),
                    };
                    let nat = before.forwards != forwards
                        && service.servers.iter().any(|server| server.forward == Forward::Nat);
                    if !is_like || nat {
                        self.feed.touch(name);
                    }
                }
            }
        }
        if !self.drifted.is_empty() {
            self.wake.notify_one();
        }
        self.seen = Some(Seen { table, at: now(), forwards });
        self.news.notify_one();
    }

    fn report(&self, commands: &[Command], drifted: &HashSet<Command>, found: &Table) {
        let names: BTreeMap<ServiceId, &String> =
            self.config.services.iter().map(|(name, service)| (desired::id(service), name)).collect();
        let drifted = commands.iter().filter(|command| drifted.contains(command));
        let lines = drifted.filter_map(|command| {
            let id = command.service();
            let line = line(command, found.0.get(&id))?;
            Some(names.get(&id).map_or_else(|| format!("{id}: {line}"), |name| format!("{name}: {line}")))
        });
        log_some(lines, |line| warn!("{line}"));
    }

    /// What is to be done now; none while the table is not known. From now on the services of the configuration are
    /// ours.
    pub fn begin_round(&mut self) -> Option<Round> {
        let seen = self.seen.as_ref()?;
        let wanted = desired(&self.config.services, &self.verdicts);
        self.owned.extend(wanted.0.keys());
        let checks = self.checks();
        Some(Round {
            commands: plan(&wanted, &seen.table, &self.owned),
            kept: Kept {
                services: self.owned.clone(),
                verdicts: self.verdicts.wanted(|name| checks.contains(name)),
            },
            version: self.version,
            down: desired::down(&self.config.services, &self.verdicts),
        })
    }

    /// Takes in what came of the commands. False: the table must be read again.
    pub fn end_round(&mut self, round: Round, results: Vec<Result<(), CommandError>>) -> bool {
        let mut refused: BTreeMap<ServiceId, Notice> = BTreeMap::new();
        let mut is_known = true;
        let Some(seen) = &mut self.seen else { return false };
        for (command, result) in round.commands.iter().zip(results) {
            match result {
                Ok(()) => {
                    is_known &= seen.table.apply(command);
                    self.repairs += u64::from(self.drifted.contains(command));
                }
                Err(error) if error.is_unknown() => is_known = false,
                Err(error) => {
                    is_known = false;
                    let is_module_missing = error == CommandError::NoSuchModule;
                    // What fails after a service has failed, fails for that.
                    let fault = || refusal(command, &error.to_string(), is_module_missing);
                    refused.entry(command.service()).or_insert_with(fault);
                }
            }
        }
        self.drifted.clear();
        self.owned.retain(|id| seen.table.0.contains_key(id) || refused.contains_key(id));
        let touched = round.commands.iter().map(Command::service).collect();
        self.faults_are(refused, touched);
        self.servers_are(round.down);
        let numbers = (self.repairs, self.foreign());
        if std::mem::replace(&mut self.told, numbers) != numbers {
            self.feed.touch_daemon();
        }
        self.news.notify_one();
        self.level.send_replace(round.version);
        is_known
    }

    /// Nothing can be done in this round: whoever waits for it need not.
    pub fn skip_round(&self) {
        self.level.send_replace(self.version);
    }

    fn faults_are(&mut self, refused: BTreeMap<ServiceId, Notice>, mut touched: BTreeSet<ServiceId>) {
        let before = std::mem::replace(&mut self.refused, refused);
        touched.extend(before.keys());
        let (mut faults, mut mended) = (Vec::new(), Vec::new());
        for (name, service) in &self.config.services {
            let id = desired::id(service);
            if touched.contains(&id) {
                self.feed.touch(name);
            }
            match (before.get(&id), self.refused.get(&id)) {
                (old, Some(new)) if old != Some(new) => {
                    faults.push(format!("{name}: {}; {}", new.what, new.remedy));
                }
                (Some(_), None) => mended.push(format!("{name}: is as it should be again")),
                _ => {}
            }
        }
        log_some(faults.into_iter(), |line| warn!("{line}"));
        log_some(mended.into_iter(), |line| info!("{line}"));
    }

    /// Logs who left and who returned, of those that are still configured.
    fn servers_are(&mut self, down: BTreeSet<(String, SocketAddr)>) {
        let before = std::mem::replace(&mut self.down, down);
        let changed = before.symmetric_difference(&self.down);
        for (name, address) in changed {
            let Some(service) = self.config.services.get(name) else { continue };
            let Some(server) = service.servers.iter().find(|server| server.address == *address) else {
                continue;
            };
            let weight = server.weight;
            let why = self.reason(server);
            match (self.down.contains(&(name.clone(), *address)), service.on_failure) {
                (true, OnFailure::Remove) => {
                    info!("{name}: server {address} leaves, its weight was {weight}: {why}")
                }
                (true, OnFailure::Quiesce) => {
                    info!("{name}: server {address} gets no new connections, its weight was {weight}: {why}");
                }
                (false, _) => info!("{name}: server {address} returns with weight {weight}: {why}"),
            }
        }
    }

    fn reason(&self, server: &Server) -> &str {
        let verdict = server.check.as_deref().and_then(|check| self.verdicts.get(check));
        verdict.map_or("it has no check any more", |verdict| &verdict.reason)
    }
}

/// Logs the first lines, and how many more there are.
fn log_some(mut lines: impl Iterator<Item = String>, log: impl Fn(&str)) {
    lines.by_ref().take(LINES).for_each(|line| log(&line));
    let more = lines.count();
    if more > 0 {
        log(&format!("{more} more like this"));
    }
}
