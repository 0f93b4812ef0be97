//! `DNS_CHECK`: a query over UDP.

use std::time::Duration;

use super::{Check, Draft, Kind, Near, Way, Written};
use crate::import::block::{Done, Keyword, rows, value};
use crate::import::note::Notes;
use crate::import::said::Said;

/// A `DNS_CHECK`.
#[derive(Debug)]
pub struct Dns {
    name: String,
    record: &'static str,
}

/// The types that keepalived has and vipkit too.
const RECORDS: &[&str] = &["A", "NS", "CNAME", "SOA", "MX", "TXT", "AAAA"];
const RECORD: &str = "SOA";

impl Written for Dns {
    const KEYWORDS: &'static [Keyword<Draft<Self>>] = &[
        rows(Draft::<Self>::PLAIN),
        value(&["type"], record),
        value(&["name"], |draft, said, _| {
            draft.own.name = said.value().to_owned();
            Ok(())
        }),
    ];

    fn begin(_: &Said) -> Self {
        Self { name: ".".to_owned(), record: RECORD }
    }
}

fn record(draft: &mut Draft<Dns>, said: &Said, notes: &mut Notes) -> Done {
    let value = said.value();
    match RECORDS.iter().find(|record| record.eq_ignore_ascii_case(value)) {
        Some(record) => draft.own.record = record,
        None => {
            // Some versions know these.
            let now = match value {
                "RRSIG" | "DNSKEY" => "not carried over: vipkit asks for",
                _ => "none: keepalived ignores it, and asks for",
            };
            notes.say(&said.at, format!("type {value} is {now} {}", draft.own.record));
        }
    }
    Ok(())
}

impl Kind for Dns {
    fn retries(&self) -> u64 {
        3
    }

    fn retry_delay(&self) -> Option<Duration> {
        None
    }

    fn whole(self: Box<Self>, mut check: Check, way: Way, _: &Near<'_>, _: &mut Notes) -> Option<Check> {
        check.is("dns", way.keys());
        check.with("name", self.name);
        check.with("record", self.record);
        Some(check)
    }
}
