//! `type = "https"`: as `http`, over TLS.

use super::http::{self, Http};
use super::tls::{self, TlsSettings};
use super::{Aim, Kind};
use crate::section::{About, Section};

/// Requests to an HTTP server over TLS.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Https {
    /// The requests.
    pub http: Http,
    /// How connections are secured.
    pub tls: TlsSettings,
}

pub(crate) const KEYS: &[About] = http::KEYS;

pub(super) fn read(section: &mut Section<'_, '_>) -> Option<Aim> {
    let http = http::draft(section);
    let tls = tls::settings(section);
    let (http, tls) = (http?, tls?);
    Some(Box::new(move |server, _| Some(Kind::Https(Https { http: http.of(server)?, tls: tls.clone() }))))
}

pub(super) fn target(check: &Https) -> String {
    check.http.target.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, faults};

    #[test]
    fn is_http_with_the_keys_of_tls() {
        let text =
            "[check.a]\ntype = \"https\"\ntarget = \"www:443\"\npath = \"/up\"\nserver_name = \"a.example\"";
        let Kind::Https(Https { http, tls }) = check(text, "a").kind else { panic!("no https") };
        assert_eq!(http.requests.iter().map(|request| request.path.as_str()).collect::<Vec<_>>(), ["/up"]);
        assert_eq!((tls.server_name.as_deref(), tls.verify), (Some("a.example"), true));
        assert_eq!(
            faults(&text.replace("https", "http")),
            "vipkit.toml:5:1: unknown key \"server_name\" in [check.a]; known here: type, interval, timeout, retries, \
             retry_delay, rise, fall, on_could_not_run, target, close, version, requests, source, interface, mark, \
             method, path, host, headers, status, body_contains, body_lacks, body_matches, body_sha256"
        );
    }
}
