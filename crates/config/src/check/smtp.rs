//! `type = "smtp"`: the target is up if a dialogue with a mail server succeeds. Sends no mail.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::path::{self, CLOSE, Close, Path, TARGET};
use super::tls::{self, TlsSettings};
use super::{Aim, Kind, text};
use crate::context::quote;
use crate::endpoint::{Target, is_name};
use crate::section::{About, Absent, Field, Key, Section};

/// A dialogue with a mail server: greeting, EHLO, STARTTLS if asked for, QUIT.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Smtp {
    /// Where to connect to.
    pub target: Target,
    /// How packets leave.
    pub path: Path,
    /// How the connection is closed.
    pub close: Close,
    /// The name we say we have, or an address in brackets (RFC 5321 §4.1.1.1).
    pub hello: String,
    /// STARTTLS must succeed too.
    pub starttls: Option<TlsSettings>,
}

pub(crate) const KEYS: &[About] = &[TARGET.about, CLOSE.about, HELLO.about, STARTTLS.about];

const HELLO: Key<String> = Key {
    about: About {
        name: "hello",
        kind: "a name, or an address in brackets",
        absent: Absent::Default("\"vipkit.invalid\""),
        doc: "What EHLO says that this machine is called.",
    },
    read: hello,
};

const STARTTLS: Key<bool> = Key {
    about: About {
        name: "starttls",
        kind: "true or false",
        absent: Absent::Default("false"),
        doc: "Whether STARTTLS must succeed, too.",
    },
    read: |field| field.boolean(),
};

pub(super) fn read(section: &mut Section<'_, '_>) -> Option<Aim> {
    let way = path::way(section);
    let close = section.get(&CLOSE);
    let hello = section.get(&HELLO);
    let starttls = match section.get(&STARTTLS)? {
        true => Some(tls::settings(section)?),
        false => {
            let hint = "write starttls = true, too";
            text::refuse(section, tls::SETTINGS, "is for TLS, which is not asked for", hint);
            None
        }
    };
    let (close, hello) = (close?, hello?);
    Some(Box::new(move |server, _| {
        let (target, path) = way.to(server)?;
        Some(Kind::Smtp(Smtp { target, path, close, hello: hello.clone(), starttls: starttls.clone() }))
    }))
}

fn hello(field: &mut Field<'_, '_>) -> Option<String> {
    let text = field.text()?;
    let is_address = |text: &str| match text.strip_prefix("IPv6:") {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => text.parse::<Ipv4Addr>().is_ok(),
    };
    let literal = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    if !is_name(text) && !literal.is_some_and(is_address) {
        field.wrong(&quote(text), "such as \"lb1.example.net\", \"[192.0.2.1]\" or \"[IPv6:2001:db8::1]\"");
        return None;
    }
    Some(text.to_owned())
}

pub(super) fn target(check: &Smtp) -> String {
    check.target.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, faults};

    fn text(keys: &str) -> String {
        format!("[check.a]\ntype = \"smtp\"\ntarget = \"192.0.2.1:25\"\n{keys}")
    }

    fn smtp(keys: &str) -> Smtp {
        match check(&text(keys), "a").kind {
            Kind::Smtp(smtp) => smtp,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn says_its_name_and_asks_for_tls_if_told() {
        assert_eq!((smtp("").hello.as_str(), smtp("").starttls), ("vipkit.invalid", None));
        assert!(smtp("starttls = true").starttls.unwrap().verify);
        assert!(!smtp("starttls = true\nverify = false").starttls.unwrap().verify);
        for hello in ["lb1.example.net", "[192.0.2.1]", "[IPv6:::1]"] {
            assert_eq!(smtp(&format!("hello = \"{hello}\"")).hello, hello);
        }
    }

    #[test]
    fn refuses_keys_of_tls_without_tls_and_what_is_no_name() {
        assert_eq!(
            faults(&text("verify = false")),
            "vipkit.toml:4:10: \"verify\" in [check.a] is for TLS, which is not asked for; write starttls = true, too"
        );
        for hello in ["", "a b", "192.0.2.1", "[::1]", "[IPv6:192.0.2.1]", "a\\r\\nQUIT"] {
            let faults = faults(&text(&format!("hello = \"{hello}\"")));
            assert!(faults.contains("must be a name, or an address in brackets, not"), "{faults}");
        }
    }
}
