//! Keeps this process's memory from being paged out (mlockall(2)). Must not raise the limit that allows it.

use std::io;

use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};

/// Locks the memory that there is, and what comes as soon as it is touched; `false` where this process may not lock
/// without limit (RLIMIT_MEMLOCK), since beyond a limit allocations would fail.
///
/// # Errors
/// The kernel's, such as not enough memory.
pub fn lock() -> io::Result<bool> {
    if getrlimit(Resource::RLIMIT_MEMLOCK)?.0 != RLIM_INFINITY {
        return Ok(false);
    }
    // Two calls: stacks of threads to come are large, and hardly touched.
    for flags in [libc::MCL_CURRENT, libc::MCL_FUTURE | libc::MCL_ONFAULT] {
        // SAFETY: takes no pointers, and changes the contents of no memory.
        if unsafe { libc::mlockall(flags) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use nix::sys::resource::setrlimit;

    use super::*;

    #[test]
    fn with_a_limit_nothing_is_locked() {
        let (_, hard) = getrlimit(Resource::RLIMIT_MEMLOCK).unwrap();
        setrlimit(Resource::RLIMIT_MEMLOCK, 65536, hard).unwrap();
        assert!(!lock().unwrap());
        assert!(fs::read_to_string("/proc/self/status").unwrap().contains("VmLck:\t       0 kB"));
    }
}
