//! `keys` of `type = "hmac"`, `[[vrrp.NAME.authentication.keys]]`: where each key is. No key stands in the configuration
//! itself: that is read by many, and shown.

use vipkit_core::vrrp::hmac::{Key as Hidden, KeyId};

use crate::secret::{self, Secret, without_newline};
use crate::section::{About, Absent, Field, Key, Section};

pub(crate) const KEYS: &[About] = &[ID.about, KEY_FILE.about, CREDENTIAL.about];

const ID: Key<KeyId> = Key {
    about: About {
        name: "id",
        kind: "an integer from 1 to 255",
        absent: Absent::Required,
        doc: "Number of the key in adverts: the same key has the same on all routers.",
    },
    read: id,
};

const KEY_FILE: Key<Option<Hidden>> = Key {
    about: About {
        name: "key_file",
        kind: "the absolute path of a file",
        absent: Absent::None("none: see `credential`"),
        doc: "File that holds the key and nothing else, and that not everyone can read.",
    },
    read: |field| {
        let secret = secret::of_file(field)?;
        key(field, secret)
    },
};

const CREDENTIAL: Key<Option<Hidden>> = Key {
    about: About {
        name: "credential",
        kind: "the name of a credential",
        absent: Absent::None("none: see `key_file`"),
        doc: "Credential that systemd gives vrrpd (`LoadCredential=`), and that holds the key.",
    },
    read: |field| {
        let secret = secret::of_credential(field)?;
        key(field, secret)
    },
};

/// A key as it is written down.
pub(crate) struct Draft {
    pub id: KeyId,
    /// None if it was not read.
    pub secret: Option<Hidden>,
}

pub(super) fn read(mut section: Section<'_, '_>) -> Option<Draft> {
    let id = section.get(&ID);
    let (file, credential) = (section.get(&KEY_FILE), section.get(&CREDENTIAL));
    let is_inline = refuse_inline(&mut section);
    match (section.has(&KEY_FILE), section.has(&CREDENTIAL)) {
        (true, true) => {
            let what = "both \"key_file\" and \"credential\"";
            section.fault(section.at(&CREDENTIAL), what, "keep one of them");
        }
        (false, false) if !is_inline => {
            section.lacks("neither \"key_file\" nor \"credential\"", "add one of them");
        }
        _ => {}
    }
    section.finish();
    Some(Draft { id: id?, secret: file.or(credential)? })
}

/// A key in the configuration itself is a fault; returns whether there is one.
pub(super) fn refuse_inline(section: &mut Section<'_, '_>) -> bool {
    let hint = "put it into a file, and write keys = [{ id = 1, key_file = \"/etc/vipkit/keys/web-1.key\" }], \
                or \"credential\"";
    section.refuse("key", "is not taken here: the key must not stand in the configuration", hint)
}

pub(super) fn id(field: &mut Field<'_, '_>) -> Option<KeyId> {
    field.count(1..=u8::MAX, "use the number that its other routers have").and_then(KeyId::new)
}

/// A key as its file holds it: the bytes, or their digits after `hex:`.
fn key(field: &mut Field<'_, '_>, secret: Option<Secret>) -> Option<Option<Hidden>> {
    let Some(Secret { bytes, doubt }) = secret else { return Some(None) };
    if let Some((what, hint)) = doubt {
        field.fault(&format!("cannot be used: {what}"), hint);
        return None;
    }
    let line = without_newline(&bytes);
    let key = match line.strip_prefix(b"hex:") {
        Some(digits) => hexadecimal(digits).and_then(|bytes| Hidden::new(&bytes)),
        None => Hidden::new(line),
    };
    if key.is_none() {
        let hint = "a key is 32 to 64 bytes, or \"hex:\" and 64 to 128 hexadecimal digits";
        field.fault("holds no key", hint);
    }
    key.map(Some)
}

fn hexadecimal(digits: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty().then_some(())?;
    pairs.iter().map(|[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect()
}
