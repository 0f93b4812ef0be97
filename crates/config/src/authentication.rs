//! `authentication` of an instance: the simple password of version 2. Whatever is wrong, no message
//! shows what stands in this table: it may be a secret in the wrong place.

use std::path::{Path, PathBuf};

use vipkit_core::vrrp::SimplePassword;

use crate::context::quote;
use crate::section::{About, Absent, Field, Key};

pub(crate) const KEYS: &[About] = &[TYPE.about, KEY.about, KEY_FILE.about];

const TYPE: Key<()> = Key {
    about: About {
        name: "type",
        kind: "\"pass\"",
        absent: Absent::Required,
        doc: "The simple password of RFC 2338, sent in clear: it tells routers apart, it keeps nobody out.",
    },
    read: kind,
};

const KEY: Key<SimplePassword> = Key {
    about: About {
        name: "key",
        kind: "a string of 1 to 8 bytes",
        absent: Absent::None("none: see `key_file`"),
        doc: "The password.",
    },
    read: |field| {
        let text = field.text()?;
        password(field, text.as_bytes())
    },
};

const KEY_FILE: Key<SimplePassword> = Key {
    about: About {
        name: "key_file",
        kind: "the absolute path of a file",
        absent: Absent::None("none: see `key`"),
        doc: "File that holds the password and nothing else; a newline at its end does not count.",
    },
    read: key_file,
};

pub(crate) fn read(field: &mut Field<'_, '_>) -> Option<SimplePassword> {
    let mut section = field.section(KEYS)?;
    let kind = section.get(&TYPE);
    let (key, key_file) = (section.get(&KEY), section.get(&KEY_FILE));
    match (section.has(&KEY), section.has(&KEY_FILE)) {
        (true, true) => {
            section.fault(section.at(&KEY_FILE), "both \"key\" and \"key_file\"", "keep one of them")
        }
        (false, false) => section.lacks("neither \"key\" nor \"key_file\"", "add one of them"),
        _ => {}
    }
    section.finish_unnamed();
    kind.and(key.or(key_file))
}

fn kind(field: &mut Field<'_, '_>) -> Option<()> {
    let hint = match field.text()? {
        "pass" => return Some(()),
        "PASS" => "write it in small letters",
        "ah" | "AH" => "AH is not supported: use \"pass\", or version = 3 without authentication",
        _ => "it is the only type there is",
    };
    field.fault("must be \"pass\"", hint);
    None
}

fn key_file(field: &mut Field<'_, '_>) -> Option<SimplePassword> {
    let path = PathBuf::from(field.text()?);
    if !path.is_absolute() {
        field.fault("must be an absolute path", "start it with /");
        return None;
    }
    match field.cx.read_key(&path) {
        Ok((bytes, doubt)) => {
            if let Some(doubt) = doubt {
                field.cx.warn(field.value.at, doubt);
            }
            password(field, without_newline(&bytes))
        }
        Err((what, hint)) => {
            field.fault(&format!("cannot be used: {what}"), hint);
            None
        }
    }
}

fn password(field: &mut Field<'_, '_>, bytes: &[u8]) -> Option<SimplePassword> {
    let password = SimplePassword::new(bytes);
    if password.is_none() && bytes.is_empty() {
        field.fault("is an empty password", "a password has 1 to 8 bytes");
    } else if password.is_none() {
        let hint = "give its first 8 bytes: keepalived cuts a longer one to them";
        field.fault("is a password of more than 8 bytes", hint);
    }
    password
}

fn without_newline(bytes: &[u8]) -> &[u8] {
    let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// What [`parse`](crate::parse) says of a key file, as it opens none.
pub(crate) fn not_read(path: &Path) -> crate::context::KeyFile {
    Err((format!("{} is not read from text alone", quote(&path.to_string_lossy())), "use \"key\"".into()))
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
                "{ type = \"pass\" }",
                "6:1: [vrrp.web.authentication] has neither \"key\" nor \"key_file\"; add one of them",
            ),
            (
                "{ type = \"pass\", key = \"1111\", key_file = \"/key\" }",
                "6:60: \"key_file\" in [vrrp.web.authentication] cannot be used: \
                 \"/key\" is not read from text alone; use \"key\"\n\
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
                "6:1: [vrrp.web.authentication] has no \"type\"; it is required, and must be \"pass\"",
            ),
            (
                "{ type = \"ah\", key = \"1111\" }",
                "6:27: \"type\" in [vrrp.web.authentication] must be \"pass\"; \
                 AH is not supported: use \"pass\", or version = 3 without authentication",
            ),
            (
                "{ type = \"PASS\", key = \"1111\" }",
                "6:27: \"type\" in [vrrp.web.authentication] must be \"pass\"; write it in small letters",
            ),
            (
                "{ type = \"1111\", key = \"1111\" }",
                "6:27: \"type\" in [vrrp.web.authentication] must be \"pass\"; it is the only type there is",
            ),
            (
                "{ type = \"pass\", key_file = \"key\" }",
                "6:46: \"key_file\" in [vrrp.web.authentication] must be an absolute path; start it with /",
            ),
            (
                "{ type = \"pass\", key_file = \"/key\" }",
                "6:46: \"key_file\" in [vrrp.web.authentication] cannot be used: \
                 \"/key\" is not read from text alone; use \"key\"",
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

    proptest! {
        /// Whatever surrounds it, valid or broken, a password is in no message and no debug text.
        #[test]
        fn a_password_is_never_shown(
            password in "Q[A-Z]{5,12}",
            before in "(type = \"(pass|ah)\", )?(key_file = )?",
            key in "(key = |kye = |type = |key_file = |key |= |)",
            quotes in "(\"|'|\"\"\"|)",
            after in "(|, key = 1|\\}|\n\\[x|\")",
        ) {
            let text = with(&format!("{{ {before}{key}{quotes}{password}{quotes}{after} }}"));
            let shown = match crate::parse(&sources(&[&text])) {
                Ok(config) => format!("{config:?}"),
                Err(faults) => format!("{faults} {faults:?}"),
            };
            prop_assert!(!shown.contains(&password), "{shown}");
        }
    }
}
