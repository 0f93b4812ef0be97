//! `vipctl services`: the services and their servers, as configured and as the kernel's table has them. Why a server is
//! in its state stands below its row: reasons are long.

use std::time::{Duration, SystemTime};

use serde::Serialize;
use vipkit_control::ipvs::{Daemon, Server, Service, State};

use super::check::count;
use super::notice::{self, INDENT};
use super::text::{Cell, HANGING, Style, Text, Tone, plain, widths};
use super::time;
use crate::health::{self, Health};

/// All services as text: a line for each, and a row for each server.
#[must_use]
pub fn services(daemon: &Daemon, services: &[Service], now: SystemTime, style: Style) -> String {
    let mut text = Text::new(style);
    of_daemon(&mut text, daemon, services);
    if services.is_empty() {
        text.say(NONE).end();
        return text.finish();
    }
    let head = ["  SERVER", "WEIGHT", "TABLE", "STATE", "SINCE", "ACTIVE", "INACT"].map(plain).to_vec();
    let row = |service: &Service, server: &Server| {
        vec![
            plain(format!("  {}", server.address)),
            plain(server.weight.to_string()),
            table(service, server),
            state(server),
            since(server, now),
            plain(server.active_connections.to_string()),
            plain(server.inactive_connections.to_string()),
        ]
    };
    let rows: Vec<Vec<_>> = services
        .iter()
        .map(|service| service.servers.iter().map(|server| row(service, server)).collect())
        .collect();
    let mut all: Vec<_> = rows.iter().flatten().cloned().collect();
    all.push(head.clone());
    let widths = widths(&all);
    text.row(&head, &widths);
    for (service, rows) in services.iter().zip(rows) {
        line(&mut text, service);
        for (row, server) in rows.iter().zip(&service.servers) {
            text.row(row, &widths);
            text.below(why(server), INDENT * 2);
        }
        notices(&mut text, daemon, service);
    }
    text.finish()
}

/// What is said when there is none.
pub const NONE: &str = "no services: the configuration has no [[service]]";

/// The line of a service: `web: tcp 192.168.4.15:80, wrr, persistent for 5 m 0 s, 2 servers up`.
pub fn line(text: &mut Text, service: &Service) {
    let Service { name, address, protocol, scheduler, present, .. } = service;
    let mut cells = vec![plain(format!("{name}: {protocol} {address}, {scheduler}, "))];
    cells.extend(persistence(service).map(|persistence| plain(format!("persistent for {persistence}, "))));
    cells.extend(well(service));
    if !present {
        cells.extend([plain(", "), presence(*present)]);
    }
    text.fold(&cells, HANGING);
}

/// What is wrong with ipvs-sync itself: it explains what is wrong with all services.
fn of_daemon(text: &mut Text, daemon: &Daemon, services: &[Service]) {
    let doubt = health::doubt(daemon, services);
    if !daemon.faults.is_empty() || doubt.is_some() {
        text.say("ipvs-sync: ").put(Tone::Bad, "degraded").end();
        notice::groups(text, &daemon.faults, &doubt, &[]);
    }
}

/// Faults and warnings of a service, what contradicts itself unless the daemon explains it, and what helps.
pub fn notices(text: &mut Text, daemon: &Daemon, service: &Service) {
    let odd = health::out_of_place(service).filter(|_| daemon.faults.is_empty());
    notice::groups(text, &service.faults, service.warnings.iter().chain(&odd), &[]);
}

/// How many servers take connections: `2 servers up`, `1 of 2 servers up`.
#[must_use]
pub fn well(service: &Service) -> Vec<Cell> {
    let all = service.servers.len();
    let up = service.servers.iter().filter(|server| server.state != State::Down).count();
    let tone = match up {
        _ if up == all => Tone::Good,
        0 => Tone::Bad,
        _ => Tone::Odd,
    };
    let number = if up == all { String::new() } else { format!("{up} of ") };
    vec![(tone, format!("{number}{} up", count(all, "server")))]
}

