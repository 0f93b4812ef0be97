//! What people and programs are shown of a service: as it should be, as it is found, and in plain words what is wrong
//! and what to do about it. Must not ask the kernel or change anything.

use vipkit_config::{Forward, Service as Configured};
use vipkit_control::common::Notice;
use vipkit_control::health::Judgement;
use vipkit_control::ipvs::{Server, Service, State};
use vipkit_core::ipvs::{Command, Scheduler, Statistics};

use crate::desired::{destination_id, is_down, weight};
use crate::table::Entry;
use crate::verdicts::Verdicts;

/// What a service is shown against.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Its entry in the table, if it is there.
    pub entry: Option<&'a Entry>,
    /// What is known of its servers.
    pub verdicts: &'a Verdicts,
    /// What keeps it from being as it should.
    pub fault: Option<&'a Notice>,
    /// This machine passes packets on.
    pub forwards: bool,
}

/// A service as it is shown.
#[must_use]
pub fn service(name: &str, config: &Configured, view: View<'_>) -> Service {
    let carried = view.entry.and_then(|entry| entry.service.statistics).unwrap_or_default();
    let Statistics { connections, packets_in, packets_out, bytes_in, bytes_out, .. } = carried;
    Service {
        name: name.to_owned(),
        address: config.address.to_string(),
        protocol: config.protocol.name().to_owned(),
        scheduler: config.scheduler.to_string(),
        persistence: config.persistence.map(|persistence| persistence.timeout.as_secs_f64()),
        persistence_netmask: config.persistence.map(|persistence| persistence.netmask.to_string()),
        on_failure: config.on_failure.name().to_owned(),
        present: view.entry.is_some(),
        servers: config.servers.iter().map(|each| server(each, view)).collect(),
        faults: view.fault.cloned().into_iter().collect(),
        warnings: warnings(config, view),
        connections,
        incoming_packets: packets_in,
        outgoing_packets: packets_out,
        incoming_bytes: bytes_in,
        outgoing_bytes: bytes_out,
    }
}

fn server(config: &vipkit_config::Server, view: View<'_>) -> Server {
    let found = view.entry.and_then(|entry| entry.destinations.get(&destination_id(config)));
    let check = config.check.as_deref();
    let verdict = check.and_then(|check| view.verdicts.get(check));
    let state = match (check, verdict.and_then(|verdict| verdict.judged)) {
        (None, _) => State::Unchecked,
        (Some(_), None) => State::Unknown,
        (Some(_), Some(Judgement::Up)) => State::Up,
        (Some(_), Some(Judgement::Down)) => State::Down,
    };
    let Statistics { connections, packets_in, packets_out, bytes_in, bytes_out, .. } =
        found.and_then(|found| found.statistics).unwrap_or_default();
    Server {
        address: config.address.to_string(),
        forward: config.forward.name().to_owned(),
        weight: weight(config, view.verdicts),
        table_weight: found.map(|found| found.weight),
        state,
        since: verdict.map(|verdict| verdict.since.clone()),
        reason: verdict.map(|verdict| verdict.reason.clone()).unwrap_or_default(),
        stale: check.is_some_and(|check| view.verdicts.is_stale(check)),
        active_connections: found.map_or(0, |found| found.active_connections),
        inactive_connections: found.map_or(0, |found| found.inactive_connections),
        persistent_connections: found.map_or(0, |found| found.persistent_connections),
        connections,
        incoming_packets: packets_in,
        outgoing_packets: packets_out,
        incoming_bytes: bytes_in,
        outgoing_bytes: bytes_out,
    }
}

/// What should be looked at.
fn warnings(config: &Configured, view: View<'_>) -> Vec<Notice> {
    let mut warnings = Vec::new();
    if config.servers.iter().all(|server| is_down(server, view.verdicts)) {
        warnings.push(notice(
            "every server is down: clients are refused",
            "`vipctl health` says why each of them is",
        ));
    }
    if !view.forwards && config.servers.iter().any(|server| server.forward == Forward::Nat) {
        warnings.push(notice(
            "forward = \"nat\", but this machine does not pass packets on (net.ipv4.ip_forward is 0)",
            "`sysctl -w net.ipv4.ip_forward=1`, and a file in /etc/sysctl.d to keep it",
        ));
    }
    warnings
}

