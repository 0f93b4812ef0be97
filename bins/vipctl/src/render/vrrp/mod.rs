//! `vipctl vrrp`: everything about each instance, in the words of RFC 9568, and how punctual vrrpd is.

mod facts;
mod holdings;
mod peers;
pub mod trackers;

use std::time::SystemTime;

use serde::Serialize;
use vipkit_control::vrrp::{Daemon, Instance};
use vipkit_core::vrrp::Reject;

use super::notice::{self, INDENT, SHOWN};
use super::text::{HANGING, Style, Text, Tone, plain};
use super::time;

/// From a label to its words: the longest name of a timer, and a gap.
const LABEL: usize = 24;

/// How much is shown of what may be long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// What there is room for, where there are several instances.
    Brief,
    /// What a person reads of one.
    One,
    /// All, counters that are zero too.
    All,
}

impl Extent {
    /// Most addresses, and routes and rules, that are listed.
    const fn listed(self) -> usize {
        match self {
            Self::Brief => SHOWN,
            Self::One => 100,
            Self::All => usize::MAX,
        }
    }

    /// What shows more.
    const fn wider(self) -> &'static str {
        match self {
            Self::Brief => "",
            Self::One | Self::All => " --all",
        }
    }
}

/// As text.
#[must_use]
pub fn instances(
    daemon: &Daemon,
    instances: &[Instance],
    extent: Extent,
    now: SystemTime,
    style: Style,
) -> String {
    let mut text = Text::new(style);
    if instances.is_empty() {
        text.say("no instances: the configuration has no [vrrp.NAME]").end();
    }
    for instance in instances {
        show(&mut text, instance, extent, now);
        text.end();
    }
    let [latest, max] = [daemon.lateness, daemon.lateness_max].map(time::took);
    let node = &daemon.running.node;
    let words = format!("vrrpd on {node}: its latest deadline was served {latest} late, at worst {max}");
    text.fold(&[plain(words)], HANGING);
    text.finish()
}

fn show(text: &mut Text, instance: &Instance, extent: Extent, now: SystemTime) {
    let (tone, state) = notice::state(instance.state);
    let since = format!(" since {} ({})", instance.since, time::ago(&instance.since, now));
    text.fold(&[plain(format!("{}: ", instance.name)), (tone, state.to_owned()), plain(since)], HANGING);
    for (label, words) in facts::facts(instance) {
        text.entry(plain(label), plain(words), INDENT, LABEL);
    }
    trackers::show(text, instance, now);
    holdings::show(text, instance, extent);
    peers::peers(text, instance, now);
    peers::refused(text, &instance.refused, now);
    counters(text, instance, extent);
    notice::notices(text, instance);
}

/// Those of adverts, those of refused adverts, and the rest; zeros only if all is asked for.
fn counters(text: &mut Text, instance: &Instance, extent: Extent) {
    let shown = instance.counters.iter().filter(|&(_, &count)| extent == Extent::All || count > 0);
    let (rejected, others): (Vec<_>, Vec<_>) =
        shown.partition(|(name, _)| Reject::NAMES.contains(&name.as_str()));
    let (adverts, others): (Vec<_>, Vec<_>) = others.into_iter().partition(|(name, _)| is_of_adverts(name));
    for (label, counters) in [("adverts", adverts), ("rejected", rejected), ("counters", others)] {
        if counters.is_empty() {
            none(text, label);
            continue;
        }
        let row = |(name, count): (&String, &u64)| vec![plain(name), plain(count.to_string())];
        text.skip(INDENT).say(label).end();
        text.table(&counters.into_iter().map(row).collect::<Vec<_>>(), INDENT * 2);
    }
}

fn is_of_adverts(name: &str) -> bool {
    ["advertisements_", "priority_zero_", "other_"].iter().any(|start| name.starts_with(start))
}

fn none(text: &mut Text, label: &str) {
    text.entry(plain(label), (Tone::Faint, "none".to_owned()), INDENT, LABEL);
}

/// As JSON: the daemon and the instances as it gave them.
#[must_use]
pub fn json<'a>(daemon: &'a Daemon, instances: &'a [Instance]) -> impl Serialize + 'a {
    #[derive(Serialize)]
    struct All<'a> {
        daemon: &'a Daemon,
        instances: &'a [Instance],
    }
    All { daemon, instances }
}

#[cfg(test)]
mod tests {
    use vipkit_control::vrrp::{self as wire, Address, Refusal, UnicastPeer};