/// Whether a service is in the table.
#[must_use]
pub fn presence(present: bool) -> Cell {
    if present { (Tone::Good, "in the table".to_owned()) } else { (Tone::Bad, "not in the table".to_owned()) }
}

/// The state acted on, and whether it is an old one.
#[must_use]
pub fn state(server: &Server) -> Cell {
    let (tone, words) = match server.state {
        State::Up => (Tone::Good, "up"),
        State::Down => (Tone::Bad, "down"),
        State::Unknown => (Tone::Odd, "unknown"),
        State::Unchecked => (Tone::Faint, "unchecked"),
    };
    match (server.stale, tone) {
        (false, tone) => (tone, words.to_owned()),
        (true, Tone::Bad) => (Tone::Bad, format!("{words}, stale")),
        (true, _) => (Tone::Odd, format!("{words}, stale")),
    }
}

/// Why a server is not up; nothing if it is.
#[must_use]
pub fn why(server: &Server) -> &str {
    match server.state {
        State::Up | State::Unchecked => "",
        State::Down | State::Unknown => &server.reason,
    }
}

/// The weight in the table.
#[must_use]
pub fn table(service: &Service, server: &Server) -> Cell {
    let words = server.table_weight.map_or_else(|| "none".to_owned(), |weight| weight.to_string());
    let tone = match (health::is_out_of_place(service, server), server.table_weight == Some(server.weight)) {
        (true, _) => Tone::Bad,
        (false, false) => Tone::Odd,
        (false, true) => Tone::Plain,
    };
    (tone, words)
}

/// When the verdict was given.
#[must_use]
pub fn since(server: &Server, now: SystemTime) -> Cell {
    plain(server.since.as_ref().map_or_else(|| "-".to_owned(), |since| time::ago(since, now)))
}

/// The servers, those that are not well first.
#[must_use]
pub fn by_health(service: &Service) -> Vec<&Server> {
    let is_well = |server: &&Server| health::of_server(service, server) == Health::Healthy;
    let (well, wrong): (Vec<_>, Vec<_>) = service.servers.iter().partition(is_well);
    [wrong, well].concat()
}

fn persistence(service: &Service) -> Option<String> {
    let span = time::span(Duration::try_from_secs_f64(service.persistence?).unwrap_or_default());
    Some(match &service.persistence_netmask {
        Some(netmask) => format!("{span} (netmask {netmask})"),
        None => span,
    })
}

/// From a label to its words: the longest label, and a gap.
const LABEL: usize = 13;

/// Everything about one service.
#[must_use]
pub fn service(daemon: &Daemon, service: &Service, now: SystemTime, style: Style) -> String {
    let mut text = Text::new(style);
    of_daemon(&mut text, daemon, std::slice::from_ref(service));
    line(&mut text, service);
    for (label, cell) in [
        ("address", plain(format!("{} {}", service.protocol, service.address))),
        ("scheduler", plain(&service.scheduler)),
        ("persistence", plain(persistence(service).unwrap_or_else(|| "none".to_owned()))),
        ("on failure", plain(&service.on_failure)),
        ("kernel", presence(service.present)),
    ] {
        text.entry(plain(label), cell, INDENT, LABEL);
    }
    text.skip(INDENT).say("servers").end();
    verdicts(&mut text, service, now);
    text.skip(INDENT).say("connections").end();
    text.table(&connections(service), INDENT * 2);
    text.skip(INDENT).say("traffic").end();
    text.table(&traffic(service), INDENT * 2);
    notices(&mut text, daemon, service);
    text.finish()
}

fn verdicts(text: &mut Text, service: &Service, now: SystemTime) {
    let head = ["ADDRESS", "FORWARD", "WEIGHT", "TABLE", "STATE", "SINCE"];
    let row = |server: &Server| {
        vec![
            plain(&server.address),
            plain(&server.forward),
            plain(server.weight.to_string()),
            table(service, server),
            state(server),
            since(server, now),
        ]
    };
    let reason = |text: &mut Text, server: &Server| text.below(&server.reason, INDENT * 3);
    text.list(&head, &service.servers, INDENT * 2, row, reason);
}

