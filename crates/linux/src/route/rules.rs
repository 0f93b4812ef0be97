//! Policy rules as rtnetlink describes and takes them (linux/fib_rules.h): which packets are looked up in which table.
//! Total over any bytes. What the kernel makes of what is left to it stands here alone.

use ipnet::IpNet;
use vipkit_core::units::Family;

use super::fib::{Header, Message};
use super::{Route, RouteError};

/// A rule that has packets looked up in a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleEntry {
    /// Of the packets; the prefixes are of it.
    pub family: Family,
    /// Where they come from; none is anywhere.
    pub from: Option<IpNet>,
    /// Where they go; none is anywhere.
    pub to: Option<IpNet>,
    /// Number of the table.
    pub table: u32,
    /// The lower, the sooner it is asked.
    pub priority: u32,
    /// Which mark they bear; none is any.
    pub fwmark: Option<Fwmark>,
    /// Who put it there (`RTPROT_*`).
    pub protocol: u8,
}

/// A mark that packets bear in the kernel, of which the bits in `mask` count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fwmark {
    /// The bits.
    pub value: u32,
    /// Those that count.
    pub mask: u32,
}

/// One wish for [`Route::change_rules`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleChange {
    /// Put a rule there, if there is none like it with this protocol. Others' are no obstacle.
    Add(RuleEntry),
    /// Take a rule away, if it is there with this protocol.
    Delete(RuleEntry),
}

impl RuleEntry {
    /// As [`Route::rules`] returns it when it has been added: what the kernel does not keep is left out.
    #[must_use]
    pub fn normalised(self) -> Self {
        let narrow = |net: Option<IpNet>| net.filter(|net| net.prefix_len() > 0).map(|net| net.trunc());
        let fwmark = self.fwmark.filter(|mark| (mark.value, mark.mask) != (0, 0));
        Self { from: narrow(self.from), to: narrow(self.to), fwmark, ..self }
    }

    /// Reads the payload of a RTM_NEWRULE; `None` for what cannot be said with this type, such as an interface.
    fn parse(payload: &[u8]) -> Option<Self> {
        let message = Message::parse(payload)?;
        let Header { to, from, tos, kind, flags, .. } = message.header;
        let plain = kind == FR_ACT_TO_TBL && tos == 0 && flags & FIB_RULE_INVERT == 0;
        if !plain || message.has_any(&BEYOND) {
            return None;
        }
        let network = |kind, length| match length {
            0 => Some(None),
            _ => message.network(kind, length).map(Some),
        };
        let (value, mask) = (message.number(FRA_FWMARK), message.number(FRA_FWMASK));
        let fwmark = Fwmark { value: value.unwrap_or(0), mask: mask.unwrap_or(0) };
        let rule = Self {
            family: message.family,
            from: network(FRA_SRC, from)?,
            to: network(FRA_DST, to)?,
            table: message.table(FRA_TABLE),
            priority: message.number(FRA_PRIORITY).unwrap_or(0),
            fwmark: Some(fwmark),
            protocol: message.value(FRA_PROTOCOL).and_then(|bytes| bytes.first().copied()).unwrap_or(0),
        };
        Some(rule.normalised())
    }
}

impl RuleChange {
    /// The request as bytes, with an answer asked for.
    fn to_message(self, sequence: u32) -> Result<Vec<u8>, RouteError> {
        let (kind, flags, rule) = match self {
            Self::Add(rule) => (libc::RTM_NEWRULE, libc::NLM_F_CREATE | libc::NLM_F_EXCL, rule),
            Self::Delete(rule) => (libc::RTM_DELRULE, 0, rule),
        };
        let RuleEntry { family, from, to, table, priority, fwmark, protocol } = rule.normalised();
        let length = |net: Option<IpNet>| net.map_or(0, |net| net.prefix_len());
        let header = Header { from: length(from), to: length(to), kind: FR_ACT_TO_TBL, ..Header::default() };
        let mut payload = header.of(family).payload();
        payload.network(FRA_SRC, family, from)?;
        payload.network(FRA_DST, family, to)?;
        payload.number(FRA_TABLE, table);
        payload.number(FRA_PRIORITY, priority);
        if let Some(Fwmark { value, mask }) = fwmark {
            payload.number(FRA_FWMARK, value);
            payload.number(FRA_FWMASK, mask);
        }
        payload.bytes(FRA_PROTOCOL, [protocol]);
        Ok(payload.request(kind, flags, sequence))
    }
}

