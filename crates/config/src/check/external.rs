//! `type = "external"`: somebody else says whether the target is up: `vipctl health set`. Does not know who is there: that
//! is found out when somebody says it.

use super::{Aim, Kind};
use crate::context::quote;
use crate::section::{About, Absent, Field, Key, Section};
use crate::tree::Datum;

/// Most users and groups of a check.
const ALLOW_MAX: usize = 32;

/// What somebody else says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct External {
    /// Name of the check that it is said of.
    pub name: String,
    /// What holds when what was said has run out.
    pub on_expiry: Told,
    /// Who may say it, besides administrators; at most 32, in order, each once.
    pub allow: Vec<Principal>,
}

/// What is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Told {
    /// Up.
    Up,
    /// Down.
    Down,
    /// Up, with a weight of 0 to 65535.
    Weight(u32),
}

/// Who may say it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Principal {
    /// A user, by name or number.
    User(String),
    /// A member of a group, by name or number.
    Group(String),
}

pub(crate) const KEYS: &[About] = &[ALLOW.about, ON_EXPIRY.about];

const ALLOW: Key<Vec<Principal>> = Key {
    about: About {
        name: "allow",
        kind: "a list of at most 32 users and groups",
        absent: Absent::Default("[]"),
        doc: "Who may say it, besides administrators: `[\"user:app\", \"group:web\"]`.",
    },
    read: allow,
};

const ON_EXPIRY: Key<Told> = Key {
    about: About {
        name: "on_expiry",
        kind: "\"up\", \"down\" or an integer from 0 to 65535",
        absent: Absent::Default("\"down\""),
        doc: "What holds once the time is over for which something was said; a number is up with that weight.",
    },
    read: told,
};

pub(super) fn read(section: &mut Section<'_, '_>) -> Option<Aim> {
    let allow = section.get(&ALLOW);
    let on_expiry = section.get(&ON_EXPIRY);
    let (allow, on_expiry) = (allow?, on_expiry?);
    Some(Box::new(move |_, name| {
        Some(Kind::External(External { name: name.to_owned(), on_expiry, allow: allow.clone() }))
    }))
}

fn told(field: &mut Field<'_, '_>) -> Option<Told> {
    match field.value.datum {
        Datum::Text(_) => field.word([("up", Told::Up), ("down", Told::Down)].into_iter()),
        _ => field.count(0..=u32::from(u16::MAX), "no weight is more").map(Told::Weight),
    }
}

fn allow(field: &mut Field<'_, '_>) -> Option<Vec<Principal>> {
    let list = field.list()?;
    if list.len() > ALLOW_MAX {
        field.wrong(&list.len().to_string(), "make a group of them");
        return None;
    }
    let mut read: Vec<_> = list.iter().filter_map(|value| principal(&mut field.element(value))).collect();
    let whole = read.len() == list.len();
    read.sort_unstable();
    read.dedup();
    whole.then_some(read)
}

fn principal(field: &mut Field<'_, '_>) -> Option<Principal> {
    const NAME_MAX: usize = 64;
    let text = field.text()?;
    let fits = |name: &&str| {
        (1..=NAME_MAX).contains(&name.len()) && name.chars().all(|c| c.is_ascii_graphic() && c != ':')
    };
    let found = match text.split_once(':') {
        Some(("user", name)) => Some(name).filter(fits).map(|name| Principal::User(name.to_owned())),
        Some(("group", name)) => Some(name).filter(fits).map(|name| Principal::Group(name.to_owned())),
        _ => None,
    };
    if found.is_none() {
        field.fault(&format!("has {}", quote(text)), "write \"user:NAME\" or \"group:NAME\"");
    }
    found
}

pub(super) fn target(check: &External) -> String {
    check.name.clone()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, faults};

    fn text(keys: &str) -> String {
        format!("[check.app]\ntype = \"external\"\n{keys}")
    }

    fn external(keys: &str) -> External {
        match check(&text(keys), "app").kind {
            Kind::External(external) => external,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_administrators_say_it_unless_more_are_allowed() {
        let expected = External { name: "app".to_owned(), on_expiry: Told::Down, allow: vec![] };
        assert_eq!(external(""), expected);
        let allow = external("allow = [\"user:app\", \"group:web\", \"user:1000\", \"user:app\"]").allow;
        let [user, number] = ["app", "1000"].map(|name| Principal::User(name.to_owned()));
        assert_eq!(allow, [number, user, Principal::Group("web".to_owned())]);
    }

    #[test]
    fn what_runs_out_is_what_is_stated() {
        for (value, expected) in [
            ("\"up\"", Told::Up),
            ("\"down\"", Told::Down),
            ("0", Told::Weight(0)),
            ("65535", Told::Weight(65535)),
        ] {
            assert_eq!(external(&format!("on_expiry = {value}")).on_expiry, expected);
        }
    }

    #[test]
    fn refuses_whom_it_does_not_know_and_what_cannot_be() {
        let must = "must be \"up\", \"down\" or an integer from 0 to 65535";
        for (keys, rest) in [
            ("on_expiry = 65536", format!("3:13: \"on_expiry\" in [check.app] {must}, not 65536; no weight is more")),
            (
                "on_expiry = \"hold\"",
                format!("3:13: \"on_expiry\" in [check.app] {must}, not \"hold\"; known here: up, down"),
            ),
            (
                "allow = [\"app\", \"user:\", \"user:a b\", 7]",
                "3:10: \"allow\" in [check.app] has \"app\"; write \"user:NAME\" or \"group:NAME\"\n\
                 vipkit.toml:3:17: \"allow\" in [check.app] has \"user:\"; write \"user:NAME\" or \"group:NAME\"\n\
                 vipkit.toml:3:26: \"allow\" in [check.app] has \"user:a b\"; write \"user:NAME\" or \"group:NAME\"\n\
                 vipkit.toml:3:38: \"allow\" in [check.app] must be a list of at most 32 users and groups, \
                 not an integer; write it in quotes: \"7\""
                    .to_owned(),
            ),
        ] {
            assert_eq!(faults(&text(keys)), format!("vipkit.toml:{rest}"));
        }
        let many = vec!["\"user:a\""; ALLOW_MAX + 1].join(", ");
        assert!(faults(&text(&format!("allow = [{many}]"))).ends_with(", not 33; make a group of them"));
    }
}
