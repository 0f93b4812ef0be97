//! What is told of services: their servers' verdicts, and how these come and go in the table.

use std::time::SystemTime;

use vipkit_control::common::Running;
use vipkit_control::ipvs::{Daemon, Monitor, Server, Service};
use vipkit_control::monitor::Update;

use super::{Lines, Told};
use crate::health::{self, Health};
use crate::render::check::count;
use crate::render::services;
use crate::render::text::{Cell, Tone, plain};
use crate::render::time;

impl Told for Service {
    type Monitor = Monitor;
    type Daemon = Daemon;
    const TELLER: &'static str = "ipvs-sync";

    fn update(Monitor { step, sequence, daemon, services, removed }: Monitor) -> Update<Daemon, Self> {
        Update { step, sequence, daemon, objects: services, removed }
    }

    fn running(daemon: &Daemon) -> &Running {
        &daemon.running
    }

    fn level(&self, now: SystemTime, lines: &mut Lines) {
        lines.add(&self.name, &self.added());
        for server in self.servers.iter().filter(|server| health::of_server(self, server) != Health::Healthy)
        {
            let Server { address, reason, since, .. } = server;
            let since = since.as_ref().map(|since| format!(" {}", time::lasting(since, now)));
            let words = format!("{}: {reason}", since.unwrap_or_default());
            lines.add(&self.name, &[plain(format!("{address} ")), services::state(server), plain(words)]);
        }
    }

    fn added(&self) -> Vec<Cell> {
        let words = format!("{} {}, {}, ", self.protocol, self.address, self.scheduler);
        [vec![plain(words)], services::well(self)].concat()
    }

    fn changes(before: &Self, after: &Self, lines: &mut Lines) {
        let name = &after.name;
        // Its servers come and go with it.
        let with_all = before.present != after.present;
        if with_all {
            lines.add(name, &[services::presence(after.present)]);
        }
        for server in &after.servers {
            match before.servers.iter().find(|known| known.address == server.address) {
                Some(known) => of_server(name, known, server, with_all, lines),
                None => {
                    let weight = format!("server {} added, weight {}", server.address, server.weight);
                    lines.add(name, &[plain(weight)]);
                }
            }
        }
        for Server { address, .. } in &before.servers {
            if !after.servers.iter().any(|server| server.address == *address) {
                lines.add(name, &[plain(format!("server {address} removed"))]);
            }
        }
        if settings(before) != settings(after) {
            lines.add(name, &[plain("settings changed")]);
        }
        lines.notices(name, ("fault", Tone::Bad), &before.faults, &after.faults);
        lines.notices(name, ("warning", Tone::Odd), &before.warnings, &after.warnings);
    }

    fn of_daemon(before: Option<&Daemon>, after: &Daemon, lines: &mut Lines) {
        if let Some(before) = before {
            let repairs = after.repairs.saturating_sub(before.repairs);
            if repairs > 0 {
                let number = count(usize::try_from(repairs).unwrap_or(usize::MAX), "difference");
                let words = format!("repaired {number} that others made in the table");
                lines.add(Self::TELLER, &[(Tone::Odd, words)]);
            }
            if before.foreign != after.foreign {
                let words =
                    format!("services of others in the table: {} -> {}", before.foreign, after.foreign);
                lines.add(Self::TELLER, &[plain(words)]);
            }
        }
        let faults = before.map(|before| before.faults.as_slice()).unwrap_or_default();
        lines.notices(Self::TELLER, ("fault", Tone::Bad), faults, &after.faults);
    }
}

fn of_server(name: &str, before: &Server, after: &Server, with_all: bool, lines: &mut Lines) {
    let address = &after.address;
    // That verdicts are stale is the daemon's fault to tell, not each server's.
    if before.state != after.state {
        let (old, new) = (services::state(before), services::state(after));
        let reason = plain(format!(": {}", after.reason));
        lines.add(name, &[plain(format!("{address} {} -> ", old.1)), new, reason]);
    }
    let words = match (before.table_weight, after.table_weight) {
        (before, after) if before == after => None,
        (Some(_), None) | (None, Some(_)) if with_all => None,
        (Some(weight), None) => Some(format!("left the table (weight {weight} -> none)")),
        (None, Some(weight)) => Some(format!("came into the table (weight none -> {weight})")),
        (Some(before), Some(after)) => Some(format!("weight {before} -> {after} in the table")),
        (None, None) => None,
    };
    if let Some(words) = words {
        lines.add(name, &[plain(format!("{address} {words}"))]);
    }
    if (before.weight, &before.forward) != (after.weight, &after.forward) {
        lines.add(name, &[plain(format!("{address} settings changed"))]);
    }
}

