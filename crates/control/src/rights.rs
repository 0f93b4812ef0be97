//! Who may call a changing method. Pure: identities in, a verdict out.
//! Must not look anybody up: the kernel's word on the peer comes from the caller.

use std::fmt;

/// Members of this group may call changing methods.
pub const ADMIN_GROUP: &str = "vipkit-admin";

/// What it takes to call a changing method.
pub const NEEDED: &str = "uid 0, the daemon's own uid, or group vipkit-admin";

/// The process at the other end of a connection, as the kernel saw it when it connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Effective user id.
    pub uid: u32,
    /// Effective group id.
    pub gid: u32,
    /// Process id; 0 if it lives in a process namespace that ours cannot see.
    pub pid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "uid {} pid {}", self.uid, self.pid)
    }
}

/// The rule for changing methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    /// The daemon's effective user id. A process with the same uid could stop, trace or replace the daemon
    /// anyway, so refusing it would protect nothing, and a daemon without root stays its own master.
    pub daemon_uid: u32,
    /// Group id of [`ADMIN_GROUP`], where it exists.
    pub admin_gid: Option<u32>,
}

impl Rights {
    /// True for uid 0, the daemon's own uid, and members of the admin group.
    #[must_use]
    pub fn may_change(&self, peer: &Peer) -> bool {
        let is_admin = |gid| peer.gid == gid || peer.groups.contains(&gid);
        peer.uid == 0 || peer.uid == self.daemon_uid || self.admin_gid.is_some_and(is_admin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIGHTS: Rights = Rights { daemon_uid: 990, admin_gid: Some(70) };

    fn peer(uid: u32, gid: u32, groups: &[u32]) -> Peer {
        Peer { uid, gid, pid: 1, groups: groups.to_vec() }
    }

    #[test]
    fn changing_takes_root_the_daemon_or_the_admin_group() {
        let rows = [
            (peer(0, 0, &[]), true, "root"),
            (peer(990, 990, &[]), true, "the daemon's uid"),
            (peer(1000, 70, &[]), true, "primary group"),
            (peer(1000, 1000, &[4, 70]), true, "supplementary group"),
            (peer(1000, 1000, &[4, 27]), false, "other groups"),
            (peer(1000, 0, &[0]), false, "group 0 is not uid 0"),
            (peer(70, 1000, &[]), false, "a uid is not a gid"),
            (peer(1000, 990, &[990]), false, "the daemon's group is not its uid"),
        ];
        for (peer, allowed, what) in rows {
            assert_eq!(RIGHTS.may_change(&peer), allowed, "{what}");
        }
    }

    #[test]
    fn without_the_admin_group_no_group_helps() {
        let rights = Rights { admin_gid: None, ..RIGHTS };
        assert!(!rights.may_change(&peer(1000, 70, &[70, 0])));
        assert!(rights.may_change(&peer(0, 0, &[])));
    }
}
