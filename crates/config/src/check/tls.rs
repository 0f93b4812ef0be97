//! `type = "tls"`: the target is up if a TLS handshake succeeds; and the keys of all kinds that speak TLS. Reads no
//! certificate: the files may come later, and change.

use std::path::PathBuf;
use std::time::Duration;

use super::path::{self, CLOSE, Close, Path, TARGET};
use super::{Aim, Kind, text};
use crate::duration::{DAY, between};
use crate::endpoint::{self, Target};
use crate::section::{About, Absent, Key, Section};

/// A TLS handshake with a target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tls {
    /// Where to connect to.
    pub target: Target,
    /// How packets leave.
    pub path: Path,
    /// How the connection is closed.
    pub close: Close,
    /// How it is secured.
    pub tls: TlsSettings,
}

/// How a connection is secured, and what the target's certificate must be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TlsSettings {
    /// Name that is asked for (SNI) and that the certificate must be for, or an address that it must be for; that of the
    /// target if it is none.
    pub server_name: Option<String>,
    /// The certificate must be valid.
    pub verify: bool,
    /// Certificates of who may have issued it (PEM); those that the system trusts if it is none.
    pub ca_file: Option<PathBuf>,
    /// Our own certificate and those above it (PEM), for targets that ask; none without `key_file`.
    pub certificate_file: Option<PathBuf>,
    /// Its key (PEM).
    pub key_file: Option<PathBuf>,
    /// How long before it expires there is a warning, at most 1000 days; zero is never.
    pub expiry_warning: Duration,
}

pub(crate) const KEYS: &[About] = &[TARGET.about, CLOSE.about];

/// The keys of all kinds that speak TLS.
pub(crate) const SETTINGS: &[About] = &[
    SERVER_NAME.about,
    VERIFY.about,
    CA_FILE.about,
    CERTIFICATE_FILE.about,
    KEY_FILE.about,
    EXPIRY_WARNING.about,
];

const SERVER_NAME: Key<String> = Key {
    about: About {
        name: "server_name",
        kind: "a name or an IP address",
        absent: Absent::None("`host` of the first request, else that of the target"),
        doc: "Name that is asked for (SNI), and that the certificate must be for.",
    },
    read: |field| endpoint::host_or_name(field).map(|host| host.to_string()),
};

const VERIFY: Key<bool> = Key {
    about: About {
        name: "verify",
        kind: "true or false",
        absent: Absent::Default("true"),
        doc: "Whether the certificate must be valid; false takes any.",
    },
    read: |field| field.boolean(),
};

const CA_FILE: Key<PathBuf> = Key {
    about: About {
        name: "ca_file",
        kind: "the absolute path of a file",
        absent: Absent::None("those that the system trusts"),
        doc: "Certificates (PEM) of who may have issued that of the target.",
    },
    read: text::path,
};

const CERTIFICATE_FILE: Key<PathBuf> = Key {
    about: About {
        name: "certificate_file",
        kind: "the absolute path of a file",
        absent: Absent::None("none"),
        doc: "Certificate of this machine (PEM) and those above it, for a target that asks for one.",
    },
    read: text::path,
};

const KEY_FILE: Key<PathBuf> = Key {
    about: About {
        name: "key_file",
        kind: "the absolute path of a file",
        absent: Absent::None("none"),
        doc: "Key (PEM) of `certificate_file`, which healthcheckd can read.",
    },
    read: text::path,
};

const EXPIRY_WARNING: Key<Duration> = Key {
    about: About {
        name: "expiry_warning",
        kind: "a duration of at most 1000 days",
        absent: Absent::Default("\"14d\""),
        doc: "How long before the certificate expires there is a warning; `\"0s\"` is never.",
    },
    read: |field| between(field, Duration::ZERO..=1000 * DAY),
};

pub(super) fn read(section: &mut Section<'_, '_>) -> Option<Aim> {
    let way = path::way(section);
    let close = section.get(&CLOSE);
    let tls = settings(section);
    let (close, tls) = (close?, tls?);
    Some(Box::new(move |server, _| {
        let (target, path) = way.to(server)?;
        Some(Kind::Tls(Tls { target, path, close, tls: tls.clone() }))
    }))
}

