//! A file of numbers that a daemon sets many times a second, for its successor to see how lately it lived. On tmpfs a
//! write is a copy into the page cache and does not wait; elsewhere it may, for the disk: keep the file on tmpfs.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

/// The open file: a row of slots, each a number.
pub struct Heartbeat {
    file: File,
    slots: usize,
}

impl Heartbeat {
    /// Opens or creates the file with this many slots, readable by its owner alone. Slots it had keep their values,
    /// new ones are zero.
    ///
    /// # Errors
    /// `InvalidInput` beyond [`MAX_SLOTS`], and what the file system reports.
    pub fn open(path: &Path, slots: usize) -> io::Result<Self> {
        if slots > MAX_SLOTS {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
        file.set_len((slots * SLOT) as u64)?;
        Ok(Self { file, slots })
    }

    /// Sets a slot.
    ///
    /// # Errors
    /// `InvalidInput` when there is no such slot, and what the file system reports.
    pub fn beat(&self, slot: usize, value: u64) -> io::Result<()> {
        if slot >= self.slots {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.file.write_all_at(&value.to_ne_bytes(), (slot * SLOT) as u64)
    }
}

/// The slots of a file, none if there is no file. At most [`MAX_SLOTS`].
///
/// # Errors
/// What the file system reports.
pub fn read(path: &Path) -> io::Result<Vec<u64>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        file => file?,
    };
    let mut bytes = Vec::new();
    file.take((MAX_SLOTS * SLOT) as u64).read_to_end(&mut bytes)?;
    Ok(bytes.as_chunks().0.iter().copied().map(u64::from_ne_bytes).collect())
}

/// The most slots a file may have: 32 KiB of them.
pub const MAX_SLOTS: usize = 4096;
const SLOT: usize = size_of::<u64>();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beats_are_read_back_by_a_successor() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("heartbeat");
        assert!(read(&path).unwrap().is_empty());
        let heartbeat = Heartbeat::open(&path, 3).unwrap();
        heartbeat.beat(0, 7).unwrap();
        heartbeat.beat(2, u64::MAX).unwrap();
        heartbeat.beat(0, 8).unwrap();
        assert_eq!(read(&path).unwrap(), [8, 0, u64::MAX]);
        Heartbeat::open(&path, 4).unwrap();
        assert_eq!(read(&path).unwrap(), [8, 0, u64::MAX, 0]);
    }

    #[test]
    fn slots_outside_the_file_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("heartbeat");
        assert!(Heartbeat::open(&path, MAX_SLOTS + 1).is_err());
        assert!(Heartbeat::open(&path, 1).unwrap().beat(1, 0).is_err());
        assert_eq!(read(&path).unwrap(), [0]);
    }

    #[test]
    fn a_torn_or_foreign_file_yields_only_whole_slots() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("heartbeat");
        std::fs::write(&path, [1; 12]).unwrap();
        assert_eq!(read(&path).unwrap(), [u64::from_ne_bytes([1; 8])]);
        std::fs::write(&path, vec![0; MAX_SLOTS * SLOT + 9]).unwrap();
        assert_eq!(read(&path).unwrap().len(), MAX_SLOTS);
    }
}
