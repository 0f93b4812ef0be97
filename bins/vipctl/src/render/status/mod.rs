//! `vipctl status`: one screen for the node. Whether all is well; then, the way that a packet goes, who holds the
//! addresses, what is balanced, and what the checks say. To be understood in the middle of the night.

mod checks;
mod instances;
mod services;

use std::time::SystemTime;

use serde::Serialize;
use vipkit_control::common::{Notice, Running};

use super::check::count;
use super::notice::{self, INDENT, LABEL};
use super::text::{HANGING, Style, Text, Tone, plain};
use super::{digests, time};
use crate::daemons::{Report, Seen};
use crate::digests::Group;
use crate::failure::Unreachable;
use crate::health::{self, Health};

/// As text.
#[must_use]
pub fn status(reports: &[Report], now: SystemTime, style: Style) -> String {
    let mut text = Text::new(style);
    if reports.len() > 1 {
        verdict(&mut text, reports);
    }
    // The way that a packet goes is that of a reload backwards.
    for report in reports.iter().rev() {
        match &report.seen {
            Ok(seen) => head(&mut text, report.name, seen, now),
            Err(error) => lost(&mut text, report.name, error),
        }
    }
    let seen = || reports.iter().rev().filter_map(|report| report.seen.as_ref().ok());
    configuration(&mut text, &health::digests(reports), seen());
    for seen in seen() {
        text.end();
        match seen {
            Seen::Vrrp { instances, .. } => instances::show(&mut text, instances, now),
            Seen::Ipvs { daemon, services } => services::show(&mut text, daemon, services, now),
            Seen::Health { checks, .. } => checks::show(&mut text, checks, now),
        }
    }
    text.finish()
}

/// Of the node as a whole.
fn verdict(text: &mut Text, reports: &[Report]) {
    let seen = reports.iter().find_map(|report| report.seen.as_ref().ok());
    let node = seen.map_or("this node", |seen| seen.running().node.as_str());
    let (tone, words) = match health::of_all(reports) {
        Health::Healthy => (Tone::Good, "healthy"),
        Health::Degraded => (Tone::Bad, "degraded"),
        Health::Unreachable => (Tone::Bad, "not all daemons can be asked"),
    };
    text.say(node).say(": ").put(tone, words).end();
}

fn lost(text: &mut Text, name: &str, error: &Unreachable) {
    text.say(name).say(": ").put(Tone::Bad, "unreachable").end();
    text.entry((Tone::Bad, "fault".to_owned()), plain(&error.what), INDENT, LABEL);
    text.entry(plain("remedy"), plain(&error.remedy), INDENT, LABEL);
}

/// The line of a daemon, and what is wrong with itself.
fn head(text: &mut Text, name: &str, seen: &Seen, now: SystemTime) {
    let Running { node, version, started, .. } = seen.running();
    let up = time::since(started, now).unwrap_or_else(|| format!("since {started}"));
    let state = match health::of_seen(seen) {
        Health::Healthy => (Tone::Good, "healthy".to_owned()),
        _ => (Tone::Bad, format!("degraded{}", degraded(seen))),
    };
    let cells =
        [plain(format!("{name} on {node}: ")), state, plain(format!(" (up {up}, version {version})"))];
    text.fold(&cells, HANGING);
    if let Seen::Ipvs { daemon, services } = seen {
        let none: [Notice; 0] = [];
        notice::groups(text, &daemon.faults, &health::doubt(daemon, services), &none);
    }
}

/// How many of its objects are not well: `, 1 of 2 instances`.
fn degraded(seen: &Seen) -> String {
    fn of<T>(objects: &[T], health: impl Fn(&T) -> Health) -> (usize, usize) {
        (objects.iter().filter(|object| health(object) != Health::Healthy).count(), objects.len())
    }
    let ((wrong, all), noun) = match seen {
        Seen::Health { checks, .. } => (of(checks, health::of_check), "check"),
        Seen::Ipvs { services, .. } => (of(services, health::of_service), "service"),
        Seen::Vrrp { instances, .. } => (of(instances, health::of_instance), "instance"),
    };
    if wrong > 0 { format!(", {wrong} of {}", count(all, noun)) } else { String::new() }
}

/// Where the configuration was read, and its digest; who has which, if they differ.
fn configuration<'s>(text: &mut Text, groups: &[Group<'_>], seen: impl Iterator<Item = &'s Seen>) {
    let digest = match groups {
        [(digest, _)] => format!(", digest {digest}"),
        _ => String::new(),
    };
    let mut told = Vec::new();
    for Running { config, .. } in seen.map(Seen::running) {
        if !told.contains(&config) {
            text.fold(&[plain(format!("configuration {config}{digest}"))], HANGING);
            told.push(config);
        }
    }
    digests::split(text, groups, told.len(), "`vipctl reload`: some run on an older configuration");
}

