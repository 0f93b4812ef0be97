//! What a process may do, from /proc/PID/status (capabilities(7)). Must not change it.

use std::fs;

/// A capability that vipkit's daemons need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    /// Change addresses and settings of interfaces.
    NetAdmin,
    /// Open raw and packet sockets.
    NetRaw,
}

impl Capability {
    /// Its name in linux/capability.h.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NetAdmin => "CAP_NET_ADMIN",
            Self::NetRaw => "CAP_NET_RAW",
        }
    }

    const fn bit(self) -> u64 {
        match self {
            Self::NetAdmin => 1 << 12,
            Self::NetRaw => 1 << 13,
        }
    }

    /// Whether a status shows it as effective; `None` if that cannot be read.
    pub(crate) fn is_in(self, status: &str) -> Option<bool> {
        let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
        let set = u64::from_str_radix(effective.trim(), 16).ok()?;
        Some(set & self.bit() != 0)
    }
}

/// Those of the needed capabilities that this process lacks. None where /proc does not tell.
#[must_use]
pub fn missing(needed: &[Capability]) -> Vec<Capability> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    needed.iter().copied().filter(|capability| capability.is_in(&status) == Some(false)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_read_from_the_status() {
        let both = "Name:\tvrrpd\nCapEff:\t0000000000003000\n";
        let raw = "CapPrm:\t0000000000003000\nCapEff:\t0000000000002000\n";
        assert_eq!(Capability::NetAdmin.is_in(both), Some(true));
        assert_eq!(Capability::NetAdmin.is_in(raw), Some(false));
        assert_eq!(Capability::NetRaw.is_in(raw), Some(true));
        assert_eq!(Capability::NetRaw.is_in("CapEff:\tnonsense\n"), None);
        assert_eq!(Capability::NetRaw.is_in(""), None);
    }
}
