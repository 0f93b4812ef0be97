//! One request of `http` and `https`, `[[check.NAME.requests]]`, and what is expected of the answer. What would change how
//! messages are framed cannot be written: that is for whoever sends them.

use std::collections::BTreeSet;

use crate::check::text;
use crate::context::quote;
use crate::section::{About, Absent, Field, Key, Section};
use crate::tree::Datum;

/// Most headers of a request.
const HEADERS_MAX: usize = 32;

/// Most statuses and ranges.
const STATUSES_MAX: usize = 16;

/// Lowest and highest status (RFC 9110 §15).
const STATUSES: std::ops::RangeInclusive<u16> = 100..=599;

/// A request and what is expected of the answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Request {
    /// Method, a token.
    pub method: String,
    /// Path, and query if any.
    pub path: String,
    /// Host header; the target if it is none.
    pub host: Option<String>,
    /// Further headers by name, each once: tokens, and printable ASCII.
    pub headers: Vec<(String, String)>,
    /// Statuses that are expected, from one to another.
    pub status: Vec<(u16, u16)>,
    /// What holds of the body; nothing if the method is HEAD.
    pub body: Vec<Body>,
}

/// What holds of a body.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Body {
    /// It has this text in it.
    Contains(String),
    /// It has not.
    Lacks(String),
    /// Something in it matches this regular expression ([`pattern`](crate::pattern)).
    Matches(String),
    /// Its SHA-256.
    Sha256([u8; 32]),
}

pub(crate) const KEYS: &[About] = &[
    METHOD.about,
    PATH.about,
    HOST.about,
    HEADERS.about,
    STATUS.about,
    BODY_CONTAINS.about,
    BODY_LACKS.about,
    BODY_MATCHES.about,
    BODY_SHA256.about,
];

const METHOD: Key<String> = Key {
    about: About {
        name: "method",
        kind: "an HTTP method",
        absent: Absent::Default("\"GET\""),
        doc: "Method of the request, which has no body.",
    },
    read: method,
};

const PATH: Key<String> = Key {
    about: About {
        name: "path",
        kind: "a path that starts with \"/\"",
        absent: Absent::Default("\"/\""),
        doc: "Path, and query if any.",
    },
    read: path,
};

const HOST: Key<String> = Key {
    about: About {
        name: "host",
        kind: "a host, with or without a port",
        absent: Absent::None("the target"),
        doc: "`Host` header.",
    },
    read: host,
};

const HEADERS: Key<Vec<(String, String)>> = Key {
    about: About {
        name: "headers",
        kind: "a table of at most 32 strings",
        absent: Absent::Default("{}"),
        doc: "Further headers: `{ Accept = \"text/plain\" }`.",
    },
    read: headers,
};

const STATUS: Key<Vec<(u16, u16)>> = Key {
    about: About {
        name: "status",
        kind: "a list of 1 to 16 statuses and ranges",
        absent: Absent::Default("[\"200-399\"]"),
        doc: "Statuses that are expected: `[200, \"300-399\"]`.",
    },
    read: status,
};

const BODY_CONTAINS: Key<String> = Key {
    about: About {
        name: "body_contains",
        kind: "a string of 1 to 4096 bytes",
        absent: Absent::None("any"),
        doc: "What must be in the body.",
    },
    read: text::read,
};

const BODY_LACKS: Key<String> = Key {
    about: About {
        name: "body_lacks",
        kind: "a string of 1 to 4096 bytes",
        absent: Absent::None("any"),
        doc: "What must not be in the body.",
    },
    read: text::read,
};

const BODY_MATCHES: Key<String> = Key {
    about: About {
        name: "body_matches",
        kind: "a regular expression",
        absent: Absent::None("any"),
        doc: "What something in the body must match.",
    },
    read: text::regex,
};

const BODY_SHA256: Key<[u8; 32]> = Key {
    about: About {
        name: "body_sha256",
        kind: "64 hexadecimal digits",
        absent: Absent::None("any"),
        doc: "SHA-256 of the body, as `sha256sum` shows it.",
    },
    read: sha256,
};

