//! The instances of a status: a row for each, and under it why it is so, who is heard, what is wrong and what helps.

use std::cmp::Ordering;
use std::time::SystemTime;

use vipkit_control::vrrp::{Instance, Peer};

use crate::render::notice::{self, INDENT, LABEL, SHOWN};
use crate::render::text::{Cell, Text, Tone, plain};
use crate::render::time;

/// All of them.
pub fn show(text: &mut Text, instances: &[Instance], now: SystemTime) {
    if instances.is_empty() {
        text.say("no instances: the configuration has no [vrrp.NAME]").end();
        return;
    }
    let head = ["NAME", "STATE", "SINCE", "PRIORITY", "VRID", "INTERFACE"];
    text.list(&head, instances, 0, |item| row(item, now), |text, item| details(text, item, now));
}

fn row(instance: &Instance, now: SystemTime) -> Vec<Cell> {
    let (tone, state) = notice::state(instance.state);
    let Instance { priority, effective_priority: effective, .. } = instance;
    let priority = match effective.cmp(priority) {
        Ordering::Less => (Tone::Odd, format!("{effective} of {priority}")),
        Ordering::Equal => plain(priority.to_string()),
        Ordering::Greater => plain(format!("{effective} of {priority}")),
    };
    vec![
        plain(&instance.name),
        (tone, state.to_owned()),
        plain(time::ago(&instance.since, now)),
        priority,
        plain(instance.virtual_router_id.to_string()),
        plain(&instance.interface),
    ]
}

fn details(text: &mut Text, instance: &Instance, now: SystemTime) {
    entries(text, "address", addresses(instance));
    // In state Fault the faults are the reason.
    if instance.faults.is_empty() {
        entries(text, "reason", vec![plain(&instance.reason)]);
    }
    let mut peers = notice::peers(instance, SHOWN, |peer| heard(peer, now));
    if peers.is_empty() {
        peers.push((Tone::Faint, "none heard".to_owned()));
    }
    entries(text, "peers", peers);
    notice::notices(text, instance);
}

/// A few are named; of many it is said how many are there. Which are not where they should be is a warning.
fn addresses(instance: &Instance) -> Vec<Cell> {
    if instance.addresses.len() > SHOWN {
        return vec![notice::tally(instance.address_count, instance.addresses_present, instance.state)];
    }
    notice::addresses(instance)
}

/// A line for each; the label stands at the first.
fn entries(text: &mut Text, label: &str, all: Vec<Cell>) {
    for (number, words) in all.into_iter().enumerate() {
        let label = if number == 0 { label } else { "" };
        text.entry((Tone::Faint, label.to_owned()), words, INDENT, LABEL);
    }
}