/// What a command that the kernel refused comes to, and what to do about it.
#[must_use]
pub fn refusal(command: &Command, why: &str, is_module_missing: bool) -> Notice {
    let what = match command {
        Command::NewService(service) | Command::SetService(service) if is_module_missing => {
            return no_scheduler(service.scheduler);
        }
        Command::NewService(_) => "cannot be put into the table".to_owned(),
        Command::SetService(_) => "cannot be changed in the table".to_owned(),
        Command::DeleteService(_) => "cannot be removed from the table".to_owned(),
        Command::NewDestination(_, server) => {
            format!("server {} cannot be put into the table", server.id)
        }
        Command::SetDestination(_, server) => format!("server {} cannot be changed in the table", server.id),
        Command::DeleteDestination(_, server) => format!("server {server} cannot be removed from the table"),
    };
    notice(&format!("{what}: {why}"), "mend the cause; it is tried again and again")
}

fn no_scheduler(scheduler: Scheduler) -> Notice {
    notice(
        &format!("the kernel has no scheduler {scheduler}"),
        &format!("`modprobe ip_vs_{scheduler}`, or another `scheduler` in the configuration"),
    )
}

/// A notice.
#[must_use]
pub fn notice(what: &str, remedy: &str) -> Notice {
    Notice { what: what.to_owned(), remedy: remedy.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::{desired, id};
    use crate::testing::{config, down};

    const TEXT: &str = "
        [[service]]
        name = 'web'
        address = '192.0.2.15:80'
        scheduler = 'rr'
        forward = 'nat'
        server = [
            { address = '192.0.2.81:8080', weight = 7, check = { type = 'tcp' } },
            { address = '192.0.2.82:8080' },
        ]
    ";
    const CHECK: &str = "web/192.0.2.81:8080";

    fn shown(verdicts: &Verdicts, forwards: bool, is_there: bool) -> Service {
        let config = config(TEXT);
        let table = desired(&config.services, verdicts);
        let web = &config.services["web"];
        let entry = table.0.get(&id(web)).filter(|_| is_there);
        service("web", web, View { entry, verdicts, fault: None, forwards })
    }

    #[test]
    fn each_server_is_shown_as_it_is_and_why() {
        let servers = shown(&Verdicts::default(), true, true).servers;
        assert_eq!((servers[0].state, servers[1].state), (State::Unknown, State::Unchecked));
        assert_eq!((servers[0].table_weight, servers[1].table_weight), (Some(7), Some(1)));
        let servers = shown(&down(&[CHECK]), true, true).servers;
        assert_eq!((servers[0].state, servers[0].stale), (State::Down, true));
        assert_eq!((servers[0].weight, servers[0].table_weight), (7, None));
        assert_eq!(servers[0].reason, "connection refused");
        assert_eq!((servers[1].reason.as_str(), servers[1].stale, &servers[1].since), ("", false, &None));
    }

    #[test]
    fn a_service_that_is_not_in_the_table_is_shown_all_the_same() {
        let service = shown(&Verdicts::default(), true, false);
        assert!(!service.present && service.servers.iter().all(|server| server.table_weight.is_none()));
        assert_eq!(service.servers.len(), 2);
    }

    #[test]
    fn what_should_be_looked_at_is_a_warning() {
        let what = |service: Service| -> Vec<String> {
            service.warnings.into_iter().map(|warning| warning.what).collect()
        };
        assert_eq!(what(shown(&down(&[CHECK]), true, true)), [""; 0], "one server is left");
        assert!(what(shown(&Verdicts::default(), false, true))[0].contains("ip_forward"));
        let config = config(&TEXT.replace("{ address = '192.0.2.82:8080' },", ""));
        let view = View { entry: None, verdicts: &down(&[CHECK]), fault: None, forwards: true };
        assert!(what(service("web", &config.services["web"], view))[0].starts_with("every server is down"));
    }

    #[test]
    fn a_missing_scheduler_names_its_module() {
        let config = config(TEXT);
        let table = desired(&config.services, &Verdicts::default());
        let entry = table.0.values().next().unwrap();
        let refused = refusal(&Command::NewService(entry.service.clone()), "no", true);
        assert!(refused.remedy.starts_with("`modprobe ip_vs_rr`"), "{}", refused.remedy);
        let server = entry.destinations.values().next().unwrap().clone();
        let refused = refusal(&Command::NewDestination(entry.service.id, server), "no", false);
        assert_eq!(refused.what, "server 192.0.2.81:8080 cannot be put into the table: no");
    }
}