/// Connections as they are now, and all since the service is in the table.
fn connections(service: &Service) -> Vec<Vec<Cell>> {
    let head = ["", "ACTIVE", "INACTIVE", "PERSISTENT", "TOTAL"];
    let numbers = |server: &Server| {
        let Server { active_connections, inactive_connections, persistent_connections, .. } = server;
        let now =
            [active_connections, inactive_connections, persistent_connections].map(|now| u64::from(*now));
        [now.as_slice(), &[server.connections]].concat()
    };
    let sum = |of: fn(&Server) -> u32| service.servers.iter().map(|server| u64::from(of(server))).sum();
    let all = vec![
        sum(|server| server.active_connections),
        sum(|server| server.inactive_connections),
        sum(|server| server.persistent_connections),
        service.connections,
    ];
    counted(service, &head, numbers, all)
}

/// What passed since the service is in the table.
fn traffic(service: &Service) -> Vec<Vec<Cell>> {
    let head = ["", "PACKETS IN", "PACKETS OUT", "BYTES IN", "BYTES OUT"];
    let numbers = |server: &Server| {
        let Server { incoming_packets, outgoing_packets, incoming_bytes, outgoing_bytes, .. } = *server;
        vec![incoming_packets, outgoing_packets, incoming_bytes, outgoing_bytes]
    };
    let Service { incoming_packets, outgoing_packets, incoming_bytes, outgoing_bytes, .. } = *service;
    let all = vec![incoming_packets, outgoing_packets, incoming_bytes, outgoing_bytes];
    counted(service, &head, numbers, all)
}

/// A row of numbers for each server, and one for all.
fn counted(
    service: &Service,
    head: &[&str],
    numbers: impl Fn(&Server) -> Vec<u64>,
    all: Vec<u64>,
) -> Vec<Vec<Cell>> {
    let row = |label: &str, numbers: Vec<u64>| {
        std::iter::once(plain(label)).chain(numbers.iter().map(|number| plain(number.to_string()))).collect()
    };
    let servers = service.servers.iter().map(|server| row(&server.address, numbers(server)));
    let head = head.iter().map(|words| plain(*words)).collect();
    std::iter::once(head).chain(servers).chain([row("service", all)]).collect()
}

