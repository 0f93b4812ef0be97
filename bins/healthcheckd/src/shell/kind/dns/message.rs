//! DNS messages: the query of a check, and what an answer to it says. Must not send or receive.

use std::collections::BTreeSet;

use domain::base::iana::{Class, Rcode, Rtype};
use domain::base::message_builder::PushError;
use domain::base::scan::IterScanner;
use domain::base::wire::ParseError;
use domain::base::{Message, MessageBuilder, Name, ParsedName};
use domain::rdata::{Txt, ZoneRecordData};
use vipkit_config::{Dns, DnsTransport};

use super::super::{attempt, words};
use crate::verdict::{Finding, Outcome};

/// Answers that are shown where another one was expected.
const SHOWN_MAX: usize = 3;

/// Data of a record.
type Data = ZoneRecordData<Vec<u8>, Name<Vec<u8>>>;

/// The same, in a message.
type Found<'a> = ZoneRecordData<&'a [u8], ParsedName<&'a [u8]>>;

/// A query, and what is expected of the answer.
#[derive(Debug)]
pub struct Query {
    message: Message<Vec<u8>>,
    record: Rtype,
    rcode: String,
    answers: Vec<(String, Data)>,
}

/// What a message is to a query.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// No answer to it.
    Stray,
    /// An answer that is cut: all of it is to be had over TCP (RFC 1035 §4.2.1).
    Truncated,
    /// The answer, judged.
    Answer(Result<Finding, Outcome>),
}

impl Query {
    /// The query of a check. Recursion is desired: servers that do not offer it take no notice.
    ///
    /// # Errors
    /// What no query and no record can have.
    pub fn new(check: &Dns, id: u16) -> Result<Self, Outcome> {
        let unfit = |what: &str| Outcome::hindered(format_args!("{what} is not for DNS"), "change the check");
        let record = check.record.parse().map_err(|_| unfit(&check.record))?;
        let name = check.name.parse().map_err(|_| unfit(&check.name))?;
        let answers = check.answers.iter().map(|text| {
            let data = data(record, text).ok_or_else(|| unfit(&format!("{text} as {record}")))?;
            Ok((text.clone(), data))
        });
        let answers = answers.collect::<Result<_, _>>()?;
        let message = message(id, name, record).map_err(|_| unfit(&check.name))?;
        Ok(Self { message, record, rcode: check.rcode.clone(), answers })
    }

    /// As it is sent.
    pub fn bytes(&self) -> &[u8] {
        self.message.as_slice()
    }

    /// Judges what came. A message that is cut is worth asking again only over UDP.
    pub fn hear(&self, bytes: &[u8], transport: DnsTransport) -> Heard {
        match Message::from_octets(bytes) {
            Ok(message) if !self.is_answered_by(&message) => Heard::Stray,
            Ok(message) if message.header().tc() && transport == DnsTransport::Udp => Heard::Truncated,
            Ok(message) => Heard::Answer(self.judge(&message)),
            Err(_) => Heard::Stray,
        }
    }

    /// Who cannot read a query answers without its question.
    fn is_answered_by(&self, message: &Message<&[u8]>) -> bool {
        let header = message.header();
        let is_error =
            header.qr() && header.id() == self.message.header().id() && header.rcode() != Rcode::NOERROR;
        message.is_answer(&self.message) || is_error && message.header_counts().qdcount() == 0
    }

    fn judge(&self, message: &Message<&[u8]>) -> Result<Finding, Outcome> {
        let rcode = message.header().rcode().to_string();
        if rcode != self.rcode {
            return Err(Outcome::failed(rcode));
        }
        let found = self.found(message).map_err(|_| Outcome::failed("an answer that cannot be read"))?;
        let is_missing = |(_, data): &&(String, Data)| !found.iter().any(|found| is_same(found, data));
        match self.answers.iter().find(is_missing) {
            Some((text, _)) => Err(Outcome::failed(format_args!("no answer {text} (got {})", shown(&found)))),
            None if rcode != "NOERROR" => Ok(attempt::found(rcode)),
            None => Ok(attempt::found(format_args!("{rcode}, {}", counted(found.len())))),
        }
    }

