//! What key files and credentials hold.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::Credentials;
use crate::context::{Doubt, quote};
use crate::secret::{Found, Kept, Secret};

/// Most bytes of a secret.
const SECRET_BYTES_MAX: usize = 4096;

/// A secret, if it is to be read; `folder` is where the credentials of this process are.
pub(super) fn read(kept: Kept<'_>, credentials: Credentials, folder: Option<&Path>) -> Found {
    match (kept, credentials) {
        (Kept::File(path), _) => key_file(path).map(Some),
        (Kept::Credential(_), Credentials::Unread) => Ok(None),
        (Kept::Credential(name), Credentials::Required) => credential(folder, name).map(Some),
    }
}

/// What a key file holds, and a doubt if everyone can read it.
fn key_file(path: &Path) -> Result<Secret, Doubt> {
    let shown = quote(&path.to_string_lossy());
    let (bytes, metadata) =
        super::read(path, SECRET_BYTES_MAX).map_err(|(what, hint)| (format!("{shown}: {what}"), hint))?;
    let doubt = (metadata.permissions().mode() & 0o004 != 0)
        .then(|| (format!("everyone can read the key file {shown}"), "take it away: chmod o-r".to_owned()));
    Ok(Secret { bytes, doubt })
}

/// What a credential holds; systemd sees to it that nobody else can read it. A name may be a secret in the wrong place.
fn credential(folder: Option<&Path>, name: &str) -> Result<Secret, Doubt> {
    let hint = "pass it on in the unit of vrrpd: LoadCredential=NAME:/path/of/the/file";
    let folder = folder.ok_or_else(|| ("this daemon has no credentials".to_owned(), hint.to_owned()))?;
    let path = folder.join(name);
    if !path.exists() {
        return Err(("this daemon has no credential of that name".to_owned(), hint.to_owned()));
    }
    let (bytes, _) = super::read(&path, SECRET_BYTES_MAX)?;
    Ok(Secret { bytes, doubt: None })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;
    use vipkit_core::vrrp::hmac::{Key, KeyId};
    use vipkit_core::vrrp::{Authentication, SimplePassword};

    use super::*;
    use crate::config::Config;
    use crate::fault::Faults;
    use crate::load::load_with;
    use crate::testing::web;

    fn loaded(folder: &tempfile::TempDir) -> Result<Config, Faults> {
        let path = folder.path().join("vipkit.toml");
        load_with(&path, &mut |kept| read(kept, Credentials::Required, Some(folder.path())))
    }

    /// The faults, with the folder's path left out.
    fn faults(folder: &tempfile::TempDir) -> String {
        let path = format!("{}/", folder.path().display());
        loaded(folder).expect_err("faults").to_string().replace(&path, "")
    }

    /// vipkit.toml with a key file of this content and mode, for a password.
    fn with_password(content: &[u8], mode: u32) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key");
        fs::write(&key, content).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        let authentication = format!("{{ type = \"pass\", key_file = {key:?} }}");
        let text = web(&format!("version = 2\nauthentication = {authentication}"));
        fs::write(folder.path().join("vipkit.toml"), text).unwrap();
        folder
    }

    #[test]
    fn a_key_file_holds_a_password() {
        for content in ["1111", "1111\n", "1111\r\n"] {
            let config = loaded(&with_password(content.as_bytes(), 0o640)).unwrap();
            let expected = Authentication::Pass(SimplePassword::new(b"1111").unwrap());
            assert_eq!(config.vrrp["web"].authentication, expected);
            assert_eq!(config.warnings, []);
        }
    }

    #[test]
    fn the_digest_sees_a_changed_key_file() {
        let folder = with_password(b"1111", 0o640);
        let before = loaded(&folder).unwrap().digest;
        fs::write(folder.path().join("key"), "1112").unwrap();
        assert_ne!(loaded(&folder).unwrap().digest, before);
    }

    #[test]
    fn a_key_file_that_everyone_can_read_is_a_warning() {
        let folder = with_password(b"1111", 0o644);
        let warnings = loaded(&folder).unwrap().warnings;
        let path = folder.path().display();
        assert_eq!(warnings.len(), 1);
        assert_eq!(
            warnings[0].to_string(),
            format!(
                "{path}/vipkit.toml:6:46: everyone can read the key file \"{path}/key\"; take it away: chmod o-r"
            )
        );
    }

    #[test]
    fn a_key_file_that_holds_no_password_is_a_fault() {
        let place = "vipkit.toml:6:46: \"key_file\" in [vrrp.web.authentication]";
        let long = with_password(b"123456789", 0o600);
        let cut = "give its first 8 bytes: keepalived cuts a longer one to them";
        assert_eq!(faults(&long), format!("{place} is a password of more than 8 bytes; {cut}"));
        let empty = with_password(b"\n", 0o600);
        assert_eq!(faults(&empty), format!("{place} is an empty password; a password has 1 to 8 bytes"));
        let huge = with_password(&[b'x'; 5000], 0o600);
        let what = "cannot be used: \"key\": more than 4096 bytes; make it smaller";
        assert_eq!(faults(&huge), format!("{place} {what}"));
        let gone = with_password(b"1111", 0o600);
        fs::remove_file(gone.path().join("key")).unwrap();
        let what = "cannot be used: \"key\": cannot read it: No such file or directory (os error 2)";
        assert_eq!(faults(&gone), format!("{place} {what}; create it, or name another"));
    }

    const KEY: &[u8; 32] = b"QWERTYUIOPASDFGHJKLZXCVBNMQWERTY";

    /// vipkit.toml with a key file of this content and mode, for an HMAC; the file is a credential too.
    fn with_key(content: &[u8], mode: u32, kept: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key");
        fs::write(&key, content).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        let kept = kept.replace("KEY", &key.display().to_string());
        let text = web(&format!("authentication = {{ type = \"hmac\", keys = [{{ id = 1, {kept} }}] }}"));
        fs::write(folder.path().join("vipkit.toml"), text).unwrap();
        folder
    }

    fn key_of(config: &Config) -> Option<Key> {
        let Authentication::Hmac(hmac) = &config.vrrp["web"].authentication else { panic!("no HMAC") };
        hmac.keys.get(&KeyId::new(1).unwrap()).cloned()
    }

    #[test]
    fn a_file_or_a_credential_holds_a_key() {
        let digits: String = KEY.iter().map(|byte| format!("{byte:02x}")).collect();
        let (hex, upper) = (format!("hex:{digits}\n"), format!("hex:{}", digits.to_uppercase()));
        let line = [&KEY[..], b"\r\n"].concat();
        for kept in ["key_file = \"KEY\"", "credential = \"key\""] {
            for content in [&KEY[..], &line, hex.as_bytes(), upper.as_bytes()] {
                let config = loaded(&with_key(content, 0o640, kept)).unwrap();
                assert_eq!(key_of(&config), Key::new(KEY));
                assert_eq!(config.warnings, []);
            }
        }
    }

    #[test]
    fn a_key_has_32_to_64_bytes() {
        for length in [32, 64] {
            assert!(loaded(&with_key(&vec![b'x'; length], 0o600, "key_file = \"KEY\"")).is_ok());
            let digits = format!("hex:{}", "ab".repeat(length));
            assert!(loaded(&with_key(digits.as_bytes(), 0o600, "key_file = \"KEY\"")).is_ok());
        }
        let odd = format!("hex:{}a", "ab".repeat(40));
        let no_digits = format!("hex:{}", "ag".repeat(40));
        for content in [&[][..], &[b'x'; 31], &[b'x'; 65], b"hex:", odd.as_bytes(), no_digits.as_bytes()] {
            assert_eq!(
                faults(&with_key(content, 0o600, "key_file = \"KEY\"")),
                "vipkit.toml:5:64: \"key_file\" in [[vrrp.web.authentication.keys]] holds no key; \
                 a key is 32 to 64 bytes, or \"hex:\" and 64 to 128 hexadecimal digits"
            );
        }
    }

    #[test]
    fn a_key_that_everyone_can_read_is_a_fault() {
        assert_eq!(
            faults(&with_key(KEY, 0o644, "key_file = \"KEY\"")),
            "vipkit.toml:5:64: \"key_file\" in [[vrrp.web.authentication.keys]] cannot be used: \
             everyone can read the key file \"key\"; take it away: chmod o-r"
        );
        // systemd's own folder keeps others out.
        assert!(loaded(&with_key(KEY, 0o644, "credential = \"key\"")).is_ok());
    }

    #[test]
    fn a_credential_that_is_not_there_is_a_fault_for_who_needs_it() {
        let folder = with_key(KEY, 0o600, "credential = \"other\"");
        let place = "vipkit.toml:5:66: \"credential\" in [[vrrp.web.authentication.keys]] cannot be used:";
        let hint = "pass it on in the unit of vrrpd: LoadCredential=NAME:/path/of/the/file";
        assert_eq!(faults(&folder), format!("{place} this daemon has no credential of that name; {hint}"));
        let path = folder.path().join("vipkit.toml");
        let without = load_with(&path, &mut |kept| read(kept, Credentials::Required, None)).unwrap_err();
        let expected = format!("{place} this daemon has no credentials; {hint}");
        assert_eq!(without.to_string().replace(&format!("{}/", folder.path().display()), ""), expected);
        let unread = load_with(&path, &mut |kept| read(kept, Credentials::Unread, None)).unwrap();
        assert_eq!(key_of(&unread), None);
    }

    #[test]
    fn the_digest_does_not_see_a_key() {
        let folder = with_key(KEY, 0o640, "key_file = \"KEY\"");
        let before = loaded(&folder).unwrap();
        fs::write(folder.path().join("key"), [b'x'; 40]).unwrap();
        let after = loaded(&folder).unwrap();
        assert_ne!(key_of(&after), key_of(&before));
        assert_eq!(after.digest, before.digest);
    }

    proptest! {
        /// Neither the bytes of a key nor their digits, of a good key or a bad one, whoever can read it.
        #[test]
        fn a_key_is_never_shown(
            key in "Q[A-Z]{20,80}",
            form in 0..3usize,
            mode in proptest::sample::select(vec![0o600, 0o644]),
            kept in proptest::sample::select(vec!["key_file = \"KEY\"", "credential = \"key\"", "key_file = \"KEY\", x = 1"]),
        ) {
            let digits: String = key.bytes().map(|byte| format!("{byte:02x}")).collect();
            let content = [key.clone(), format!("hex:{digits}"), format!("hex:{key}")][form].clone();
            let shown = match loaded(&with_key(content.as_bytes(), mode, kept)) {
                Ok(config) => format!("{config:?} {:?}", key_of(&config)),
                Err(faults) => format!("{faults} {faults:?}"),
            };
            // A few bytes in a row are enough to tell.
            let listed = format!("{:?}", &key.as_bytes()[..6]);
            for part in [&key[..6], &key[key.len() - 6..], &digits[..12], &listed[1..20]] {
                prop_assert!(!shown.to_uppercase().contains(&part.to_uppercase()), "{part} in {shown}");
            }
        }
    }
}
