//! `type = "dns"`: the target is up if it answers a DNS query as expected.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::path::{self, Path, TARGET};
use super::{Aim, Kind};
use crate::context::quote;
use crate::endpoint::Target;
use crate::section::{About, Absent, Field, Key, Section};

/// Most answers that are expected.
const ANSWERS_MAX: usize = 16;

/// A query to a DNS server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dns {
    /// Where to send it.
    pub target: Target,
    /// How packets leave.
    pub path: Path,
    /// Transport.
    pub transport: DnsTransport,
    /// Name that is asked for.
    pub name: String,
    /// Type of record, such as `A`.
    pub record: String,
    /// RCODE that is expected, such as `NOERROR`.
    pub rcode: String,
    /// Data of records that must be among the answers; none unless the RCODE is NOERROR.
    pub answers: Vec<String>,
}

/// What a query is sent over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DnsTransport {
    /// A datagram.
    Udp,
    /// A connection.
    Tcp,
}

/// Types of records that can be asked for.
const RECORDS: &[&str] = &["A", "AAAA", "CAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT"];

/// RCODEs that a server answers a query with (RFC 1035 §4.1.1).
const RCODES: &[&str] = &["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"];

pub(crate) const KEYS: &[About] =
    &[TARGET.about, TRANSPORT.about, NAME.about, RECORD.about, RCODE.about, ANSWERS.about];

const TRANSPORT: Key<DnsTransport> = Key {
    about: About {
        name: "transport",
        kind: "\"udp\" or \"tcp\"",
        absent: Absent::Default("\"udp\""),
        doc: "What the query is sent over.",
    },
    read: |field| field.word([("udp", DnsTransport::Udp), ("tcp", DnsTransport::Tcp)].into_iter()),
};

const NAME: Key<String> = Key {
    about: About {
        name: "name",
        kind: "a domain name",
        absent: Absent::Default("\".\""),
        doc: "Name that is asked for, a whole one with or without its last dot.",
    },
    read: name,
};

const RECORD: Key<String> = Key {
    about: About {
        name: "record",
        kind: "the type of a record",
        absent: Absent::Default("\"SOA\""),
        doc: "Type that is asked for: A, AAAA, CAA, CNAME, MX, NS, PTR, SOA, SRV or TXT.",
    },
    read: |field| field.word(RECORDS.iter().map(|record| (*record, (*record).to_owned()))),
};

const RCODE: Key<String> = Key {
    about: About {
        name: "rcode",
        kind: "an RCODE",
        absent: Absent::Default("\"NOERROR\""),
        doc: "RCODE that is expected: NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP or REFUSED.",
    },
    read: |field| field.word(RCODES.iter().map(|rcode| (*rcode, (*rcode).to_owned()))),
};

const ANSWERS: Key<Vec<String>> = Key {
    about: About {
        name: "answers",
        kind: "a list of at most 16 strings",
        absent: Absent::Default("[]"),
        doc: "Data of records that must be among the answers, as `dig +short` shows it.",
    },
    read: answers,
};

pub(super) fn read(section: &mut Section<'_, '_>) -> Option<Aim> {
    let way = path::way(section);
    let transport = section.get(&TRANSPORT);
    let name = section.get(&NAME);
    let record = section.get(&RECORD);
    let rcode = section.get(&RCODE);
    let answers = section.get(&ANSWERS);
    let (transport, name, record, rcode, answers) = (transport?, name?, record?, rcode?, answers?);
    if rcode != "NOERROR" && !answers.is_empty() {
        let what = format!("\"answers\" beside rcode = {rcode:?}");
        section.fault(section.at(&ANSWERS), &what, "answers come with NOERROR: remove one of the two");
    }
    for answer in answers.iter().filter(|answer| !fits(&record, answer)) {
        let what = format!("{} among \"answers\" to {record}", quote(answer));
        section.fault(section.at(&ANSWERS), &what, "write an address of that type");
    }
    Some(Box::new(move |server, _| {
        let (target, path) = way.to(server)?;
        let (name, record, rcode, answers) = (name.clone(), record.clone(), rcode.clone(), answers.clone());
        Some(Kind::Dns(Dns { target, path, transport, name, record, rcode, answers }))
    }))
}

/// Whether an answer may be the data of such a record. Only addresses can be told from what they are not.
fn fits(record: &str, answer: &str) -> bool {
    match record {
        "A" => answer.parse::<Ipv4Addr>().is_ok(),
        "AAAA" => answer.parse::<Ipv6Addr>().is_ok(),
        _ => true,
    }
}

