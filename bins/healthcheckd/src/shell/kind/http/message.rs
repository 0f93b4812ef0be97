//! Requests as they are sent. Must not connect.

use http_body_util::Empty;
use hyper::header::{CONNECTION, HOST, USER_AGENT};
use hyper::{Request as Sent, Version};
use vipkit_config::{Host, Http, HttpVersion, Request, Target};

use super::Message;
use crate::verdict::Outcome;

/// What servers may know us by in their logs.
const AGENT: &str = concat!("vipkit-healthcheckd/", env!("CARGO_PKG_VERSION"));

/// A request as it is sent.
///
/// # Errors
/// [`Outcome::CouldNotRun`]: the configuration has something that cannot be sent.
pub fn message(http: &Http, wanted: &Request, is_secured: bool) -> Result<Message, Outcome> {
    let host = wanted.host.clone().unwrap_or_else(|| host(&http.target, is_secured));
    let mut sent = Sent::builder().method(wanted.method.as_str()).uri(&wanted.path).header(HOST, host);
    sent = match http.version {
        HttpVersion::V10 => sent.version(Version::HTTP_10),
        HttpVersion::V11 => sent.version(Version::HTTP_11),
    };
    let is_set = |name: &str| wanted.headers.iter().any(|(set, _)| set.eq_ignore_ascii_case(name));
    for (name, value) in [(USER_AGENT, AGENT), (CONNECTION, "close")] {
        if !is_set(name.as_str()) {
            sent = sent.header(name, value);
        }
    }
    for (name, value) in &wanted.headers {
        sent = sent.header(name, value);
    }
    let remedy = "see `method`, `path`, `host` and `headers`";
    sent.body(Empty::new()).map_err(|error| Outcome::hindered(format_args!("no request: {error}"), remedy))
}

/// RFC 9110 §7.2: without the port that the scheme has anyway.
fn host(target: &Target, is_secured: bool) -> String {
    let usual = if is_secured { 443 } else { 80 };
    match &target.host {
        _ if target.port != usual => target.to_string(),
        Host::Address(address) if address.is_ipv6() => format!("[{address}]"),
        host => host.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use vipkit_config::{Close, Path};

    use super::*;

    fn http(target: Target, version: HttpVersion) -> Http {
        Http { target, path: Path::default(), close: Close::Fin, version, requests: Vec::new() }
    }

    fn wanted(path: &str, host: Option<&str>, headers: &[(&str, &str)]) -> Request {
        Request {
            method: "GET".to_owned(),
            path: path.to_owned(),
            host: host.map(str::to_owned),
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            status: Vec::new(),
            body: Vec::new(),
        }
    }

    fn sent(target: &str, is_secured: bool, wanted: &Request) -> Message {
        let target: std::net::SocketAddr = target.parse().unwrap();
        message(&http(target.into(), HttpVersion::V11), wanted, is_secured).unwrap()
    }

    #[test]
    fn the_host_is_the_target_unless_it_is_said() {
        for (target, is_secured, host, expected) in [
            ("192.0.2.1:80", false, None, "192.0.2.1"),
            ("192.0.2.1:443", true, None, "192.0.2.1"),
            ("192.0.2.1:443", false, None, "192.0.2.1:443"),
            ("[2001:db8::1]:80", false, None, "[2001:db8::1]"),
            ("[2001:db8::1]:81", false, None, "[2001:db8::1]:81"),
            ("192.0.2.1:80", false, Some("web.example"), "web.example"),
        ] {
            assert_eq!(sent(target, is_secured, &wanted("/", host, &[])).headers()[HOST], expected);
        }
    }

    #[test]
    fn headers_are_as_they_were_written() {
        let own = wanted("/a?b=c", None, &[("user-agent", "x"), ("X-A", "1"), ("X-A", "2")]);
        let sent = sent("192.0.2.1:80", false, &own);
        let all = |name: &str| sent.headers().get_all(name).iter().cloned().collect::<Vec<_>>();
        assert_eq!(all("user-agent"), ["x"]);
        assert_eq!(all("x-a"), ["1", "2"]);
        assert_eq!(all("connection"), ["close"]);
        assert_eq!((sent.uri().to_string().as_str(), sent.version()), ("/a?b=c", Version::HTTP_11));
    }

    proptest! {
        #[test]
        fn what_cannot_be_sent_is_no_reason_to_panic(method: String, path: String, host: String, name: String) {
            let target: std::net::SocketAddr = ([127, 0, 0, 1], 80).into();
            let own = Request { method, ..wanted(&path, Some(&host), &[(&name, &host)]) };
            let _ = message(&http(target.into(), HttpVersion::V10), &own, false);
        }
    }
}
