//! Tells checks when files change: one inotify instance for all of them, and one watch for each folder. It tells hints: where
//! the kernel refuses, nobody is told, and runs come at their interval. Must not read a file.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::future;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::rc::{Rc, Weak};
use std::sync::Arc;

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;
use tokio::task::{JoinSet, spawn_blocking};
use vipkit_linux::inotify::{Change, Inotify, WatchId};

use super::Watch;

/// Most folders and files that are watched.
const WATCHES_MAX: usize = 8192;

/// All that is watched. Needs the loop.
#[derive(Debug, Default)]
pub struct Watches {
    table: Rc<RefCell<Table>>,
    /// The task that hears the kernel, from the first watch on.
    hearing: RefCell<JoinSet<()>>,
}

#[derive(Debug, Default)]
struct Table {
    inotify: Option<Arc<Inotify>>,
    watched: BTreeMap<WatchId, Watched>,
    ids: BTreeMap<PathBuf, WatchId>,
}

#[derive(Debug)]
struct Watched {
    path: PathBuf,
    /// Who waits, by name in a folder; none: for the contents of a file.
    waiting: BTreeMap<Option<OsString>, Arc<Notify>>,
}

impl Watches {
    /// Waits until something happens to what has this name: it is written, made, replaced or taken away.
    pub fn name(&self, path: &Path) -> Watch {
        let Some(inotify) = self.inotify() else { return Box::pin(future::pending()) };
        let (table, path) = (self.table.clone(), path.to_owned());
        let known = table.borrow().known(&path);
        Box::pin(async move {
            let told = match known {
                Some(told) => Some(told),
                // A disk or a server may take its time.
                None => match spawn_blocking(move || add_folder(&inotify, &path)).await {
                    Ok(Ok(added)) => table.borrow_mut().attach(added),
                    _ => None,
                },
            };
            wait(told).await;
        })
    }

    /// Waits until the contents of a file change that the kernel keeps in memory, such as one of a control group. That it comes
    /// or goes is not told.
    pub fn contents(&self, path: &Path) -> Watch {
        let attach = || {
            let id = self.inotify()?.add_contents(path).ok()?;
            self.table.borrow_mut().attach((id, path.to_owned(), None))
        };
        Box::pin(wait(attach()))
    }

    fn inotify(&self) -> Option<Arc<Inotify>> {
        let mut table = self.table.borrow_mut();
        if table.inotify.is_none() {
            let inotify = Arc::new(Inotify::new().ok()?);
            table.inotify = Some(inotify.clone());
            self.hearing.borrow_mut().spawn_local(hear(inotify, Rc::downgrade(&self.table)));
        }
        table.inotify.clone()
    }
}

/// What is watched, where, and which name in it is meant.
type Added = (WatchId, PathBuf, Option<OsString>);

async fn wait(told: Option<OwnedNotified>) {
    match told {
        Some(told) => told.await,
        None => future::pending().await,
    }
}

/// Watches the folder of a path; while there is none, the closest above it that there is, for what leads there.
fn add_folder(inotify: &Inotify, path: &Path) -> io::Result<Added> {
    let mut path = path;
    loop {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(ErrorKind::InvalidInput.into());
        };
        match inotify.add_folder(folder) {
            Ok(id) => return Ok((id, folder.to_owned(), Some(name.to_owned()))),
            Err(error) if error.kind() == ErrorKind::NotFound => path = folder,
            Err(error) => return Err(error),
        }
    }
}

/// Tells those who wait, until nobody can any more.
async fn hear(inotify: Arc<Inotify>, table: Weak<RefCell<Table>>) {
    while let Ok(changes) = inotify.changes().await {
        let Some(table) = table.upgrade() else { return };
        let mut table = table.borrow_mut();
        changes.into_iter().for_each(|change| table.tell(change, &inotify));
    }
}

impl Table {
    /// Somebody waits for a name that somebody has waited for before.
    fn known(&self, path: &Path) -> Option<OwnedNotified> {
        let watched = self.watched.get(self.ids.get(path.parent()?)?)?;
        Some(watched.waiting.get(&Some(path.file_name()?.to_owned()))?.clone().notified_owned())
    }

    /// Somebody waits; none if there are too many.
    fn attach(&mut self, (id, path, name): Added) -> Option<OwnedNotified> {
        if self.watched.len() >= WATCHES_MAX && !self.watched.contains_key(&id) {
            self.inotify.as_ref()?.remove(id);
            return None;
        }
        // Another by the same path is in its place.
        if let Some(before) = self.ids.insert(path.clone(), id).filter(|before| *before != id) {
            self.watched.remove(&before);
            self.inotify.as_ref()?.remove(before);
        }
        let watched = self.watched.entry(id).or_insert_with(|| Watched { path, waiting: BTreeMap::new() });
        Some(watched.waiting.entry(name).or_default().clone().notified_owned())
    }

