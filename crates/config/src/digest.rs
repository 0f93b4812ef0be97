//! One number for a configuration: the same for the same values, whatever their order, layout, comments
//! and files. It tells whether two daemons run the same configuration; it is no proof against forgery.

use std::fmt;

use sha2::{Digest as _, Sha256};
use vipkit_core::vrrp::{Authentication, SimplePassword};

use crate::instance::Instance;
use crate::tree::{Datum, Table, Value, is_set};

/// SHA-256 over the values of a configuration, passwords from files included, keys of HMACs not: everyone may see it,
/// and could try guesses. Shown as its first 12 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Of the merged tables, and of the instances for what they have from key files.
    pub(crate) fn new<'i>(table: &Table, instances: impl Iterator<Item = &'i Instance>) -> Self {
        let mut hash = Sha256::new();
        add_table(&mut hash, table);
        for instance in instances {
            match &instance.authentication {
                Authentication::None | Authentication::Hmac(_) => hash.update([0; 8]),
                Authentication::Pass(password) => hash.update(SimplePassword::wire(password)),
            }
        }
        Self(hash.finalize().into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(6).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// Each value is its kind and length before its content, so that no two trees read the same.
fn add(hash: &mut Sha256, datum: &Datum) {
    match datum {
        Datum::Text(text) => add_text(hash, text),
        Datum::Integer(number) => {
            hash.update(b"i");
            hash.update(number.to_be_bytes());
        }
        Datum::Boolean(truth) => hash.update(if *truth { b"t" } else { b"f" }),
        Datum::List(values) => {
            add_head(hash, b"l", values.len());
            values.iter().for_each(|value| add(hash, &value.datum));
        }
        Datum::Table(table) => add_table(hash, table),
        Datum::Float | Datum::Date => hash.update(b"o"),
    }
}

/// Without an order.
fn add_set(hash: &mut Sha256, values: &[Value]) {
    let mut digests: Vec<_> = values.iter().map(|value| alone(&value.datum)).collect();
    digests.sort_unstable();
    add_head(hash, b"u", digests.len());
    digests.iter().for_each(|digest| hash.update(digest));
}

fn alone(datum: &Datum) -> [u8; 32] {
    let mut hash = Sha256::new();
    add(&mut hash, datum);
    hash.finalize().into()
}

fn add_table(hash: &mut Sha256, table: &Table) {
    add_head(hash, b"m", table.len());
    for (key, entry) in table {
        add_text(hash, key);
        match &entry.value.datum {
            Datum::List(values) if is_set(key, values) => add_set(hash, values),
            datum => add(hash, datum),
        }
    }
}

fn add_text(hash: &mut Sha256, text: &str) {
    add_head(hash, b"s", text.len());
    hash.update(text);
}

fn add_head(hash: &mut Sha256, kind: &[u8; 1], length: usize) {
    hash.update(kind);
    hash.update(u64::try_from(length).unwrap_or(u64::MAX).to_be_bytes());
}
