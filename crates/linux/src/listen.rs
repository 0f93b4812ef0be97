//! The socket a daemon serves: systemd's, or one bound at a path. Must not accept: that is the server's. For use
//! before the loop, since it touches the file system and asks the name service.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use socket2::{Domain, SockAddr, Socket, Type};
use thiserror::Error;

use crate::peer;

/// Why there is no socket to serve.
#[derive(Debug, Error)]
pub enum ListenError {
    /// LISTEN_FDS stands for something other than one listening Unix stream socket.
    #[error("LISTEN_FDS: one listening Unix stream socket expected, {0}")]
    Inherited(String),
    /// What is at the path is no socket, and is left alone.
    #[error("{} is in the way: it is no socket", .0.display())]
    NotASocket(PathBuf),
    /// Somebody answers at the path.
    #[error("{} is served by another process", .0.display())]
    InUse(PathBuf),
    /// The path could not be made ready.
    #[error("{}", path.display())]
    Path {
        /// The socket, or the folder it is in.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
}

/// A non-blocking listening socket.
#[derive(Debug)]
pub struct Listening {
    /// The socket.
    pub listener: UnixListener,
    /// The path, if it was bound here: keep it as long as the socket is served. systemd's sockets stay.
    pub bound: Option<BoundPath>,
}

/// A path that vanishes when this is dropped, unless it has become another's.
#[derive(Debug)]
pub struct BoundPath {
    path: PathBuf,
    device_and_inode: (u64, u64),
}

/// The socket systemd passed in LISTEN_FDS (sd_listen_fds(3)), the first time this is called. Call it before anything
/// else opens a file: a descriptor that was announced but not passed would be taken for the announced one.
///
/// # Errors
/// [`ListenError::Inherited`].
pub fn inherited() -> Result<Option<Listening>, ListenError> {
    let broken = |error: io::Error| ListenError::Inherited(error.to_string());
    if TAKEN.swap(true, Ordering::Relaxed) {
        return Ok(None);
    }
    let mut descriptors = sd_notify::listen_fds().map_err(broken)?;
    let count = descriptors.len();
    let descriptor = match (descriptors.next(), count) {
        (None, _) => return Ok(None),
        (Some(descriptor), 1) => descriptor,
        _ => return Err(ListenError::Inherited(format!("{count} descriptors found"))),
    };
    // SAFETY: the descriptor is open, as `listen_fds` has set a flag on it; LISTEN_PID says that it was passed to this
    // process, and `TAKEN` that nobody has taken it yet.
    let socket = Socket::from(unsafe { OwnedFd::from_raw_fd(descriptor) });
    let fits = socket.domain().map_err(broken)? == Domain::UNIX
        && socket.r#type().map_err(broken)? == Type::STREAM
        && socket.is_listener().map_err(broken)?;
    if !fits {
        return Err(ListenError::Inherited("another kind found".into()));
    }
    socket.set_nonblocking(true).map_err(broken)?;
    Ok(Some(Listening { listener: OwnedFd::from(socket).into(), bound: None }))
}

/// A socket at `path`, mode 0660, of the group named `group` if it exists and this process may give it away. Missing
/// folders are made, mode 0755. A socket left at the path that nobody serves is replaced.
///
/// # Errors
/// See [`ListenError`].
pub fn bind(path: &Path, group: &str) -> Result<Listening, ListenError> {
    let failed = |source| ListenError::Path { path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(folder)
            .map_err(|source| ListenError::Path { path: folder.to_owned(), source })?;
    }
    clear(path)?;
    let address = SockAddr::unix(path).map_err(failed)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(failed)?;
    socket.set_nonblocking(true).map_err(failed)?;
    socket.bind(&address).map_err(failed)?;
    let bound = BoundPath::of(path).map_err(failed)?;
    // Nobody can connect before the rights are right: the socket does not listen yet.
    if let Some(group) = peer::group_id(group) {
        match std::os::unix::fs::chown(path, None, Some(group)) {
            Err(error) if error.kind() != io::ErrorKind::PermissionDenied => return Err(failed(error)),
            _ => {}
        }
    }
    fs::set_permissions(path, Permissions::from_mode(0o660)).map_err(failed)?;
    socket.listen(BACKLOG).map_err(failed)?;
    Ok(Listening { listener: OwnedFd::from(socket).into(), bound: Some(bound) })
}

/// Makes way at the path, if what is there is a socket that nobody serves.
fn clear(path: &Path) -> Result<(), ListenError> {
    let failed = |source| ListenError::Path { path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
        Ok(metadata) if !metadata.file_type().is_socket() => {
            return Err(ListenError::NotASocket(path.to_owned()));
        }
        Ok(_) => {}
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(failed)?;
    // A server that does not accept, its queue full, would keep a blocking socket waiting.
    socket.set_nonblocking(true).map_err(failed)?;
    match socket.connect(&SockAddr::unix(path).map_err(failed)?) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(failed)
        }
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(failed(error)),
        _ => Err(ListenError::InUse(path.to_owned())),
    }
}

impl BoundPath {
    fn of(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), device_and_inode: device_and_inode(path)? })
    }
}

