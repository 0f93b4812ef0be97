//! What follows a change of state, at most once a second: the file of verdicts, written on a helper thread, and the line
//! of `systemctl status`. So a verdict is in the file a second after it was found, and a crash later than that keeps it.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;
use vipkit_daemon::state::StateFile;
use vipkit_linux::systemd::Notifier;

use super::daemon::Daemon;
use crate::kept;

/// From one write to the next.
const PAUSE: Duration = Duration::from_secs(1);

/// Keeps file and line true, until it is told that the end has come; then once more.
pub async fn settle(
    daemon: Rc<RefCell<Daemon>>,
    file: StateFile,
    notifier: Rc<Notifier>,
    closing: Rc<Notify>,
) {
    let changed = daemon.borrow().changed();
    loop {
        let is_over = tokio::select! {
            () = changed.notified() => false,
            () = closing.notified() => true,
        };
        let _ = notifier.status(&daemon.borrow().runs().summary());
        let (verdicts, to) = (daemon.borrow().runs().verdicts(), file.clone());
        let write = move || to.write(&kept::emit(&kept::of(&verdicts)));
        let written = tokio::task::spawn_blocking(write).await;
        if let Err(error) = written.map_err(anyhow::Error::from).and_then(|written| Ok(written?)) {
            daemon.borrow_mut().not_saved(&error);
            changed.notify_one();
        }
        if is_over {
            return;
        }
        if timeout(PAUSE, closing.notified()).await.is_ok() {
            closing.notify_one();
        }
    }
}