    /// The data of all answers of the type that was asked for, under whatever name: there may be aliases before them.
    fn found<'a>(&self, message: &'a Message<&[u8]>) -> Result<Vec<Found<'a>>, ParseError> {
        let mut found = Vec::new();
        for record in message.answer()? {
            let record = record?;
            if record.rtype() == self.record && record.class() == Class::IN {
                found.extend(record.into_record::<Found<'_>>()?.map(|record| record.into_data()));
            }
        }
        Ok(found)
    }
}

fn message(id: u16, name: Name<Vec<u8>>, record: Rtype) -> Result<Message<Vec<u8>>, PushError> {
    let mut message = MessageBuilder::from_target(Vec::new()).map_err(|_| PushError::ShortBuf)?;
    message.header_mut().set_id(id);
    message.header_mut().set_rd(true);
    let mut message = message.question();
    message.push((name, record))?;
    Ok(message.into_message())
}

/// What a text says, as zone files have it and `dig +short` shows it. A TXT record may be written without quotes, too.
fn data(record: Rtype, text: &str) -> Option<Data> {
    let quoted = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let fields: Vec<&str> = match (record, quoted) {
        (Rtype::TXT, Some(quoted)) => quoted.split("\" \"").collect(),
        (Rtype::TXT, None) => return Txt::build_from_slice(text.as_bytes()).ok().map(Data::Txt),
        // There may be spaces in the last one.
        (Rtype::CAA, _) => text.splitn(3, ' ').map(|field| field.trim_matches('"')).collect(),
        _ => text.split_ascii_whitespace().collect(),
    };
    let mut fields = IterScanner::<_, Vec<u8>>::new(fields);
    Data::scan(record, &mut fields).ok().filter(|_| fields.is_exhausted())
}

/// How a TXT record is cut into strings means nothing.
fn is_same(found: &Found<'_>, data: &Data) -> bool {
    match (found, data) {
        (Found::Txt(found), Data::Txt(data)) => found.text::<Vec<u8>>() == data.text::<Vec<u8>>(),
        _ => found == data,
    }
}

fn counted(answers: usize) -> String {
    match answers {
        0 => "no answers".to_owned(),
        1 => "1 answer".to_owned(),
        _ => format!("{answers} answers"),
    }
}

