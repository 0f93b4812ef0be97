//! What reaches a daemon from outside, and what it says to it: its socket, its signals and the service manager; and the
//! one thread that all of it runs on.

use std::io;
use std::rc::Rc;

use thiserror::Error;
use tokio::net::UnixListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tokio::task::{JoinError, JoinSet, LocalSet};
use vipkit_control::handler::Handler;
use vipkit_control::place;
use vipkit_control::rights::{ADMIN_GROUP, Peer, Rights};
use vipkit_control::server::{Bounds, Server};
use vipkit_linux::listen::{ListenError, Listening, bind, inherited};
use vipkit_linux::peer::{self, Credentials};
use vipkit_linux::signals::{Signal, Signals};
use vipkit_linux::systemd::Notifier;

use crate::reload::Reloader;

/// The socket's group.
const SOCKET_GROUP: &str = "vipkit";

/// Why a daemon cannot begin.
#[derive(Debug, Error)]
pub enum BeginError {
    /// The socket that systemd passed is none.
    #[error(transparent)]
    Socket(#[from] ListenError),
    /// No loop, no signals, or a service manager with an odd address.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The one thread.
pub struct Loop(Runtime);

/// The outside.
pub struct Outside {
    inherited: Option<Listening>,
    signals: Signals,
    notifier: Rc<Notifier>,
}

/// What a daemon begins with. Call it before anything else opens a file: see [`inherited`].
///
/// # Errors
/// See [`BeginError`].
pub fn begin() -> Result<(Loop, Outside), BeginError> {
    let inherited = inherited()?;
    let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
    let signals = {
        let _inside = runtime.enter();
        Signals::new()?
    };
    let notifier = Rc::new(Notifier::from_environment()?);
    Ok((Loop(runtime), Outside { inherited, signals, notifier }))
}

impl Loop {
    /// Runs a daemon's life, and the tasks that it spawns, on this thread.
    pub fn run<F: Future>(self, life: F) -> F::Output {
        LocalSet::new().block_on(&self.0, life)
    }
}

impl Outside {
    /// The line to the service manager.
    #[must_use]
    pub fn notifier(&self) -> Rc<Notifier> {
        self.notifier.clone()
    }

    /// The daemon's socket: systemd's, or one bound now. May wait for the name service.
    ///
    /// # Errors
    /// See [`ListenError`].
    pub fn listen(&mut self, daemon: &str) -> Result<Listening, ListenError> {
        self.inherited.take().map_or_else(|| bind(&place::socket(daemon), SOCKET_GROUP), Ok)
    }

    /// Serves the socket and obeys signals until SIGTERM, or the end of any of the tasks: without one of them the daemon
    /// is none. The tasks are stopped when it returns.
    ///
    /// # Errors
    /// Those of the task that ended.
    pub async fn live<R: 'static, E: From<JoinError> + From<io::Error> + 'static>(
        &mut self,
        listening: Listening,
        handler: Rc<dyn Handler>,
        reloader: Rc<Reloader<R>>,
        mut tasks: JoinSet<Result<(), E>>,
    ) -> Result<(), E> {
        let Listening { listener, bound: _bound } = listening;
        let server = server(handler).run(UnixListener::from_std(listener)?);
        tasks.spawn_local(async move { match server.await {} });
        tasks.spawn_local(stay_alive(self.notifier.clone()));
        let _ = self.notifier.ready();
        let why = loop {
            tokio::select! {
                signal = self.signals.next() => match signal {
                    Signal::Reload => drop(tokio::task::spawn_local({
                        let reloader = reloader.clone();
                        async move { reloader.reload().await }
                    })),
                    Signal::Terminate => break Ok(()),
                },
                Some(ended) = tasks.join_next() => break ended.map_err(Into::into).flatten(),
            }
        };
        let _ = self.notifier.stopping();
        tasks.shutdown().await;
        why
    }
}

/// As every daemon serves: reading is for the socket's group, changing for those with the rights.
fn server(handler: Rc<dyn Handler>) -> Server {
    Server {
        handler,
        rights: Rights { daemon_uid: peer::effective_uid(), admin_gid: peer::group_id(ADMIN_GROUP) },
        identify: |socket| {
            let Credentials { uid, gid, pid, groups } = Credentials::of(socket)?;
            Ok(Peer { uid, gid, pid, groups })
        },
        bounds: Bounds::default(),
    }
}

/// A task that keeps the line of `systemctl status` true: it tells `summary` now and after each of the `news`.
///
/// # Errors
/// None: it does not end.
pub async fn tell_status<E>(
    notifier: Rc<Notifier>,
    news: Rc<Notify>,
    summary: impl Fn() -> String,
) -> Result<(), E> {
    loop {
        let _ = notifier.status(&summary());
        news.notified().await;
    }
}

async fn stay_alive<E>(notifier: Rc<Notifier>) -> Result<(), E> {
    let Some(watchdog) = notifier.watchdog() else { return std::future::pending().await };
    let mut ticks = tokio::time::interval(watchdog / 2);
    loop {
        ticks.tick().await;
        let _ = notifier.alive();
    }
}