/// As JSON: `health`, and of each daemon name, socket, health, and either `daemon` and its `instances`, `services` or
/// `checks` as the daemon gave them, or `unreachable`.
#[must_use]
pub fn json(reports: &[Report]) -> impl Serialize {
    #[derive(Serialize)]
    struct All {
        health: Health,
        daemons: Vec<One>,
    }
    #[derive(Serialize)]
    struct One {
        name: &'static str,
        socket: String,
        health: Health,
        #[serde(flatten)]
        seen: Option<Seen>,
        #[serde(skip_serializing_if = "Option::is_none")]
        unreachable: Option<Unreachable>,
    }
    let one = |report: &Report| One {
        name: report.name,
        socket: report.socket.display().to_string(),
        health: health::of_report(report),
        seen: report.seen.as_ref().ok().cloned(),
        unreachable: report.seen.as_ref().err().cloned(),
    };
    All { health: health::of_all(reports), daemons: reports.iter().map(one).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{
        active, backup, check, down, fault, health_report, ipvs_report, now, removed, report, server,
        service, too_wide, unreachable,
    };

    fn assert_text(text: &str, expected: &str) {
        assert_eq!(text, expected, "\n{text}");
        assert_eq!(too_wide(text), Vec::<&str>::new());
    }

    #[test]
    fn a_healthy_active_is_a_few_lines() {
        assert_text(
            &status(&[report(vec![active("VI_1")])], now(), Style::Plain),
            "\
vrrpd on web1: healthy (up 3 d 4 h, version 0.1.0)
configuration /etc/vipkit/vipkit.toml, digest 0a1b2c3d4e5f

NAME  STATE   SINCE         PRIORITY  VRID  INTERFACE
VI_1  Active  3 m 12 s ago  100       51    eth0
  address  192.168.4.80/24 present
  reason   no advert for 3.609 s
  peers    none heard
",
        );
    }

    #[test]
    fn a_fault_comes_with_its_remedy() {
        assert_text(
            &status(&[report(vec![fault("VI_1"), backup("mail")])], now(), Style::Plain),
            "\
vrrpd on web1: degraded, 1 of 2 instances (up 3 d 4 h, version 0.1.0)
configuration /etc/vipkit/vipkit.toml, digest 0a1b2c3d4e5f

NAME  STATE   SINCE         PRIORITY  VRID  INTERFACE
VI_1  Fault   3 m 12 s ago  100       51    eth0
  address  192.168.4.80/24 present, not from vrrpd
  peers    none heard
  fault    192.168.4.80/24 is on eth0 already, and vrrpd did not put it there
  remedy   if nothing else needs it: `ip addr del 192.168.4.80/24 dev eth0`; if
           this host owns it for good: priority = 255
mail  Backup  3 m 12 s ago  100       51    eth0
  address  192.168.4.80/24 absent
  reason   192.168.4.100 has priority 150
  peers    192.168.4.100, priority 150, heard 0.4 s ago
",
        );
    }

    #[test]
    fn a_daemon_that_cannot_be_asked_says_why() {
        assert_text(
            &status(&[unreachable()], now(), Style::Plain),
            "\
vrrpd: unreachable
  fault    vrrpd is not running: there is no /run/vipkit/vrrpd.sock
  remedy   `systemctl start vrrpd`
",
        );
    }

    #[test]
    fn states_have_colours() {
        let text = status(&[report(vec![active("a"), fault("b")])], now(), Style::Colored);
        assert!(text.contains("\x1b[32mActive\x1b[0m") && text.contains("\x1b[1;31mFault\x1b[0m"), "{text}");
    }

    #[test]
    fn json_has_what_the_daemon_said_or_why_nothing() {
        let value = serde_json::to_value(json(&[report(vec![active("a")]), unreachable()])).unwrap();
        assert_eq!(value["health"], "unreachable");
        assert_eq!(value["daemons"][0]["health"], "healthy");
        assert_eq!(value["daemons"][0]["daemon"]["digest"], "0a1b2c3d4e5f");
        assert_eq!(value["daemons"][0]["instances"][0]["since"], "2026-02-03T02:56:48.000Z");
        assert_eq!(value["daemons"][0].get("unreachable"), None);
        assert_eq!(value["daemons"][1]["unreachable"]["remedy"], "`systemctl start vrrpd`");
        assert_eq!(value["daemons"][1].get("instances"), None);
    }

    fn broken() -> [Report; 3] {
        let servers = vec![removed("192.168.4.100:80", 1), server("192.168.4.200:80", 2)];
        let web = vipkit_control::ipvs::Service { servers, ..service("web") };
        let checks = vec![down("web/192.168.4.100:80"), check("web/192.168.4.200:80")];
        [health_report(checks), ipvs_report(vec![web]), report(vec![active("VI_1")])]
    }

    #[test]
    fn a_whole_node_is_one_screen() {
        assert_text(
            &status(&broken(), now(), Style::Plain),
            "\
web1: degraded
vrrpd on web1: healthy (up 3 d 4 h, version 0.1.0)
ipvs-sync on web1: degraded, 1 of 1 service (up 3 d 4 h, version 0.1.0)
healthcheckd on web1: degraded, 1 of 2 checks (up 3 d 4 h, version 0.1.0)
configuration /etc/vipkit/vipkit.toml, digest 0a1b2c3d4e5f

NAME  STATE   SINCE         PRIORITY  VRID  INTERFACE
VI_1  Active  3 m 12 s ago  100       51    eth0
  address  192.168.4.80/24 present
  reason   no advert for 3.609 s
  peers    none heard

web: tcp 192.168.4.15:80, wrr, 1 of 2 servers up
  192.168.4.100:80  weight 1 (table: none)  down  3 m 12 s ago
    connection refused
  192.168.4.200:80  weight 2                up    3 d 4 h ago

2 checks: 1 up, 1 down
  web/192.168.4.100:80  down  3 m 12 s ago
    tcp: connection refused
",
        );
    }

    #[test]
    fn daemons_on_different_configurations_stand_out() {
        let mut reports = [health_report(vec![]), ipvs_report(vec![]), report(vec![active("VI_1")])];
        let Ok(Seen::Health { daemon, .. }) = &mut reports[0].seen else { panic!("seen") };
        daemon.running.digest = "111111111111".to_owned();
        let text = status(&reports, now(), Style::Plain);
        let head = "\
web1: degraded
vrrpd on web1: healthy (up 3 d 4 h, version 0.1.0)
ipvs-sync on web1: healthy (up 3 d 4 h, version 0.1.0)
healthcheckd on web1: healthy (up 3 d 4 h, version 0.1.0)
configuration /etc/vipkit/vipkit.toml
the digests differ
  111111111111  healthcheckd
  0a1b2c3d4e5f  ipvs-sync, vrrpd
  remedy        `vipctl reload`: some run on an older configuration

";
        assert!(text.starts_with(head), "{text}");
        let Ok(Seen::Health { daemon, .. }) = &mut reports[0].seen else { panic!("seen") };
        daemon.running.config = "/etc/vipkit/other.toml".to_owned();
        let text = status(&reports, now(), Style::Plain);
        let files = "\nconfiguration /etc/vipkit/vipkit.toml\nconfiguration /etc/vipkit/other.toml\nthe digests differ\n";
        assert!(text.contains(files), "{text}");
        assert!(
            text.contains("  remedy        start all daemons on the same file: `--config FILE`\n"),
            "{text}"
        );
        let colored = status(&reports, now(), Style::Colored);
        assert!(colored.contains("\x1b[1;31mthe digests differ\x1b[0m"), "{colored}");
    }

    #[test]
    fn a_program_without_a_digest_shows_none() {
        let mut reports = [health_report(vec![])];
        let Ok(Seen::Health { daemon, .. }) = &mut reports[0].seen else { panic!("seen") };
        daemon.running.digest.clear();
        let text = status(&reports, now(), Style::Plain);
        assert!(text.contains("\nconfiguration /etc/vipkit/vipkit.toml\n"), "{text}");
    }

    #[test]
    fn what_is_lost_hides_nothing_else() {
        let [checks, services, _] = broken();
        let text = status(&[checks, services, unreachable()], now(), Style::Plain);
        let head = "\
web1: not all daemons can be asked
vrrpd: unreachable
  fault    vrrpd is not running: there is no /run/vipkit/vrrpd.sock
  remedy   `systemctl start vrrpd`
ipvs-sync on web1: degraded, 1 of 1 service (";
        assert!(text.starts_with(head) && text.contains("\n\n2 checks: 1 up, 1 down\n"), "{text}");
    }

    #[test]
    fn what_keeps_ipvs_sync_from_its_job_stands_under_its_line() {
        let mut deaf = ipvs_report(vec![service("web")]);
        let Ok(Seen::Ipvs { daemon, .. }) = &mut deaf.seen else { panic!("seen") };
        daemon.health_connected = false;
        assert_text(
            status(&[deaf], now(), Style::Plain).split_once("\nconfiguration").unwrap().0,
            "\
ipvs-sync on web1: degraded (up 3 d 4 h, version 0.1.0)
  warning  no verdicts come in since 2026-01-30T22:30:00.100Z; servers keep
           their last one
  remedy   `systemctl status healthcheckd` and `journalctl -u ipvs-sync` say why",
        );
    }
}
