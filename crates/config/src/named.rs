//! Tables with names of their own, such as `[vrrp.NAME]`, and what may be a name. Knows nothing of what is in them.

use std::collections::BTreeMap;

use crate::context::quote;
use crate::section::{About, Field, Section};
use crate::tree::{Datum, Entry};

/// What a name is made of.
pub(crate) const RULE: &str = "1 to 64 letters, digits, \"_\", \".\" and \"-\"";

/// What the tables are called.
pub(crate) struct Noun {
    pub article: &'static str,
    pub noun: &'static str,
    /// Most of them.
    pub most: usize,
    pub example: &'static str,
}

pub(crate) fn is_name(text: &str) -> bool {
    let valid = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    (1..=64).contains(&text.len()) && text.chars().all(valid)
}

/// What each of the tables is, by its name; `read` has said why if it reads none.
pub(crate) fn tables<T>(
    field: &mut Field<'_, '_>,
    Noun { article, noun, most, example }: &Noun,
    keys: &'static [About],
    mut read: impl FnMut(Section<'_, '_>) -> Option<T>,
) -> Option<BTreeMap<String, T>> {
    let Datum::Table(table) = &field.value.datum else {
        field.mistyped(format!("each is a table with a name, such as {example}"));
        return None;
    };
    if table.len() > *most {
        field.fault(&format!("has {} {noun}s", table.len()), format!("{most} are the most"));
        return None;
    }
    let mut found = BTreeMap::new();
    for (name, Entry { at, value }) in table {
        let mut shown = name.clone();
        if !is_name(name) {
            shown = quote(name);
            field.cx.fault(*at, format!("{shown} cannot be the name of {article} {noun}"), RULE);
        }
        match &value.datum {
            Datum::Table(table) => {
                let read = read(field.named(&shown, *at, table, keys));
                found.extend(read.map(|read| (name.clone(), read)));
            }
            _ => {
                let hint = format!("{article} {noun} is a table with a name, such as {example}");
                let what = format!("{} in {} is no {noun}", quote(name), field.header());
                field.cx.fault(*at, what, hint);
            }
        }
    }
    (found.len() == table.len()).then_some(found)
}