    use super::*;
    use crate::testing::{
        active, address, backup, daemon, held, notice, now, peer, too_wide, tracker, tracker_down,
        with_addresses,
    };

    fn shown(all: &[Instance], extent: Extent) -> String {
        let text = instances(&daemon(), all, extent, now(), Style::Plain);
        assert_eq!(too_wide(&text), Vec::<&str>::new(), "\n{text}");
        text
    }

    /// The part of a text from a line to the one that begins with another.
    fn part<'t>(text: &'t str, from: &str, to: &str) -> &'t str {
        let from = text.find(from).unwrap_or_else(|| panic!("{from}: {text}"));
        let rest = &text[from..];
        &rest[..rest.find(to).unwrap_or(rest.len())]
    }

    #[test]
    fn everything_about_a_backup() {
        let mut backup = backup("VI_1");
        backup.warnings.push(notice("192.168.4.100 advertises every 2s, we every 1s", "make it the same"));
        assert_eq!(
            shown(&[backup], Extent::One),
            "\
VI_1: Backup since 2026-02-03T02:56:48.000Z (3 m 12 s ago)
  reason                  192.168.4.100 has priority 150
  virtual router          VRID 51, IPv4, version 3
  priority                100, preempts
  Accept_Mode             on
  interface               eth0
  source                  192.168.4.100
  adverts to              multicast
  checksum                pseudo-header
  authentication          none
  Advertisement_Interval  1.000 s
  Active_Adver_Interval   1.000 s
  Skew_Time               0.609 s
  Active_Down_Interval    3.609 s
  Active_Down_Timer       fires in 3.250 s
  addresses
    192.168.4.80/24 absent
  peers
    ADDRESS        PRIORITY  INTERVAL  LAST HEARD
    192.168.4.100  150       1.000 s   0.4 s ago
      version 3, checksum pseudo-header, 191 adverts since 3 m 13 s ago
  adverts
    advertisements_received  191
  rejected                none
  counters                none
  warning  192.168.4.100 advertises every 2s, we every 1s
  remedy   make it the same

vrrpd on web1: its latest deadline was served 0.1 ms late, at worst 2.0 ms
"
        );
    }

    /// An instance with all that there can be, in IPv6.
    fn full() -> Instance {
        const SELF: &str = "fe80::5054:ff:fe12:3456";
        let global = |n: u16| format!("2001:db8:1111:2222:3333:4444:5555:{:04x}", 0x6660 + n);
        let refusal = |address: &str, reason: &str, counter: &str| Refusal {
            address: address.to_owned(),
            counter: counter.to_owned(),
            reason: reason.to_owned(),
            last: "2026-02-03T02:59:58.500Z".to_owned(),
        };
        let unicast = |n, min_ttl| UnicastPeer { address: global(n), min_ttl };
        let beside = Address { advertised: false, ..address(&format!("{}/128", global(9)), true, false) };
        let instance = Instance {
            interface: "enp129s0f0.1001".to_owned(),
            place: "vrrp6.251".to_owned(),
            virtual_router_id: 251,
            family: "IPv6".to_owned(),
            accept: false,
            strict: true,
            authentication: "hmac".to_owned(),
            hmac: Some(wire::Hmac {
                mode: "enforce".to_owned(),
                active_key: 2,
                keys: vec![1, 2, 255],
                replay_protection: "time".to_owned(),
                time_window: Some(5.0),
            }),
            checksum: None,
            source: Some(SELF.to_owned()),
            unicast_peers: vec![unicast(1, 255), unicast(2, 1), unicast(3, 254)],
            virtual_mac: Some(wire::VirtualMac {
                interface: "vrrp6.251".to_owned(),
                mac: "00:00:5e:00:02:fb".to_owned(),
                adverts_from: "interface".to_owned(),
                present: true,
                up: true,
            }),
            routes: vec![held(&format!("default via {} dev vrrp6.251 table 100", global(8)), true)],
            rules: vec![
                held(&format!("from {}/128 table 100 priority 1000", global(7)), true),
                held("fwmark 0x7/0xff table 100 priority 1001", false),
            ],
            peers: vec![wire::Peer {
                checksum: None,
                key_id: Some(1),
                other_addresses: true,
                ..peer(&global(1), 200)
            }],
            refused: vec![
                refusal(&global(2), "HMAC with key 7, which we do not have", "hmac_unknown_key_errors"),
                refusal("fe80::1", "fe80::1 is none of the unicast peers", "peer_errors"),
            ],
            counters: [
                ("advertisements_received", 12),
                ("advertisements_sent", 192),
                ("announcements_sent", 15),
                ("became_active", 1),
                ("hmac_unknown_key_errors", 1_234_567),
                ("other_addresses", 12),
                ("peer_errors", 3),
                ("send_errors", 0),
            ]
            .map(|(name, count)| (name.to_owned(), count))
            .into(),
            ..active("v6")
        };
        let addresses = vec![address("fe80::fb/64", true, true), beside];
        with_addresses(addresses, instance)
    }

    #[test]
    fn everything_about_an_active_with_all_that_there_can_be() {
        assert_eq!(
            shown(&[full()], Extent::One),
            "\
v6: Active since 2026-02-03T02:56:48.000Z (3 m 12 s ago)
  reason                  no advert for 3.609 s
  virtual router          VRID 251, IPv6, version 3, strict
  priority                100, preempts
  Accept_Mode             off
  interface               enp129s0f0.1001
  virtual MAC             00:00:5e:00:02:fb on vrrp6.251 (up), adverts from
                          enp129s0f0.1001
  source                  fe80::5054:ff:fe12:3456
  adverts to              3 unicast peers
  authentication          hmac, enforce
  HMAC keys               1, 2 (active), 255
  replay protection       time, window 5.000 s
  Advertisement_Interval  1.000 s
  Active_Adver_Interval   1.000 s
  Skew_Time               0.609 s
  Active_Down_Interval    3.609 s
  Adver_Timer             fires in 0.250 s
  addresses
    fe80::fb/64 present
    2001:db8:1111:2222:3333:4444:5555:6669/128 present, not from vrrpd, not
    advertised
  routes
    default via 2001:db8:1111:2222:3333:4444:5555:6668 dev vrrp6.251 table 100
    present
  rules
    fwmark 0x7/0xff table 100 priority 1001 absent
    from 2001:db8:1111:2222:3333:4444:5555:6667/128 table 100 priority 1000
    present
  peers
    ADDRESS                                 PRIORITY  INTERVAL  LAST HEARD
    2001:db8:1111:2222:3333:4444:5555:6661  200       1.000 s   0.4 s ago
      version 3, HMAC key 1, 191 adverts since 3 m 13 s ago, TTL 255 at least,
      other addresses than ours
    2001:db8:1111:2222:3333:4444:5555:6662  -         -         never
    2001:db8:1111:2222:3333:4444:5555:6663  -         -         never
      TTL 254 at least
  refused lately
    2001:db8:1111:2222:3333:4444:5555:6662  1.5 s ago
      HMAC with key 7, which we do not have (hmac_unknown_key_errors)
    fe80::1                                 1.5 s ago
      fe80::1 is none of the unicast peers (peer_errors)
  adverts
    advertisements_received  12
    advertisements_sent      192
    other_addresses          12
  rejected
    hmac_unknown_key_errors  1234567
    peer_errors              3
  counters
    announcements_sent  15
    became_active       1
  warning  rule \"fwmark 0x7/0xff table 100 priority 1001\" is not in the kernel,
           though the instance is Active
  remedy   vrrpd puts back at once what is missing; if it does not,
           `journalctl -u vrrpd` says why

vrrpd on web1: its latest deadline was served 0.1 ms late, at worst 2.0 ms
"
        );
    }

    #[test]
    fn each_tracker_with_what_it_does_and_why() {
        let trackers = vec![
            tracker("db"),
            wire::Tracker { stale: true, ..tracker_down("nginx") },
            wire::Tracker { weight: None, change: 0, fault: true, ..tracker_down("app") },
            wire::Tracker { weight: None, state: wire::TrackedState::CouldNotRun, ..tracker("disk") },
            wire::Tracker {
                kind: wire::TrackerKind::Interface,
                weight: Some(20),
                change: 20,
                since: None,
                judged: None,
                state: wire::TrackedState::Unknown,
                ..tracker("eth1")
            },
        ];
        let text = shown(&[Instance { trackers, effective_priority: 40, ..active("a") }], Extent::One);
        assert!(text.contains("  priority                100, effective 40, preempts\n"), "{text}");
        assert_eq!(
            part(&text, "  trackers", "  addresses"),
            "  trackers
    TRACKED         STATE          EFFECT         SINCE
    check db        up             -60 if down    3 d 4 h ago
      connected
    check nginx     down, stale    -60            3 m 12 s ago
      refused
    check app       down           fault          3 m 12 s ago
      refused
    check disk      could not run  fault if down  3 d 4 h ago
      counts as up: connected
    interface eth1  unknown        +20            -
      not judged: connected
"
        );
    }

    #[test]
    fn of_many_addresses_those_in_the_wrong_place_come_first() {
        let addresses: Vec<_> = (0..4000)
            .map(|n| format!("10.0.{}.{}/32", n / 250, n % 250))
            .map(|a| address(&a, true, true))
            .collect();
        let mut many = with_addresses(addresses, active("many"));
        let listed = |instance: &Instance, extent| {
            part(&shown(std::slice::from_ref(instance), extent), "  addresses", "  peers").to_owned()
        };
        assert_eq!(
            listed(&many, Extent::Brief),
            "  addresses               4000, all present
    10.0.0.0/32 present
    10.0.0.1/32 present
    10.0.0.2/32 present
    10.0.0.3/32 present
    10.0.0.4/32 present
    10.0.0.5/32 present
    10.0.0.6/32 present
    10.0.0.7/32 present
    and 3992 more: `vipctl vrrp many`
"
        );
        (many.addresses[3000].present, many.addresses_present) = (false, 3999);
        let one = listed(&many, Extent::One);
        let lines: Vec<_> = one.lines().collect();
        assert_eq!(lines.len(), 102, "{one}");
        assert_eq!(lines[..2], ["  addresses               4000, 3999 present", "    10.0.12.0/32 absent"]);
        assert_eq!(lines[101], "    and 3900 more: `vipctl vrrp many --all`");
        assert_eq!(listed(&many, Extent::All).lines().count(), 4001);
        many.addresses.truncate(256);
        assert!(listed(&many, Extent::All).ends_with("    and 3744 more: `vipctl vrrp many --all`\n"));
    }

    #[test]
    fn of_many_routes_it_is_said_how_many_there_are() {
        let routes = (0..20).map(|n| held(&format!("10.{n}.0.0/16 via 10.0.0.1"), false)).collect();
        let backup = Instance { routes, ..backup("web") };
        let text = shown(&[backup], Extent::Brief);
        let routes = part(&text, "  routes", "  peers");
        assert!(
            routes.starts_with("  routes                  20, none present\n    10.0.0.0/16 via "),
            "{routes}"
        );
        assert!(routes.ends_with("    and 12 more: `vipctl vrrp web`\n"), "{routes}");
    }

    #[test]
    fn counters_of_zero_are_shown_when_asked_for() {
        let text = |extent| shown(&[active("a")], extent);
        assert!(text(Extent::One).contains("  rejected                none\n"));
        assert!(text(Extent::All).contains("  rejected\n    checksum_errors  0\n"), "{}", text(Extent::All));
    }

    #[test]
    fn what_is_simple_is_short() {
        let simple =
            Instance { version: 2, checksum: None, authentication: "pass".to_owned(), ..active("a") };
        let text = shown(&[simple], Extent::One);
        assert!(text.contains("  authentication          pass\n  Advertisement_Interval"), "{text}");
        for absent in
            ["checksum  ", "effective", "trackers", "virtual MAC", "routes", "rules", "refused", "HMAC"]
        {
            assert!(!text.contains(absent), "{absent}: {text}");
        }
        let down = wire::VirtualMac { up: false, ..full().virtual_mac.unwrap() };
        let text = shown(&[Instance { virtual_mac: Some(down), timer: None, ..backup("a") }], Extent::One);
        assert!(text.contains(" on vrrp6.251 (down), adverts from") && !text.contains("_Timer"), "{text}");
    }

    #[test]
    fn instances_are_apart_and_none_is_said() {
        let text = shown(&[active("a"), active("b")], Extent::Brief);
        assert!(text.contains("  peers                   none\n"), "{text}");
        assert!(text.contains("\n\nb: Active since"), "{text}");
        assert!(
            shown(&[], Extent::Brief).starts_with("no instances: the configuration has no [vrrp.NAME]\n")
        );
    }

    #[test]
    fn json_is_what_the_daemon_said() {
        let value = serde_json::to_value(json(&daemon(), &[active("a")])).unwrap();
        assert_eq!(value["daemon"]["lateness_max"], 0.002);
        assert_eq!(value["instances"][0]["timer"], 0.25);
    }
}
