//! `vipctl watch`: the steps of a Monitor as one line for each thing that changed. Remembers the instances as they were
//! last shown, at most [`INSTANCES_MAX`] of them, and nothing older.

use std::collections::BTreeMap;
use std::time::SystemTime;

use vipkit_config::INSTANCES_MAX;
use vipkit_control::vrrp::{Address, Daemon, Instance, Monitor, Notice, Peer, Step};

use super::notice;
use super::text::{Cell, Style, Text, Tone, plain};
use super::time;

/// What was told so far.
#[derive(Debug, Default)]
pub struct Story {
    digest: String,
    instances: BTreeMap<String, Instance>,
}

impl Story {
    /// Goes on with a step; what it says, as text.
    pub fn tell(&mut self, step: Monitor, now: SystemTime, style: Style) -> String {
        let mut lines = Lines { text: Text::new(style), now: time::stamp(now) };
        match step.step {
            Step::Begin => self.begin(step.daemon, &mut lines),
            Step::Page => self.keep(step.instances),
            Step::Level => {
                for instance in self.instances.values() {
                    let (tone, state) = notice::state(instance.state);
                    let since = time::since(&instance.since, now);
                    let since = since.map_or_else(|| instance.since.clone(), |span| format!("for {span}"));
                    lines.add(
                        &instance.name,
                        &[(tone, state.to_owned()), plain(format!(" {since}: {}", instance.reason))],
                    );
                }
            }
            Step::Change => self.change(step, &mut lines),
        }
        lines.text.finish()
    }

    fn begin(&mut self, daemon: Option<Daemon>, lines: &mut Lines) {
        self.instances.clear();
        if let Some(Daemon { node, version, digest, .. }) = daemon {
            lines.add("vrrpd", &[plain(format!("on {node}, version {version}, digest {digest}"))]);
            self.digest = digest;
        }
    }

    fn keep(&mut self, instances: Vec<Instance>) {
        for instance in instances {
            if self.instances.len() < INSTANCES_MAX || self.instances.contains_key(&instance.name) {
                self.instances.insert(instance.name.clone(), instance);
            }
        }
    }

    fn change(&mut self, step: Monitor, lines: &mut Lines) {
        if let Some(Daemon { digest, .. }) = step.daemon
            && digest != self.digest
        {
            lines.add("vrrpd", &[plain(format!("reloaded, digest {} -> {digest}", self.digest))]);
            self.digest = digest;
        }
        for instance in &step.instances {
            match self.instances.get(&instance.name) {
                Some(before) => changes(before, instance, lines),
                None => {
                    let (tone, state) = notice::state(instance.state);
                    let words =
                        [plain("added: "), (tone, state.to_owned()), plain(format!(": {}", instance.reason))];
                    lines.add(&instance.name, &words);
                }
            }
        }
        for name in &step.removed {
            if self.instances.remove(name).is_some() {
                lines.add(name, &[plain("removed")]);
            }
        }
        self.keep(step.instances);
    }
}

/// The lines of one step, all of one moment.
struct Lines {
    text: Text,
    now: String,
}

impl Lines {
    fn add(&mut self, name: &str, words: &[Cell]) {
        self.text
            .put(Tone::Faint, &self.now)
            .skip(2)
            .say(name)
            .skip(NAME.saturating_sub(name.chars().count()))
            .skip(2);
        for (tone, words) in words {
            self.text.put(*tone, words);
        }
        self.text.end();
    }
}

/// Names up to this long are aligned.
const NAME: usize = 8;