impl Route {
    /// The rules of both families with this protocol. The kernel tells all rules.
    ///
    /// # Errors
    /// See [`RouteError`].
    pub fn rules(&mut self, protocol: u8) -> Result<Vec<RuleEntry>, RouteError> {
        self.dump_families(libc::RTM_GETRULE, Header::default(), |frame| {
            let rule = (frame.kind == libc::RTM_NEWRULE).then(|| RuleEntry::parse(frame.payload))?;
            rule.filter(|rule| rule.protocol == protocol)
        })
    }

    /// Makes the changes in order, [`BATCH`](super::BATCH) in one system call, and returns what came of each. One that
    /// fails does not stop those after it. A rule whose prefixes are of another family cannot be encoded: none of
    /// its batch is sent.
    ///
    /// The kernel takes a prefix that a rule does not name for any, in one to be deleted a mark too. So among rules with
    /// the same protocol, table and priority a wider one cannot be added after a narrower ([`RouteError::Exists`]), and
    /// a narrower one may be deleted in its place: who reads anew sees what is left to do.
    pub fn change_rules(&mut self, changes: &[RuleChange]) -> Vec<Result<(), RouteError>> {
        self.change(changes, |change, sequence| change.to_message(sequence))
    }
}

/// What a [`RuleEntry`] has no room for: FRA_IIFNAME, FRA_GOTO, FRA_FLOW, FRA_TUN_ID, FRA_SUPPRESS_IFGROUP,
/// FRA_OIFNAME, FRA_L3MDEV, FRA_UID_RANGE, FRA_IP_PROTO, FRA_SPORT_RANGE, FRA_DPORT_RANGE.
const BEYOND: [u16; 11] = [3, 4, 11, 12, 13, 17, 19, 20, 22, 23, 24];

