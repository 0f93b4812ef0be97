//! `type = "http"`: the target is up if it answers requests as expected. What a request is, is in `request`.

pub(crate) mod request;

use std::net::SocketAddr;

use super::path::{self, CLOSE, Close, Path, TARGET, Way};
use super::{Aim, Kind, text};
use crate::endpoint::Target;
use crate::section::{About, Absent, Field, Key, Section};

pub use request::{Body, Request};

/// Most requests of a check.
const REQUESTS_MAX: usize = 16;

/// Requests to an HTTP server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Http {
    /// Where to connect to.
    pub target: Target,
    /// How packets leave.
    pub path: Path,
    /// How connections are closed.
    pub close: Close,
    /// Version of HTTP.
    pub version: HttpVersion,
    /// 1 to 16; all must be answered as expected.
    pub requests: Vec<Request>,
}

/// Version of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HttpVersion {
    /// HTTP/1.0.
    V10,
    /// HTTP/1.1.
    V11,
}

pub(crate) const KEYS: &[About] = &[TARGET.about, CLOSE.about, VERSION.about, REQUESTS.about];

const VERSION: Key<HttpVersion> = Key {
    about: About {
        name: "version",
        kind: "\"1.1\" or \"1.0\"",
        absent: Absent::Default("\"1.1\""),
        doc: "Version of HTTP to ask with.",
    },
    read: |field| field.word([("1.1", HttpVersion::V11), ("1.0", HttpVersion::V10)].into_iter()),
};

const REQUESTS: Key<Vec<Request>> = Key {
    about: About {
        name: "requests",
        kind: "a list of 1 to 16 tables",
        absent: Absent::None("one request, of the keys that stand here"),
        doc: "Several requests, each `[[check.NAME.requests]]`.",
    },
    read: requests,
};

/// What is asked, and expected.
pub(super) struct Draft {
    way: Way,
    close: Close,
    version: HttpVersion,
    requests: Vec<Request>,
}

impl Draft {
    pub fn of(&self, server: Option<SocketAddr>) -> Option<Http> {
        let &Self { ref way, close, version, ref requests } = self;
        let (target, path) = way.to(server)?;
        Some(Http { target, path, close, version, requests: requests.clone() })
    }
}

pub(super) fn read(section: &mut Section<'_, '_>) -> Option<Aim> {
    let draft = draft(section)?;
    Some(Box::new(move |server, _| draft.of(server).map(Kind::Http)))
}

pub(super) fn draft(section: &mut Section<'_, '_>) -> Option<Draft> {
    let way = path::way(section);
    let close = section.get(&CLOSE);
    let version = section.get(&VERSION);
    let requests = if section.has(&REQUESTS) {
        text::refuse(section, request::KEYS, "does not go with \"requests\"", "write it in each of them");
        section.get(&REQUESTS)
    } else {
        section.know(request::KEYS);
        request::read(section).map(|request| vec![request])
    };
    Some(Draft { way, close: close?, version: version?, requests: requests? })
}

fn requests(field: &mut Field<'_, '_>) -> Option<Vec<Request>> {
    let list = field.tables(REQUESTS_MAX)?;
    if list.is_empty() {
        field.wrong("0", "leave it out for one request");
        return None;
    }
    let requests: Vec<_> = list
        .iter()
        .filter_map(|value| {
            let mut section = field.listed(value, request::KEYS)?;
            let request = request::read(&mut section);
            section.finish();
            request
        })
        .collect();
    (requests.len() == list.len()).then_some(requests)
}

pub(super) fn target(check: &Http) -> String {
    check.target.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, faults};

    fn text(keys: &str) -> String {
        format!("[check.a]\ntype = \"http\"\ntarget = \"192.0.2.1:80\"\n{keys}")
    }

    fn http(keys: &str) -> Http {
        match check(&text(keys), "a").kind {
            Kind::Http(http) => http,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_request_unless_there_are_several() {
        let one = http("path = \"/a\"");
        assert_eq!(one.version, HttpVersion::V11);
        assert_eq!(one.requests.iter().map(|request| request.path.as_str()).collect::<Vec<_>>(), ["/a"]);
        assert_eq!(http("requests = [{ path = \"/a\" }]").requests, one.requests);
        let two = http("version = \"1.0\"\n[[check.a.requests]]\n[[check.a.requests]]\npath = \"/b\"");
        assert_eq!(two.version, HttpVersion::V10);
        assert_eq!(two.requests.iter().map(|request| request.path.as_str()).collect::<Vec<_>>(), ["/", "/b"]);
    }

    #[test]
    fn keys_of_one_request_do_not_go_with_several() {
        assert_eq!(
            faults(&text("path = \"/a\"\nrequests = [{ path = \"b\", paht = 1 }]")),
            "vipkit.toml:4:8: \"path\" in [check.a] does not go with \"requests\"; write it in each of them\n\
             vipkit.toml:5:22: \"path\" in [[check.a.requests]] must be a path that starts with \"/\", not \"b\"; \
             write it as \"/b\"\n\
             vipkit.toml:5:27: unknown key \"paht\" in [[check.a.requests]]; did you mean \"path\"?"
        );
        assert!(faults(&text("requests = []")).ends_with(", not 0; leave it out for one request"));
        let many = vec!["{}"; REQUESTS_MAX + 1].join(", ");
        assert!(faults(&text(&format!("requests = [{many}]"))).ends_with("has 17 tables; 16 are the most"));
    }
}
