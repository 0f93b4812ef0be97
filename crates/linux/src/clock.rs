//! The clock of the protocol: CLOCK_BOOTTIME, which never steps, counts suspended time and is the same for every
//! process, so that an instant in a file has a meaning after a restart. Must not read the time of day.

use std::fs;
use std::io;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// Time since boot, suspension included (`CLOCK_BOOTTIME`, clock_gettime(2)).
#[must_use]
pub fn now() -> Duration {
    // Fails only for a clock the kernel does not know, and it has known this one since 2.6.39.
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from)
}

/// The time of day, as people set it.
#[must_use]
pub fn wall() -> std::time::SystemTime {
    std::time::SystemTime::now()
}

/// The kernel's name for this boot, a UUID (random(4)): an instant of [`now`] means nothing under another.
///
/// # Errors
/// /proc is not mounted.
pub fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string(BOOT_ID)?.trim_end().to_owned())
}

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_agrees_with_the_kernels_uptime() {
        let before = now();
        let text = fs::read_to_string("/proc/uptime").unwrap();
        let uptime = Duration::from_secs_f64(text.split(' ').next().unwrap().parse().unwrap());
        // The file has hundredths of a second.
        assert!(before <= uptime + Duration::from_millis(10));
        assert!(uptime <= now());
    }

    #[test]
    fn the_boot_id_is_a_uuid_and_stays() {
        let id = boot_id().unwrap();
        assert_eq!(id.len(), 36);
        assert_eq!(id, boot_id().unwrap());
    }
}
