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
    /// The table was read right before.
    is_fresh: bool,
    /// The configuration that it is for, by number.
    version: u64,
    /// The servers that are out then.
    down: BTreeSet<(String, SocketAddr)>,
}

impl Daemon {
    /// The kernel has no IPVS, or no more.
    pub fn no_ipvs(&mut self) {
        self.drifted.clear();
        self.refused.clear();
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

    /// What is to be done now; none while the table is not known, which was read right before or is as it was left. From
    /// now on the services of the configuration are ours.
    pub fn begin_round(&mut self, is_fresh: bool) -> Option<Round> {
        let seen = self.seen.as_ref()?;
        let wanted = desired(&self.config.services, &self.verdicts);
        self.owned.extend(wanted.0.keys());
        let is_asked_for = |name: &str| desired::is_asked_for(&self.config.services, name);
        Some(Round {
            commands: plan(&wanted, &seen.table, &self.owned),
            kept: Kept { services: self.owned.clone(), verdicts: self.verdicts.wanted(is_asked_for) },
            is_fresh,
            version: self.version,
            down: desired::down(&self.config.services, &self.verdicts),
        })
    }

    /// Takes in what came of the commands. False: the table must be read again.
    pub fn end_round(&mut self, round: Round, results: Vec<Result<(), CommandError>>) -> bool {
        let mut refused: BTreeMap<ServiceId, Notice> = BTreeMap::new();
        let mut failed = BTreeSet::new();
        let mut is_known = true;
        let Some(seen) = &mut self.seen else { return false };
        for (command, result) in round.commands.iter().zip(results) {
            let Err(error) = result else {
                is_known &= seen.table.apply(command);
                self.repairs += u64::from(self.drifted.contains(command));
                continue;
            };
            let id = command.service();
            is_known = false;
            failed.insert(id);
            // Of a table that somebody else has changed meanwhile, a refusal says nothing.
            let fault = if round.is_fresh && !error.is_unknown() {
                Some(refusal(command, &error.to_string(), error == CommandError::NoSuchModule))
            } else {
                self.refused.get(&id).cloned()
            };
            // What fails after a service has failed, fails for that.
            if let Some(fault) = fault {
                refused.entry(id).or_insert(fault);
            }
        }
        self.drifted.clear();
        let owned = self.owned.len();
        self.owned.retain(|id| seen.table.0.contains_key(id) || failed.contains(id));
        if self.owned.len() < owned {
            // What is no more ours is not to be found in the state file.
            self.wake.notify_one();
        }
        let touched = round.commands.iter().map(Command::service).collect();
        self.faults_are(refused, touched);
        self.servers_are(round.down);
        let numbers = (self.repairs, self.foreign());
        if std::mem::replace(&mut self.told, numbers) != numbers {
            self.feed.touch_daemon();
        }
        self.news.notify_one();
        if is_known || round.is_fresh {
            self.level.send_replace(round.version);
        }
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
            let weight = desired::weight(server, &self.verdicts);
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

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::LazyLock;
    use std::task::{Context, Waker};

    use tracing::level_filters::LevelFilter;
    use vipkit_daemon::identity::Identity;
    use vipkit_daemon::log::Log;

    use super::*;
    use crate::shell::Shared;
    use crate::testing::{config, service, table};

    const WEB: &str = "
        [[service]]
        name = 'web'
        address = '192.0.2.1:80'
        scheduler = 'rr'
        forward = 'dr'
        server = [{ address = '10.0.0.1:80' }]
    ";

    /// With a table in which there is nothing.
    fn daemon(text: &str) -> Shared {
        static LOG: LazyLock<Log> = LazyLock::new(|| Log::start(LevelFilter::OFF));
        let identity = Identity::new("", Path::new("/"), &LOG).unwrap();
        let daemon = Daemon::new(identity, config(text), Kept::default());
        daemon.borrow_mut().saw(Table::default(), true);
        daemon
    }

    /// A round in which every command ends so.
    fn round(daemon: &Shared, is_fresh: bool, result: Result<(), CommandError>) -> bool {
        let round = daemon.borrow_mut().begin_round(is_fresh).unwrap();
        let results = vec![result; round.commands.len()];
        daemon.borrow_mut().end_round(round, results)
    }

    fn kept(daemon: &Shared) -> Vec<ServiceId> {
        daemon.borrow_mut().begin_round(false).unwrap().kept.services.into_iter().collect()
    }

    #[test]
    fn a_refusal_is_a_fault_if_the_table_was_read_right_before() {
        let daemon = daemon(WEB);
        let id = service(1, "rr").id;
        let fault = || daemon.borrow().refused(id).map(|fault| fault.what.clone());
        assert!(!round(&daemon, false, Err(CommandError::Exists)));
        assert_eq!(fault(), None, "somebody else may have changed it meanwhile");
        assert!(!round(&daemon, true, Err(CommandError::NoSuchModule)));
        assert_eq!(fault().as_deref(), Some("the kernel has no scheduler rr"));
        for error in [CommandError::Exists, CommandError::Overrun] {
            assert!(!round(&daemon, false, Err(error)));
            assert_eq!(
                fault().as_deref(),
                Some("the kernel has no scheduler rr"),
                "nothing is mended by that"
            );
        }
        assert!(round(&daemon, false, Ok(())));
        assert_eq!(fault(), None);
    }

    #[test]
    fn who_waits_for_the_table_waits_for_a_round_that_could_know() {
        let daemon = daemon(WEB);
        let level = || *daemon.borrow().level.borrow();
        round(&daemon, false, Err(CommandError::NoSuchService));
        assert_eq!(level(), 0);
        round(&daemon, true, Err(CommandError::NoSuchModule));
        assert_eq!(level(), 1);
    }

    #[test]
    fn what_may_have_been_made_is_ours() {
        let daemon = daemon(WEB);
        round(&daemon, true, Err(CommandError::Overrun));
        daemon.borrow_mut().configure(config(""));
        assert_eq!(kept(&daemon), [service(1, "rr").id]);
        daemon.borrow_mut().saw(table(&[(service(1, "rr"), &[])]), true);
        let commands = daemon.borrow_mut().begin_round(true).unwrap().commands;
        assert_eq!(commands, [Command::DeleteService(service(1, "rr").id)]);
    }

    #[test]
    fn what_is_gone_is_not_ours_any_more_in_the_state_file_too() {
        let daemon = daemon(WEB);
        assert!(round(&daemon, true, Ok(())));
        daemon.borrow_mut().configure(config(""));
        let wake = daemon.borrow().wake.clone();
        let is_awake = || {
            let notified = std::pin::pin!(wake.notified());
            notified.poll(&mut Context::from_waker(Waker::noop())).is_ready()
        };
        assert!(is_awake());
        assert!(round(&daemon, false, Ok(())));
        assert!(is_awake(), "to write the file");
        assert!(kept(&daemon).is_empty());
        assert!(round(&daemon, false, Ok(())));
        assert!(!is_awake());
    }
}
