//! The files that `--persist` writes: brought to what should be there, and nothing written that is there already. Must
//! not touch a file that does not begin with our mark.

use std::env;
use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use vipkit_control::common::Notice;
use vipkit_linux::state_file;

use super::Vips;
use super::setting::Settings;
use super::store::STATE_DIR_VARIABLE;
use super::unit::{self, MARK, UNIT, is_plain};

const SYSCTL: &str = "etc/sysctl.d/60-vipkit-realserver.conf";
const UNITS: &str = "etc/systemd/system";
const WANTS: &str = "etc/systemd/system/multi-user.target.wants";
/// Most bytes of one of our files: a unit with the most VIPs has about 12 KiB.
const BYTES_MAX: usize = 64 << 10;

/// Where the files are.
#[derive(Debug)]
pub struct Files {
    root: PathBuf,
}

impl Files {
    /// Below a folder that stands for `/`.
    #[must_use]
    pub fn below(root: Option<&Path>) -> Self {
        Self { root: root.unwrap_or(Path::new("/")).to_owned() }
    }

    /// The VIPs that are added at boot.
    ///
    /// # Errors
    /// A file is there that is not ours, or cannot be read.
    pub fn vips(&self) -> Result<Vips, Notice> {
        self.read(SYSCTL)?;
        let unit = self.read(&format!("{UNITS}/{UNIT}"))?;
        if let Err(error) = self.is_enabled() {
            return Err(unusable(&self.root.join(WANTS).join(UNIT), &error));
        }
        Ok(unit.and_then(|text| unit::vips(&text)).unwrap_or_default())
    }

    /// Lets these VIPs be added at boot, none by no files. Returns what it did.
    ///
    /// # Errors
    /// The file system's, a file that is not ours, a path that systemd would read otherwise.
    pub fn set(&self, vips: &Vips, settings: &Settings) -> Result<Vec<String>, Notice> {
        let unit = if vips.is_empty() { None } else { Some(text_of_unit(vips)?) };
        let sysctl = vips.iter().any(std::net::IpAddr::is_ipv4).then(|| unit::sysctl(settings));
        let mut done = Vec::new();
        if unit.is_none() {
            done.extend(self.link(false)?);
        }
        done.extend(self.bring(SYSCTL, sysctl)?);
        let is_wanted = unit.is_some();
        done.extend(self.bring(&format!("{UNITS}/{UNIT}"), unit)?);
        if is_wanted {
            done.extend(self.link(true)?);
        }
        Ok(done)
    }

    fn read(&self, path: &str) -> Result<Option<String>, Notice> {
        let path = self.root.join(path);
        match state_file::read(&path, BYTES_MAX) {
            Ok(None) => Ok(None),
            Ok(Some(bytes)) if bytes.starts_with(MARK.as_bytes()) => {
                Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
            }
            Ok(Some(_)) => Err(foreign(&path)),
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => Err(foreign(&path)),
            Err(error) => Err(unusable(&path, &error)),
        }
    }

    fn bring(&self, path: &str, wanted: Option<String>) -> Result<Option<String>, Notice> {
        let there = self.read(path)?;
        let path = self.root.join(path);
        let (did, result) = match (there, wanted) {
            (there, wanted) if there == wanted => return Ok(None),
            (_, Some(text)) => ("written", replace(&path, text.as_bytes())),
            (_, None) => ("removed", fs::remove_file(&path)),
        };
        result.map_err(|error| unusable(&path, &error))?;
        Ok(Some(format!("{} {did}", path.display())))
    }