/// As JSON: the services as the daemon gave them.
#[must_use]
pub fn json(services: &[Service]) -> impl Serialize {
    #[derive(Serialize)]
    struct All<'a> {
        services: &'a [Service],
    }
    All { services }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ipvs_daemon, notice, now, removed, server, service as well};

    fn broken() -> Service {
        Service {
            servers: vec![removed("192.168.4.100:80", 1), server("192.168.4.200:80", 2)],
            ..well("web")
        }
    }

    #[test]
    fn servers_stand_under_their_service() {
        let dns = Service {
            address: "192.168.4.15:53".to_owned(),
            protocol: "udp".to_owned(),
            scheduler: "sh".to_owned(),
            persistence: Some(300.0),
            persistence_netmask: Some("255.255.255.0".to_owned()),
            servers: vec![Server {
                state: State::Unchecked,
                since: None,
                reason: String::new(),
                ..server("192.168.4.101:53", 1)
            }],
            ..well("dns")
        };
        let text = services(&ipvs_daemon(), &[dns, broken()], now(), Style::Plain);
        assert_eq!(
            text,
            "  SERVER            WEIGHT  TABLE  STATE      SINCE         ACTIVE  INACT
dns: udp 192.168.4.15:53, sh, persistent for 5 m 0 s (netmask 255.255.255.0), 1
    server up
  192.168.4.101:53  1       1      unchecked  -             3       12
web: tcp 192.168.4.15:80, wrr, 1 of 2 servers up
  192.168.4.100:80  1       none   down       3 m 12 s ago  0       0
    connection refused
  192.168.4.200:80  2       2      up         3 d 4 h ago   3       12
"
        );
    }

    #[test]
    fn what_is_wrong_comes_with_what_helps() {
        let mut odd = well("web");
        odd.servers[0].stale = true;
        odd.servers[1].table_weight = Some(9);
        odd.warnings.push(notice("all servers but one are down", "look at them"));
        let absent = Service {
            present: false,
            faults: vec![notice("the kernel refuses it: no such scheduler", "`modprobe ip_vs_wrr`")],
            ..broken()
        };
        assert_eq!(
            services(&ipvs_daemon(), &[odd, absent], now(), Style::Plain),
            "  SERVER            WEIGHT  TABLE  STATE      SINCE         ACTIVE  INACT
web: tcp 192.168.4.15:80, wrr, 2 servers up
  192.168.4.100:80  1       1      up, stale  3 d 4 h ago   3       12
  192.168.4.200:80  2       9      up         3 d 4 h ago   3       12
  warning  all servers but one are down
  remedy   look at them
  warning  192.168.4.200:80 is not in the table as its state asks for
  remedy   ipvs-sync puts that right at once; if not, `vipctl status` or
           `journalctl -u ipvs-sync` says why
web: tcp 192.168.4.15:80, wrr, 1 of 2 servers up, not in the table
  192.168.4.100:80  1       none   down       3 m 12 s ago  0       0
    connection refused
  192.168.4.200:80  2       2      up         3 d 4 h ago   3       12
  fault    the kernel refuses it: no such scheduler
  remedy   `modprobe ip_vs_wrr`
"
        );
    }

    #[test]
    fn everything_about_one() {
        assert_eq!(
            service(&ipvs_daemon(), &broken(), now(), Style::Plain),
            "\
web: tcp 192.168.4.15:80, wrr, 1 of 2 servers up
  address      tcp 192.168.4.15:80
  scheduler    wrr
  persistence  none
  on failure   remove
  kernel       in the table
  servers
    ADDRESS           FORWARD  WEIGHT  TABLE  STATE  SINCE
    192.168.4.100:80  dr       1       none   down   3 m 12 s ago
      connection refused
    192.168.4.200:80  dr       2       2      up     3 d 4 h ago
      connected
  connections
                      ACTIVE  INACTIVE  PERSISTENT  TOTAL
    192.168.4.100:80  0       0         0           12
    192.168.4.200:80  3       12        0           12
    service           3       12        0           24
  traffic
                      PACKETS IN  PACKETS OUT  BYTES IN  BYTES OUT
    192.168.4.100:80  120         0            9600      0
    192.168.4.200:80  120         0            9600      0
    service           240         0            19200     0
"
        );
    }

    #[test]
    fn what_is_wrong_with_all_is_said_once() {
        let fault = notice("the kernel has no IPVS", "`modprobe ip_vs`");
        let without = Daemon { ipvs: None, faults: vec![fault], ..ipvs_daemon() };
        let absent = || Service { present: false, ..broken() };
        let all = services(&without, &[absent(), absent()], now(), Style::Plain);
        let said = "\
ipvs-sync: degraded
  fault    the kernel has no IPVS
  remedy   `modprobe ip_vs`
";
        assert!(all.starts_with(&format!("{said}  SERVER  ")), "{all}");
        assert_eq!(all.matches("remedy").count(), 1, "{all}");
        let one = service(&without, &absent(), now(), Style::Plain);
        assert!(one.starts_with(&format!("{said}web: tcp ")), "{one}");
        assert_eq!(one.matches("remedy").count(), 1, "{one}");

        let deaf = Daemon { health_connected: false, ..ipvs_daemon() };
        let said = services(&deaf, &[broken()], now(), Style::Plain);
        assert!(said.starts_with("ipvs-sync: degraded\n  warning  no verdicts come in since "), "{said}");
    }

    #[test]
    fn none_is_said() {
        assert_eq!(services(&ipvs_daemon(), &[], now(), Style::Plain), format!("{NONE}\n"));
    }
}
