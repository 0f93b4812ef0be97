//! Secrets that a configuration names instead of holding: where they are, and how a key asks for one. Opens nothing
//! itself: whoever reads the configuration says how, or leaves them where they are.

use std::path::Path;

use crate::context::Doubt;
use crate::section::Field;

/// Where a secret is.
#[derive(Clone, Copy)]
pub(crate) enum Kept<'n> {
    /// In a file: an absolute path.
    File(&'n Path),
    /// Among the credentials that systemd gives a daemon, under this name.
    Credential(&'n str),
}

/// A secret as it was found. Not `Debug`.
pub(crate) struct Secret {
    pub bytes: Vec<u8>,
    /// Everyone can read it.
    pub doubt: Option<Doubt>,
}

/// The secret, none if this reading leaves it where it is, or what is wrong with it.
pub(crate) type Found = Result<Option<Secret>, Doubt>;

/// Opens what secrets are in. A parameter, so that parsing itself stays free of input and output.
pub(crate) type SecretReader<'s> = dyn FnMut(Kept<'_>) -> Found + 's;

/// What a file holds, whose absolute path is the value; none inside if it is not read.
pub(crate) fn of_file(field: &mut Field<'_, '_>) -> Option<Option<Secret>> {
    let path = Path::new(field.text()?);
    if !path.is_absolute() {
        field.fault("must be an absolute path", "start it with /");
        return None;
    }
    found(field, Kept::File(path))
}

/// What a credential holds, whose name is the value; none inside if it is not read.
pub(crate) fn of_credential(field: &mut Field<'_, '_>) -> Option<Option<Secret>> {
    let name = field.text()?;
    // `credential_name_valid` of systemd.
    let fits = (1..=255).contains(&name.len()) && !matches!(name, "." | "..");
    if !fits || !name.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '/' | ':')) {
        field.fault(
            "is no name of a credential",
            "it is a file name: letters, digits, \".\", \"_\" and \"-\"",
        );
        return None;
    }
    found(field, Kept::Credential(name))
}

fn found(field: &mut Field<'_, '_>, kept: Kept<'_>) -> Option<Option<Secret>> {
    match field.cx.read_secret(kept) {
        Ok(secret) => Some(secret),
        Err((what, hint)) => {
            field.fault(&format!("cannot be used: {what}"), hint);
            None
        }
    }
}

/// A secret as people write it into a file: a newline at its end does not count.
pub(crate) fn without_newline(bytes: &[u8]) -> &[u8] {
    let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    line.strip_suffix(b"\r").unwrap_or(line)
}
