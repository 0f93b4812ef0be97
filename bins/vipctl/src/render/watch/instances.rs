//! What is told of instances.

use std::time::SystemTime;

use vipkit_control::common::Running;
use vipkit_control::monitor::Update;
use vipkit_control::vrrp::{Address, Daemon, Held, Instance, Monitor, Peer, Tracker};

use super::{Lines, Told};
use crate::render::notice::{self, SHOWN};
use crate::render::text::{Cell, Tone, plain};
use crate::render::time;
use crate::render::vrrp::trackers;

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
    for (tone, words) in
        addresses(before, after).into_iter().chain(peers(before, after)).chain(priority(before, after))
    {
        lines.add(name, &[(tone, words)]);
    }
    if settings(before) != settings(after) {
        lines.add(name, &[plain("settings changed")]);
    }
    lines.notices(name, ("fault", Tone::Bad), &before.faults, &after.faults);
    lines.notices(name, ("warning", Tone::Odd), &before.warnings, &after.warnings);
    lines.notices(name, ("hint", Tone::Plain), &before.hints, &after.hints);
}

/// Those that came and went; of many at once how many there are, at the beginning and the end of it: vrrpd moves a few at
/// a time.
fn addresses(before: &Instance, after: &Instance) -> Vec<Cell> {
    let was = |address: &Address| before.addresses.iter().any(|a| a.address == address.address && a.present);
    let is = |address: &Address| after.addresses.iter().any(|a| a.address == address.address && a.present);
    let gone: Vec<_> = before.addresses.iter().filter(|address| address.present && !is(address)).collect();
    let came: Vec<_> = after.addresses.iter().filter(|address| address.present && !was(address)).collect();
    let (old, new) = (before.addresses_present, after.addresses_present);
    let are_all = old.saturating_add(came.len() as u64) == new.saturating_add(gone.len() as u64);
    if are_all && gone.len() + came.len() <= SHOWN {
        let gone = gone.into_iter().map(|a| plain(format!("{} gone from {}", a.address, before.place)));
        let came = came.into_iter().map(|address| {
            let whose = if address.ours { "" } else { ", not from vrrpd" };
            plain(format!("{} present on {}{whose}", address.address, after.place))
        });
        return gone.chain(came).collect();
    }
    let is_end = |instance: &Instance| [0, instance.address_count].contains(&instance.addresses_present);
    if old != new && (is_end(before) || is_end(after)) {
        let words = format!("{new} of {} addresses present on {}", after.address_count, after.place);
        return vec![plain(words)];
    }
    Vec::new()
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

/// The configured and the effective priority, and what of what is tracked changed the latter.
fn priority(before: &Instance, after: &Instance) -> Vec<Cell> {
    let is_effective = |instance: &Instance| instance.priority == instance.effective_priority;
    let (old, new) = (before.effective_priority, after.effective_priority);
    let configured = (before.priority != after.priority)
        .then(|| plain(format!("priority {} -> {}", before.priority, after.priority)));
    let effective = (old != new && !(is_effective(before) && is_effective(after))).then(|| {
        let was = |tracker: &Tracker| {
            before.trackers.iter().any(|t| is_same(t, tracker) && t.change == tracker.change)
        };
        let news = after.trackers.iter().filter(|tracker| !was(tracker));
        let why: Vec<_> = news.map(|t| format!("{}: {}", trackers::name(t), t.reason)).collect();
        let why = if why.is_empty() { String::new() } else { format!(" ({})", why.join("; ")) };
        (if new < old { Tone::Odd } else { Tone::Plain }, format!("effective priority {old} -> {new}{why}"))
    });
    configured.into_iter().chain(effective).collect()
}

fn is_same(one: &Tracker, other: &Tracker) -> bool {
    (one.kind, &one.name) == (other.kind, &other.name)
}

/// What only a reload changes.
fn settings(instance: &Instance) -> impl PartialEq + '_ {
    let Instance { interface, virtual_router_id, version, preempt, accept, strict, .. } = instance;
    let Instance { advertisement_interval, checksum, authentication, hmac, unicast_peers, .. } = instance;
    let virtual_mac = instance.virtual_mac.as_ref().map(|mac| (&mac.interface, &mac.adverts_from));
    let addresses = instance.addresses.iter().map(|address| (&address.address, address.advertised));
    let held = |all: &'_ [Held]| all.iter().map(|held| held.what.clone()).collect::<Vec<_>>();
    (
        (interface, virtual_router_id, version, preempt, accept, strict, virtual_mac),
        (advertisement_interval, checksum, authentication, hmac, unicast_peers),
        (instance.address_count, addresses.collect::<Vec<_>>()),
        (held(&instance.routes), held(&instance.rules)),
        instance.trackers.iter().map(|t| (t.kind, &t.name, t.weight)).collect::<Vec<_>>(),
    )
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
    use crate::testing::{
        active, address, backup, daemon, held, notice, peer, tracker, tracker_down, with_addresses,
    };

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
        let after =
            with_addresses(addresses, Instance { priority: 90, effective_priority: 90, ..active("VI_1") });
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
    fn what_lowers_the_priority_is_told() {
        let with = |effective_priority, trackers| Instance { effective_priority, trackers, ..active("VI_1") };
        let well = || with(100, vec![tracker("db"), tracker("nginx")]);
        let down = || with(40, vec![tracker("db"), tracker_down("nginx")]);
        assert_eq!(said(well(), down()), ["effective priority 100 -> 40 (check nginx: refused)"]);
        assert_eq!(said(down(), well()), ["effective priority 40 -> 100 (check nginx: connected)"]);
        assert_eq!(
            said(down(), Instance { priority: 120, effective_priority: 60, ..down() }),
            ["priority 100 -> 120", "effective priority 40 -> 60"]
        );
    }

    #[test]
    fn many_addresses_are_told_at_the_beginning_and_the_end() {
        let shown = |present| {
            let addresses = (0..256).map(|n| address(&format!("10.0.0.{n}/32"), n < present, n < present));
            Instance { address_count: 4000, ..with_addresses(addresses.collect(), active("VI_1")) }
        };
        let with = |present: u64| Instance {
            addresses_present: present,
            ..shown(usize::try_from(present).unwrap())
        };
        assert_eq!(said(with(0), with(16)), ["16 of 4000 addresses present on eth0"]);
        assert_eq!(said(with(16), with(32)), [""; 0]);
        assert_eq!(said(with(3990), with(4000)), ["4000 of 4000 addresses present on eth0"]);
        assert_eq!(said(with(4000), with(3999)), ["3999 of 4000 addresses present on eth0"]);
        assert_eq!(said(with(7), with(0)).len(), 7, "a few are named");
    }

    #[test]
    fn each_setting_that_a_reload_changes_is_one() {
        for change in [
            (|i| i.accept = false) as fn(&mut Instance),
            |i| i.strict = true,
            |i| i.authentication = "pass".to_owned(),
            |i| i.routes.push(held("default via 10.0.0.1", true)),
            |i| i.rules.push(held("from 10.0.0.1/32", true)),
            |i| i.trackers.push(tracker("nginx")),
            |i| i.address_count = 2,
            |i| i.addresses[0].advertised = false,
        ] {
            let mut after = active("VI_1");
            change(&mut after);
            assert_eq!(said(active("VI_1"), after), ["settings changed"]);
        }
        let absent = Instance { routes: vec![held("default", false)], ..active("VI_1") };
        let present = Instance { routes: vec![held("default", true)], ..active("VI_1") };
        assert_eq!(said(absent, present), [""; 0]);
    }

    #[test]
    fn what_only_counts_is_not_told() {
        let mut later = Instance { timer: Some(0.5), ..active("VI_1") };
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