    /// Whether the link by which systemd starts the unit is there.
    fn is_enabled(&self) -> io::Result<bool> {
        match fs::read_link(self.root.join(WANTS).join(UNIT)) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn link(&self, wanted: bool) -> Result<Option<String>, Notice> {
        let path = self.root.join(WANTS).join(UNIT);
        let change = || {
            match (self.is_enabled()?, wanted) {
                (true, false) => fs::remove_file(&path)?,
                (false, true) => {
                    fs::create_dir_all(self.root.join(WANTS))?;
                    symlink(Path::new("/").join(UNITS).join(UNIT), &path)?;
                }
                _ => return Ok(None),
            }
            Ok(Some(format!("{} {}", path.display(), if wanted { "written" } else { "removed" })))
        };
        change().map_err(|error: io::Error| unusable(&path, &error))
    }
}

fn text_of_unit(vips: &Vips) -> Result<String, Notice> {
    let program = env::current_exe().map_err(|error| Notice {
        what: format!("vipctl does not find itself: {error}"),
        remedy: "mount /proc".to_owned(),
    })?;
    let state_dir = env::var_os(STATE_DIR_VARIABLE).map(PathBuf::from);
    let plain = |path: PathBuf| match path.to_str() {
        Some(text) if is_plain(text) && path.is_absolute() => Ok(text.to_owned()),
        _ => Err(Notice {
            what: format!("{} cannot stand in a unit of systemd", path.display()),
            remedy: "use an absolute path of letters, digits and /._-+@:,".to_owned(),
        }),
    };
    let (program, state_dir) = (plain(program)?, state_dir.map(plain).transpose()?);
    Ok(unit::unit(&program, state_dir.as_deref(), vips))
}

/// Puts `contents` in place of the file, readable by all: a reader sees the old contents or the new ones, also after
/// the machine lost its power.
fn replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let mut file = File::create(&new)?;
    file.set_permissions(Permissions::from_mode(0o644))?;
    file.write_all(contents)?;
    file.sync_all()?;
    fs::rename(&new, path)
}

fn foreign(path: &Path) -> Notice {
    Notice {
        what: format!("{} is not vipctl's: it stays as it is", path.display()),
        remedy: "move it away if it does the same".to_owned(),
    }
}

fn unusable(path: &Path, error: &io::Error) -> Notice {
    Notice {
        what: format!("{}: {error}", path.display()),
        remedy: "run as root, on a file system that can be written; `--root DIR` names another".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::super::setting::{Name, Setting};
    use super::*;

    fn settings() -> Settings {
        [(Setting::new("all", Name::ArpIgnore), 1)].into()
    }

    fn vips(vips: &[&str]) -> Vips {
        vips.iter().map(|vip| vip.parse().unwrap()).collect()
    }

    /// All files below a folder.
    fn count(folder: &Path) -> usize {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.map(|path| if path.is_dir() { count(&path) } else { 1 }).sum()
    }

    #[test]
    fn files_are_written_once_changed_and_removed() {
        let root = TempDir::new().unwrap();
        let files = Files::below(Some(root.path()));
        let both = vips(&["10.0.0.1", "fd00::1"]);
        assert_eq!(files.vips(), Ok(Vips::new()));
        assert_eq!(files.set(&both, &settings()).unwrap().len(), 3);
        assert_eq!((files.vips(), count(root.path())), (Ok(both.clone()), 3));
        assert_eq!(files.set(&both, &settings()), Ok(vec![]));
        let mode = fs::metadata(root.path().join(SYSCTL)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644);

        assert_eq!(files.set(&vips(&["fd00::1"]), &settings()).unwrap().len(), 2, "no ARP in IPv6");
        assert_eq!((files.vips(), count(root.path())), (Ok(vips(&["fd00::1"])), 2));
        assert_eq!(files.set(&Vips::new(), &settings()).unwrap().len(), 2);
        assert_eq!(count(root.path()), 0);
        assert_eq!(files.set(&Vips::new(), &settings()), Ok(vec![]));
    }

    #[test]
    fn what_is_not_ours_is_not_touched() {
        for path in [SYSCTL.to_owned(), format!("{UNITS}/{UNIT}"), format!("{WANTS}/{UNIT}")] {
            let root = TempDir::new().unwrap();
            let file = root.path().join(&path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, "mine").unwrap();
            let files = Files::below(Some(root.path()));
            assert!(files.vips().is_err(), "{path}");
            assert!(files.set(&vips(&["10.0.0.1"]), &settings()).is_err(), "{path}");
            let _ = files.set(&Vips::new(), &settings());
            assert_eq!(fs::read(&file).unwrap(), b"mine");
        }
    }
}