/// A request, from a table of its own or from the check's.
pub(super) fn read(section: &mut Section<'_, '_>) -> Option<Request> {
    let method = section.get(&METHOD);
    let path = section.get(&PATH);
    let host = section.get(&HOST);
    let headers = section.get(&HEADERS);
    let status = section.get(&STATUS);
    let body: Vec<_> = [
        section.get(&BODY_CONTAINS).map(Body::Contains),
        section.get(&BODY_LACKS).map(Body::Lacks),
        section.get(&BODY_MATCHES).map(Body::Matches),
        section.get(&BODY_SHA256).map(Body::Sha256),
    ]
    .into_iter()
    .flatten()
    .collect();
    if method.as_deref() == Some("HEAD") && !body.is_empty() {
        let what = "something expected of the body of an answer to HEAD, which has none,";
        section.fault(section.at(&METHOD), what, "write \"GET\"");
    }
    Some(Request { method: method?, path: path?, host, headers: headers?, status: status?, body })
}

/// A token (RFC 9110 §5.6.2).
fn is_token(text: &str) -> bool {
    const LENGTH_MAX: usize = 64;
    let valid = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    (1..=LENGTH_MAX).contains(&text.len()) && text.chars().all(valid)
}

fn method(field: &mut Field<'_, '_>) -> Option<String> {
    let text = field.text()?;
    if !is_token(text) || text == "CONNECT" {
        field.wrong(&quote(text), "such as \"GET\", \"HEAD\" or \"OPTIONS\"");
        return None;
    }
    Some(text.to_owned())
}

fn path(field: &mut Field<'_, '_>) -> Option<String> {
    let text = field.text()?;
    let valid = |c: char| c.is_ascii_graphic() && !"\"#<>\\^`{|}".contains(c);
    let hint = match text {
        _ if text.contains("://") && !text.starts_with('/') => {
            "the host is said by \"target\" and \"host\"".to_owned()
        }
        _ if !text.starts_with('/') => format!("write it as {}", quote(&format!("/{text}"))),
        _ if text.contains('#') => "what follows \"#\" is never sent: leave it out".to_owned(),
        _ if !text.chars().all(valid) => {
            "write what is no letter, digit or sign of URLs as \"%20\"".to_owned()
        }
        _ if text.len() > text::TEXT_MAX => format!("{} bytes are the most", text::TEXT_MAX),
        _ => return Some(text.to_owned()),
    };
    field.wrong(&quote(text), hint);
    None
}

fn host(field: &mut Field<'_, '_>) -> Option<String> {
    const LENGTH_MAX: usize = 255;
    let text = field.text()?;
    let valid = |c: char| c.is_ascii_alphanumeric() || ".-_:[]".contains(c);
    if !(1..=LENGTH_MAX).contains(&text.len()) || !text.chars().all(valid) {
        field.wrong(&quote(text), "such as \"www.example.net\"");
        return None;
    }
    Some(text.to_owned())
}

/// Headers that are not the configuration's to write, and why.
const REFUSED: &[(&str, &str)] = &[
    ("host", "write it as \"host\""),
    ("content-length", "requests have no body"),
    ("transfer-encoding", "requests have no body"),
    ("connection", "what becomes of the connection is not for the answer to say"),
];

fn headers(field: &mut Field<'_, '_>) -> Option<Vec<(String, String)>> {
    let table = field.table()?;
    if table.len() > HEADERS_MAX {
        field.wrong(&table.len().to_string(), "leave out those that nothing depends on");
        return None;
    }
    let mut names = BTreeSet::new();
    let mut read = Vec::with_capacity(table.len());
    for (name, entry) in table {
        let mut field = field.element(&entry.value);
        let lower = name.to_ascii_lowercase();
        let refused = REFUSED.iter().find(|(refused, _)| *refused == lower);
        if let Some((_, hint)) = refused {
            field.fault(&format!("has {}", quote(name)), *hint);
        } else if !is_token(name) {
            let hint = "the name of a header is letters, digits and \"-\"";
            field.fault(&format!("has {}", quote(name)), hint);
        } else if !names.insert(lower) {
            field.fault(
                &format!("has {} twice", quote(name)),
                "small and capital letters are the same in a header",
            );
        } else {
            read.extend(value(&mut field).map(|value| (name.clone(), value)));
        }
    }
    (read.len() == table.len()).then_some(read)
}

