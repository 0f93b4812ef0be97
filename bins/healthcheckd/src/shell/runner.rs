//! Starts what is due and hands over what comes of it: a task for each check that runs, none for those that wait.

use std::cell::RefCell;
use std::rc::Rc;

use tokio::task::JoinSet;
use vipkit_core::units::Mono;
use vipkit_daemon::clock::now;

use super::daemon::Daemon;

/// Checks started in a turn of the loop: the socket is served between turns.
const STARTS: usize = 64;

/// Most checks that run at once; others wait, and are late.
const RUNNING_MAX: usize = 16_384;
/// Files for all else: clients of the socket, files of the configuration, the log.
const RESERVE: usize = 256;

/// How many checks may run at once, if so many files may be open: each has a socket.
#[must_use]
pub fn running_max(files: usize) -> usize {
    files.saturating_sub(RESERVE).clamp(1, RUNNING_MAX)
}

/// Runs checks for ever, at most `running_max` at once.
///
/// # Errors
/// One of them panicked.
pub async fn run_checks(daemon: Rc<RefCell<Daemon>>, running_max: usize) -> anyhow::Result<()> {
    let rescheduled = daemon.borrow().rescheduled();
    let mut running = JoinSet::new();
    loop {
        for _ in 0..STARTS.min(running_max.saturating_sub(running.len())) {
            let Some((id, run)) = daemon.borrow_mut().start() else { break };
            running.spawn_local(async move {
                let began = now();
                (id, run.await, now() - began)
            });
        }
        let has_room = running.len() < running_max;
        let due = daemon.borrow().due();
        tokio::select! {
            Some(ended) = running.join_next() => {
                let (id, outcome, took) = ended?;
                daemon.borrow_mut().finished(id, outcome, took);
            }
            () = moment(due), if has_room => {}
            () = rescheduled.notified() => {}
        }
    }
}

/// Waits for a moment; for ever if there is none.
async fn moment(due: Option<Mono>) {
    match due.map(|due| due - now()) {
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}
