//! `rules` of an instance, `[[vrrp.NAME.rules]]`: which packets the Active router looks up in which routing table.

use ipnet::IpNet;
use vipkit_core::units::Family;

use crate::context::quote;
use crate::network;
use crate::section::{About, Absent, Field, Key, Section};
use crate::source::At;
use crate::tree::Datum;

/// Most rules of one instance.
pub const RULES_MAX: usize = 256;

/// A rule of the routing policy that is there while the router is Active; no other of the configuration is equal, or
/// covers it at the same priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rule {
    /// Family of the packets.
    pub family: Family,
    /// Their source, never of prefix 0.
    pub from: Option<IpNet>,
    /// Their destination, never of prefix 0.
    pub to: Option<IpNet>,
    /// Routing table, never 0.
    pub table: u32,
    /// Place among the rules, never 0; the lowest comes first.
    pub priority: u32,
    /// Their mark.
    pub fwmark: Option<Fwmark>,
}

impl Rule {
    /// The rules that are for more packets, and otherwise the same.
    pub(crate) fn wider(self) -> impl Iterator<Item = Self> {
        let selectors = [(None, self.to), (self.from, None), (None, None)];
        selectors
            .into_iter()
            .map(move |(from, to)| Self { from, to, ..self })
            .filter(move |rule| *rule != self)
    }
}

/// Firewall mark of packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fwmark {
    /// The mark; no bit of it is outside the mask.
    pub value: u32,
    /// The bits that are compared, never 0.
    pub mask: u32,
}

pub(crate) const KEYS: &[About] =
    &[FROM.about, TO.about, FWMARK.about, FAMILY.about, TABLE.about, PRIORITY.about];

const FROM: Key<IpNet> = Key {
    about: About {
        name: "from",
        kind: "a network with prefix",
        absent: Absent::None("any"),
        doc: "Source of the packets.",
    },
    read: selector,
};

const TO: Key<IpNet> = Key {
    about: About {
        name: "to",
        kind: "a network with prefix",
        absent: Absent::None("any"),
        doc: "Destination of the packets.",
    },
    read: selector,
};

const FWMARK: Key<Fwmark> = Key {
    about: About {
        name: "fwmark",
        kind: "an integer from 0 to 4294967295 or a mark and a mask",
        absent: Absent::None("any"),
        doc: "Firewall mark of the packets, `7` or `\"0x7/0xff\"`.",
    },
    read: fwmark,
};

const FAMILY: Key<Family> = Key {
    about: About {
        name: "family",
        kind: "\"ipv4\" or \"ipv6\"",
        absent: Absent::None("that of `from` and `to`, else of the instance"),
        doc: "Family of the packets.",
    },
    read: |field| field.word([("ipv4", Family::V4), ("ipv6", Family::V6)].into_iter()),
};

const TABLE: Key<u32> = Key {
    about: About {
        name: "table",
        kind: "an integer from 1 to 4294967295",
        absent: Absent::Required,
        doc: "Routing table to look them up in.",
    },
    read: network::table,
};

const PRIORITY: Key<u32> = Key {
    about: About {
        name: "priority",
        kind: "an integer from 1 to 4294967295",
        absent: Absent::Required,
        doc: "Place among the rules, the lowest first; that of the main table is 32766.",
    },
    read: |field| field.count(1..=u32::MAX, "0 is the kernel's own rule for local addresses"),
};

/// A rule as it is written: it may be of its instance's family.
#[derive(Clone, Copy)]
pub(crate) struct Draft {
    family: Option<Family>,
    from: Option<IpNet>,
    to: Option<IpNet>,
    table: u32,
    priority: u32,
    fwmark: Option<Fwmark>,
}

impl Draft {
    /// In an instance of this family.
    pub fn complete(self, instance: Family) -> Rule {
        let Self { family, from, to, table, priority, fwmark } = self;
        Rule { family: family.unwrap_or(instance), from, to, table, priority, fwmark }
    }
}

/// The rules in the order they are written, each with its place.
pub(crate) fn read(field: &mut Field<'_, '_>) -> Option<Vec<(Draft, At)>> {
    let list = field.tables(RULES_MAX)?;
    let rules: Vec<_> =
        list.iter().filter_map(|value| Some((draft(field.listed(value, KEYS)?)?, value.at))).collect();
    (rules.len() == list.len()).then_some(rules)
}

fn draft(mut section: Section<'_, '_>) -> Option<Draft> {
    let from = section.get(&FROM);
    let to = section.get(&TO);
    let fwmark = section.get(&FWMARK);
    let family = section.get(&FAMILY);
    let table = section.get(&TABLE);
    let priority = section.get(&PRIORITY);
    let of_net = |net: IpNet| Family::of(net.addr());
    let family = network::family([family, from.map(of_net), to.map(of_net)]);
    if let Err((one, other)) = family {
        let what = format!("both {one} and {other}");
        section.fault(section.place(), &what, "a rule is of one family: write two");
    }
    if !(section.has(&FROM) || section.has(&TO) || section.has(&FWMARK)) {
        let hint = "say which packets it is for: without, it would be for all";
        section.lacks("neither \"from\" nor \"to\" nor \"fwmark\"", hint);
    }
    section.finish();
    Some(Draft { family: family.ok()?, from, to, table: table?, priority: priority?, fwmark })
}