/// The value of a header (RFC 9110 §5.5), without what is obsolete.
fn value(field: &mut Field<'_, '_>) -> Option<String> {
    let text = field.text()?;
    let valid = |c: char| c == ' ' || c == '\t' || c.is_ascii_graphic();
    if text.len() > text::TEXT_MAX || text.trim() != text || !text.chars().all(valid) {
        let hint = "the value of a header is printable ASCII, without spaces around it";
        field.fault(&format!("has {}", quote(text)), hint);
        return None;
    }
    Some(text.to_owned())
}

/// Ranges of statuses in order, each once.
fn status(field: &mut Field<'_, '_>) -> Option<Vec<(u16, u16)>> {
    let list = field.list()?;
    if !(1..=STATUSES_MAX).contains(&list.len()) {
        field.wrong(&list.len().to_string(), "leave it out for 200 to 399");
        return None;
    }
    let mut read: Vec<_> = list.iter().filter_map(|value| statuses(&mut field.element(value))).collect();
    let whole = read.len() == list.len();
    read.sort_unstable();
    read.dedup();
    whole.then_some(read)
}

fn statuses(field: &mut Field<'_, '_>) -> Option<(u16, u16)> {
    const HINT: &str = "write 200, or \"200-299\" for all of these; a status is 100 to 599";
    let (found, range) = match &field.value.datum {
        Datum::Integer(number) => {
            (number.to_string(), u16::try_from(*number).ok().map(|status| (status, status)))
        }
        Datum::Text(text) => {
            (quote(text), text.split_once('-').and_then(|(from, to)| number(from).zip(number(to))))
        }
        _ => {
            field.mistyped(HINT);
            return None;
        }
    };
    let range = range.filter(|(from, to)| from <= to && STATUSES.contains(from) && STATUSES.contains(to));
    if range.is_none() {
        field.fault(&format!("has {found}"), HINT);
    }
    range
}

