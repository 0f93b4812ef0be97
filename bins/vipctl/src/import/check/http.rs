//! `HTTP_GET` and `SSL_GET`: requests, and what must be answered. What a `url` says is in `url`.

mod url;

use std::time::Duration;

use super::{Check, Draft, Kind, Near, Way, Written, retries};
use crate::import::block::{Done, Keyword, block, flag, rows, value};
use crate::import::note::{Notes, Place};
use crate::import::said::Said;
use crate::import::toml::value::Value;
use url::Url;

/// An `HTTP_GET` or `SSL_GET`.
#[derive(Debug)]
pub struct Http {
    at: Place,
    tls: bool,
    urls: Vec<Url>,
    virtualhost: Option<String>,
    version: &'static str,
    sni: bool,
    sni_name: Option<String>,
}

const VERIFY: &str = "SSL_GET: keepalived verifies no certificate, hence verify = false, here and in each further \
                      SSL_GET; without it vipkit verifies, by the system's authorities or a ca_file";
const SNI: &str = "SSL_GET without enable_sni: keepalived names no host in the handshake, vipkit that of the request if \
                   it has a name";
const STEPS: &str = "connect_timeout is for each step of an HTTP_GET or SSL_GET in keepalived; vipkit's timeout is for \
                     all of them together: let it be longer if answers take long";

impl Written for Http {
    const KEYWORDS: &'static [Keyword<Draft<Self>>] = &[
        rows(Draft::<Self>::CONNECTING),
        value(&["nb_get_retry"], retries::<Draft<Self>>),
        block(&["url"], |draft, said, cursor, notes| {
            let mut url = Url::begin(&said.at);
            cursor.block(url::KEYWORDS, &mut url, notes)?;
            draft.own.urls.extend(url.whole(notes));
            Ok(())
        }),
        value(&["virtualhost"], |draft, said, _| {
            draft.own.virtualhost = Some(said.value().to_owned());
            Ok(())
        }),
        value(&["http_protocol"], protocol),
        flag(&["enable_sni"], |draft, said, _| {
            draft.own.sni = said.on();
            Ok(())
        }),
        value(&["sni_name"], |draft, said, _| {
            draft.own.sni_name = Some(said.value().to_owned());
            Ok(())
        }),
        // All are asked for in each run, and no end of a connection is held against a server.
        flag(&["fast_recovery", "tls_compliant"], |_, _, _| Ok(())),
    ];

    fn begin(said: &Said) -> Self {
        Self {
            at: said.at.clone(),
            tls: said.name == "SSL_GET",
            urls: Vec::new(),
            virtualhost: None,
            version: "1.0",
            sni: false,
            sni_name: None,
        }
    }
}

fn protocol(draft: &mut Draft<Http>, said: &Said, notes: &mut Notes) -> Done {
    // 1.0C says that the connection is to be closed, which vipkit sees to by itself.
    let known = [("1.0", "1.0"), ("1.0C", "1.0"), ("1.1", "1.1")];
    match known.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(said.value())) {
        Some((_, version)) => draft.own.version = version,
        None => {
            notes.say(&said.at, format!("http_protocol {} is none: keepalived ignores it", said.value()));
        }
    }
    Ok(())
}

impl Kind for Http {
    fn retry_delay(&self) -> Option<Duration> {
        Some(Duration::from_secs(3))
    }

    fn whole(
        self: Box<Self>,
        mut check: Check,
        way: Way,
        near: &Near<'_>,
        notes: &mut Notes,
    ) -> Option<Check> {
        if self.urls.is_empty() {
            notes.say(&self.at, "a check of no url: keepalived ignores it");
            return None;
        }
        check.is(if self.tls { "https" } else { "http" }, way.keys());
        check.with("version", self.version);
        let host = self.virtualhost.as_deref().or(near.virtualhost);
        let mut requests: Vec<_> = self.urls.iter().map(|url| url.keys(host)).collect();
        let count = u32::try_from(requests.len()).unwrap_or(u32::MAX);
        match requests.as_mut_slice() {
            [only] => check.keys.append(only),
            _ => {
                check.with("requests", Value::List(requests.into_iter().map(Value::Table).collect()));
                check.timeout = check.timeout.saturating_mul(count);
            }
        }
        notes.once(&self.at, STEPS);
        if self.tls {
            self.handshake(&mut check, host, near, notes);
        }
        Some(check)
    }
}

impl Http {
    fn handshake(&self, check: &mut Check, host: Option<&str>, near: &Near<'_>, notes: &mut Notes) {
        notes.once(&self.at, VERIFY);
        check.with("verify", Value::Flag(false));
        if !self.sni {
            notes.once(&self.at, SNI);
        }
        let of_url = self.urls.first().and_then(|url| url.virtualhost.as_deref());
        let name = self.sni_name.as_deref().or(of_url).or(host).filter(|_| self.sni);
        if let Some(name) = name {
            // A name without the port that a Host header may have.
            check.with("server_name", name.split(':').next().unwrap_or(name));
        }
        if let (Some(certificate), Some(key)) = (&near.ssl.certificate, &near.ssl.key) {
            check.with("certificate_file", certificate.as_str());
            check.with("key_file", key.as_str());
            let now =
                format!("SSL_GET shows the certificate of SSL: vipkit's user must be able to read {key}");
            notes.once(&self.at, now);
        }
    }
}
