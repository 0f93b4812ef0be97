//! An entry of `virtual_rules`.

use ipnet::IpNet;
use vipkit_core::units::Family;

use super::note::{Notes, Place};
use super::route::{network, table};
use super::said::Said;
use super::words::{self, Read, Word, apart, flag, lost, lost_value, nothing, value};

/// A rule of the routing policy that is there while the addresses are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// IPv4 unless it says otherwise.
    pub family: Family,
    /// `from`.
    pub from: Option<IpNet>,
    /// `to`.
    pub to: Option<IpNet>,
    /// `table`.
    pub table: u32,
    /// `preference`.
    pub priority: u32,
    /// `fwmark`, and its mask.
    pub fwmark: Option<(u32, u32)>,
    /// Where it stands.
    pub at: Place,
}

/// The preference that keepalived gives the next rule without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preference(u32);

impl Default for Preference {
    fn default() -> Self {
        const FIRST: u32 = 16384;
        Self(FIRST)
    }
}

impl Preference {
    fn next(&mut self) -> u32 {
        let preference = self.0;
        self.0 = preference.saturating_sub(1).max(1);
        preference
    }
}

#[derive(Default)]
struct Draft {
    from: Option<IpNet>,
    to: Option<IpNet>,
    table: Option<u32>,
    priority: Option<u32>,
    fwmark: Option<(u32, u32)>,
    v6: bool,
}

const NARROWER: &str = "vipkit has rules by source, destination and firewall mark only";
const ACTION: &str = "vipkit has rules that look into a table only";
const PREFERENCE: &[&str] = &["preference", "order", "priority", "pref"];

const WORDS: &[Word<Draft>] = &[
    value(&["from"], |draft, text| {
        draft.from = selector(draft, text)?;
        Ok(None)
    }),
    value(&["to"], |draft, text| {
        draft.to = selector(draft, text)?;
        Ok(None)
    }),
    value(&["table", "lookup"], |draft, text| {
        draft.table = Some(table(text)?);
        Ok(None)
    }),
    value(PREFERENCE, |draft, text| {
        let priority = text.parse().ok().filter(|priority| *priority > 0);
        draft.priority = Some(priority.ok_or_else(|| format!("preference {text} is no number from 1"))?);
        Ok(None)
    }),
    value(&["fwmark"], |draft, text| {
        draft.fwmark = Some(fwmark(text)?);
        Ok(None)
    }),
    flag(&["inet6"], |draft| draft.v6 = true),
    flag(&["inet"], |draft| draft.v6 = false),
    apart(&["iif", "oif", "dev", "tos", "dsfield", "tunnel-id", "uidrange"], NARROWER),
    apart(&["l3mdev", "ipproto", "sport", "dport", "not"], NARROWER),
    apart(&["suppress_prefixlength", "suppress_prefixlen", "suppress_ifgroup"], NARROWER),
    apart(&["goto", "nop", "blackhole", "unreachable", "prohibit", "nat"], ACTION),
    lost_value(&["realms"], "vipkit leaves it to the kernel"),
    lost_value(&["track_group"], "vipkit puts a rule back whenever it is taken away"),
    lost(&["no_track"], "vipkit puts a rule back whenever it is taken away"),
    // vipkit marks its rules with its own.
    nothing(&["proto", "protocol"], true),
];

/// The rule of a line; none, with a note, if it cannot be carried over.
pub fn read(said: &Said, next: &mut Preference, notes: &mut Notes) -> Option<Rule> {
    let words = words::of(said);
    let name = words.join(" ");
    let has = |wanted: &[&str]| words.iter().any(|word| wanted.contains(word));
    // keepalived sets no rule that goes to another without one.
    let given = (!has(PREFERENCE) && !has(&["goto"])).then(|| next.next());
    let mut draft = Draft { priority: given, ..Draft::default() };
    let read = words::read(WORDS, other, words, &name, &mut draft, (&said.at, notes));
    match read.and_then(|()| draft.whole(&said.at)) {
        Ok(rule) => {
            if let Some(priority) = given {
                notes
                    .say(&said.at, format!("the rule {name} has no preference: keepalived takes {priority}"));
            }
            Some(rule)
        }
        Err(what) => {
            notes.say(&said.at, format!("THE RULE {name} IS NOT CARRIED OVER: {what}"));
            None
        }
    }
}

impl Draft {
    fn whole(self, at: &Place) -> Result<Rule, String> {
        let families: Vec<_> = self.from.iter().chain(&self.to).map(|net| Family::of(net.addr())).collect();
        let family = match families.as_slice() {
            [one, other] if one != other => return Err("it has addresses of both families".to_owned()),
            [family, ..] => *family,
            [] if self.v6 => Family::V6,
            [] => Family::V4,
        };
        if families.is_empty() && self.fwmark.is_none() {
            return Err("it is for all packets, which vipkit has no rules for".to_owned());
        }
        Ok(Rule {
            family,
            from: self.from,
            to: self.to,
            table: self.table.ok_or("it has no table")?,
            priority: self.priority.ok_or("it has no preference")?,
            fwmark: self.fwmark,
            at: at.clone(),
        })
    }
}

fn other(_: &mut Draft, word: &str) -> Read {
    Err(format!("{word:?} is nothing that vipkit knows of a rule"))
}

/// A network that not every packet is of.
fn selector(draft: &mut Draft, text: &str) -> Result<Option<IpNet>, String> {
    if matches!(text, "all" | "any" | "default") {
        return Ok(None);
    }
    let net = network(text)?.trunc();
    draft.v6 |= net.addr().is_ipv6();
    Ok((net.prefix_len() > 0).then_some(net))
}

fn fwmark(text: &str) -> Result<(u32, u32), String> {
    let number = |text: &str| match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    let (mark, mask) = text.split_once('/').map_or((text, None), |(mark, mask)| (mark, Some(mask)));
    let (mark, mask) = number(mark)
        .zip(mask.map_or(Some(u32::MAX), number))
        .ok_or_else(|| format!("fwmark {text} is no mark"))?;
    if mask == 0 || mark & !mask != 0 {
        return Err(format!("no packet matches fwmark {text}"));
    }
    Ok((mark, mask))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_decimal_or_hexadecimal_and_fit_their_mask() {
        assert_eq!(fwmark("7"), Ok((7, u32::MAX)));
        assert_eq!(fwmark("0x10/0xf0"), Ok((16, 0xf0)));
        for text in ["", "x", "7/", "7/0", "8/7", "0x", "-1", "4294967296"] {
            assert!(fwmark(text).is_err(), "{text}");
        }
    }
}
