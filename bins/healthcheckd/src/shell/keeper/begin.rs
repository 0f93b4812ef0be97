//! Starts programs, each with a keeper, and hears what came of them. Whatever it waits for, the loop does not.
//! Whoever is a child of this process and not known here is taken for left over, so nobody else may start any.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{self, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;
use tokio::task::spawn_blocking;
use tokio::time;
use vipkit_linux::children;

use super::{End, OUTPUT_MAX, Report, WORD};

/// What programs find in their environment, besides what they are told.
const ENVIRONMENT: [(&str, &str); 2] =
    [("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"), ("LANG", "C.UTF-8")];

/// How long a keeper may take to end what is not wanted any more.
const ENDING: Duration = Duration::from_secs(3);
/// The longest report: each byte of output may take six, besides names.
const REPORT_MAX: u64 = 8 * OUTPUT_MAX as u64;
/// How long a program waits until what earlier ones left is gone: what hangs in the kernel holds up nobody for ever.
const CLEARING: Duration = Duration::from_millis(100);
/// From one try to end what was left to the next.
const MOMENT: Duration = Duration::from_millis(5);

/// Starts keepers, and knows which of our children are. A process has one, and clones of it.
#[derive(Clone, Debug)]
pub struct Keepers {
    binary: PathBuf,
    /// Keepers, and what is not to be touched. Held while one is started, so none is taken for something left over.
    known: Arc<Mutex<BTreeSet<u32>>>,
}

impl Default for Keepers {
    /// Of this very binary, also when its file has been replaced meanwhile.
    fn default() -> Self {
        Self::of(Path::new("/proc/self/exe"))
    }
}

impl Keepers {
    /// Of a binary that begins with [`keep_if_asked`](super::keep_if_asked). Children that there are already are not its
    /// business.
    #[must_use]
    pub fn of(binary: &Path) -> Self {
        let known = children::list().unwrap_or_default().into_iter().collect();
        Self { binary: binary.to_owned(), known: Arc::new(Mutex::new(known)) }
    }

    /// Runs a program, for `limit` at most, in `/`, without input, and with nothing in its environment but a path, a
    /// language and what is given. Dropped at any time, it ends the program and all that this started.
    ///
    /// # Errors
    /// There could be no keeper, or somebody killed it.
    pub async fn run(
        &self,
        command: &[String],
        environment: Vec<(&'static str, String)>,
        limit: Duration,
    ) -> io::Result<Report> {
        let (keepers, command) = (self.clone(), command.to_vec());
        // On a helper thread, a disk that is slow to give our binary holds up nobody else.
        let Begun { held, report } = spawn_blocking(move || keepers.begin(&command, environment)).await??;
        let mut report = pipe::Receiver::from_owned_fd(report)?.take(REPORT_MAX);
        let mut bytes = Vec::new();
        let in_time = {
            // Only the keeper can write there, so its end is the end of this.
            let mut reading = pin!(report.read_to_end(&mut bytes));
            let in_time = time::timeout(limit, &mut reading).await.is_ok();
            drop(held);
            if !in_time {
                // What it does not say by then, it does not say.
                let _ = time::timeout(ENDING, reading).await;
            }
            in_time
        };
        let report: Option<Report> = serde_json::from_slice(&bytes).ok();
        if report.is_none() {
            // It was killed.
            let keepers = self.clone();
            spawn_blocking(move || keepers.clear(ENDING)).await??;
        }
        match (in_time, report) {
            (true, Some(report)) => Ok(report),
            (true, None) => Err(io::Error::other("what ran it was killed")),
            (false, report) => Ok(Report { end: End::Stopped, ..report.unwrap_or_default() }),
        }
    }

    fn begin(&self, command: &[String], environment: Vec<(&'static str, String)>) -> io::Result<Begun> {
        self.clear(CLEARING)?;
        let mut known = self.known();
        let mut keeper = Command::new(&self.binary)
            .arg0("healthcheckd")
            .arg(WORD)
            .args(command)
            .env_clear()
            .envs(ENVIRONMENT)
            .envs(environment)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        known.insert(keeper.id());
        match (keeper.stdin.take(), keeper.stdout.take()) {
            (Some(held), Some(report)) => Ok(Begun { held: held.into(), report: report.into() }),
            _ => Err(io::Error::other("no pipe")),
        }
    }

    /// Ends what keepers left that were killed; stops trying after `limit`. Waits, and so is for helper threads.
    fn clear(&self, limit: Duration) -> io::Result<()> {
        let deadline = Instant::now() + limit;
        while !sweep(&mut self.known())? && Instant::now() < deadline {
            thread::sleep(MOMENT);
        }
        Ok(())
    }

    fn known(&self) -> MutexGuard<'_, BTreeSet<u32>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A keeper at work, for as long as it is held.
struct Begun {
    held: OwnedFd,
    report: OwnedFd,
}

/// Ends what keepers left that were killed: children of ours that nobody knows. True: there were none. As the first process
/// of a container we have children that are none of ours, and touch none.
fn sweep(known: &mut BTreeSet<u32>) -> io::Result<bool> {
    if !children::adopts() || process::id() == 1 {
        return Ok(true);
    }
    let children = children::list()?;
    known.retain(|pid| children.contains(pid));
    let left: Vec<u32> = children.into_iter().filter(|pid| !known.contains(pid)).collect();
    // Those that refuse are another user's.
    Ok(left.into_iter().filter(|pid| children::kill(*pid).is_ok()).count() == 0)
}