fn heard(peer: &Peer, now: SystemTime) -> Cell {
    let Peer { address, priority, last_heard, .. } = peer;
    plain(format!("{address}, priority {priority}, heard {}", time::ago(last_heard, now)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::text::Style;
    use crate::testing::{active, address, backup, notice, now, peer, too_wide, with_addresses};

    const FIREWALL: &str = "let protocol 112 in on every node: `firewall-cmd --permanent --add-protocol=vrrp && \
                            firewall-cmd --reload`, `nft insert rule inet filter input ip protocol 112 accept`, or \
                            `iptables -I INPUT -p 112 -j ACCEPT`";

    fn table(instances: Vec<Instance>) -> String {
        let mut text = Text::new(Style::Plain);
        show(&mut text, &instances, now());
        text.finish()
    }

    fn assert_text(text: &str, expected: &str) {
        assert_eq!(text, expected, "\n{text}");
        assert_eq!(too_wide(text), Vec::<&str>::new());
    }

    #[test]
    fn a_healthy_backup_shows_whom_it_hears() {
        assert_text(
            &table(vec![backup("VI_1")]),
            "\
NAME  STATE   SINCE         PRIORITY  VRID  INTERFACE
VI_1  Backup  3 m 12 s ago  100       51    eth0
  address  192.168.4.80/24 absent
  reason   192.168.4.100 has priority 150
  peers    192.168.4.100, priority 150, heard 0.4 s ago
",
        );
    }

    #[test]
    fn a_backup_that_hears_nothing_says_which_command_helps() {
        let hints = vec![notice("no advert was ever heard from an Active router", FIREWALL)];
        let deaf = Instance { reason: "started".to_owned(), peers: Vec::new(), hints, ..backup("VI_1") };
        assert_text(
            &table(vec![deaf]),
            "\
NAME  STATE   SINCE         PRIORITY  VRID  INTERFACE
VI_1  Backup  3 m 12 s ago  100       51    eth0
  address  192.168.4.80/24 absent
  reason   started
  peers    none heard
  hint     no advert was ever heard from an Active router
  remedy   let protocol 112 in on every node:
           `firewall-cmd --permanent --add-protocol=vrrp && firewall-cmd --reload`,
           `nft insert rule inet filter input ip protocol 112 accept`, or
           `iptables -I INPUT -p 112 -j ACCEPT`
",
        );
    }

    #[test]
    fn an_address_in_the_wrong_place_is_a_warning() {
        let addresses =
            vec![address("192.168.4.80/24", true, true), address("192.168.4.81/24", false, false)];
        let two = with_addresses(addresses, active("VI_1"));
        assert_text(
            &table(vec![two]),
            "\
NAME  STATE   SINCE         PRIORITY  VRID  INTERFACE
VI_1  Active  3 m 12 s ago  100       51    eth0
  address  192.168.4.81/24 absent
           192.168.4.80/24 present
  reason   no advert for 3.609 s
  peers    none heard
  warning  192.168.4.81/24 is not on eth0, though the instance is Active
  remedy   vrrpd puts back at once what is missing; if it does not,
           `journalctl -u vrrpd` says why
",
        );
    }

    #[test]
    fn many_instances_and_addresses_stay_aligned_and_bounded() {
        let addresses = (1..=12).map(|n| address(&format!("10.0.0.{n}/24"), n != 12, n != 12)).collect();
        let peers = (1..=10).map(|n| peer(&format!("192.168.4.{n}"), n)).collect();
        let large = with_addresses(addresses, Instance { peers, ..active("large") });
        let short = Instance {
            interface: "bond0.1001".to_owned(),
            virtual_router_id: 7,
            priority: 5,
            effective_priority: 5,
            ..backup("b")
        };
        assert_text(
            &table(vec![
                short,
                large,
                Instance { state: vipkit_control::vrrp::State::Initialize, ..backup("new") },
            ]),
            "\
NAME   STATE       SINCE         PRIORITY  VRID  INTERFACE
b      Backup      3 m 12 s ago  5         7     bond0.1001
  address  192.168.4.80/24 absent
  reason   192.168.4.100 has priority 150
  peers    192.168.4.100, priority 150, heard 0.4 s ago
large  Active      3 m 12 s ago  100       51    eth0
  address  12, 11 present
  reason   no advert for 3.609 s
  peers    192.168.4.10, priority 10, heard 0.4 s ago
           192.168.4.9, priority 9, heard 0.4 s ago
           192.168.4.8, priority 8, heard 0.4 s ago
           192.168.4.7, priority 7, heard 0.4 s ago
           192.168.4.6, priority 6, heard 0.4 s ago
           192.168.4.5, priority 5, heard 0.4 s ago
           192.168.4.4, priority 4, heard 0.4 s ago
           192.168.4.3, priority 3, heard 0.4 s ago
           and 2 more: `vipctl vrrp large`
  warning  10.0.0.12/24 is not on eth0, though the instance is Active
  remedy   vrrpd puts back at once what is missing; if it does not,
           `journalctl -u vrrpd` says why
new    Initialize  3 m 12 s ago  100       51    eth0
  address  192.168.4.80/24 absent
  reason   192.168.4.100 has priority 150
  peers    192.168.4.100, priority 150, heard 0.4 s ago
",
        );
    }

    #[test]
    fn thousands_of_addresses_and_those_of_ipv6_stay_compact() {
        const PEER: &str = "2001:db8:1111:2222:3333:4444:5555:6666";
        let shown =
            (0..256).map(|n| address(&format!("2001:db8:1111:2222:3333:4444:5555:{n:04x}/128"), true, true));
        let many = Instance {
            address_count: 4000,
            addresses_present: 3998,
            ..with_addresses(shown.collect(), active("many"))
        };
        let few =
            ["fe80::5054:ff:fe12:3456/64", &format!("{PEER}/128")].map(|words| address(words, true, true));
        let few = Instance { peers: vec![peer(PEER, 200)], ..with_addresses(few.into(), active("few")) };
        assert_text(
            &table(vec![few, many]),
            "\
NAME  STATE   SINCE         PRIORITY  VRID  INTERFACE
few   Active  3 m 12 s ago  100       51    eth0
  address  fe80::5054:ff:fe12:3456/64 present
           2001:db8:1111:2222:3333:4444:5555:6666/128 present
  reason   no advert for 3.609 s
  peers    2001:db8:1111:2222:3333:4444:5555:6666, priority 200, heard 0.4 s ago
many  Active  3 m 12 s ago  100       51    eth0
  address  4000, 3998 present
  reason   no advert for 3.609 s
  peers    none heard
  warning  2 of 4000 addresses are not on eth0, though the instance is Active
  remedy   `vipctl vrrp many` names them; vrrpd puts back at once what is
           missing; if it does not, `journalctl -u vrrpd` says why
",
        );
    }

    #[test]
    fn a_lowered_priority_is_shown_with_its_cause() {
        let warnings = vec![notice("check nginx is down: refused", "`vipctl health nginx`")];
        let lowered = Instance { effective_priority: 40, warnings, ..backup("VI_1") };
        let text = table(vec![lowered]);
        assert!(text.contains("VI_1  Backup  3 m 12 s ago  40 of 100  51    eth0\n"), "{text}");
        assert!(text.contains("  warning  check nginx is down: refused\n  remedy   `vipctl health nginx`\n"));
    }

    #[test]
    fn no_instances_are_said_to_be_none() {
        assert_eq!(table(vec![]), "no instances: the configuration has no [vrrp.NAME]\n");
    }

    #[test]
    fn what_a_daemon_says_steers_no_terminal() {
        let evil = Instance { reason: "\x1b]0;owned\x07".to_owned(), ..active("a\nb") };
        let text = table(vec![evil]);
        assert!(!text.contains('\x1b') && text.contains("\na\u{fffd}b   Active"), "{text}");
    }
}