/// What differs, in the order in which it matters.
fn changes(before: &Instance, after: &Instance, lines: &mut Lines) {
    let name = &after.name;
    let (old, new) = (notice::state(before.state), notice::state(after.state));
    let cell = |(tone, state): (Tone, &str)| (tone, state.to_owned());
    let reason = plain(format!(": {}", after.reason));
    if old != new {
        lines.add(name, &[plain(format!("{} -> ", old.1)), cell(new), reason]);
    } else if before.since != after.since {
        lines.add(name, &[cell(new), plain(" again"), reason]);
    }
    for (tone, words) in addresses(before, after).into_iter().chain(peers(before, after)) {
        lines.add(name, &[(tone, words)]);
    }
    if before.priority != after.priority {
        lines.add(name, &[plain(format!("priority {} -> {}", before.priority, after.priority))]);
    }
    if settings(before) != settings(after) {
        lines.add(name, &[plain("settings changed")]);
    }
    for (label, tone, before, after) in [
        ("fault", Tone::Bad, &before.faults, &after.faults),
        ("warning", Tone::Odd, &before.warnings, &after.warnings),
        ("hint", Tone::Plain, &before.hints, &after.hints),
    ] {
        for Notice { what, remedy } in after.iter().filter(|notice| !before.contains(notice)) {
            lines.add(name, &[(tone, format!("{label}: ")), plain(format!("{what} (remedy: {remedy})"))]);
        }
        for Notice { what, .. } in before.iter().filter(|notice| !after.contains(notice)) {
            lines.add(name, &[(Tone::Good, format!("{label} gone: ")), plain(what)]);
        }
    }
}

fn addresses(before: &Instance, after: &Instance) -> Vec<Cell> {
    let was = |address: &Address| before.addresses.iter().any(|a| a.address == address.address && a.present);
    let is = |address: &Address| after.addresses.iter().any(|a| a.address == address.address && a.present);
    let gone = before.addresses.iter().filter(|address| address.present && !is(address));
    let gone = gone.map(|address| plain(format!("{} gone from {}", address.address, before.interface)));
    let came = after.addresses.iter().filter(|address| address.present && !was(address));
    let came = came.map(|address| {
        let whose = if address.ours { "" } else { ", not from vrrpd" };
        plain(format!("{} present on {}{whose}", address.address, after.interface))
    });
    gone.chain(came).collect()
}

fn peers(before: &Instance, after: &Instance) -> Vec<Cell> {
    let news = |peer: &Peer| {
        let Peer { address, priority, .. } = peer;
        match before.peers.iter().find(|known| known.address == *address) {
            None => Some(plain(format!("peer {address} heard, priority {priority}"))),
            Some(known) if known.priority != *priority => {
                Some(plain(format!("peer {address} priority {} -> {priority}", known.priority)))
            }
            Some(_) => None,
        }
    };
    after.peers.iter().filter_map(news).collect()
}

/// What only a reload changes.
fn settings(instance: &Instance) -> impl PartialEq + '_ {
    let Instance {
        interface,
        virtual_router_id,
        version,
        preempt,
        checksum,
        advertisement_interval,
        addresses,
        ..
    } = instance;
    let addresses: Vec<_> = addresses.iter().map(|address| &address.address).collect();
    (interface, virtual_router_id, version, preempt, checksum, advertisement_interval, addresses)
}

#[cfg(test)]
mod tests {
    use vipkit_control::vrrp::State;

    use super::*;
    use crate::testing::{active, address, backup, daemon, notice, now, peer};

    fn step(step: Step, daemon: Option<Daemon>, instances: Vec<Instance>, removed: &[&str]) -> Monitor {
        let removed = removed.iter().map(|name| (*name).to_owned()).collect();
        Monitor { step, sequence: 1, daemon, instances, removed }
    }

    /// A story with these instances, and how it began.
    fn begun(instances: Vec<Instance>) -> (Story, String) {
        let mut story = Story::default();
        let steps = [
            step(Step::Begin, Some(daemon()), vec![], &[]),
            step(Step::Page, None, instances, &[]),
            step(Step::Level, None, vec![], &[]),
        ];
        let text = steps.map(|step| story.tell(step, now(), Style::Plain)).concat();
        (story, text)
    }

    /// What is said when `before` becomes `after`, without time and name.
    fn said(before: Instance, after: Instance) -> Vec<String> {
        let (mut story, _) = begun(vec![before]);
        let text = story.tell(step(Step::Change, None, vec![after], &[]), now(), Style::Plain);
        text.lines()
            .map(|line| line.strip_prefix("2026-02-03T03:00:00Z  VI_1      ").expect("a head").to_owned())
            .collect()
    }