/// A name as DNS takes it: more than the names of hosts (RFC 2181 §11), but nothing that would need an escape.
fn name(field: &mut Field<'_, '_>) -> Option<String> {
    let text = field.text()?;
    let is_label = |label: &str| {
        let valid = |c: char| c.is_ascii_alphanumeric() || "-_*/+".contains(c);
        (1..=63).contains(&label.len()) && label.chars().all(valid)
    };
    let labels = text.strip_suffix('.').unwrap_or(text);
    if text == "." || labels.len() <= 253 && labels.split('.').all(is_label) {
        return Some(text.to_owned());
    }
    field.wrong(
        &quote(text),
        "such as \"www.example.net\"; labels have 1 to 63 characters, names at most 253",
    );
    None
}

/// Answers in order, each once.
fn answers(field: &mut Field<'_, '_>) -> Option<Vec<String>> {
    let list = field.list()?;
    if list.len() > ANSWERS_MAX {
        field.wrong(&list.len().to_string(), "name those that matter");
        return None;
    }
    let mut read: Vec<_> = list.iter().filter_map(|value| answer(&mut field.element(value))).collect();
    let whole = read.len() == list.len();
    read.sort_unstable();
    read.dedup();
    whole.then_some(read)
}

fn answer(field: &mut Field<'_, '_>) -> Option<String> {
    const LENGTH_MAX: usize = 1024;
    let text = field.text()?;
    if (1..=LENGTH_MAX).contains(&text.len()) && text.chars().all(|c| c == ' ' || c.is_ascii_graphic()) {
        return Some(text.to_owned());
    }
    field.fault(&format!("has {}", quote(text)), "an answer is 1 to 1024 printable characters");
    None
}

pub(super) fn target(check: &Dns) -> String {
    check.target.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, faults};

    fn text(keys: &str) -> String {
        format!("[check.a]\ntype = \"dns\"\ntarget = \"192.0.2.1:53\"\n{keys}")
    }

    fn dns(keys: &str) -> Dns {
        match check(&text(keys), "a").kind {
            Kind::Dns(dns) => dns,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn asks_for_the_root_unless_told() {
        let default = dns("");
        assert_eq!((default.transport, default.name.as_str()), (DnsTransport::Udp, "."));
        assert_eq!((default.record.as_str(), default.rcode.as_str()), ("SOA", "NOERROR"));
        let keys = "transport = \"tcp\"\nname = \"_sip._tcp.example.net.\"\nrecord = \"AAAA\"\nanswers = [\"::2\", \"::1\", \"::2\"]";
        let given = dns(keys);
        assert_eq!((given.transport, given.name.as_str()), (DnsTransport::Tcp, "_sip._tcp.example.net."));
        assert_eq!(given.answers, ["::1", "::2"]);
        assert_eq!(
            dns("record = \"MX\"\nanswers = [\"10 mail.example.net.\"]").answers,
            ["10 mail.example.net."]
        );
    }

    #[test]
    fn refuses_names_that_dns_has_not() {
        for name in ["", "a..b", "..", "a b", "é", &"a".repeat(64), &["a"; 128].join(".")] {
            assert!(
                faults(&text(&format!("name = \"{name}\""))).contains("must be a domain name, not"),
                "{name}"
            );
        }
        assert_eq!(dns(&format!("name = \"{}\"", ["a"; 127].join("."))).name.len(), 253);
    }

    #[test]
    fn refuses_what_no_server_answers() {
        for (keys, rest) in [
            (
                "record = \"a\"",
                "4:10: \"record\" in [check.a] must be the type of a record, not \"a\"; did you mean \"A\"?",
            ),
            (
                "rcode = \"NXDOMAN\"",
                "4:9: \"rcode\" in [check.a] must be an RCODE, not \"NXDOMAN\"; did you mean \"NXDOMAIN\"?",
            ),
            (
                "rcode = \"NXDOMAIN\"\nanswers = [\"a.\"]",
                "5:11: \"answers\" beside rcode = \"NXDOMAIN\" in [check.a]; \
                 answers come with NOERROR: remove one of the two",
            ),
            (
                "record = \"A\"\nanswers = [\"::1\"]",
                "5:11: \"::1\" among \"answers\" to A in [check.a]; write an address of that type",
            ),
            (
                "answers = [\"\"]",
                "4:12: \"answers\" in [check.a] has \"\"; an answer is 1 to 1024 printable characters",
            ),
        ] {
            assert_eq!(faults(&text(keys)), format!("vipkit.toml:{rest}"));
        }
    }
}
