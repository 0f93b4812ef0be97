//! Starts what is due and hands over what comes of it: a task for each check that runs, and one for each that is told of
//! changes; none for those that wait.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::{AbortHandle, JoinSet};
use vipkit_core::units::Mono;
use vipkit_daemon::clock::now;

use super::daemon::Daemon;
use super::kind::Watch;
use crate::runs::RunId;

/// Checks started in a turn of the loop: the socket is served between turns.
const STARTS: usize = 64;

/// Shortest time from one run that a change was the reason of to the next: whoever writes a file all the time does not
/// keep this host busy.
const WATCH_PAUSE: Duration = Duration::from_millis(100);

/// Runs checks for ever.
///
/// # Errors
/// One of them panicked.
pub async fn run_checks(daemon: Rc<RefCell<Daemon>>) -> anyhow::Result<()> {
    let rescheduled = daemon.borrow().rescheduled();
    let mut running = JoinSet::new();
    let mut watching = Watching::default();
    loop {
        watching.follow(&daemon);
        daemon.borrow_mut().mature();
        for _ in 0..STARTS {
            let Some((id, run)) = daemon.borrow_mut().start() else { break };
            running.spawn_local(async move {
                let began = now();
                (id, run.await, now() - began)
            });
        }
        let due = daemon.borrow().due();
        tokio::select! {
            Some(ended) = running.join_next() => {
                let (id, outcome, took) = ended?;
                daemon.borrow_mut().finished(id, outcome, took);
            }
            () = moment(due) => {}
            () = rescheduled.notified() => {}
            panicked = watching.panicked() => return Err(panicked.into()),
        }
    }
}

/// The tasks that wait for changes.
#[derive(Default)]
struct Watching {
    tasks: JoinSet<()>,
    of: BTreeMap<RunId, AbortHandle>,
}

impl Watching {
    /// Runs that came and went.
    fn follow(&mut self, daemon: &Rc<RefCell<Daemon>>) {
        let turnover = daemon.borrow_mut().take_turnover();
        for id in turnover.ended {
            self.of.remove(&id).into_iter().for_each(|task| task.abort());
        }
        for id in turnover.begun {
            let change = daemon.borrow().watch(id);
            if let Some(change) = change {
                self.of.insert(id, self.tasks.spawn_local(watch(daemon.clone(), id, change)));
            }
        }
    }

    async fn panicked(&mut self) -> tokio::task::JoinError {
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended
                && error.is_panic()
            {
                return error;
            }
        }
        std::future::pending().await
    }
}

/// Hastens a run whenever it is worth it. The next change is waited for before the run looks: none falls between.
async fn watch(daemon: Rc<RefCell<Daemon>>, id: RunId, mut change: Watch) {
    loop {
        change.await;
        let Some(next) = daemon.borrow().watch(id) else { return };
        change = next;
        daemon.borrow_mut().hasten(id);
        tokio::time::sleep(WATCH_PAUSE).await;
    }
}

/// Waits for a moment; for ever if there is none.
async fn moment(due: Option<Mono>) {
    match due.map(|due| due - now()) {
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}
