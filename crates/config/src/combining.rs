//! `check` of a service or a server: the name of a check, a check of its own, or several, combined. Whether there are
//! checks of those names, and what they are run for, is in `checked`.

use crate::check::{self, Draft};
use crate::section::{About, Absent, Field, Key, Section};
use crate::source::At;
use crate::tree::{Datum, Table, Value};

/// Most checks of which one verdict is made.
pub const PARTS_MAX: usize = 8;

/// How many of several checks must be up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Needed {
    /// All.
    All,
    /// One.
    Any,
    /// So many, never more than there are.
    AtLeast(u32),
}

/// Keys of a table that combines checks.
pub(crate) const KEYS: &[About] = &[ALL.about, ANY.about, AT_LEAST.about, OF.about];

/// What may stand as the check of a service or a server.
pub(crate) const KIND: &str = "a name of a check, a table, or a list of them";

const MEMBERS: &str = "a list of 1 to 8 checks, each a table or a name";

const ALL: Key<Vec<Member>> = Key {
    about: About {
        name: "all",
        kind: MEMBERS,
        absent: Absent::None("none"),
        doc: "Checks that must all be up.",
    },
    read: members,
};

const ANY: Key<Vec<Member>> = Key {
    about: About {
        name: "any",
        kind: MEMBERS,
        absent: Absent::None("none"),
        doc: "Checks of which one must be up.",
    },
    read: members,
};

const AT_LEAST: Key<u32> = Key {
    about: About {
        name: "at_least",
        kind: "an integer from 1 to 8",
        absent: Absent::None("none"),
        doc: "How many of the checks `of` must be up.",
    },
    read: |field| field.count(1..=8, "no more than there are checks"),
};

const OF: Key<Vec<Member>> = Key {
    about: About {
        name: "of",
        kind: MEMBERS,
        absent: Absent::None("none"),
        doc: "The checks that `at_least` is about.",
    },
    read: members,
};

/// What a service or a server says of its check.
pub(crate) struct Said {
    pub needed: Needed,
    pub members: Vec<Member>,
}

pub(crate) enum Member {
    /// The name of a check, and where that stands.
    Name(String, At),
    /// A check of its own.
    Own(Draft),
}

impl Member {
    pub const fn at(&self) -> At {
        match self {
            Self::Name(_, at) => *at,
            Self::Own(draft) => draft.at,
        }
    }
}

/// `check` of a service or a server.
pub(crate) fn said(field: &mut Field<'_, '_>) -> Option<Said> {
    match &field.value.datum {
        Datum::List(_) => Some(Said { needed: Needed::All, members: members(field)? }),
        Datum::Table(table) if combines(table) => combined(field.section(KEYS)?),
        Datum::Table(_) => {
            let own = check::draft(field.section(check::KEYS)?)?;
            Some(Said { needed: Needed::All, members: vec![Member::Own(own)] })
        }
        Datum::Text(name) => {
            let members = vec![Member::Name(name.clone(), field.value.at)];
            Some(Said { needed: Needed::All, members })
        }
        _ => {
            field.mistyped("write the NAME of a [check.NAME] in quotes, or its keys in braces");
            None
        }
    }
}

/// Whether a table combines checks, rather than being one.
fn combines(table: &Table) -> bool {
    KEYS.iter().any(|about| table.contains_key(about.name))
}

fn combined(mut section: Section<'_, '_>) -> Option<Said> {
    let counts = [section.has(&ALL), section.has(&ANY), section.has(&AT_LEAST) || section.has(&OF)];
    let all = section.get(&ALL);
    let any = section.get(&ANY);
    let at_least = section.get(&AT_LEAST);
    let of = section.get(&OF);
    if counts.into_iter().filter(|&given| given).count() > 1 {
        let hint = "write one of \"all\", \"any\", and \"at_least\" with \"of\"";
        section.fault(section.place(), "checks are combined in two ways", hint);
    } else if section.has(&AT_LEAST) != section.has(&OF) {
        let hint = "write the two together: { at_least = 2, of = [...] }";
        section.lacks("one of \"at_least\" and \"of\" without the other", hint);
    }
    let most = of.as_ref().and_then(|of| u32::try_from(of.len()).ok());
    if let Some((wanted, there)) = at_least.zip(most).filter(|(wanted, there)| wanted > there) {
        let what = format!("\"at_least\" is {wanted}, of {there}");
        section.fault(section.at(&AT_LEAST), &what, "it would never be up: ask for as many as there are");
    }
    section.finish();
    let counted = || Some((Needed::AtLeast(at_least?), of?));
    let (needed, members) = all
        .map(|members| (Needed::All, members))
        .or_else(|| any.map(|members| (Needed::Any, members)))
        .or_else(counted)?;
    Some(Said { needed, members })
}

fn members(field: &mut Field<'_, '_>) -> Option<Vec<Member>> {
    let list = field.list()?;
    if !(1..=PARTS_MAX).contains(&list.len()) {
        let hint = format!("a verdict is made of 1 to {PARTS_MAX} checks");
        field.fault(&format!("has {} checks", list.len()), hint);
        return None;
    }
    let read: Vec<_> = list.iter().filter_map(|value| member(field, value)).collect();
    (read.len() == list.len()).then_some(read)
}