/// What only a reload changes.
fn settings(service: &Service) -> impl PartialEq + '_ {
    let Service { address, protocol, scheduler, persistence, persistence_netmask, on_failure, .. } = service;
    (address, protocol, scheduler, persistence, persistence_netmask, on_failure)
}

#[cfg(test)]
mod tests {
    use vipkit_control::monitor::Step;

    use super::*;
    use crate::render::watch::testing::{begun, said, step, tell, words};
    use crate::testing::{ipvs_daemon, notice, removed, server, service};

    const WEB: &str = "192.168.4.100:80";

    fn broken() -> Service {
        Service { servers: vec![removed(WEB, 1), server("192.168.4.200:80", 2)], ..service("web") }
    }

    fn of_daemon(change: fn(&mut Daemon)) -> Vec<String> {
        let (mut story, _) = begun::<Service>(ipvs_daemon(), vec![]);
        let mut daemon = ipvs_daemon();
        change(&mut daemon);
        words(&tell(&mut story, step(Step::Change, Some(daemon), vec![], &[])))
    }

    #[test]
    fn it_begins_with_a_line_a_service_and_those_servers_that_are_not_well() {
        assert_eq!(
            begun(ipvs_daemon(), vec![service("mail"), broken()]).1,
            "\
03:00:00Z  ipvs-sync     on web1, version 0.1.0, digest 0a1b2c3d4e5f
03:00:00Z  mail          tcp 192.168.4.15:80, wrr, 2 servers up
03:00:00Z  web           tcp 192.168.4.15:80, wrr, 1 of 2 servers up
03:00:00Z  web           192.168.4.100:80 down for 3 m 12 s: connection refused
"
        );
    }

    #[test]
    fn a_server_goes_down_leaves_the_table_and_comes_back() {
        assert_eq!(
            said(ipvs_daemon(), service("web"), broken()),
            [
                "192.168.4.100:80 up -> down: connection refused",
                "192.168.4.100:80 left the table (weight 1 -> none)"
            ]
        );
        assert_eq!(
            said(ipvs_daemon(), broken(), service("web")),
            [
                "192.168.4.100:80 down -> up: connected",
                "192.168.4.100:80 came into the table (weight none -> 1)"
            ]
        );
        let quiet =
            Service { servers: vec![Server { table_weight: Some(0), ..server(WEB, 1) }], ..service("web") };
        let loud = Service { servers: vec![server(WEB, 1)], ..service("web") };
        assert_eq!(said(ipvs_daemon(), loud, quiet), ["192.168.4.100:80 weight 1 -> 0 in the table"]);
    }

    #[test]
    fn a_reload_is_told() {
        let after = Service {
            scheduler: "rr".to_owned(),
            servers: vec![server(WEB, 5), server("192.168.4.210:80", 1)],
            faults: vec![notice("refused", "look")],
            ..service("web")
        };
        assert_eq!(
            said(ipvs_daemon(), service("web"), after),
            [
                "192.168.4.100:80 weight 1 -> 5 in the table",
                "192.168.4.100:80 settings changed",
                "server 192.168.4.210:80 added, weight 1",
                "server 192.168.4.200:80 removed",
                "settings changed",
                "fault: refused (remedy: look)",
            ]
        );
        let mut gone = Service { present: false, ..service("web") };
        gone.servers.iter_mut().for_each(|server| server.table_weight = None);
        assert_eq!(said(ipvs_daemon(), service("web"), gone.clone()), ["not in the table"]);
        assert_eq!(said(ipvs_daemon(), gone, service("web")), ["in the table"]);
    }

    #[test]
    fn what_the_daemon_says_of_itself_is_told() {
        assert_eq!(of_daemon(|_| ()), Vec::<String>::new());
        assert_eq!(of_daemon(|d| d.repairs = 3), ["repaired 3 differences that others made in the table"]);
        assert_eq!(of_daemon(|d| d.foreign = 1), ["services of others in the table: 0 -> 1"]);
        assert_eq!(of_daemon(|d| d.faults.push(notice("a", "b"))), ["fault: a (remedy: b)"]);
    }

    #[test]
    fn what_only_counts_or_grows_old_is_not_told() {
        let mut busy = service("web");
        busy.servers[0].active_connections = 500;
        busy.servers[0].stale = true;
        busy.incoming_bytes = 1 << 40;
        assert!(said(ipvs_daemon(), service("web"), busy).is_empty());
    }
}
