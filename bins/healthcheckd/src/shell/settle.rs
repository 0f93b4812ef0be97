//! What follows a change of state: the file of verdicts, written on a helper thread, the line of `systemctl status`, and
//! last the word to those who watch. They act on what they are told, so it is in the file first: whoever is killed, and
//! whenever, a successor does not take back what others did already. A disk that is slow or full keeps nobody from
//! knowing.

use std::cell::RefCell;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;
use vipkit_daemon::clock::now;
use vipkit_daemon::state::StateFile;
use vipkit_linux::systemd::Notifier;

use super::daemon::Daemon;
use crate::kept;

/// Longest that a verdict waits for a write that goes on.
const HOLD: Duration = Duration::from_secs(1);
/// Of the time, one part in this many is spent on writing.
const SHARE: u32 = 10;
/// Longest pause from one write to the next, and from one that failed.
const PAUSE: Duration = Duration::from_secs(1);

/// Keeps file and line true and tells verdicts, until it is told that the end has come; then once more.
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
        let began = now();
        let _ = notifier.status(&daemon.borrow().checks().summary());
        let (kept, untold) = daemon.borrow_mut().keep();
        let to = file.clone();
        let write = move || to.write(&kept::emit(&kept));
        let mut writing = tokio::task::spawn_blocking(write);
        let in_time = timeout(HOLD, &mut writing).await;
        daemon.borrow_mut().tell(&untold);
        let written = match in_time {
            Ok(written) => written,
            Err(_) => telling(&daemon, writing).await,
        };
        let written = written.map_err(anyhow::Error::from).and_then(|written| Ok(written?));
        if let Err(error) = &written {
            daemon.borrow_mut().not_saved(error);
        }
        if is_over {
            return;
        }
        let is_closing = match written {
            Ok(()) => timeout(((now() - began) * (SHARE - 1)).min(PAUSE), closing.notified()).await,
            Err(_) => telling(&daemon, timeout(PAUSE, closing.notified())).await,
        };
        if is_closing.is_ok() {
            closing.notify_one();
        }
    }
}

/// Waits for something, and meanwhile tells at once what is found. The file does not have it yet.
async fn telling<T>(daemon: &Rc<RefCell<Daemon>>, until: impl Future<Output = T>) -> T {
    let changed = daemon.borrow().changed();
    let mut until = pin!(until);
    loop {
        daemon.borrow_mut().tell_all();
        let ended = tokio::select! {
            ended = &mut until => Some(ended),
            () = changed.notified() => None,
        };
        if let Some(ended) = ended {
            changed.notify_one();
            return ended;
        }
    }
}
