//! The files of a configuration: vipkit.toml and, beside it, conf.d/*.toml; and the secrets that they name.
//! With its child the only file of this crate that does input. Reads regular files alone, and none beyond a bound.

mod secrets;

use std::fs::{self, Metadata};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::config::{Config, parse_with};
use crate::context::Doubt;
use crate::fault::{Fault, Faults, Place};
use crate::secret::SecretReader;
use crate::source::{At, Source, Sources};

/// Where the daemons look for the configuration.
pub const DEFAULT_PATH: &str = "/etc/vipkit/vipkit.toml";
/// Most bytes of one file.
pub const FILE_BYTES_MAX: usize = 8 << 20;
/// Most files in conf.d.
pub const CONF_D_FILES_MAX: usize = 1024;

/// What becomes of the credentials that a configuration names: keys that systemd gives to one daemon alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// They are read from `$CREDENTIALS_DIRECTORY`; one that is not there is a fault.
    Required,
    /// Not read, and their keys left out: for whoever only looks at the configuration, or has no use for them.
    Unread,
}

/// Reads the configuration from a file and the `conf.d` folder beside it, and the key files and credentials it names.
///
/// # Errors
/// All faults that can be seen at once, those of files that cannot be read included.
pub fn load(path: &Path, credentials: Credentials) -> Result<Config, Faults> {
    let folder = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    load_with(path, &mut |kept| secrets::read(kept, credentials, folder.as_deref()))
}

fn load_with(path: &Path, secret_reader: &mut SecretReader<'_>) -> Result<Config, Faults> {
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
    parse_with(&sources, faults, secret_reader)
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
        load(&folder.path().join("vipkit.toml"), Credentials::Unread)
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
