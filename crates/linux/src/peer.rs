//! Who is at the other end of a Unix socket, by the kernel's word. Must not decide what clients may do.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use nix::unistd::{Group, Uid, User};

/// The peer of a connection as it was when it connected (or of a listening socket, when it began to listen).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Process id; 0 if it has none in this PID namespace.
    pub pid: u32,
    /// Effective user id.
    pub uid: u32,
    /// Effective, that is primary, group id.
    pub gid: u32,
    /// Supplementary group ids.
    pub groups: Vec<u32>,
}

impl Credentials {
    /// The credentials behind a connected Unix stream socket (`SO_PEERCRED`, `SO_PEERGROUPS`; unix(7)).
    ///
    /// # Errors
    /// Not such a socket.
    pub fn of(socket: BorrowedFd<'_>) -> io::Result<Self> {
        let peer = getsockopt(&socket, PeerCredentials)?;
        Ok(Self {
            pid: u32::try_from(peer.pid()).unwrap_or(0),
            uid: peer.uid(),
            gid: peer.gid(),
            groups: peer_groups(socket)?,
        })
    }
}

/// The id of the group with this name. Asks the name service, which may wait: not for use in a loop.
#[must_use]
pub fn group_id(name: &str) -> Option<u32> {
    Group::from_name(name).ok().flatten().map(|group| group.gid.as_raw())
}

/// The id of the user with this name. Asks the name service, which may wait: not for use in a loop.
#[must_use]
pub fn user_id(name: &str) -> Option<u32> {
    User::from_name(name).ok().flatten().map(|user| user.uid.as_raw())
}

/// The user id this process acts as.
#[must_use]
pub fn effective_uid() -> u32 {
    Uid::effective().as_raw()
}

/// Whether a client may believe the server of a socket: it has to be root, ourselves, or the owner of the socket's
/// folder, who decides whose sockets are there anyway.
///
/// # Errors
/// It is somebody else, or nobody can tell.
pub fn trust(path: &Path, socket: BorrowedFd<'_>) -> io::Result<()> {
    let server = Credentials::of(socket)?.uid;
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let owner = fs::metadata(folder)?.uid();
    if is_trusted(server, effective_uid(), owner) {
        return Ok(());
    }
    Err(io::Error::other(format!("it runs as uid {server}, the folder belongs to uid {owner}")))
}

const fn is_trusted(server: u32, ourselves: u32, owner: u32) -> bool {
    server == 0 || server == ourselves || server == owner
}

fn peer_groups(socket: BorrowedFd<'_>) -> io::Result<Vec<u32>> {
    let mut groups = vec![0; USUAL_GROUPS];
    loop {
        let mut bytes = size_of_val(groups.as_slice()) as libc::socklen_t;
        // SAFETY: the kernel writes at most `bytes` bytes, the size of `groups`, and its length into `bytes`; both
        // live across the call.
        let result = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                SO_PEERGROUPS,
                groups.as_mut_ptr().cast(),
                &raw mut bytes,
            )
        };
        let count = bytes as usize / size_of::<libc::gid_t>();
        if result == 0 {
            groups.truncate(count);
            return Ok(groups);
        }
        let error = io::Error::last_os_error();
        // Too small: the kernel has put the size it needs into `bytes`.
        let may_grow = groups.len() < count && count <= MAX_GROUPS;
        if error.raw_os_error() != Some(libc::ERANGE) || !may_grow {
            return Err(error);
        }
        groups.resize(count, 0);
    }
}

/// asm-generic/socket.h; of the architectures Rust knows, SPARC and PA-RISC alone have another number.
const SO_PEERGROUPS: libc::c_int = 59;
const USUAL_GROUPS: usize = 32;
/// `NGROUPS_MAX` (linux/limits.h).
const MAX_GROUPS: usize = 65536;

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
    use std::thread;

    use nix::unistd::{getgid, getgroups};

    use super::*;

    #[test]
    fn root_ourselves_and_the_owner_of_the_folder_are_trusted_and_nobody_else() {
        for (server, trusted) in [(0, true), (1000, true), (990, true), (65534, false)] {
            assert_eq!(is_trusted(server, 1000, 990), trusted, "{server}");
        }
        assert!(!is_trusted(1000, 0, 0), "root does not trust just anybody");
    }

    #[test]
    fn our_own_credentials_are_read_from_a_pair() {
        let (one, _other) = UnixStream::pair().unwrap();
        let credentials = Credentials::of(one.as_fd()).unwrap();
        assert_eq!(credentials.pid, std::process::id());
        assert_eq!(credentials.uid, effective_uid());
        assert_eq!(credentials.gid, getgid().as_raw());
        let own: Vec<u32> = getgroups().unwrap().into_iter().map(|group| group.as_raw()).collect();
        assert_eq!(credentials.groups, own);
    }

    #[test]
    fn a_socket_without_a_peer_is_an_error() {
        let listener = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(Credentials::of(listener.as_fd()).is_err());
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn more_groups_than_usual_are_all_read() {
        let address =
            SocketAddr::from_abstract_name(format!("vipkit-groups-{}", std::process::id())).unwrap();
        let listener = UnixListener::bind_addr(&address).unwrap();
        let wanted: Vec<u32> = (1000..1000 + 5 * USUAL_GROUPS as u32).collect();
        let groups = wanted.clone();
        let client = thread::spawn(move || {
            // The system call, unlike libc's function, changes this thread alone.
            // SAFETY: the pointer and count are those of `groups`, which lives across the call.
            let result = unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) };
            assert_eq!(result, 0);
            UnixStream::connect_addr(&address).unwrap()
        });
        let (connection, _) = listener.accept().unwrap();
        let credentials = Credentials::of(connection.as_fd()).unwrap();
        client.join().unwrap();
        assert_eq!(credentials.groups, wanted);
    }

    #[test]
    fn groups_are_found_by_name() {
        assert_eq!(group_id("root"), Some(0));
        assert_eq!(group_id("no-such-group-here"), None);
    }
}