/// A network that selects something: the kernel forgets a prefix of 0.
fn selector(field: &mut Field<'_, '_>) -> Option<IpNet> {
    let net = network::read(field)?;
    if net.prefix_len() == 0 {
        field.fault(&format!("has {net}, which is any"), "leave it out for any");
        return None;
    }
    Some(net)
}

fn fwmark(field: &mut Field<'_, '_>) -> Option<Fwmark> {
    let hint = "write 7, or \"0x7/0xff\" to compare those bits alone";
    let Datum::Text(text) = &field.value.datum else {
        return field.count(0..=u32::MAX, hint).map(|value| Fwmark { value, mask: u32::MAX });
    };
    let (value, mask) =
        text.split_once('/').map_or((text.as_str(), None), |(value, mask)| (value, Some(mask)));
    let mark = number(value).zip(mask.map_or(Some(u32::MAX), number));
    let Some((value, mask)) = mark else {
        field.wrong(&quote(text), hint);
        return None;
    };
    if mask == 0 || value & !mask != 0 {
        let what =
            if mask == 0 { "compares no bit" } else { "has bits outside the mask, which no packet matches" };
        field.fault(&format!("{} {what}", quote(text)), hint);
        return None;
    }
    Some(Fwmark { value, mask })
}

/// Decimal, or hexadecimal after 0x.
fn number(text: &str) -> Option<u32> {
    let (digits, radix) = text.strip_prefix("0x").map_or((text, 10), |digits| (digits, 16));
    // `from_str_radix` would take a sign.
    digits.chars().all(|c| c.is_digit(radix)).then(|| u32::from_str_radix(digits, radix).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_refused, faults, instance, web};

    fn rule(keys: &str) -> Rule {
        let text = web(&format!("rules = [{{ table = 100, priority = 1000, {keys} }}]"));
        *instance(&text).rules.first().unwrap()
    }

    #[test]
    fn selects_packets() {
        let expected = Rule {
            family: Family::V4,
            from: Some("192.0.2.80/32".parse().unwrap()),
            to: Some("10.0.0.0/8".parse().unwrap()),
            table: 100,
            priority: 1000,
            fwmark: Some(Fwmark { value: 7, mask: u32::MAX }),
        };
        assert_eq!(rule("from = \"192.0.2.80/32\", to = \"10.0.0.0/8\", fwmark = 7"), expected);
        assert_eq!(rule("to = \"2001:db8::/32\"").family, Family::V6);
        assert_eq!(rule("fwmark = 0").family, Family::V4);
        assert_eq!(rule("fwmark = 7, family = \"ipv6\"").family, Family::V6);
    }

    #[test]
    fn a_mark_may_have_a_mask() {
        let fwmark = |text: &str| {
            let Fwmark { value, mask } = rule(&format!("fwmark = {text}")).fwmark.unwrap();
            (value, mask)
        };
        assert_eq!(fwmark("0xffffffff"), (u32::MAX, u32::MAX));
        assert_eq!(fwmark("\"7\""), (7, u32::MAX));
        assert_eq!(fwmark("\"0x7/0xff\""), (7, 255));
        assert_eq!(fwmark("\"16/0x10\""), (16, 16));
    }

    #[test]
    fn refuses_what_selects_nothing_or_all() {
        let refused = |keys: &str, expected: &str| {
            let line = format!("rules = [{{ table = 1, priority = 1{keys} }}]");
            assert_refused(&[(&line, &format!("vipkit.toml:{expected}"))]);
        };
        refused(
            "",
            "5:10: [[vrrp.web.rules]] has neither \"from\" nor \"to\" nor \"fwmark\"; \
             say which packets it is for: without, it would be for all",
        );
        refused(
            ", from = \"0.0.0.0/0\"",
            "5:44: \"from\" in [[vrrp.web.rules]] has 0.0.0.0/0, which is any; leave it out for any",
        );
        refused(
            ", from = \"10.0.0.0/8\", family = \"ipv6\"",
            "5:10: both IPv6 and IPv4 in [[vrrp.web.rules]]; a rule is of one family: write two",
        );
        let hint = "write 7, or \"0x7/0xff\" to compare those bits alone";
        for (mark, what) in [
            ("\"8/7\"", "\"8/7\" has bits outside the mask, which no packet matches"),
            ("\"0/0\"", "\"0/0\" compares no bit"),
        ] {
            let expected = format!("5:46: \"fwmark\" in [[vrrp.web.rules]] {what}; {hint}");
            refused(&format!(", fwmark = {mark}"), &expected);
        }
        for (mark, shown) in
            [("-1", "-1"), ("\"\"", "\"\""), ("\"0x\"", "\"0x\""), ("\"+7\"", "\"+7\""), ("\"7/\"", "\"7/\"")]
        {
            let kind = "must be an integer from 0 to 4294967295 or a mark and a mask";
            let expected = format!("5:46: \"fwmark\" in [[vrrp.web.rules]] {kind}, not {shown}; {hint}");
            refused(&format!(", fwmark = {mark}"), &expected);
        }
        assert_eq!(
            faults(&web("rules = [{ fwmark = 1, priority = 0 }]")),
            "vipkit.toml:5:10: [[vrrp.web.rules]] has no \"table\"; \
             it is required, and must be an integer from 1 to 4294967295\n\
             vipkit.toml:5:35: \"priority\" in [[vrrp.web.rules]] must be an integer from 1 to 4294967295, not 0; \
             0 is the kernel's own rule for local addresses"
        );
    }
}
