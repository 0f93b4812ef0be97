//! `authentication` of an instance: how routers of one virtual router know each other. What each type is told is in its
//! own file in `authentication/`. Whatever is wrong, no message shows what stands in this table: it may be a secret in
//! the wrong place.

pub(crate) mod hmac;
pub(crate) mod key;
pub(crate) mod pass;

use vipkit_core::units::Interval;
use vipkit_core::vrrp::{Authentication, SimplePassword};

use crate::section::{About, Absent, Field, Key, Section};

/// A type: its name, the keys that it alone has, and how they are read.
struct Row {
    name: &'static str,
    keys: &'static [About],
    read: fn(&mut Section<'_, '_>) -> Option<Draft>,
}

const TYPES: &[Row] = &[
    Row { name: "pass", keys: pass::KEYS, read: pass::read },
    Row { name: "hmac", keys: hmac::KEYS, read: hmac::read },
];

pub(crate) const KEYS: &[About] = &[TYPE.about];

const TYPE: Key<&Row> = Key {
    about: About {
        name: "type",
        kind: "\"pass\" or \"hmac\"",
        absent: Absent::Required,
        doc: "How they know each other; the other keys of each type are below.",
    },
    read: kind,
};

/// What is written down: the rest depends on the instance.
pub(crate) enum Draft {
    Pass(SimplePassword),
    Hmac(hmac::Draft),
}

impl Draft {
    pub fn complete(self, interval: Interval) -> Authentication {
        match self {
            Self::Pass(password) => Authentication::Pass(password),
            Self::Hmac(hmac) => Authentication::Hmac(hmac.complete(interval)),
        }
    }
}

pub(crate) fn read(field: &mut Field<'_, '_>) -> Option<Draft> {
    let mut section = field.section(KEYS)?.hidden();
    let kind = section.get(&TYPE);
    match kind {
        Some(row) => section.know(row.keys),
        // Whose keys these are cannot be told, so none is called unknown that any type has.
        None => TYPES.iter().for_each(|row| section.know(row.keys)),
    }
    let draft = kind.and_then(|row| (row.read)(&mut section));
    section.finish();
    draft
}

