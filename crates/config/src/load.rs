//! The files of a configuration: vipkit.toml and, beside it, conf.d/*.toml; and the key files they name.
//! The only file of this crate that does input. Reads regular files alone, and none beyond a bound.

use std::fs::{self, Metadata};
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::config::{Config, parse_with};
use crate::context::{Doubt, KeyFile, quote};
use crate::fault::{Fault, Faults, Place};
use crate::source::{At, Source, Sources};

/// Where the daemons look for the configuration.
pub const DEFAULT_PATH: &str = "/etc/vipkit/vipkit.toml";
/// Most bytes of one file.
pub const FILE_BYTES_MAX: usize = 8 << 20;
/// Most files in conf.d.
pub const CONF_D_FILES_MAX: usize = 1024;

/// Reads the configuration from a file and the `conf.d` folder beside it.
///
/// # Errors
/// All faults that can be seen at once, those of files that cannot be read included.
pub fn load(path: &Path) -> Result<Config, Faults> {
    let mut faults = Vec::new();
    let mut sources = Vec::new();
    let conf_d = path.parent().unwrap_or(Path::new("")).join("conf.d");
    let more = files_of(&conf_d).unwrap_or_else(|(what, hint)| {
        faults.push(whole(&conf_d, what, hint));
        Vec::new()
    });
    for path in std::iter::once(path).chain(more.iter().map(PathBuf::as_path)) {
        match source(path) {
            Ok(source) => sources.push(source),
            Err(fault) => faults.push(fault),
        }
    }
    parse_with(&sources, faults, &mut key_file)
}

/// The regular files *.toml of conf.d by name, hidden ones left out; none if there is no such folder.
fn files_of(conf_d: &Path) -> Result<Vec<PathBuf>, Doubt> {
    let cannot_list = |error| (format!("cannot list it: {error}"), "let vipkit read it".to_owned());
    let entries = match fs::read_dir(conf_d) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(cannot_list(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(cannot_list)?.path();
        let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        // What cannot be looked at is kept, so that reading it says why.
        let other = fs::metadata(&path).is_ok_and(|metadata| !metadata.is_file());
        if hidden || other || path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        if files.len() == CONF_D_FILES_MAX {
            let what = format!("more than {CONF_D_FILES_MAX} files");
            return Err((what, "join some of them".to_owned()));
        }
        files.push(path);
    }
    files.sort();
    Ok(files)
}

fn source(path: &Path) -> Result<Source, Fault> {
    let name = path.display().to_string();
    let (bytes, _) = read(path, FILE_BYTES_MAX).map_err(|(what, hint)| whole(path, what, hint))?;
    let (text, invalid) = match String::from_utf8(bytes) {
        Ok(text) => return Ok(Source { name, text }),
        Err(error) => (error.as_bytes().to_vec(), error.utf8_error().valid_up_to()),
    };
    let text = String::from_utf8_lossy(text.get(..invalid).unwrap_or_default()).into_owned();
    let place = Sources::new(&[Source { name, text }]).place(At { source: 0, offset: invalid });
    Err(Fault { place, what: "not UTF-8".to_owned(), hint: Some("save the file as UTF-8".to_owned()) })
}

/// The bytes of a key file, and a warning if everyone can read it.
fn key_file(path: &Path) -> KeyFile {
    const KEY_FILE_BYTES_MAX: usize = 4096;
    let shown = quote(&path.to_string_lossy());
    let (bytes, metadata) =
        read(path, KEY_FILE_BYTES_MAX).map_err(|(what, hint)| (format!("{shown}: {what}"), hint))?;
    let doubt = (metadata.permissions().mode() & 0o004 != 0)
        .then(|| (format!("everyone can read the key file {shown}"), "take it away: chmod o-r".to_owned()));
    Ok((bytes, doubt))
}

fn read(path: &Path, most: usize) -> Result<(Vec<u8>, Metadata), Doubt> {
    let cannot_read = |error: std::io::Error| {
        let hint = match error.kind() {
            std::io::ErrorKind::NotFound => "create it, or name another",
            std::io::ErrorKind::PermissionDenied => "let vipkit read it: mode 0640, group vipkit",
            _ => "see that it can be read",
        };
        (format!("cannot read it: {error}"), hint.to_owned())
    };
    // Looked at before it is opened: opening a pipe would wait for a writer.
    let metadata = fs::metadata(path).map_err(cannot_read)?;
    if !metadata.is_file() {
        return Err(("not a regular file".to_owned(), "name a file".to_owned()));
    }
    let mut bytes = Vec::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    fs::File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)).map_err(cannot_read)?;
    if bytes.len() > most {
        return Err((format!("more than {most} bytes"), "make it smaller".to_owned()));
    }
    Ok((bytes, metadata))
}

/// A fault of a file as a whole.
fn whole(path: &Path, what: String, hint: String) -> Fault {
    let place = Place { file: path.display().to_string(), position: None };
    Fault { place, what, hint: Some(hint) }
}

#[cfg(test)]
mod tests {
    use vipkit_core::vrrp::{Authentication, SimplePassword};

    use super::*;
    use crate::testing::{config, web};