    #[test]
    fn it_begins_with_a_line_an_instance() {
        assert_eq!(
            begun(vec![backup("mail"), active("VI_1")]).1,
            "\
2026-02-03T03:00:00Z  vrrpd     on web1, version 0.1.0, digest 0a1b2c3d4e5f
2026-02-03T03:00:00Z  VI_1      Active for 3 m 12 s: no advert for 3.609 s
2026-02-03T03:00:00Z  mail      Backup for 3 m 12 s: 192.168.4.100 has priority 150
"
        );
    }

    #[test]
    fn a_takeover_is_state_address_and_peer() {
        assert_eq!(
            said(backup("VI_1"), Instance { peers: vec![peer("192.168.4.100", 0)], ..active("VI_1") }),
            [
                "Backup -> Active: no advert for 3.609 s",
                "192.168.4.80/24 present on eth0",
                "peer 192.168.4.100 priority 150 -> 0",
            ]
        );
        assert_eq!(
            said(active("VI_1"), backup("VI_1")),
            [
                "Active -> Backup: 192.168.4.100 has priority 150",
                "192.168.4.80/24 gone from eth0",
                "peer 192.168.4.100 heard, priority 150",
            ]
        );
    }

    #[test]
    fn what_came_and_went_between_two_steps_is_not_lost() {
        let again = Instance { since: "2026-02-03T02:59:59.000Z".to_owned(), ..active("VI_1") };
        assert_eq!(said(active("VI_1"), again), ["Active again: no advert for 3.609 s"]);
    }

    #[test]
    fn notices_come_and_go() {
        let with =
            |notices: Vec<Notice>| Instance { warnings: notices.clone(), faults: notices, ..active("VI_1") };
        assert_eq!(
            said(with(vec![notice("cold", "heat")]), with(vec![notice("hot", "cool")])),
            [
                "fault: hot (remedy: cool)",
                "fault gone: cold",
                "warning: hot (remedy: cool)",
                "warning gone: cold",
            ]
        );
    }

    #[test]
    fn a_reload_is_told() {
        let before = active("VI_1");
        let addresses = vec![address("192.168.4.80/24", true, true), address("192.168.4.81/24", true, false)];
        let after = Instance { priority: 90, addresses, ..active("VI_1") };
        assert_eq!(
            said(before.clone(), after),
            ["192.168.4.81/24 present on eth0, not from vrrpd", "priority 100 -> 90", "settings changed"]
        );
        let (mut story, _) = begun(vec![before]);
        let reloaded = Daemon { digest: "111111111111".to_owned(), ..daemon() };
        let new = Instance { state: State::Initialize, reason: "not started".to_owned(), ..active("new") };
        let text = story.tell(
            step(Step::Change, Some(reloaded), vec![new], &["VI_1", "never"]),
            now(),
            Style::Plain,
        );
        assert_eq!(
            text,
            "\
2026-02-03T03:00:00Z  vrrpd     reloaded, digest 0a1b2c3d4e5f -> 111111111111
2026-02-03T03:00:00Z  new       added: Initialize: not started
2026-02-03T03:00:00Z  VI_1      removed
"
        );
    }

    #[test]
    fn what_only_counts_is_not_told() {
        let mut later = active("VI_1");
        later.counters.insert("advertisements_sent".to_owned(), 500);
        assert_eq!(said(active("VI_1"), later), Vec::<String>::new());
        let (mut story, _) = begun(vec![]);
        assert_eq!(story.tell(step(Step::Change, Some(daemon()), vec![], &[]), now(), Style::Plain), "");
    }

    #[test]
    fn a_new_begin_forgets() {
        let (mut story, _) = begun(vec![active("VI_1")]);
        story.tell(step(Step::Begin, Some(daemon()), vec![], &[]), now(), Style::Plain);
        assert_eq!(story.tell(step(Step::Level, None, vec![], &[]), now(), Style::Plain), "");
    }

    #[test]
    fn memory_is_bounded() {
        let mut story = Story::default();
        let many = (0..=INSTANCES_MAX).map(|number| active(&number.to_string())).collect();
        story.tell(step(Step::Page, None, many, &[]), now(), Style::Plain);
        assert_eq!(story.instances.len(), INSTANCES_MAX);
    }
}
