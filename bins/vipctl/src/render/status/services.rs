//! The services of a status: a line and the servers of each, those that are not well first.

use std::time::SystemTime;

use vipkit_control::ipvs::{Daemon, Server, Service};

use crate::health::{self, Health};
use crate::render::check::count;
use crate::render::notice::{INDENT, SHOWN};
use crate::render::services::{self, by_health, line, notices};
use crate::render::text::{Cell, Text, Tone, plain};

/// Most services; those that are not well come first.
const SERVICES: usize = 20;
/// Up to this many servers of all services, those that are well are shown too.
const FEW: usize = 20;

/// As many of them as a screen bears.
pub fn show(text: &mut Text, daemon: &Daemon, all: &[Service], now: SystemTime) {
    if all.is_empty() {
        text.say(services::NONE).end();
    }
    let is_well = |service: &&Service| health::of_service(service) == Health::Healthy;
    let (well, wrong): (Vec<_>, Vec<_>) = all.iter().partition(is_well);
    let sorted = [wrong, well].concat();
    let are_few = all.iter().map(|service| service.servers.len()).sum::<usize>() <= FEW;
    for service in sorted.iter().take(SERVICES) {
        line(text, service);
        let shown = by_health(service);
        let shown = shown
            .into_iter()
            .filter(|server| are_few || health::of_server(service, server) != Health::Healthy);
        servers(text, service, &shown.collect::<Vec<_>>(), now);
        notices(text, daemon, service);
    }
    let more = sorted.len().saturating_sub(SERVICES);
    if more > 0 {
        text.put(Tone::Faint, &format!("and {more} more: `vipctl services`")).end();
    }
    if daemon.foreign > 0 {
        let others = number(daemon.foreign, "service");
        text.put(Tone::Faint, &format!("{others} of others in the table: `ipvsadm -Ln`")).end();
    }
    if daemon.repairs > 0 {
        let repairs = number(daemon.repairs, "difference");
        let words = format!("repaired {repairs} that others made in the table: `journalctl -u ipvs-sync`");
        text.fold(&[(Tone::Faint, words)], INDENT);
    }
}

fn number(number: u64, noun: &str) -> String {
    count(usize::try_from(number).unwrap_or(usize::MAX), noun)
}

fn servers(text: &mut Text, service: &Service, shown: &[&Server], now: SystemTime) {
    let row = |server: &&Server| -> Vec<Cell> {
        let (tone, table) = services::table(service, server);
        let is_there = server.table_weight == Some(server.weight);
        let table = if is_there { String::new() } else { format!(" (table: {table})") };
        vec![
            plain(&server.address),
            (tone, format!("weight {}{table}", server.weight)),
            services::state(server),
            services::since(server, now),
        ]
    };
    let some = shown.get(..SHOWN).unwrap_or(shown);
    text.list(&[], some, INDENT, row, |text, server| text.below(services::why(server), INDENT * 2));
    let more = shown.len().saturating_sub(SHOWN);
    if more > 0 {
        let words = format!("and {more} more: `vipctl services {}`", service.name);
        text.skip(INDENT).put(Tone::Faint, &words).end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::text::Style;
    use crate::testing::{ipvs_daemon, notice, now, removed, server, service};

    fn text(daemon: &Daemon, services: &[Service]) -> String {
        let mut text = Text::new(Style::Plain);
        show(&mut text, daemon, services, now());
        text.finish()
    }

    #[test]
    fn many_stay_on_a_screen_and_what_is_not_well_comes_first() {
        let mut large = service("large");
        large.servers = (1..=12).map(|number| server(&format!("10.0.0.{number}:80"), 1)).collect();
        for number in 3..12 {
            large.servers[number] = removed(&format!("10.0.0.{}:80", number + 1), 1);
        }
        let mut all: Vec<_> = (0..30).map(|number| service(&format!("s{number:02}"))).collect();
        all.push(large);
        let text = text(&Daemon { foreign: 2, repairs: 1, ..ipvs_daemon() }, &all);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "large: tcp 192.168.4.15:80, wrr, 3 of 12 servers up");
        assert_eq!(lines[1], "  10.0.0.4:80   weight 1 (table: none)  down  3 m 12 s ago");
        assert_eq!(lines[2], "    connection refused");
        assert_eq!(lines[17], "  and 1 more: `vipctl services large`");
        assert_eq!(lines[18], "s00: tcp 192.168.4.15:80, wrr, 2 servers up");
        assert_eq!(
            lines[19], "s01: tcp 192.168.4.15:80, wrr, 2 servers up",
            "of many, those that are well are left out"
        );
        let end = [
            "and 11 more: `vipctl services`",
            "2 services of others in the table: `ipvsadm -Ln`",
            "repaired 1 difference that others made in the table: `journalctl -u ipvs-sync`",
        ];
        assert_eq!(lines[lines.len() - 3..], end);
    }

    #[test]
    fn what_the_daemon_says_once_is_not_said_of_each_service() {
        let absent = Service { present: false, ..service("web") };
        let mut daemon = ipvs_daemon();
        assert!(text(&daemon, std::slice::from_ref(&absent)).contains("  warning  it is not in the table\n"));
        daemon.faults.push(notice("the kernel has no IPVS", "`modprobe ip_vs`"));
        let text = text(&daemon, &[absent]);
        assert!(text.contains(", not in the table\n") && !text.contains("warning"), "{text}");
    }

    #[test]
    fn none_is_said() {
        assert_eq!(text(&ipvs_daemon(), &[]), format!("{}\n", services::NONE));
    }
}
