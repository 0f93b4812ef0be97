//! TOML text to a tree, by the `toml` crate, which recovers from syntax errors: they are reported
//! together with what can still be read. Knows no key and no rule.

use std::collections::BTreeSet;

use toml::Spanned;
use toml::de::{DeArray, DeInteger, DeTable, DeValue, Error};

use crate::context::Context;
use crate::fault::FAULTS_MAX;
use crate::source::At;
use crate::tree::{Datum, Entry, Table, Value};

/// Reads one source; its syntax errors become faults.
pub(crate) fn read(source: usize, text: &str, cx: &mut Context<'_>) -> Table {
    let (document, errors) = DeTable::parse_recoverable(text);
    let table = table(source, document.into_inner());
    let mut places = Places::new();
    if !errors.is_empty() {
        add_places_in(&table, &mut places);
    }
    for error in errors.iter().take(FAULTS_MAX) {
        report(source, text, &places, error, cx);
    }
    table
}

/// The places of all keys, by name.
type Places<'t> = BTreeSet<(&'t str, At)>;

fn report(source: usize, text: &str, places: &Places<'_>, error: &Error, cx: &mut Context<'_>) {
    let span = error.span().unwrap_or_default();
    let at = At { source, offset: span.start };
    if error.message() == "duplicate key" {
        let name = text.get(span).unwrap_or_default().trim_matches(['"', '\'']);
        return cx.given_twice(at, name, latest_before(places, name, at));
    }
    match error.message().split_once(", expected ") {
        Some((what, expected)) => cx.syntax(at, what, Some(format!("expected {expected}"))),
        None => cx.syntax(at, error.message(), None),
    }
}

/// The nearest key of that name before a place: where a key that is given twice stands first.
fn latest_before(places: &Places<'_>, name: &str, at: At) -> Option<At> {
    let start = At { source: at.source, offset: 0 };
    places.range((name, start)..(name, at)).next_back().map(|&(_, first)| first)
}

fn add_places<'t>(datum: &'t Datum, places: &mut Places<'t>) {
    match datum {
        Datum::List(list) => list.iter().for_each(|value| add_places(&value.datum, places)),
        Datum::Table(table) => add_places_in(table, places),
        _ => {}
    }
}

fn add_places_in<'t>(table: &'t Table, places: &mut Places<'t>) {
    for (name, entry) in table {
        places.insert((name, entry.at));
        add_places(&entry.value.datum, places);
    }
}

fn table(source: usize, table: DeTable<'_>) -> Table {
    let entry = |(key, read): (Spanned<_>, _)| {
        let at = At { source, offset: key.span().start };
        let key: std::borrow::Cow<'_, str> = key.into_inner();
        (key.into_owned(), Entry { at, value: value(source, read) })
    };
    table.into_iter().map(entry).collect()
}

fn value(source: usize, read: Spanned<DeValue<'_>>) -> Value {
    let at = At { source, offset: read.span().start };
    let datum = match read.into_inner() {
        DeValue::String(text) => Datum::Text(text.into_owned()),
        DeValue::Integer(number) => Datum::Integer(integer(&number)),
        DeValue::Boolean(truth) => Datum::Boolean(truth),
        DeValue::Array(list) => Datum::List(values(source, list)),
        DeValue::Table(read) => Datum::Table(table(source, read)),
        DeValue::Float(_) => Datum::Float,
        DeValue::Datetime(_) => Datum::Date,
    };
    Value { at, datum }
}

fn values(source: usize, list: DeArray<'_>) -> Vec<Value> {
    list.into_iter().map(|read| value(source, read)).collect()
}

fn integer(number: &DeInteger<'_>) -> i64 {
    let nearest = if number.as_str().starts_with('-') { i64::MIN } else { i64::MAX };
    i64::from_str_radix(number.as_str(), number.radix()).unwrap_or(nearest)
}

/// A value that this program itself writes, such as a default; it stands where `at` says.
pub(crate) fn constant(text: &str, at: At) -> Option<Value> {
    let read = DeValue::parse(text).ok()?;
    Some(Value { at, ..value(at.source, read) })
}

#[cfg(test)]
mod tests {
    use crate::testing::{faults, faults_of, service, web};

    #[test]
    fn syntax_errors_are_reported_with_what_else_can_be_seen() {
        assert_eq!(
            faults(&web("priority = \nversion = 4\nchecksum rfc9568")),
            "vipkit.toml:5:12: string values must be quoted; expected literal string\n\
             vipkit.toml:6:11: \"version\" in [vrrp.web] must be 2 or 3, not 4; 2 is RFC 3768, 3 is RFC 9568\n\
             vipkit.toml:7:10: key with no value; expected `=`"
        );
    }

    #[test]
    fn what_a_syntax_error_may_have_swallowed_is_not_called_missing() {
        assert_eq!(
            faults("[vrrp.web\ninterface = \"eth0\"\n[vrrp.mail]\ninterface eth0"),
            "vipkit.toml:1:10: unclosed table; expected `]`\n\
             vipkit.toml:4:11: key with no value; expected `=`"
        );
        assert_eq!(
            faults_of(&["[vrrp.web]\ninterface = \"eth0\"", "[vrrp.web]\npriority ="]),
            "conf.d/1.toml:2:11: string values must be quoted; expected literal string"
        );
    }

    #[test]
    fn a_key_given_twice_names_both_places() {
        assert_eq!(
            faults(&web("priority = 1\nversion = 2\npriority = 2")),
            "vipkit.toml:7:1: \"priority\" is given twice; the other is at vipkit.toml:5:1: keep one"
        );
        assert_eq!(
            faults(&web("[node]\n[vrrp.web]")),
            "vipkit.toml:6:7: \"web\" is given twice; a table may stand once in a file: join the two"
        );
        assert_eq!(
            faults(&service("server = [{ address = \"192.0.2.81:80\", weight = 1, weight = 2 }]")),
            "vipkit.toml:5:52: \"weight\" is given twice; the other is at vipkit.toml:5:40: keep one"
        );
    }
}