/// In the same order, in whichever the server has them.
fn shown(found: &[Found<'_>]) -> String {
    let found: BTreeSet<String> = found.iter().map(ToString::to_string).collect();
    let first: Vec<&str> = found.iter().take(SHOWN_MAX).map(String::as_str).collect();
    let more = match found.len().saturating_sub(SHOWN_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    match first.as_slice() {
        [] => "none".to_owned(),
        first => words::line(first.join(", ").as_bytes()) + &more,
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use domain::base::Ttl;
    use domain::base::record::Record;
    use proptest::prelude::*;
    use vipkit_config::Path;

    use super::*;

    const ID: u16 = 0x1234;

    fn check(record: &str, answers: &[&str]) -> Dns {
        Dns {
            target: SocketAddr::from(([127, 0, 0, 1], 53)).into(),
            path: Path::default(),
            transport: DnsTransport::Udp,
            name: "www.example.net".to_owned(),
            record: record.to_owned(),
            rcode: "NOERROR".to_owned(),
            answers: answers.iter().map(|answer| (*answer).to_owned()).collect(),
        }
    }

    fn query(record: &str, answers: &[&str]) -> Query {
        Query::new(&check(record, answers), ID).unwrap()
    }

    /// An answer to a question for `name`, with records of these types and data.
    fn answer(id: u16, name: &str, asked: Rtype, rcode: Rcode, records: &[(Rtype, &str)]) -> Vec<u8> {
        let question = message(id, name.parse().unwrap(), asked).unwrap();
        let mut answer = MessageBuilder::new_vec().start_answer(&question, rcode).unwrap();
        for (rtype, text) in records {
            let owner: Name<Vec<u8>> = "alias.example.net".parse().unwrap();
            answer
                .push(Record::new(owner, Class::IN, Ttl::from_secs(60), data(*rtype, text).unwrap()))
                .unwrap();
        }
        answer.finish()
    }

    fn to_www(record: Rtype, texts: &[&str]) -> Vec<u8> {
        let records: Vec<_> = texts.iter().map(|text| (record, *text)).collect();
        answer(ID, "www.example.net", record, Rcode::NOERROR, &records)
    }

    fn says(query: &Query, bytes: &[u8]) -> String {
        match query.hear(bytes, DnsTransport::Udp) {
            Heard::Answer(Ok(finding)) => format!("up: {}", finding.reason),
            Heard::Answer(Err(Outcome::Failed { reason })) => format!("down: {reason}"),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn answers_are_compared_by_what_they_mean() {
        let soa = "ns.example.net. root.example.net. 7 3600 600 86400 60";
        for (record, text, others) in [
            ("A", "192.0.2.1", &["192.0.2.1"][..]),
            ("AAAA", "2001:db8::1", &["2001:DB8:0:0::1"]),
            ("CNAME", "a.example.net.", &["A.Example.NET"]),
            ("MX", "10 mail.example.", &["10 mail.example", "10  MAIL.example."]),
            ("NS", "ns.example.net", &["ns.example.net."]),
            ("PTR", "host.example.net", &["HOST.example.net."]),
            ("SOA", soa, &["NS.example.net root.example.net 7 3600 600 86400 60"]),
            ("SRV", "0 5 5060 sip.example.net.", &["0 5 5060 sip.EXAMPLE.net"]),
            ("TXT", "v=spf1 -all", &["v=spf1 -all", "\"v=spf1 -all\"", "\"v=spf1\" \" -all\""]),
            ("CAA", "0 issue ca.example; account=1", &["0 issue \"ca.example; account=1\""]),
        ] {
            let bytes = to_www(record.parse().unwrap(), &[text]);
            for other in others {
                assert_eq!(
                    says(&query(record, &[other]), &bytes),
                    "up: NOERROR, 1 answer",
                    "{record} {other}"
                );
            }
            assert_eq!(says(&query(record, &[]), &bytes), "up: NOERROR, 1 answer");
        }
    }

    #[test]
    fn what_is_missing_is_named_with_what_there_is_in_one_order() {
        let a = |texts: &[&str]| to_www(Rtype::A, texts);
        let query = query("A", &["192.0.2.1"]);
        for (bytes, expected) in [
            (a(&["192.0.2.2", "192.0.2.1"]), "up: NOERROR, 2 answers"),
            (a(&["192.0.2.9"]), "down: no answer 192.0.2.1 (got 192.0.2.9)"),
            (a(&["192.0.2.3", "192.0.2.2"]), "down: no answer 192.0.2.1 (got 192.0.2.2, 192.0.2.3)"),
            (a(&["192.0.2.2", "192.0.2.3"]), "down: no answer 192.0.2.1 (got 192.0.2.2, 192.0.2.3)"),
            (
                a(&["192.0.2.6", "192.0.2.5", "192.0.2.4", "192.0.2.3", "192.0.2.2"]),
                "down: no answer 192.0.2.1 (got 192.0.2.2, 192.0.2.3, 192.0.2.4 and 2 more)",
            ),
            (a(&[]), "down: no answer 192.0.2.1 (got none)"),
        ] {
            assert_eq!(says(&query, &bytes), expected);
        }
        let txt = to_www(Rtype::TXT, &["mail"]);
        assert_eq!(says(&self::query("TXT", &["MAIL"]), &txt), "down: no answer MAIL (got \"mail\")");
    }

    #[test]
    fn records_of_other_types_are_no_answers() {
        let records = [(Rtype::CNAME, "alias.example.net"), (Rtype::A, "192.0.2.1")];
        let bytes = answer(ID, "www.example.net", Rtype::A, Rcode::NOERROR, &records);
        assert_eq!(says(&query("A", &["192.0.2.1"]), &bytes), "up: NOERROR, 1 answer");
        let bytes = answer(ID, "www.example.net", Rtype::A, Rcode::NOERROR, &records[..1]);
        assert_eq!(says(&query("A", &[]), &bytes), "up: NOERROR, no answers");
    }

    #[test]
    fn the_rcode_is_the_expected_one() {
        let bytes = |rcode| answer(ID, "www.example.net", Rtype::A, rcode, &[]);
        let mut check = check("A", &[]);
        assert_eq!(says(&query("A", &[]), &bytes(Rcode::SERVFAIL)), "down: SERVFAIL");
        check.rcode = "NXDOMAIN".to_owned();
        let query = Query::new(&check, ID).unwrap();
        assert_eq!(says(&query, &bytes(Rcode::NXDOMAIN)), "up: NXDOMAIN");
        assert_eq!(says(&query, &bytes(Rcode::NOERROR)), "down: NOERROR");
        // A header alone: who cannot read the query.
        let mut header = bytes(Rcode::FORMERR);
        header.truncate(12);
        header[5] = 0;
        assert_eq!(says(&query, &header), "down: FORMERR");
    }

    #[test]
    fn what_answers_another_query_is_not_heard() {
        let query = query("A", &[]);
        let other = |id, name, record| answer(id, name, record, Rcode::NOERROR, &[]);
        assert_eq!(says(&query, &other(ID, "WWW.example.net", Rtype::A)), "up: NOERROR, no answers");
        for bytes in [
            other(ID + 1, "www.example.net", Rtype::A),
            other(ID, "web.example.net", Rtype::A),
            other(ID, "www.example.net", Rtype::AAAA),
            query.bytes().to_vec(),
            b"HTTP/1.0".to_vec(),
            vec![],
        ] {
            assert_eq!(query.hear(&bytes, DnsTransport::Udp), Heard::Stray, "{bytes:?}");
        }
    }

    #[test]
    fn an_answer_that_is_cut_is_asked_for_again_over_tcp_alone() {
        let mut bytes = to_www(Rtype::A, &["192.0.2.1"]);
        bytes[2] |= 0x02;
        let query = query("A", &["192.0.2.1"]);
        assert_eq!(query.hear(&bytes, DnsTransport::Udp), Heard::Truncated);
        let whole = Heard::Answer(Ok(attempt::found("NOERROR, 1 answer")));
        assert_eq!(query.hear(&bytes, DnsTransport::Tcp), whole);
    }

    #[test]
    fn what_cannot_be_in_dns_is_said_before_anything_is_asked() {
        let label = "a".repeat(64);
        for (check, reason) in [
            (check("HINFOX", &[]), "HINFOX is not for DNS"),
            (Dns { name: label.clone(), ..check("A", &[]) }, &format!("{label} is not for DNS")),
            (check("A", &["::1"]), "::1 as A is not for DNS"),
            (check("MX", &["mail.example"]), "mail.example as MX is not for DNS"),
            (check("MX", &["10 mail.example 5"]), "10 mail.example 5 as MX is not for DNS"),
        ] {
            assert_eq!(Query::new(&check, ID).unwrap_err(), Outcome::hindered(reason, "change the check"));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_heard(bytes in any::<Vec<u8>>(), record in 0_usize..10) {
            let records = ["A", "AAAA", "CAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT"];
            let query = query(records[record], &[]);
            let _ = query.hear(&bytes, DnsTransport::Udp);
            // The same as the rest of an answer.
            let mut answer = to_www(query.record, &[]);
            answer[7] = 3;
            answer.extend(&bytes);
            prop_assert!(matches!(query.hear(&answer, DnsTransport::Tcp), Heard::Answer(_)));
            // And as the data of a record.
            let mut answer = to_www(query.record, &[]);
            answer[7] = 1;
            answer.extend([0xc0, 12]);
            answer.extend(query.record.to_int().to_be_bytes());
            answer.extend([0, 1, 0, 0, 0, 0]);
            answer.extend((bytes.len() as u16).to_be_bytes());
            answer.extend(&bytes);
            let Heard::Answer(judged) = query.hear(&answer, DnsTransport::Tcp) else { panic!("not heard") };
            if let Err(Outcome::Failed { reason }) = judged {
                prop_assert_eq!(reason, "an answer that cannot be read");
            }
        }

        #[test]
        fn any_text_of_a_configuration_is_read(text in "[ -~]{0,64}", record in 0_usize..10) {
            let records = ["A", "AAAA", "CAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT"];
            let _ = Query::new(&check(records[record], &[&text]), ID);
        }
    }
}