    /// A folder with these files; names ending in / are folders.
    fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            match name.ends_with('/') {
                true => fs::create_dir_all(path).unwrap(),
                false => fs::write(path, content).unwrap(),
            }
        }
        folder
    }

    fn loaded(folder: &tempfile::TempDir) -> Result<Config, Faults> {
        load(&folder.path().join("vipkit.toml"))
    }

    /// The faults, with the folder's path left out.
    fn faults(folder: &tempfile::TempDir) -> String {
        let path = format!("{}/", folder.path().display());
        loaded(folder).expect_err("faults").to_string().replace(&path, "")
    }

    #[test]
    fn reads_conf_d_beside_the_file() {
        let folder = folder(&[
            ("vipkit.toml", b"[vrrp.web]\ninterface = \"eth0\""),
            ("conf.d/b.toml", b"[vrrp.web]\nvirtual_router_id = 51"),
            ("conf.d/a.toml", b"[vrrp.web]\naddresses = [\"192.0.2.80/24\"]"),
            ("conf.d/other.conf", b"]"),
            ("conf.d/.hidden.toml", b"]"),
            ("conf.d/folder.toml/", b""),
        ]);
        std::os::unix::fs::symlink("nowhere", folder.path().join("conf.d/.#lock.toml")).unwrap();
        assert_eq!(loaded(&folder).unwrap(), config(&web("")));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_a_fault() {
        let missing =
            "vipkit.toml: cannot read it: No such file or directory (os error 2); create it, or name another";
        assert_eq!(faults(&folder(&[])), missing);
        assert_eq!(faults(&folder(&[("vipkit.toml/", b"")])), "vipkit.toml: not a regular file; name a file");
        let conf_d = "conf.d: cannot list it: Not a directory (os error 20); let vipkit read it";
        assert_eq!(faults(&folder(&[("vipkit.toml", b""), ("conf.d", b"")])), conf_d);
        let dangling = folder(&[("vipkit.toml", b""), ("conf.d/", b"")]);
        std::os::unix::fs::symlink("nowhere", dangling.path().join("conf.d/x.toml")).unwrap();
        assert_eq!(faults(&dangling), missing.replace("vipkit.toml:", "conf.d/x.toml:"));
    }

    #[test]
    fn files_that_cannot_be_read_do_not_hide_the_faults_of_others() {
        let folder = folder(&[
            ("vipkit.toml", b"[vrrp.web]\nversion = 4"),
            ("conf.d/a.toml", b"# ok\nx = \"\xc3\xa9\xff\""),
        ]);
        assert_eq!(
            faults(&folder),
            "conf.d/a.toml:2:7: not UTF-8; save the file as UTF-8\n\
             vipkit.toml:2:11: \"version\" in [vrrp.web] must be 2 or 3, not 4; 2 is RFC 3768, 3 is RFC 9568"
        );
    }

    #[test]
    fn files_and_their_number_are_bounded() {
        let full = "#".repeat(FILE_BYTES_MAX);
        assert!(loaded(&folder(&[("vipkit.toml", full.as_bytes())])).is_ok());
        let over = full + "#";
        assert_eq!(
            faults(&folder(&[("vipkit.toml", over.as_bytes())])),
            "vipkit.toml: more than 8388608 bytes; make it smaller"
        );
        let names: Vec<_> = (0..=CONF_D_FILES_MAX).map(|n| format!("conf.d/{n}.toml")).collect();
        let mut files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
        files.push(("vipkit.toml", b""));
        assert_eq!(faults(&folder(&files)), "conf.d: more than 1024 files; join some of them");
        assert!(loaded(&folder(&files[1..])).is_ok());
    }

    /// vipkit.toml with a key file of this content and mode.
    fn with_key_file(content: &[u8], mode: u32) -> tempfile::TempDir {
        let folder = folder(&[("key", content)]);
        let key = folder.path().join("key");
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        let authentication = format!("{{ type = \"pass\", key_file = {key:?} }}");
        let text = web(&format!("version = 2\nauthentication = {authentication}"));
        fs::write(folder.path().join("vipkit.toml"), text).unwrap();
        folder
    }

    #[test]
    fn a_key_file_holds_a_password() {
        for content in ["1111", "1111\n", "1111\r\n"] {
            let config = loaded(&with_key_file(content.as_bytes(), 0o640)).unwrap();
            let expected = Authentication::Pass(SimplePassword::new(b"1111").unwrap());
            assert_eq!(config.vrrp["web"].authentication, expected);
            assert_eq!(config.warnings, []);
        }
    }

    #[test]
    fn the_digest_sees_a_changed_key_file() {
        let folder = with_key_file(b"1111", 0o640);
        let before = loaded(&folder).unwrap().digest;
        fs::write(folder.path().join("key"), "1112").unwrap();
        assert_ne!(loaded(&folder).unwrap().digest, before);
    }

    #[test]
    fn a_key_file_that_everyone_can_read_is_a_warning() {
        let folder = with_key_file(b"1111", 0o644);
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
        let long = with_key_file(b"123456789", 0o600);
        let cut = "give its first 8 bytes: keepalived cuts a longer one to them";
        assert_eq!(faults(&long), format!("{place} is a password of more than 8 bytes; {cut}"));
        let empty = with_key_file(b"\n", 0o600);
        assert_eq!(faults(&empty), format!("{place} is an empty password; a password has 1 to 8 bytes"));
        let huge = with_key_file(&[b'x'; 5000], 0o600);
        let what = "cannot be used: \"key\": more than 4096 bytes; make it smaller";
        assert_eq!(faults(&huge), format!("{place} {what}"));
        let gone = with_key_file(b"1111", 0o600);
        fs::remove_file(gone.path().join("key")).unwrap();
        let what = "cannot be used: \"key\": cannot read it: No such file or directory (os error 2)";
        assert_eq!(faults(&gone), format!("{place} {what}; create it, or name another"));
    }

    #[test]
    fn arbitrary_bytes_never_panic() {
        use proptest::prelude::*;
        let folder = tempfile::tempdir().unwrap();
        proptest!(|(bytes in proptest::collection::vec(any::<u8>(), 0..200))| {
            fs::write(folder.path().join("vipkit.toml"), bytes).unwrap();
            let _ = loaded(&folder);
        });
    }
}
