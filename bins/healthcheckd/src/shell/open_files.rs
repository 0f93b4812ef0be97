//! How many checks may run at once: each has a socket, and each process a limit.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Most checks that run at once; others wait, and are late.
const RUNNING_MAX: usize = 16_384;
/// Files for all else: clients of the socket, files of the configuration, the log.
const RESERVE: usize = 256;

/// Takes all the files that this process may have; how many checks may run at once.
///
/// # Errors
/// The kernel's.
pub fn raise() -> nix::Result<usize> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    }
    let files = usize::try_from(hard).unwrap_or(usize::MAX);
    Ok(files.saturating_sub(RESERVE).clamp(1, RUNNING_MAX))
}