fn member(field: &mut Field<'_, '_>, value: &Value) -> Option<Member> {
    match &value.datum {
        Datum::Text(name) => Some(Member::Name(name.clone(), value.at)),
        Datum::Table(table) if combines(table) => {
            let hint = "combinations do not nest: a member is a check";
            field.element(value).fault("has a combination within", hint);
            None
        }
        Datum::Table(_) => check::draft(field.listed(value, check::KEYS)?).map(Member::Own),
        other => {
            let hint = "write the NAME of a [check.NAME] in quotes, or its keys in braces";
            field.element(value).fault(&format!("has {}, where a check is due", other.kind()), hint);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_service_refused, checked, service};

    const SERVER: &str = "web/192.0.2.81:80";

    /// The service web with this check, and two checks with names.
    fn with(check: &str) -> String {
        let named = "[check.one]\ntype = \"tcp\"\n[check.two]\ntype = \"tcp\"\nretries = 0";
        format!("{}\n{named}", service(&format!("check = {check}")))
    }

    fn made_of(check: &str) -> (Needed, Vec<(String, u32)>) {
        let checked = checked(&with(check), SERVER);
        let part = |part: crate::Part| (part.label, part.check.retries);
        (checked.needed, checked.parts.into_iter().map(part).collect())
    }

    #[test]
    fn a_check_is_a_name_a_table_or_several() {
        let own = "{ type = \"tcp\", retries = 5 }";
        let part = |label: &str, retries| (label.to_owned(), retries);
        let [one, two, tcp] = [part("one", 2), part("two", 0), part("tcp", 5)];
        for (check, needed, parts) in [
            ("\"one\"", Needed::All, vec![&one]),
            (own, Needed::All, vec![&tcp]),
            ("[\"two\", \"one\"]", Needed::All, vec![&two, &one]),
            (&format!("[{own}, \"two\"]"), Needed::All, vec![&tcp, &two]),
            ("{ all = [\"one\"] }", Needed::All, vec![&one]),
            (&format!("{{ any = [\"one\", {own}] }}"), Needed::Any, vec![&one, &tcp]),
            ("{ at_least = 1, of = [\"one\", \"two\"] }", Needed::AtLeast(1), vec![&one, &two]),
            (
                &format!("{{ of = [\"one\", \"two\", {own}], at_least = 3 }}"),
                Needed::AtLeast(3),
                vec![&one, &two, &tcp],
            ),
        ] {
            assert_eq!(made_of(check), (needed, parts.into_iter().cloned().collect()), "{check}");
        }
    }

    #[test]
    fn a_list_of_tables_can_have_headers() {
        let text =
            service("[[service.check]]\ntype = \"tcp\"\n[[service.check]]\ntype = \"tcp\"\nretries = 0");
        assert_eq!(checked(&text, SERVER).parts.len(), 2);
        let text = service(
            "[[service.check.any]]\ntype = \"tcp\"\n[[service.check.any]]\ntype = \"tcp\"\nretries = 0",
        );
        assert_eq!(checked(&text, SERVER).needed, Needed::Any);
    }

    #[test]
    fn refuses_what_is_no_check() {
        let due = "write the NAME of a [check.NAME] in quotes, or its keys in braces";
        assert_service_refused(&[
            (
                "check = true",
                &format!("vipkit.toml:6:9: \"check\" in [[service]] must be {KIND}, not a boolean; {due}"),
            ),
            (
                "check = [1]",
                &format!(
                    "vipkit.toml:6:10: \"check\" in [[service]] has an integer, where a check is due; {due}"
                ),
            ),
            (
                "check = { any = 1 }",
                "vipkit.toml:6:17: \"any\" in [service.check] must be a list of 1 to 8 checks, each a table or a name, \
                 not an integer; write it in brackets",
            ),
            (
                "check = { all = [{ any = [] }] }",
                "vipkit.toml:6:18: \"all\" in [service.check] has a combination within; \
                 combinations do not nest: a member is a check",
            ),
            (
                "check = { all = [{ type = \"tcp\", rise = 0 }] }",
                "vipkit.toml:6:41: \"rise\" in [[service.check.all]] must be an integer from 1 to 100, not 0; \
                 1 takes the first",
            ),
        ]);
    }

    #[test]
    fn refuses_combinations_that_mean_nothing() {
        let names = |count: usize| vec!["\"a\""; count].join(", ");
        assert_service_refused(&[
            (
                "check = []",
                "vipkit.toml:6:9: \"check\" in [[service]] has 0 checks; a verdict is made of 1 to 8 checks",
            ),
            (
                &format!("check = {{ any = [{}] }}", names(9)),
                "vipkit.toml:6:17: \"any\" in [service.check] has 9 checks; a verdict is made of 1 to 8 checks",
            ),
            (
                "check = { all = [\"a\"], any = [\"a\"] }",
                "vipkit.toml:6:1: checks are combined in two ways in [service.check]; \
                 write one of \"all\", \"any\", and \"at_least\" with \"of\"\n\
                 vipkit.toml:6:18: there is no check \"a\"; write [check.a]",
            ),
            (
                "check = { at_least = 1 }",
                "vipkit.toml:6:1: [service.check] has one of \"at_least\" and \"of\" without the other; \
                 write the two together: { at_least = 2, of = [...] }",
            ),
            (
                "check = { at_least = 0, of = [{ type = \"tcp\" }] }",
                "vipkit.toml:6:22: \"at_least\" in [service.check] must be an integer from 1 to 8, not 0; \
                 no more than there are checks",
            ),
            (
                "check = { at_least = 2, of = [{ type = \"tcp\" }] }",
                "vipkit.toml:6:22: \"at_least\" is 2, of 1 in [service.check]; \
                 it would never be up: ask for as many as there are",
            ),
            (
                "check = { all = [{ type = \"tcp\" }], interval = \"1s\" }",
                "vipkit.toml:6:37: unknown key \"interval\" in [service.check]; \
                 known here: all, any, at_least, of",
            ),
        ]);
    }
}