    fn tell(&mut self, change: Change, inotify: &Inotify) {
        match change {
            Change::Name(id, name) => self.tell_one(id, &Some(name), inotify),
            Change::Contents(id) => self.tell_one(id, &None, inotify),
            Change::Gone(id) => {
                if let Some(watched) = self.watched.remove(&id) {
                    self.ids.remove(&watched.path);
                    inotify.remove(id);
                    watched.waiting.into_values().for_each(|told| told.notify_waiters());
                }
            }
            Change::Anything => {
                self.watched
                    .values()
                    .flat_map(|watched| watched.waiting.values())
                    .for_each(|told| told.notify_waiters());
            }
        }
    }

    fn tell_one(&mut self, id: WatchId, name: &Option<OsString>, inotify: &Inotify) {
        let Some(watched) = self.watched.get_mut(&id) else { return };
        if let Some(told) = watched.waiting.get(name) {
            told.notify_waiters();
            return;
        }
        // Whoever waits for another name here is still there; else what is told here is for nobody.
        watched.waiting.retain(|_, told| Arc::strong_count(told) > 1);
        if watched.waiting.is_empty() {
            let path = watched.path.clone();
            self.watched.remove(&id);
            self.ids.remove(&path);
            inotify.remove(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use tokio::task::{LocalSet, spawn_local};
    use tokio::time::timeout;

    use super::super::testing::PATIENCE;
    use super::*;

    async fn local(test: impl Future<Output = ()>) {
        LocalSet::new().run_until(test).await;
    }

    async fn attached(watches: &Watches, count: usize) {
        let waiting = || -> usize {
            watches.table.borrow().watched.values().map(|watched| watched.waiting.len()).sum()
        };
        timeout(PATIENCE, async {
            while waiting() != count {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap();
    }

    #[tokio::test]
    async fn who_waits_for_a_name_is_told_and_nobody_else_is() {
        local(async {
            let folder = tempfile::tempdir().unwrap();
            let watches = Watches::default();
            let [a, b] = ["a", "b"].map(|name| folder.path().join(name));
            let (first, same, other) = (watches.name(&a), watches.name(&a), watches.name(&b));
            let told = [first, same].map(spawn_local);
            let mut other = spawn_local(other);
            attached(&watches, 2).await;
            assert_eq!(watches.table.borrow().watched.len(), 1, "one for the folder");
            fs::write(&a, "1").unwrap();
            for told in told {
                timeout(PATIENCE, told).await.unwrap().unwrap();
            }
            timeout(Duration::from_millis(20), &mut other).await.unwrap_err();
            // Known already: nothing that happens from here on is missed.
            let again = watches.name(&a);
            fs::rename(&a, &b).unwrap();
            timeout(PATIENCE, again).await.unwrap();
            timeout(PATIENCE, other).await.unwrap().unwrap();
        })
        .await;
    }

    #[tokio::test]
    async fn a_folder_that_comes_and_goes_is_followed() {
        local(async {
            let folder = tempfile::tempdir().unwrap();
            let watches = Watches::default();
            let path = folder.path().join("a/b/file");
            for step in ["a", "a/b", "a/b/file"] {
                let told = spawn_local(watches.name(&path));
                let path = folder.path().join(step);
                // Told or not yet attached: it is made anew until it is heard.
                timeout(PATIENCE, async {
                    while !told.is_finished() {
                        let _ = if step.ends_with("file") {
                            fs::write(&path, "1")
                        } else {
                            fs::create_dir(&path)
                        };
                        tokio::time::sleep(Duration::from_millis(5)).await;
                        if !told.is_finished() {
                            let _ = fs::remove_dir(&path);
                        }
                    }
                })
                .await
                .unwrap();
                let _ = fs::create_dir(&path);
            }
            let told = watches.name(&path);
            fs::remove_dir_all(folder.path().join("a")).unwrap();
            timeout(PATIENCE, told).await.unwrap();
        })
        .await;
    }

    #[tokio::test]
    async fn what_nobody_waits_for_is_watched_no_more() {
        local(async {
            let folder = tempfile::tempdir().unwrap();
            let watches = Watches::default();
            let waiting = spawn_local(watches.name(&folder.path().join("a")));
            attached(&watches, 1).await;
            waiting.abort();
            let _ = waiting.await;
            fs::write(folder.path().join("b"), "").unwrap();
            attached(&watches, 0).await;
            let table = watches.table.borrow();
            assert!(table.ids.is_empty() && table.watched.is_empty());
        })
        .await;
    }

    #[tokio::test]
    async fn changes_of_contents_are_told() {
        local(async {
            let file = tempfile::NamedTempFile::new().unwrap();
            let watches = Watches::default();
            let told = spawn_local(watches.contents(file.path()));
            attached(&watches, 1).await;
            fs::write(file.path(), "1").unwrap();
            timeout(PATIENCE, told).await.unwrap().unwrap();
        })
        .await;
    }
}
