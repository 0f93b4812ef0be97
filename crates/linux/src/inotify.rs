//! Being told when files change (inotify(7)). Whoever is told looks for itself: a change says where, never what. Must not
//! read a file.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::path::Path;

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify as Descriptor, InotifyEvent, WatchDescriptor};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// What is watched, among all that one [`Inotify`] watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WatchId(WatchDescriptor);

/// Where something changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// In a folder, what has this name: made, written and closed, replaced, taken away.
    Name(WatchId, OsString),
    /// The contents of a file.
    Contents(WatchId),
    /// What was watched is not there any more, or elsewhere; this one tells nothing more.
    Gone(WatchId),
    /// There were too many changes: anything may have changed.
    Anything,
}

/// Watches any number of folders and files.
#[derive(Debug)]
pub struct Inotify(AsyncFd<Instance>);

impl Inotify {
    /// Watches nothing yet. Needs a tokio runtime.
    ///
    /// # Errors
    /// The user has too many of them already (fs.inotify.max_user_instances), or no file descriptor is left.
    pub fn new() -> io::Result<Self> {
        let instance = Instance(Descriptor::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?);
        // SAFETY: `Instance` owns its descriptor and neither closes nor replaces it before it is dropped.
        let instance = unsafe { AsyncFd::register_with_interest(instance, Interest::READABLE) }?;
        Ok(Self(instance))
    }

    /// Watches the names in a folder; the same folder again is the same watch. May wait for a disk or a server, and so is
    /// for helper threads.
    ///
    /// # Errors
    /// No such folder, or the user watches too many already (fs.inotify.max_user_watches).
    pub fn add_folder(&self, folder: &Path) -> io::Result<WatchId> {
        let mask = AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_MOVE
            | GONE
            | AddWatchFlags::IN_ONLYDIR;
        Ok(WatchId(self.0.get_ref().0.add_watch(folder, mask)?))
    }

    /// Watches the contents of a file that is there, such as one of a control group. May wait, as for a folder.
    ///
    /// # Errors
    /// No such file, or the user watches too many already.
    pub fn add_contents(&self, file: &Path) -> io::Result<WatchId> {
        Ok(WatchId(self.0.get_ref().0.add_watch(file, AddWatchFlags::IN_MODIFY | GONE)?))
    }

    /// Watches it no more.
    pub fn remove(&self, watch: WatchId) {
        // Nothing else can fail: what is not there any more is watched no more.
        let _ = self.0.get_ref().0.rm_watch(watch.0);
    }

    /// Waits for changes. May be dropped at any time without losing one.
    ///
    /// # Errors
    /// The runtime is shutting down.
    pub async fn changes(&self) -> io::Result<Vec<Change>> {
        loop {
            let mut guard = self.0.readable().await?;
            let read = guard.try_io(|instance| match instance.get_ref().0.read_events() {
                Err(Errno::EAGAIN) => Err(io::ErrorKind::WouldBlock.into()),
                other => other.map_err(io::Error::from),
            });
            if let Ok(events) = read {
                return Ok(events?.into_iter().map(change).collect());
            }
        }
    }
}

const GONE: AddWatchFlags = AddWatchFlags::IN_DELETE_SELF.union(AddWatchFlags::IN_MOVE_SELF);

fn change(InotifyEvent { wd, mask, name, .. }: InotifyEvent) -> Change {
    let watch = WatchId(wd);
    match name {
        _ if mask.contains(AddWatchFlags::IN_Q_OVERFLOW) => Change::Anything,
        _ if mask.intersects(GONE.union(AddWatchFlags::IN_IGNORED).union(AddWatchFlags::IN_UNMOUNT)) => {
            Change::Gone(watch)
        }
        Some(name) => Change::Name(watch, name),
        None => Change::Contents(watch),
    }
}

#[derive(Debug)]
struct Instance(Descriptor);

impl AsRawFd for Instance {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    async fn next(inotify: &Inotify) -> Vec<Change> {
        timeout(Duration::from_secs(5), inotify.changes()).await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn what_happens_in_a_folder_is_told_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let inotify = Inotify::new().unwrap();
        let watch = inotify.add_folder(folder.path()).unwrap();
        assert_eq!(inotify.add_folder(folder.path()).unwrap(), watch);
        let [a, b] = ["a", "b"].map(|name| folder.path().join(name));
        fs::write(&a, "1").unwrap();
        let named = |name: &str| Change::Name(watch, name.into());
        assert_eq!(next(&inotify).await, [named("a"), named("a")], "made, written");
        fs::rename(&a, &b).unwrap();
        assert_eq!(next(&inotify).await, [named("a"), named("b")]);
        fs::remove_file(&b).unwrap();
        assert_eq!(next(&inotify).await, [named("b")]);
        fs::remove_dir(folder.path()).unwrap();
        assert!(next(&inotify).await.contains(&Change::Gone(watch)));
        assert_eq!(inotify.add_folder(folder.path()).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn contents_are_told_until_they_are_watched_no_more() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let inotify = Inotify::new().unwrap();
        let watch = inotify.add_contents(file.path()).unwrap();
        fs::write(file.path(), "1").unwrap();
        assert!(next(&inotify).await.contains(&Change::Contents(watch)));
        inotify.remove(watch);
        assert!(next(&inotify).await.contains(&Change::Gone(watch)));
        fs::write(file.path(), "2").unwrap();
        timeout(Duration::from_millis(20), inotify.changes()).await.unwrap_err();
    }
}