/// How connections of this check are secured.
pub(super) fn settings(section: &mut Section<'_, '_>) -> Option<TlsSettings> {
    section.know(SETTINGS);
    let server_name = section.get(&SERVER_NAME);
    let verify = section.get(&VERIFY);
    let ca_file = section.get(&CA_FILE);
    let certificate_file = section.get(&CERTIFICATE_FILE);
    let key_file = section.get(&KEY_FILE);
    let expiry_warning = section.get(&EXPIRY_WARNING);
    if verify == Some(false) && section.has(&CA_FILE) {
        let hint = "no certificate is refused: remove one of the two";
        section.warn(section.at(&CA_FILE), "\"ca_file\" beside verify = false", hint);
    }
    let (alone, at) = match (section.has(&CERTIFICATE_FILE), section.has(&KEY_FILE)) {
        (true, false) => ("\"certificate_file\" without \"key_file\"", section.at(&CERTIFICATE_FILE)),
        (false, true) => ("\"key_file\" without \"certificate_file\"", section.at(&KEY_FILE)),
        _ => ("", section.place()),
    };
    if !alone.is_empty() {
        section.fault(at, alone, "write both: one is of no use without the other");
    }
    Some(TlsSettings {
        server_name,
        verify: verify?,
        ca_file,
        certificate_file,
        key_file,
        expiry_warning: expiry_warning?,
    })
}

pub(super) fn target(check: &Tls) -> String {
    check.target.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, config, faults};

    fn text(keys: &str) -> String {
        format!("[check.a]\ntype = \"tls\"\ntarget = \"192.0.2.1:443\"\n{keys}")
    }

    fn tls(keys: &str) -> TlsSettings {
        match check(&text(keys), "a").kind {
            Kind::Tls(Tls { tls, .. }) => tls,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_certificate_is_verified_unless_told() {
        let expected = TlsSettings {
            server_name: None,
            verify: true,
            ca_file: None,
            certificate_file: None,
            key_file: None,
            expiry_warning: 14 * DAY,
        };
        assert_eq!(tls(""), expected);
        let given = tls(
            "server_name = \"www.example.net\"\nverify = false\ncertificate_file = \"/c\"\nkey_file = \"/k\"\n\
             expiry_warning = \"0s\"",
        );
        let expected = TlsSettings {
            server_name: Some("www.example.net".to_owned()),
            verify: false,
            certificate_file: Some("/c".into()),
            key_file: Some("/k".into()),
            expiry_warning: Duration::ZERO,
            ..expected
        };
        assert_eq!(given, expected);
        assert_eq!(tls("server_name = \"::1\"\nca_file = \"/ca\"").ca_file, Some("/ca".into()));
    }

    #[test]
    fn who_issues_certificates_that_are_not_verified_is_a_warning() {
        let warnings = config(&text("verify = false\nca_file = \"/ca\"")).warnings;
        assert_eq!(
            warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["vipkit.toml:5:11: \"ca_file\" beside verify = false in [check.a]; \
              no certificate is refused: remove one of the two"]
        );
    }

    #[test]
    fn refuses_half_of_what_it_takes() {
        for (keys, rest) in [
            ("certificate_file = \"/c\"", "20: \"certificate_file\" without \"key_file\""),
            ("key_file = \"/k\"", "12: \"key_file\" without \"certificate_file\""),
        ] {
            let hint = "in [check.a]; write both: one is of no use without the other";
            assert_eq!(faults(&text(keys)), format!("vipkit.toml:4:{rest} {hint}"));
        }
        for (keys, rest) in [
            ("server_name = \"*.example.net\"", "a name or an IP address, not"),
            ("ca_file = \"ca.pem\"", "the absolute path of a file, not"),
            ("expiry_warning = \"1001d\"", "a duration of at most 1000 days, not"),
        ] {
            assert!(faults(&text(keys)).contains(rest), "{keys}");
        }
    }
}
