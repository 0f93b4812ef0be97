//! A small file that a daemon leaves for its successor, replaced as a whole. Touches a disk, so it may wait: for a
//! helper thread or before the loop. Must not know what is in it.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Puts `contents` in place of the file, readable by its owner alone: a reader sees the old contents or the new ones,
/// never a part. One writer at a time.
///
/// There is no fsync: what is kept here is bound to one boot by its id, so a file that a crash of the machine has
/// torn is ignored in any case, and a crash of the daemon tears nothing.
///
/// # Errors
/// The folder is missing, not writable or full.
pub fn write(path: &Path, contents: &[u8]) -> io::Result<()> {
    let new = beside(path);
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(contents)?;
    fs::rename(&new, path)
}

/// Takes a lock file for this process, as long as the result lives; `None` if another process has it.
///
/// # Errors
/// The folder is missing or not writable.
pub fn claim(path: &Path) -> io::Result<Option<File>> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// The contents of the file, `None` if there is none.
///
/// # Errors
/// `FileTooLarge` beyond `max` bytes, and what the file system reports.
pub fn read(path: &Path, max: usize) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut contents = Vec::new();
    file.take((max as u64).saturating_add(1)).read_to_end(&mut contents)?;
    if contents.len() > max {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(Some(contents))
}

/// The name a new version has before it takes the old one's place: in the same folder, since a rename cannot leave a
/// file system.
fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".new");
    name.into()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_is_written_is_read_and_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        assert_eq!(read(&path, 10).unwrap(), None);
        for contents in [b"first".as_slice(), b"", b"second"] {
            write(&path, contents).unwrap();
            assert_eq!(read(&path, 10).unwrap().unwrap(), contents);
        }
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_half_written_new_version_is_not_read_and_not_in_the_way() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        write(&path, b"old").unwrap();
        fs::write(beside(&path), b"ha").unwrap();
        assert_eq!(read(&path, 10).unwrap().unwrap(), b"old");
        write(&path, b"new").unwrap();
        assert_eq!(read(&path, 10).unwrap().unwrap(), b"new");
    }

    #[test]
    fn a_file_over_the_limit_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        write(&path, &[0; 11]).unwrap();
        assert_eq!(read(&path, 10).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(read(&path, 11).unwrap().unwrap().len(), 11);
    }

    #[test]
    fn a_claim_is_one_process_es_until_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = claim(&path).unwrap();
        assert!(held.is_some());
        assert!(claim(&path).unwrap().is_none());
        drop(held);
        assert!(claim(&path).unwrap().is_some());
    }

    #[test]
    fn a_missing_folder_is_an_error_for_the_writer_only() {
        let path = Path::new("/nonexistent/state");
        assert!(write(path, b"").is_err());
        assert_eq!(read(path, 10).unwrap(), None);
    }
}
