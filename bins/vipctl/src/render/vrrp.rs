//! `vipctl vrrp`: everything about each instance, in the words of RFC 9568.

use std::time::SystemTime;

use serde::Serialize;
use vipkit_control::vrrp::{Instance, Peer};

use super::notice::{self, INDENT};
use super::text::{Cell, HANGING, Style, Text, Tone, plain};
use super::time;

/// From a label to its words: the longest name of a timer, and a gap.
const LABEL: usize = 24;

/// As text; `all` for the counters that are zero too.
#[must_use]
pub fn instances(instances: &[Instance], all: bool, now: SystemTime, style: Style) -> String {
    let mut text = Text::new(style);
    if instances.is_empty() {
        text.say("no instances: the configuration has no [vrrp.NAME]").end();
    }
    for (number, instance) in instances.iter().enumerate() {
        if number > 0 {
            text.end();
        }
        show(&mut text, instance, all, now);
    }
    text.finish()
}

fn show(text: &mut Text, instance: &Instance, all: bool, now: SystemTime) {
    let (tone, state) = notice::state(instance.state);
    let since = format!(" since {} ({})", instance.since, time::ago(&instance.since, now));
    text.fold(&[plain(format!("{}: ", instance.name)), (tone, state.to_owned()), plain(since)], HANGING);
    for (label, words) in facts(instance) {
        text.entry(plain(label), plain(words), INDENT, LABEL);
    }
    let addresses = notice::addresses(instance, usize::MAX);
    list(text, "addresses", addresses.into_iter().map(|address| vec![address]));
    peers(text, &instance.peers, now);
    let counters = instance.counters.iter().filter(|&(_, &count)| all || count > 0);
    list(text, "counters", counters.map(|(name, count)| vec![plain(name), plain(count.to_string())]));
    notice::notices(text, instance);
}

fn facts(instance: &Instance) -> Vec<(&'static str, String)> {
    let or_none = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
    vec![
        ("reason", instance.reason.clone()),
        ("interface", instance.interface.clone()),
        ("virtual router", format!("VRID {}, version {}", instance.virtual_router_id, instance.version)),
        (
            "priority",
            format!(
                "{}, {}",
                instance.priority,
                if instance.preempt { "preempts" } else { "does not preempt" }
            ),
        ),
        ("source", or_none(&instance.source)),
        ("checksum", or_none(&instance.checksum)),
        ("Advertisement_Interval", time::seconds(instance.advertisement_interval)),
        ("Active_Adver_Interval", time::seconds(instance.active_adver_interval)),
        ("Skew_Time", time::seconds(instance.skew_time)),
        ("Active_Down_Interval", time::seconds(instance.active_down_interval)),
    ]
}

/// A row for each, and below it the form of its checksum, if that is known.
fn peers(text: &mut Text, peers: &[Peer], now: SystemTime) {
    if peers.is_empty() {
        return list(text, "peers", []);
    }
    let head = ["ADDRESS", "PRIORITY", "INTERVAL", "ADVERTS", "HEARD FIRST", "HEARD LAST"];
    let row = |peer: &Peer| {
        vec![
            plain(&peer.address),
            plain(peer.priority.to_string()),
            plain(time::seconds(peer.advertisement_interval)),
            plain(peer.advertisements.to_string()),
            plain(time::ago(&peer.first_heard, now)),
            plain(time::ago(&peer.last_heard, now)),
        ]
    };
    text.skip(INDENT).say("peers").end();
    text.list(&head, peers, INDENT * 2, row, |text, peer| {
        if let Some(form) = &peer.checksum {
            text.below(&format!("checksum {form}"), INDENT * 3);
        }
    });
}

fn list(text: &mut Text, label: &str, rows: impl IntoIterator<Item = Vec<Cell>>) {
    let rows: Vec<_> = rows.into_iter().collect();
    if rows.is_empty() {
        text.entry(plain(label), (Tone::Faint, "none".to_owned()), INDENT, LABEL);
        return;
    }
    text.skip(INDENT).say(label).end();
    text.table(&rows, INDENT * 2);
}

/// As JSON: the instances as the daemon gave them.
#[must_use]
pub fn json(instances: &[Instance]) -> impl Serialize {
    #[derive(Serialize)]
    struct All<'a> {
        instances: &'a [Instance],
    }
    All { instances }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{active, backup, notice, now};

    #[test]
    fn everything_about_a_backup() {
        let mut backup = backup("VI_1");
        backup.warnings.push(notice("192.168.4.100 advertises every 2s, we every 1s", "make it the same"));
        assert_eq!(
            instances(&[backup], false, now(), Style::Plain),
            "\
VI_1: Backup since 2026-02-03T02:56:48.000Z (3 m 12 s ago)
  reason                  192.168.4.100 has priority 150
  interface               eth0
  virtual router          VRID 51, version 3
  priority                100, preempts
  source                  192.168.4.100
  checksum                pseudo-header
  Advertisement_Interval  1.000 s
  Active_Adver_Interval   1.000 s
  Skew_Time               0.609 s
  Active_Down_Interval    3.609 s
  addresses
    192.168.4.80/24 absent
  peers
    ADDRESS        PRIORITY  INTERVAL  ADVERTS  HEARD FIRST   HEARD LAST
    192.168.4.100  150       1.000 s   191      3 m 13 s ago  0.4 s ago
      checksum pseudo-header
  counters
    advertisements_received  191
  warning  192.168.4.100 advertises every 2s, we every 1s
  remedy   make it the same
"
        );
    }

    #[test]
    fn counters_of_zero_are_shown_when_asked_for() {
        let text = |all| instances(&[active("a")], all, now(), Style::Plain);
        assert!(!text(false).contains("checksum_errors"));
        assert!(
            text(true).contains("    advertisements_sent  192\n    checksum_errors      0\n"),
            "{}",
            text(true)
        );
    }

    #[test]
    fn instances_are_apart_and_none_is_said() {
        let text = instances(&[active("a"), active("b")], false, now(), Style::Plain);
        assert!(text.contains("  peers                   none\n"), "{text}");
        assert!(text.contains("\n\nb: Active since"), "{text}");
        assert_eq!(
            instances(&[], false, now(), Style::Plain),
            "no instances: the configuration has no [vrrp.NAME]\n"
        );
    }
}
