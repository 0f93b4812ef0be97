//! Checks as TOML: of a server or a service, and with a name of their own.

use super::Page;
use super::value::{Keys, Value};
use crate::import::Named;
use crate::import::check::Check;
use crate::import::note::Place;

/// All that is said of a check.
fn keys(check: &Check) -> Keys {
    let Check { kind, keys, interval, timeout, retries, retry_delay, rise, fall } = check;
    let mut all = vec![("type", (*kind).into())];
    all.extend(keys.iter().cloned());
    all.push(("interval", Value::Time(*interval)));
    all.push(("timeout", Value::Time(*timeout)));
    all.push(("retries", (*retries).into()));
    if *retries > 0 {
        all.push(("retry_delay", Value::Time(*retry_delay)));
    }
    // What is said nowhere is 1.
    let more = [("rise", *rise), ("fall", *fall)].into_iter().filter(|(_, rounds)| *rounds != 1);
    all.extend(more.map(|(key, rounds)| (key, rounds.into())));
    all
}

/// A check within a line.
#[must_use]
pub fn table(check: &Check) -> String {
    Value::Table(keys(check)).to_string()
}

/// What a server or a service says of its checks, as one line.
#[must_use]
pub fn line(check: &Check) -> String {
    format!("check = {}", table(check))
}

/// What a server or a service says of its checks; all of them must pass.
pub(super) fn all(page: &mut Page, checks: &[(Check, Place)], at: &Place) {
    match checks {
        [] => {}
        [(only, at)] => page.from(&line(only), at),
        all => page.list("check", all.iter().map(|(check, at)| (table(check), at)), at),
    }
}

/// `[check.NAME]`.
pub(super) fn named(page: &mut Page, Named { name, item: (check, at) }: &Named<(Check, Place)>) {
    page.table(&format!("[check.{}]", super::bare(name)), at);
    for (key, value) in keys(check) {
        page.from(&format!("{key} = {value}"), at);
    }
}
