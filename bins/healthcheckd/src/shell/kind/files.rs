//! Reads small files for checks, on helper threads: a disk or a server that hangs takes at most a few threads for each file,
//! and never the loop. Must not know what is in them.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::fcntl::OFlag;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

/// Threads that read the same file at once.
const READERS_MAX: u32 = 4;
/// How soon an empty file is read again: whoever writes one empties it first.
const MOMENT: Duration = Duration::from_millis(50);

/// Files that are being read, and how often.
#[derive(Clone, Debug, Default)]
pub struct Files(Arc<Mutex<BTreeMap<PathBuf, u32>>>);

impl Files {
    /// The first `most` bytes of a file. One that is empty has had time to be written.
    ///
    /// # Errors
    /// It cannot be read, is no regular file, or earlier readers of it still wait ([`ErrorKind::ResourceBusy`]).
    pub async fn read(&self, path: &Path, most: u64) -> io::Result<Vec<u8>> {
        let bytes = self.read_once(path, most).await?;
        if !bytes.is_empty() {
            return Ok(bytes);
        }
        sleep(MOMENT).await;
        self.read_once(path, most).await
    }

    async fn read_once(&self, path: &Path, most: u64) -> io::Result<Vec<u8>> {
        let reader = Reader::begin(self, path)?;
        spawn_blocking(move || read(&reader.path, most)).await?
    }

    fn readers(&self) -> MutexGuard<'_, BTreeMap<PathBuf, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One who reads a file; it lasts as long as its thread does.
struct Reader {
    files: Files,
    path: PathBuf,
}

impl Reader {
    fn begin(files: &Files, path: &Path) -> io::Result<Self> {
        let mut readers = files.readers();
        let count = readers.entry(path.to_owned()).or_default();
        if *count >= READERS_MAX {
            return Err(io::Error::new(ErrorKind::ResourceBusy, "whoever read it before still waits"));
        }
        *count += 1;
        Ok(Self { files: files.clone(), path: path.to_owned() })
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut readers = self.files.readers();
        if let Some(count) = readers.get_mut(&self.path) {
            *count -= 1;
            if *count == 0 {
                readers.remove(&self.path);
            }
        }
    }
}

fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    // A pipe by this name would wait for somebody to write.
    let file = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    use super::*;

    #[tokio::test]
    async fn a_file_is_read_in_bounds_and_what_is_none_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let files = Files::default();
        assert_eq!(files.read(&path, 4).await.unwrap_err().kind(), ErrorKind::NotFound);
        fs::write(&path, "12345").unwrap();
        assert_eq!(files.read(&path, 4).await.unwrap(), b"1234");
        assert!(files.read(folder.path(), 4).await.is_err());
        let pipe = folder.path().join("pipe");
        mkfifo(&pipe, Mode::S_IRWXU).unwrap();
        assert!(files.read(&pipe, 4).await.is_err());
        assert!(files.readers().is_empty());
    }

    #[tokio::test]
    async fn an_empty_file_is_given_time_to_be_written() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let files = Files::default();
        let reading = files.read(file.path(), 4);
        let writing = async {
            while files.readers().is_empty() {
                tokio::task::yield_now().await;
            }
            while !files.readers().is_empty() {
                tokio::task::yield_now().await;
            }
            fs::write(file.path(), "1").unwrap();
        };
        let (read, ()) = tokio::join!(reading, writing);
        assert_eq!(read.unwrap(), b"1");
    }

    #[test]
    fn readers_that_wait_are_bounded_for_each_file() {
        let files = Files::default();
        let waiting: Vec<_> =
            (0..READERS_MAX).map(|_| Reader::begin(&files, Path::new("/a")).unwrap()).collect();
        assert_eq!(Reader::begin(&files, Path::new("/a")).err().unwrap().kind(), ErrorKind::ResourceBusy);
        assert!(Reader::begin(&files, Path::new("/b")).is_ok());
        drop(waiting);
        assert!(files.readers().is_empty());
    }
}
