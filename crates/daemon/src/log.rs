//! The log: lines to standard error, through a bounded queue to a thread. A log that cannot keep up loses lines, which
//! are counted; it never holds up the loop.

use std::os::unix::fs::MetadataExt;
use std::{env, fs, io};

use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};

/// Lines that may wait.
const QUEUE: usize = 4096;

/// The running log. Lines still waiting are written when it is dropped.
pub struct Log {
    dropped: ErrorCounter,
    _thread: WorkerGuard,
}

impl Log {
    /// Starts it. In the journal's hands, lines carry no time: the journal has it.
    #[must_use]
    pub fn start(level: LevelFilter) -> Self {
        let (writer, thread) =
            NonBlockingBuilder::default().lossy(true).buffered_lines_limit(QUEUE).finish(io::stderr());
        let dropped = writer.error_counter();
        let lines = tracing_subscriber::fmt()
            .with_max_level(level)
            .with_target(false)
            .with_ansi(false)
            .with_writer(writer);
        if is_journal() {
            lines.without_time().init();
        } else {
            lines.init();
        }
        Self { dropped, _thread: thread }
    }

    /// Counts the lines lost.
    #[must_use]
    pub fn dropped(&self) -> Dropped {
        Dropped(self.dropped.clone())
    }
}

/// Counts lines that the log could not keep up with.
#[derive(Clone, Debug)]
pub struct Dropped(ErrorCounter);

impl Dropped {
    /// How many so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        u64::try_from(self.0.dropped_lines()).unwrap_or(u64::MAX)
    }
}

/// True if standard error goes to the journal (systemd.exec(5), JOURNAL_STREAM).
fn is_journal() -> bool {
    let stream = env::var("JOURNAL_STREAM").ok();
    let stderr = fs::metadata("/proc/self/fd/2").map(|m| format!("{}:{}", m.dev(), m.ino())).ok();
    stream.is_some() && stream == stderr
}
