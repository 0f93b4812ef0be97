//! `type = "pass"`: the simple password of version 2.

use vipkit_core::vrrp::SimplePassword;

use super::Draft;
use crate::secret::{self, Secret, without_newline};
use crate::section::{About, Absent, Field, Key, Section};

pub(crate) const KEYS: &[About] = &[KEY.about, KEY_FILE.about];

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

pub(super) fn read(section: &mut Section<'_, '_>) -> Option<Draft> {
    let (key, key_file) = (section.get(&KEY), section.get(&KEY_FILE));
    match (section.has(&KEY), section.has(&KEY_FILE)) {
        (true, true) => {
            section.fault(section.at(&KEY_FILE), "both \"key\" and \"key_file\"", "keep one of them");
        }
        (false, false) => section.lacks("neither \"key\" nor \"key_file\"", "add one of them"),
        _ => {}
    }
    key.or(key_file).map(Draft::Pass)
}

fn key_file(field: &mut Field<'_, '_>) -> Option<SimplePassword> {
    let Some(Secret { bytes, doubt }) = secret::of_file(field)? else {
        field.fault("is not read from text alone", "use \"key\"");
        return None;
    };
    if let Some(doubt) = doubt {
        field.cx.warn(field.value.at, doubt);
    }
    password(field, without_newline(&bytes))
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