const FR_ACT_TO_TBL: u8 = 1;
const FIB_RULE_INVERT: u32 = 2;
const FRA_DST: u16 = 1;
const FRA_SRC: u16 = 2;
const FRA_PRIORITY: u16 = 6;
const FRA_FWMARK: u16 = 10;
const FRA_TABLE: u16 = 15;
const FRA_FWMASK: u16 = 16;
const FRA_PROTOCOL: u16 = 21;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::option;
    use proptest::prelude::*;

    use super::*;
    use crate::namespace::{in_namespace, ip};
    use crate::netlink::frame::frames;

    const PROTOCOL: u8 = 112;
    const FOREIGN: u8 = 42;

    fn rule(family: Family, priority: u32) -> RuleEntry {
        RuleEntry { family, from: None, to: None, table: 100, priority, fwmark: None, protocol: PROTOCOL }
    }

    fn change(changes: &[RuleChange]) -> Vec<Result<(), RouteError>> {
        Route::open().unwrap().change_rules(changes)
    }

    fn add(rule: RuleEntry) -> Result<(), RouteError> {
        change(&[RuleChange::Add(rule)]).remove(0)
    }

    fn delete(rule: RuleEntry) -> Result<(), RouteError> {
        change(&[RuleChange::Delete(rule)]).remove(0)
    }

    fn found() -> BTreeSet<RuleEntry> {
        let rules = Route::open().unwrap().rules(PROTOCOL).unwrap();
        let set: BTreeSet<_> = rules.iter().copied().collect();
        assert_eq!(set.len(), rules.len(), "one twice: {rules:?}");
        set
    }

    /// Of every kind that can be written, those that the kernel takes as they are and those it does not.
    fn every_kind() -> Vec<RuleEntry> {
        let net = |text: &str| Some(text.parse().unwrap());
        let mark = |value, mask| Some(Fwmark { value, mask });
        let mut rules = Vec::new();
        for (family, one, two, host, everywhere) in [
            (Family::V4, "192.0.2.0/24", "10.0.0.0/8", "10.1.2.3/8", "0.0.0.0/0"),
            (Family::V6, "2001:db8::/64", "2001:db8:1::/48", "2001:db8:1::3/48", "::/0"),
        ] {
            let plain = |priority| rule(family, priority);
            rules.extend([
                RuleEntry { from: net(one), ..plain(0) },
                RuleEntry { from: net(one), ..plain(1) },
                RuleEntry { to: net(two), ..plain(2) },
                RuleEntry { from: net(one), to: net(two), ..plain(3) },
                RuleEntry { from: net(everywhere), to: net(host), ..plain(4) },
                RuleEntry { from: net(host), to: net(everywhere), ..plain(5) },
                RuleEntry { fwmark: mark(7, u32::MAX), ..plain(6) },
                RuleEntry { fwmark: mark(7, 0xff), ..plain(7) },
                RuleEntry { fwmark: mark(0, 0xff), ..plain(8) },
                RuleEntry { fwmark: mark(7, 0), ..plain(9) },
                RuleEntry { fwmark: mark(0x107, 0xff), ..plain(10) },
                RuleEntry { fwmark: mark(0, 0), from: net(one), ..plain(11) },
                RuleEntry { table: 254, from: net(one), ..plain(12) },
                RuleEntry { table: 100_000, from: net(one), ..plain(12) },
                RuleEntry { from: net(two), ..plain(40_000) },
                RuleEntry { from: net(one), ..plain(u32::MAX) },
            ]);
        }
        rules
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn what_is_added_is_read_back_as_it_was_said_it_would_be_and_each_is_deleted_alone() {
        in_namespace(|| {
            let rules = every_kind();
            let adds: Vec<_> = rules.iter().copied().map(RuleChange::Add).collect();
            assert_eq!(change(&adds), vec![Ok(()); rules.len()]);
            let mut expected: BTreeSet<_> = rules.iter().map(|rule| rule.normalised()).collect();
            assert_eq!(expected.len(), rules.len());
            assert_eq!(found(), expected);

            assert_eq!(change(&adds), vec![Err(RouteError::Exists); rules.len()], "each is there but once");
            for rule in rules {
                assert_eq!(delete(rule), Ok(()), "{rule:?}");
                expected.remove(&rule.normalised());
                assert_eq!(found(), expected, "{rule:?}");
            }
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn what_ip_adds_is_read_as_it_was_meant() {
        in_namespace(|| {
            let from = Some("192.0.2.0/24".parse().unwrap());
            let to = Some("2001:db8::/64".parse().unwrap());
            let marked =
                |value, mask| RuleEntry { fwmark: Some(Fwmark { value, mask }), ..rule(Family::V4, 1) };
            for (text, rule) in [
                ("-4 rule add from 192.0.2.0/24", RuleEntry { from, ..rule(Family::V4, 1) }),
                ("-6 rule add to 2001:db8::/64", RuleEntry { to, ..rule(Family::V6, 1) }),
                ("-4 rule add fwmark 7", marked(7, u32::MAX)),
                ("-4 rule add fwmark 7/0xff", marked(7, 0xff)),
                ("-4 rule add fwmark 0/0xff", marked(0, 0xff)),
            ] {
                ip(&format!("{text} table 100 priority 1 protocol 112"));
                assert_eq!(found(), BTreeSet::from([rule]), "{text}");
                assert_eq!(delete(rule), Ok(()), "{text}");
            }
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn anothers_rule_is_not_seen_and_stays() {
        in_namespace(|| {
            for ours in every_kind() {
                // Before ours, so that the kernel meets it first.
                let foreign = RuleEntry { protocol: FOREIGN, ..ours };
                assert_eq!((add(foreign), found()), (Ok(()), BTreeSet::new()), "{ours:?}");
                assert_eq!(delete(ours), Err(RouteError::NoSuchEntry), "{ours:?}");
                assert_eq!((add(ours), found()), (Ok(()), BTreeSet::from([ours.normalised()])));
                assert_eq!((delete(ours), found()), (Ok(()), BTreeSet::new()), "{ours:?}");
                assert_eq!(delete(foreign), Ok(()), "{ours:?}");
            }
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn a_narrower_rule_stands_for_a_wider_one_until_it_is_read_anew() {
        in_namespace(|| {
            let wide = RuleEntry { from: Some("192.0.2.0/24".parse().unwrap()), ..rule(Family::V4, 1) };
            let narrow = RuleEntry { to: Some("10.0.0.0/8".parse().unwrap()), ..wide };
            assert_eq!((add(narrow), add(wide)), (Ok(()), Err(RouteError::Exists)));
            assert_eq!((delete(narrow), add(wide), add(narrow)), (Ok(()), Ok(()), Ok(())));
            assert_eq!((delete(narrow), delete(wide)), (Ok(()), Ok(())));

            let marked = RuleEntry { fwmark: Some(Fwmark { value: 7, mask: 7 }), ..wide };
            assert_eq!((add(marked), add(wide)), (Ok(()), Ok(())));
            assert_eq!((delete(wide), found()), (Ok(()), BTreeSet::from([wide])));
            assert_eq!((delete(wide), found()), (Ok(()), BTreeSet::new()));
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn what_cannot_be_said_with_this_type_is_passed_over() {
        in_namespace(|| {
            let ours = RuleEntry { from: Some("192.0.2.0/24".parse().unwrap()), ..rule(Family::V4, 1) };
            assert_eq!(add(ours), Ok(()));
            for other in [
                "iif lo table 100",
                "oif lo table 100",
                "not from 192.0.2.0/24 table 100",
                "tos 4 table 100",
                "from 192.0.2.0/24 blackhole",
                "uidrange 0-1 table 100",
                "ipproto tcp dport 80 table 100",
                "sport 80 table 100",
                "table 100 suppress_ifgroup 3",
                "tun_id 4 table 100",
                "goto 5",
                "l3mdev",
            ] {
                ip(&format!("rule add priority 2 protocol 112 {other}"));
            }
            assert_eq!(found(), BTreeSet::from([ours]));
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn a_prefix_of_the_other_family_cannot_be_encoded() {
        in_namespace(|| {
            let mixed = RuleEntry { from: Some("10.0.0.0/8".parse().unwrap()), ..rule(Family::V6, 1) };
            assert_eq!(add(mixed), Err(RouteError::Encoding));
        });
    }

    fn payload(rule: &RuleEntry) -> Vec<u8> {
        let message = RuleChange::Add(*rule).to_message(1).unwrap();
        frames(&message).next().unwrap().payload.to_vec()
    }

    fn any_rule() -> impl Strategy<Value = RuleEntry> {
        let v4 = || {
            option::of((any::<[u8; 4]>(), 0..=32_u8))
                .prop_map(|net| net.map(|(address, length)| IpNet::new(address.into(), length).unwrap()))
        };
        let v6 = || {
            option::of((any::<[u8; 16]>(), 0..=128_u8))
                .prop_map(|net| net.map(|(address, length)| IpNet::new(address.into(), length).unwrap()))
        };
        let prefixes = prop_oneof![(Just(Family::V4), v4(), v4()), (Just(Family::V6), v6(), v6())];
        let numbers = any::<(u32, u32, Option<(u32, u32)>, u8)>();
        (prefixes, numbers).prop_map(|((family, from, to), (table, priority, fwmark, protocol))| {
            let fwmark = fwmark.map(|(value, mask)| Fwmark { value, mask });
            RuleEntry { family, from, to, table, priority, fwmark, protocol }
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(rule in any_rule()) {
            prop_assert_eq!(RuleEntry::parse(&payload(&rule)), Some(rule.normalised()));
            prop_assert_eq!(rule.normalised().normalised(), rule.normalised());
        }

        #[test]
        fn any_bytes_are_read(bytes: Vec<u8>) {
            let _ = RuleEntry::parse(&bytes);
        }

        #[test]
        fn a_rule_with_bytes_changed_is_read(rule in any_rule(), at in 0_usize..56, byte: u8, cut in 0_usize..120) {
            let mut bytes = payload(&rule);
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
            bytes.truncate(cut);
            let _ = RuleEntry::parse(&bytes);
        }
    }
}
