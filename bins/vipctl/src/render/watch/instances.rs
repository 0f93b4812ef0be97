//! What is told of instances.

use std::time::SystemTime;

use vipkit_control::common::Running;
use vipkit_control::monitor::Update;
use vipkit_control::vrrp::{Address, Daemon, Instance, Monitor, Peer};

use super::{Lines, Told};
use crate::render::notice;
use crate::render::text::{Cell, Tone, plain};
use crate::render::time;

impl Told for Instance {
    type Monitor = Monitor;
    type Daemon = Daemon;
    const TELLER: &'static str = "vrrpd";

    fn update(Monitor { step, sequence, daemon, instances, removed }: Monitor) -> Update<Daemon, Self> {
        Update { step, sequence, daemon, objects: instances, removed }
    }

    fn running(daemon: &Daemon) -> &Running {
        &daemon.running
    }

    fn level(&self, now: SystemTime, lines: &mut Lines) {
        let (tone, state) = notice::state(self.state);
        let since = time::lasting(&self.since, now);
        lines.add(&self.name, &[(tone, state.to_owned()), plain(format!(" {since}: {}", self.reason))]);
    }

    fn added(&self) -> Vec<Cell> {
        let (tone, state) = notice::state(self.state);
        vec![(tone, state.to_owned()), plain(format!(": {}", self.reason))]
    }

    fn changes(before: &Self, after: &Self, lines: &mut Lines) {
        changes(before, after, lines);
    }
}

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
    lines.notices(name, ("fault", Tone::Bad), &before.faults, &after.faults);
    lines.notices(name, ("warning", Tone::Odd), &before.warnings, &after.warnings);
    lines.notices(name, ("hint", Tone::Plain), &before.hints, &after.hints);
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
    use vipkit_control::common::Notice;
    use vipkit_control::monitor::Step;
    use vipkit_control::vrrp::State;

    use super::*;
    use crate::daemons::object::Object;
    use crate::render::watch::Story;
    use crate::render::watch::testing::{self, begun, step, tell};
    use crate::testing::{active, address, backup, daemon, notice, peer};

    fn said(before: Instance, after: Instance) -> Vec<String> {
        testing::said(daemon(), before, after)
    }

    #[test]
    fn it_begins_with_a_line_an_instance() {
        assert_eq!(
            begun(daemon(), vec![backup("mail"), active("VI_1")]).1,
            "\
03:00:00Z  vrrpd         on web1, version 0.1.0, digest 0a1b2c3d4e5f
03:00:00Z  VI_1          Active for 3 m 12 s: no advert for 3.609 s
03:00:00Z  mail          Backup for 3 m 12 s: 192.168.4.100 has priority 150
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
        let (mut story, _) = begun(daemon(), vec![before]);
        let mut reloaded = daemon();
        reloaded.running.digest = "111111111111".to_owned();
        let new = Instance { state: State::Initialize, reason: "not started".to_owned(), ..active("new") };
        let text = tell(&mut story, step(Step::Change, Some(reloaded), vec![new], &["VI_1", "never"]));
        assert_eq!(
            text,
            "\
03:00:00Z  vrrpd         reloaded, digest 0a1b2c3d4e5f -> 111111111111
03:00:00Z  new           added: Initialize: not started
03:00:00Z  VI_1          removed
"
        );
    }

    #[test]
    fn what_only_counts_is_not_told() {
        let mut later = active("VI_1");
        later.counters.insert("advertisements_sent".to_owned(), 500);
        assert_eq!(said(active("VI_1"), later), Vec::<String>::new());
        let (mut story, _) = begun::<Instance>(daemon(), vec![]);
        assert_eq!(tell(&mut story, step(Step::Change, Some(daemon()), vec![], &[])), "");
    }

    #[test]
    fn a_new_begin_forgets() {
        let (mut story, _) = begun(daemon(), vec![active("VI_1")]);
        tell(&mut story, step(Step::Begin, Some(daemon()), vec![], &[]));
        assert_eq!(tell(&mut story, step(Step::Level, None, vec![], &[])), "");
    }

    #[test]
    fn memory_is_bounded() {
        let mut story = Story::<Instance>::default();
        let many = (0..=Instance::MOST).map(|number| active(&number.to_string())).collect();
        tell(&mut story, step(Step::Page, None, many, &[]));
        assert_eq!(story.objects.len(), Instance::MOST);
    }
}
