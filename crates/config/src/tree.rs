//! A configuration as a tree of values that know where they stand; the tables of all files merged into one.
//! Knows no rule, and of keys those whose order counts. Not `Debug`: values may be secrets.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;

use crate::context::Context;
use crate::source::At;

/// A table: entries by key, in the order of the keys.
pub(crate) type Table = BTreeMap<String, Entry>;

/// A key's place and its value.
pub(crate) struct Entry {
    pub at: At,
    pub value: Value,
}

/// A value and its place.
pub(crate) struct Value {
    pub at: At,
    pub datum: Datum,
}

/// What a value is. No key takes a float or a date, so those keep nothing but their kind.
pub(crate) enum Datum {
    Text(String),
    /// Out of range is the nearest `i64`: no key goes that far.
    Integer(i64),
    Boolean(bool),
    List(Vec<Value>),
    Table(Table),
    Float,
    Date,
}

impl Datum {
    /// Its type with an article, for "not a string".
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Integer(_) => "an integer",
            Self::Boolean(_) => "a boolean",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Float => "a float",
            Self::Date => "a date",
        }
    }
}

/// Keys whose lists keep their order even if they are of tables: adverts name the first addresses, and requests are made
/// one after another.
const ORDERED: [&str; 2] = ["addresses", "requests"];

/// A list of tables, as `[[service]]` makes it: a set, whose order means nothing.
pub(crate) fn is_set(key: &str, list: &[Value]) -> bool {
    let is_table = |value: &Value| matches!(value.datum, Datum::Table(_));
    !ORDERED.contains(&key) && !list.is_empty() && list.iter().all(is_table)
}

/// Adds a file's table to what earlier files gave. Tables merge, lists of tables join; any other key that is
/// there already is a fault.
pub(crate) fn merge(into: &mut Table, from: Table, cx: &mut Context<'_>) {
    for (name, entry) in from {
        match into.entry(name) {
            Slot::Vacant(slot) => {
                slot.insert(entry);
            }
            Slot::Occupied(mut slot) => {
                let name = slot.key().clone();
                let first = slot.get_mut();
                match (&mut first.value.datum, entry.value.datum) {
                    (Datum::Table(into), Datum::Table(from)) => merge(into, from, cx),
                    (Datum::List(into), Datum::List(from)) if is_set(&name, into) && is_set(&name, &from) => {
                        into.extend(from);
                    }
                    _ => cx.given_twice(entry.at, &name, Some(first.at)),
                }
            }
        }
    }
}