fn kind(field: &mut Field<'_, '_>) -> Option<&'static Row> {
    let text = field.text()?;
    let row = TYPES.iter().find(|row| row.name == text);
    if row.is_none() {
        let hint = match text.to_ascii_lowercase().as_str() {
            "pass" | "hmac" => "write it in small letters",
            "ah" => "AH (RFC 2338) is not supported: use \"hmac\", or \"pass\" with version 2",
            _ => "those are the types there are",
        };
        field.fault("must be \"pass\" or \"hmac\"", hint);
    }
    row
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use vipkit_core::vrrp::{Authentication, SimplePassword};

    use crate::testing::{faults, instance, sources, web};

    fn with(table: &str) -> String {
        web(&format!("version = 2\nauthentication = {table}"))
    }

    #[test]
    fn a_key_is_a_password() {
        assert_eq!(instance(&web("version = 2")).authentication, Authentication::None);
        for key in ["1", "1111", "12345678"] {
            let expected = Authentication::Pass(SimplePassword::new(key.as_bytes()).unwrap());
            let text = with(&format!("{{ type = \"pass\", key = \"{key}\" }}"));
            assert_eq!(instance(&text).authentication, expected);
        }
    }

    #[test]
    fn refuses_with_a_hint_and_without_the_secret() {
        for (table, expected) in [
            (
                "{ type = \"pass\", key = \"123456789\" }",
                "6:41: \"key\" in [vrrp.web.authentication] is a password of more than 8 bytes; \
                 give its first 8 bytes: keepalived cuts a longer one to them",
            ),
            (
                "{ type = \"pass\", key = \"\" }",
                "6:41: \"key\" in [vrrp.web.authentication] is an empty password; a password has 1 to 8 bytes",
            ),
            (
                "{ type = \"pass\", key = true }",
                "6:41: \"key\" in [vrrp.web.authentication] must be a string of 1 to 8 bytes, not a boolean; \
                 write it in quotes",
            ),
            (
                "{ type = \"pass\", key = 1111 }",
                "6:41: \"key\" in [vrrp.web.authentication] must be a string of 1 to 8 bytes, not an integer; \
                 write it in quotes",
            ),
            (
                "{ type = \"pass\" }",
                "6:1: [vrrp.web.authentication] has neither \"key\" nor \"key_file\"; add one of them",
            ),
            (
                "{ type = \"pass\", key = \"1111\", key_file = \"/key\" }",
                "6:60: \"key_file\" in [vrrp.web.authentication] is not read from text alone; use \"key\"\n\
                 vipkit.toml:6:60: both \"key\" and \"key_file\" in [vrrp.web.authentication]; \
                 keep one of them",
            ),
            (
                "{ type = \"pass\", kye = \"1111\" }",
                "6:1: [vrrp.web.authentication] has neither \"key\" nor \"key_file\"; add one of them\n\
                 vipkit.toml:6:35: unknown key in [vrrp.web.authentication]; did you mean \"key\"?",
            ),
            (
                "{ key = \"1111\" }",
                "6:1: [vrrp.web.authentication] has no \"type\"; it is required, and must be \"pass\" or \"hmac\"",
            ),
            (
                "{ type = \"ah\", key = \"1111\" }",
                "6:27: \"type\" in [vrrp.web.authentication] must be \"pass\" or \"hmac\"; \
                 AH (RFC 2338) is not supported: use \"hmac\", or \"pass\" with version 2",
            ),
            (
                "{ type = \"PASS\", key = \"1111\" }",
                "6:27: \"type\" in [vrrp.web.authentication] must be \"pass\" or \"hmac\"; write it in small letters",
            ),
            (
                "{ type = \"1111\", key = \"1111\" }",
                "6:27: \"type\" in [vrrp.web.authentication] must be \"pass\" or \"hmac\"; those are the types there are",
            ),
            (
                "{ type = \"pass\", key_file = \"key\" }",
                "6:46: \"key_file\" in [vrrp.web.authentication] must be an absolute path; start it with /",
            ),
            (
                "{ type = \"pass\", key_file = \"/key\" }",
                "6:46: \"key_file\" in [vrrp.web.authentication] is not read from text alone; use \"key\"",
            ),
            (
                "\"1111\"",
                "6:18: \"authentication\" in [vrrp.web] must be a table, not a string; \
                 write it in braces, or under [vrrp.web.authentication]",
            ),
        ] {
            assert_eq!(faults(&with(table)), format!("vipkit.toml:{expected}"), "for {table}");
        }
    }

    /// What may stand before a secret, and the end of a table that it begins.
    const TABLES: &[(&str, &str)] = &[
        ("", ""),
        ("type = \"pass\", ", ""),
        ("type = \"ah\", ", ""),
        ("type = \"hmac\", ", ""),
        ("type = \"hmac\", keys = [{ id = 1, ", "}]"),
        ("type = \"hmac\", keys = [", "]"),
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        /// Whatever surrounds it, valid or broken, a secret is in no message and no debug text.
        #[test]
        fn a_secret_is_never_shown(
            secret in "Q[A-Z]{5,40}",
            (begin, end) in proptest::sample::select(TABLES),
            key in "((key|kye|type|key_file|id|credential|mode|keys|active_key|replay_protection|time_window) = |key |= |)",
            quotes in proptest::sample::select(vec!["\"", "\"", "\"", "'", "\"\"\"", ""]),
            after in proptest::sample::select(vec!["", "", "", ", key = 1", "}", "\n[x", "\""]),
        ) {
            let text = with(&format!("{{ {begin}{key}{quotes}{secret}{quotes}{after}{end} }}"));
            let shown = match crate::parse(&sources(&[&text])) {
                Ok(config) => format!("{config:?}"),
                Err(faults) => format!("{faults} {faults:?}"),
            };
            prop_assert!(!shown.contains(&secret), "{shown}");
        }
    }
}
