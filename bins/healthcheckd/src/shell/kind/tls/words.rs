//! What goes wrong with TLS, in words of operators. Must not judge more than who is to blame.

use std::io;

use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};

use super::super::{connect, words};
use crate::verdict::Outcome;

pub const TOO_OLD: &str = "the target may speak TLS 1.1 or older only, which is not supported";

/// What may stand at the beginning of a TLS record: RFC 8446 §B.1, change_cipher_spec to heartbeat.
const CONTENT_TYPES: std::ops::RangeInclusive<u8> = 20..=24;

/// Who is to blame for an error of a connection that may be secured: as [`connect::blame`].
pub fn blame(error: &io::Error) -> Outcome {
    tls(error).map_or_else(|| connect::blame(error), |error| Outcome::failed(said(error)))
}

/// The same in a handshake in which this was heard.
pub fn in_handshake(error: &io::Error, heard: &[u8]) -> Outcome {
    match tls(error) {
        Some(Error::InvalidMessage(_))
            if heard.first().is_some_and(|first| !CONTENT_TYPES.contains(first)) =>
        {
            Outcome::failed(format_args!("no TLS: answered {:?}", words::line(heard)))
        }
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            Outcome::failed("closed in the TLS handshake")
        }
        _ => blame(error),
    }
}

/// Whether the target refused something.
pub fn is_alert(error: &io::Error) -> bool {
    matches!(tls(error), Some(Error::AlertReceived(_)))
}

/// Whether it is one of TLS.
pub fn is_tls(error: &io::Error) -> bool {
    tls(error).is_some()
}

fn tls(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

fn said(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(error) => certificate(error),
        Error::AlertReceived(AlertDescription::ProtocolVersion) => {
            format!("TLS alert: protocol version ({TOO_OLD})")
        }
        Error::AlertReceived(alert) => format!("TLS alert: {}", spaced(&format!("{alert:?}"))),
        Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13) => TOO_OLD.to_owned(),
        error => format!("TLS: {}", words::line(error.to_string().as_bytes())),
    }
}

fn certificate(error: &CertificateError) -> String {
    use CertificateError as E;
    match error {
        E::Expired | E::ExpiredContext { .. } => "certificate has expired".to_owned(),
        E::NotValidYet | E::NotValidYetContext { .. } => "certificate is not valid yet".to_owned(),
        E::UnknownIssuer => "certificate issued by somebody who is not trusted".to_owned(),
        E::BadSignature => "certificate with a wrong signature".to_owned(),
        E::NotValidForName => "certificate is for another name".to_owned(),
        E::NotValidForNameContext { expected, presented } => {
            let of = presented.first().map_or_else(|| "no name".to_owned(), |name| plain(name));
            let more = if presented.len() > 1 { " and others" } else { "" };
            let text = format!("certificate is for {of}{more}, not {}", expected.to_str());
            words::line(text.as_bytes())
        }
        E::Other(error) if error.to_string().contains("CaUsedAsEndEntity") => {
            "certificate signed by itself, or an authority's own".to_owned()
        }
        error => format!("certificate is not valid: {}", words::line(error.to_string().as_bytes())),
    }
}

/// `DnsName("web.example")` as web.example, `IpAddress(192.0.2.1)` as 192.0.2.1: webpki shows names as Rust does.
fn plain(name: &str) -> String {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(name).trim_matches('"').to_owned()
}

/// "HandshakeFailure" as "handshake failure".
fn spaced(name: &str) -> String {
    let mut text = String::new();
    let mut after_small = false;
    for c in name.chars() {
        if c.is_ascii_uppercase() && after_small {
            text.push(' ');
        }
        after_small = c.is_ascii_lowercase();
        text.push(c.to_ascii_lowercase());
    }
    text
}