impl Drop for BoundPath {
    fn drop(&mut self) {
        if device_and_inode(&self.path).is_ok_and(|found| found == self.device_and_inode) {
            // Nothing depends on it: a socket left behind is replaced at the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn device_and_inode(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

/// Whether the descriptors passed by systemd have an owner.
static TAKEN: AtomicBool = AtomicBool::new(false);
/// Connections that wait to be accepted; the kernel's usual limit (`net.core.somaxconn`) before Linux 5.4.
const BACKLOG: i32 = 128;

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixStream;
    use std::process::{Command, Stdio};

    use super::*;
    use crate::namespace::eventually;

    #[test]
    fn a_socket_is_bound_in_a_new_folder_and_vanishes_with_its_guard() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run/vipkit/vrrpd.sock");
        let listening = bind(&path, "root").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o660);
        assert_eq!(mode(path.parent().unwrap()), 0o755);
        UnixStream::connect(&path).unwrap();
        listening.listener.accept().unwrap();
        assert_eq!(listening.listener.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(listening);
        assert!(!path.exists());
    }

    #[test]
    fn a_stale_socket_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        // Another test's child, not yet at its exec, may hold a copy of the listener for a moment.
        let _listening = eventually(|| bind(&path, "no-such-group-here").ok());
        UnixStream::connect(&path).unwrap();
    }

    #[test]
    fn a_served_socket_is_left_alone_even_when_its_queue_is_full() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let served = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        served.bind(&SockAddr::unix(&path).unwrap()).unwrap();
        served.listen(0).unwrap();
        for _ in 0..3 {
            let error = bind(&path, "root").unwrap_err();
            assert!(matches!(error, ListenError::InUse(_)), "{error}");
        }
        assert!(path.exists());
    }

    #[test]
    fn what_is_no_socket_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        fs::write(&path, b"precious").unwrap();
        assert!(matches!(bind(&path, "root"), Err(ListenError::NotASocket(_))));
        std::os::unix::fs::symlink(&path, folder.path().join("link")).unwrap();
        assert!(matches!(bind(&folder.path().join("link"), "root"), Err(ListenError::NotASocket(_))));
        assert_eq!(fs::read(&path).unwrap(), b"precious");
    }

    #[test]
    fn a_path_that_became_anothers_is_not_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listening = bind(&path, "root").unwrap();
        fs::rename(&path, folder.path().join("kept")).unwrap();
        let _other = UnixListener::bind(&path).unwrap();
        drop(listening);
        assert!(path.exists());
    }

    #[test]
    fn a_path_too_long_for_a_socket_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a".repeat(120));
        let error = bind(&path, "root").unwrap_err();
        assert!(error.to_string().contains(&*path.to_string_lossy()), "{error}");
    }

    /// Runs this test again as a child of a shell that passes descriptors as systemd does.
    fn in_child(test: &str, descriptor: impl Into<Stdio>, environment: &str) -> String {
        let script = format!("{environment} exec \"$0\" --exact --nocapture listen::tests::{test} 3<&0 4<&0");
        let output = Command::new("sh")
            .args(["-c", &script])
            .arg(std::env::current_exe().unwrap())
            .env(CHILD, "1")
            .stdin(descriptor)
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// In the child: says what became of the descriptors.
    fn report(fallback: &Path) {
        let taken = inherited().and_then(|taken| taken.map_or_else(|| bind(fallback, "root"), Ok));
        let outcome = match taken {
            Ok(Listening { listener, bound }) => {
                let close_on_exec = nix::fcntl::fcntl(&listener, nix::fcntl::FcntlArg::F_GETFD).unwrap() == 1;
                let refused = listener.accept().unwrap_err().kind();
                format!("bound {} {refused:?} cloexec {close_on_exec}", bound.is_some())
            }
            Err(error) => error.to_string(),
        };
        writeln!(io::stderr(), "{outcome}").unwrap();
        assert!(matches!(inherited(), Ok(None)), "descriptors are taken once");
    }

    const CHILD: &str = "VIPKIT_TEST_CHILD";

    #[test]
    fn descriptors_of_systemd_are_judged() {
        let folder = tempfile::tempdir().unwrap();
        if std::env::var_os(CHILD).is_some() {
            return report(&folder.path().join("fallback"));
        }
        let name = "descriptors_of_systemd_are_judged";
        let path = folder.path().join("socket");
        let listener = || OwnedFd::from(UnixListener::bind(&path).unwrap());

        let said = in_child(name, listener(), "LISTEN_PID=$$ LISTEN_FDS=1");
        assert!(said.contains("bound false WouldBlock cloexec true"), "{said}");
        fs::remove_file(&path).unwrap();
        let said = in_child(name, listener(), "LISTEN_PID=1 LISTEN_FDS=1");
        assert!(said.contains("bound true WouldBlock cloexec true"), "{said}");
        let said = in_child(name, Stdio::null(), "LISTEN_PID=$$ LISTEN_FDS=2");
        assert!(said.contains("2 descriptors found"), "{said}");
        let udp = OwnedFd::from(std::net::UdpSocket::bind("127.0.0.1:0").unwrap());
        let said = in_child(name, udp, "LISTEN_PID=$$ LISTEN_FDS=1");
        assert!(said.contains("another kind found"), "{said}");
        let pair = OwnedFd::from(UnixStream::pair().unwrap().0);
        let said = in_child(name, pair, "LISTEN_PID=$$ LISTEN_FDS=1");
        assert!(said.contains("another kind found"), "{said}");
        let said = in_child(name, Stdio::null(), "LISTEN_PID=$$ LISTEN_FDS=1");
        assert!(said.contains("LISTEN_FDS: one listening"), "{said}");
    }
}