fn number(text: &str) -> Option<u16> {
    // `parse` would take a sign.
    text.chars().all(|c| c.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn sha256(field: &mut Field<'_, '_>) -> Option<[u8; 32]> {
    let text = field.text()?;
    let digest = text::hexadecimal(text).and_then(|bytes| bytes.try_into().ok());
    if digest.is_none() {
        field.wrong(&quote(text), "curl -s URL | sha256sum shows it");
    }
    digest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Kind;
    use crate::testing::{check, faults};

    fn text(keys: &str) -> String {
        format!("[check.a]\ntype = \"http\"\ntarget = \"192.0.2.1:80\"\n{keys}")
    }

    fn request(keys: &str) -> Request {
        match check(&text(keys), "a").kind {
            Kind::Http(http) => http.requests.into_iter().next().unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_request_gets_the_root_and_expects_no_error() {
        let expected = Request {
            method: "GET".to_owned(),
            path: "/".to_owned(),
            host: None,
            headers: vec![],
            status: vec![(200, 399)],
            body: vec![],
        };
        assert_eq!(request(""), expected);
        let digest = "ab".repeat(32);
        let keys = "method = \"OPTIONS\"\npath = \"/a?b=[1]&c=%20\"\nhost = \"[::1]:80\"\n\
                    headers = { X-A = \"b c\", Accept = \"\" }\nstatus = [\"500-599\", 204, 204]\n\
                    body_contains = \"ok\"\nbody_lacks = \"error\"\nbody_matches = \"^a+$\"\n";
        let expected = Request {
            method: "OPTIONS".to_owned(),
            path: "/a?b=[1]&c=%20".to_owned(),
            host: Some("[::1]:80".to_owned()),
            headers: vec![("Accept".to_owned(), String::new()), ("X-A".to_owned(), "b c".to_owned())],
            status: vec![(204, 204), (500, 599)],
            body: vec![
                Body::Contains("ok".to_owned()),
                Body::Lacks("error".to_owned()),
                Body::Matches("^a+$".to_owned()),
                Body::Sha256([0xab; 32]),
            ],
        };
        assert_eq!(request(&format!("{keys}body_sha256 = \"{digest}\"")), expected);
    }

    #[test]
    fn refuses_what_no_request_has() {
        for (key, rest) in [
            (
                "method = \"G T\"",
                "10: must be an HTTP method, not \"G T\"; such as \"GET\", \"HEAD\" or \"OPTIONS\"",
            ),
            (
                "method = \"CONNECT\"",
                "10: must be an HTTP method, not \"CONNECT\"; such as \"GET\", \"HEAD\" or \"OPTIONS\"",
            ),
            ("path = \"a\"", "8: must be a path that starts with \"/\", not \"a\"; write it as \"/a\""),
            (
                "path = \"http://a/b\"",
                "8: must be a path that starts with \"/\", not \"http://a/b\"; the host is said by \"target\" and \"host\"",
            ),
            (
                "path = \"/a b\"",
                "8: must be a path that starts with \"/\", not \"/a b\"; \
                 write what is no letter, digit or sign of URLs as \"%20\"",
            ),
            (
                "path = \"/a#b\"",
                "8: must be a path that starts with \"/\", not \"/a#b\"; what follows \"#\" is never sent: leave it out",
            ),
            (
                "host = \"a/b\"",
                "8: must be a host, with or without a port, not \"a/b\"; such as \"www.example.net\"",
            ),
            ("headers = { Host = \"a\" }", "20: has \"Host\"; write it as \"host\""),
            ("headers = { content-length = \"1\" }", "30: has \"content-length\"; requests have no body"),
            (
                "headers = { Transfer-Encoding = \"a\" }",
                "33: has \"Transfer-Encoding\"; requests have no body",
            ),
            (
                "headers = { Connection = \"close\" }",
                "26: has \"Connection\"; what becomes of the connection is not for the answer to say",
            ),
            (
                "headers = { \"X:A\" = \"a\" }",
                "21: has \"X:A\"; the name of a header is letters, digits and \"-\"",
            ),
            (
                "headers = { X-A = \"a\", x-a = \"b\" }",
                "30: has \"x-a\" twice; small and capital letters are the same in a header",
            ),
            (
                "headers = { X-A = \"a\\r\\nB: c\" }",
                "19: has \"a\\r\\nB: c\"; the value of a header is printable ASCII, without spaces around it",
            ),
            (
                "headers = { X-A = 1 }",
                "19: must be a table of at most 32 strings, not an integer; write it in quotes: \"1\"",
            ),
            (
                "status = []",
                "10: must be a list of 1 to 16 statuses and ranges, not 0; leave it out for 200 to 399",
            ),
            (
                "status = 200",
                "10: must be a list of 1 to 16 statuses and ranges, not an integer; write it in brackets",
            ),
            ("body_contains = \"\"", "17: has 0 bytes; 1 to 4096 are possible"),
            ("body_matches = \"(\"", "16: must be a regular expression, not \"(\"; unclosed group"),
            (
                "body_matches = '\\w{9999}'",
                "16: has \"\\\\w{9999}\", which takes too much memory; write smaller repetitions",
            ),
            (
                "body_sha256 = \"abcd\"",
                "15: must be 64 hexadecimal digits, not \"abcd\"; curl -s URL | sha256sum shows it",
            ),
        ] {
            let name = key.split(' ').next().unwrap();
            let (column, rest) = rest.split_once(": ").unwrap();
            let expected = format!("vipkit.toml:4:{column}: {name:?} in [check.a] {rest}");
            assert_eq!(faults(&text(key)), expected, "for {key}");
        }
    }

    #[test]
    fn refuses_statuses_that_there_are_not() {
        for status in
            ["99", "600", "-1", "\"200\"", "\"300-200\"", "\"200-600\"", "\"+200-300\"", "\"-\"", "\"\""]
        {
            assert_eq!(
                faults(&text(&format!("status = [{status}]"))),
                format!(
                    "vipkit.toml:4:11: \"status\" in [check.a] has {status}; \
                     write 200, or \"200-299\" for all of these; a status is 100 to 599"
                )
            );
        }
    }

    #[test]
    fn an_answer_to_head_has_no_body() {
        assert_eq!(request("method = \"HEAD\"").method, "HEAD");
        assert_eq!(
            faults(&text("method = \"HEAD\"\nbody_contains = \"ok\"")),
            "vipkit.toml:4:10: something expected of the body of an answer to HEAD, which has none, in [check.a]; \
             write \"GET\""
        );
    }
}
