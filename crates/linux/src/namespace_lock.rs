//! One daemon of a kind per network namespace: a listening Unix socket with an abstract name. Such names belong to the
//! network namespace, vanish with their process and are moved by no variable. But anyone may take one, so who holds it
//! is looked at. For use before the loop.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::thread;
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};
use thiserror::Error;

use crate::capabilities::Capability;
use crate::peer::{self, Credentials};

/// The lock, held until this is dropped or the process ends.
#[derive(Debug)]
pub struct NamespaceLock {
    listener: UnixListener,
}

/// A process that has the lock's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Process id; 0 if it has none in this PID namespace.
    pub pid: u32,
    /// User id.
    pub uid: u32,
    /// What the process calls itself, if that can be read.
    pub command: Option<String>,
}

/// What an attempt on the lock came to, when the caller may go on.
#[derive(Debug)]
pub enum Claim {
    /// The lock is ours.
    Held(NamespaceLock),
    /// The name is taken by a process that cannot be one of ours, for it has no CAP_NET_ADMIN over this namespace; or
    /// by one that will not be asked. Worth a warning: while it has the name, nothing is locked.
    Squatted(Option<Holder>),
}

/// Why the caller must not go on.
#[derive(Debug, Error)]
pub enum LockError {
    /// Another has the lock.
    #[error("already running in this network namespace: {0}")]
    Held(Holder),
    /// The name could not be tried.
    #[error("lock of the network namespace: {0}")]
    Io(#[from] io::Error),
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let command = self.command.as_deref().unwrap_or("process");
        write!(f, "{command} with pid {} and uid {}", self.pid, self.uid)
    }
}

impl NamespaceLock {
    /// Tries for the lock with this name in the network namespace of the calling thread. Takes up to 100 ms.
    ///
    /// # Errors
    /// See [`LockError`].
    pub fn acquire(name: &str) -> Result<Claim, LockError> {
        let address = SocketAddr::from_abstract_name(name)?;
        for _ in 0..ATTEMPTS {
            match UnixListener::bind_addr(&address) {
                Ok(listener) => {
                    listener.set_nonblocking(true)?;
                    return Ok(Claim::Held(Self { listener }));
                }
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => return Err(error.into()),
            }
            match ask(name) {
                Ok(holder) if is_privileged(&holder) => return Err(LockError::Held(holder)),
                Ok(holder) => return Ok(Claim::Squatted(Some(holder))),
                // Gone meanwhile, or between bind and listen, or its queue is full for the moment.
                Err(error) if is_passing(&error) => thread::sleep(PAUSE),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Claim::Squatted(None))
    }

    /// Lets go of those who asked who holds the lock, at most 128 of them. Call it now and then: a lock whose queue is
    /// full cannot be told from a squatter's.
    pub fn turn_away(&self) {
        (0..QUEUE).find(|_| self.listener.accept().is_err());
    }
}

/// Who listens at the abstract name: the kernel keeps the credentials with which a socket began to listen.
fn ask(name: &str) -> io::Result<Holder> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.connect(&SockAddr::unix(format!("\0{name}"))?)?;
    let Credentials { pid, uid, .. } = Credentials::of(socket.as_fd())?;
    let command = fs::read_to_string(format!("/proc/{pid}/comm")).ok();
    Ok(Holder { pid, uid, command: command.map(|command| command.trim_end().to_owned()) })
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::WouldBlock)
}

/// Whether the process may administer this network namespace, as far as can be seen; in doubt it may.
fn is_privileged(holder: &Holder) -> bool {
    if holder.pid == 0 {
        return true;
    }
    let read = |process: &str, file| fs::read_to_string(format!("/proc/{process}/{file}"));
    let pid = holder.pid.to_string();
    match (read(&pid, "status"), read(&pid, "uid_map"), read("self", "uid_map")) {
        (Ok(status), Ok(map), Ok(own_map)) => may_be_ours(&status) && !is_descendant(&map, &own_map),
        // Hidden, or it has left its socket to another process and ended, which none of ours does.
        _ => holder.uid == 0 || holder.uid == peer::effective_uid(),
    }
}

/// Whether its status shows CAP_NET_ADMIN; one that cannot be read counts as a yes.
fn may_be_ours(status: &str) -> bool {
    Capability::NetAdmin.is_in(status).unwrap_or(true)
}

/// Whether a user namespace is one below ours, whose capabilities mean nothing here and which anyone may make. Every
/// user id of such a one is one of ours; in the map of an unrelated or outer one some are not, and show as
/// [`UNMAPPED`] (user_namespaces(7)).
fn is_descendant(map: &str, own_map: &str) -> bool {
    let outside = |line: &str| line.split_whitespace().nth(1).map(str::to_owned);
    map != own_map && !map.lines().any(|line| outside(line).as_deref() == Some(UNMAPPED))
}

/// How /proc/PID/uid_map shows an id that has no number in the reader's user namespace.
const UNMAPPED: &str = "4294967295";
const ATTEMPTS: usize = 10;
const PAUSE: Duration = Duration::from_millis(10);
/// The length of the queue that `UnixListener` asks for.
const QUEUE: usize = 128;

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;
    use std::process::{Child, Command};

    use nix::sched::{CloneFlags, unshare};
    use nix::unistd::{Uid, setresuid};
    use proptest::prelude::*;

    use super::*;
    use crate::namespace::{eventually, in_namespace};

    const OWN: &str = "         0          0 4294967295\n";

    fn name(test: &str) -> String {
        format!("vipkit-test/{test}/{}", std::process::id())
    }

    fn acquired(name: &str) -> NamespaceLock {
        // Another test's child, not yet at its exec, may hold a copy of a lock for a moment after it was dropped.
        eventually(|| match NamespaceLock::acquire(name) {
            Ok(Claim::Held(lock)) => Some(lock),
            _ => None,
        })
    }

    #[test]
    fn user_namespaces_below_ours_are_told_from_others() {
        assert!(!is_descendant(OWN, OWN));
        assert!(is_descendant("0 1000 1\n", OWN));
        assert!(is_descendant("", OWN));
        assert!(!is_descendant("         0 4294967295 4294967295\n", OWN));
        assert!(!is_descendant("0 100000 65536\n", "0 100000 65536\n"));
    }

    #[test]
    fn a_free_lock_is_taken_and_freed() {
        let name = name("free");
        drop(acquired(&name));
        acquired(&name);
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn a_second_is_refused_and_told_who_holds_it() {
        in_namespace(|| {
            let lock = acquired("vrrpd");
            for _ in 0..2 * QUEUE {
                match NamespaceLock::acquire("vrrpd") {
                    Err(LockError::Held(holder)) => {
                        assert_eq!((holder.pid, holder.uid), (std::process::id(), 0));
                        assert!(holder.command.is_some());
                    }
                    other => panic!("{other:?}"),
                }
                lock.turn_away();
            }
            in_namespace(|| drop(acquired("vrrpd")));
        });
    }

    /// A process that took the name as root, then became nobody, in a user namespace of its own if asked for.
    fn squatter(name: &str, with_user_namespace: bool) -> Child {
        let address = SocketAddr::from_abstract_name(name).unwrap();
        let mut command = Command::new("sleep");
        let become_nobody = move || {
            let listener = UnixListener::bind_addr(&address)?;
            nix::unistd::dup2_stdin(&listener)?;
            let nobody = Uid::from_raw(65534);
            setresuid(nobody, nobody, nobody)?;
            if with_user_namespace {
                nix::sys::prctl::set_dumpable(true)?;
                unshare(CloneFlags::CLONE_NEWUSER)?;
                fs::write("/proc/self/uid_map", "0 65534 1")?;
            }
            Ok(())
        };
        // SAFETY: between fork and exec the child runs only `become_nobody`, whose few allocations are safe with glibc,
        // which resets its allocator's locks in the child.
        unsafe { command.arg("600").pre_exec(become_nobody) }.spawn().unwrap()
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn a_squatter_does_not_keep_us_from_running() {
        for with_user_namespace in [false, true] {
            in_namespace(move || {
                let mut squatter = squatter("vrrpd", with_user_namespace);
                let pid = squatter.id();
                let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
                let claim = NamespaceLock::acquire("vrrpd");
                squatter.kill().unwrap();
                squatter.wait().unwrap();
                assert_eq!(may_be_ours(&status), with_user_namespace);
                assert!(
                    matches!(claim, Ok(Claim::Squatted(Some(Holder { pid: found, .. }))) if found == pid),
                    "{claim:?}"
                );
                acquired("vrrpd");
            });
        }
    }

    #[test]
    fn a_squatter_that_will_not_be_asked_does_not_keep_us_from_running() {
        let name = name("silent");
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        socket.bind(&SockAddr::unix(format!("\0{name}")).unwrap()).unwrap();
        assert!(matches!(NamespaceLock::acquire(&name), Ok(Claim::Squatted(None))));
    }

    proptest! {
        #[test]
        fn any_text_of_proc_is_read(status: String, map: String) {
            may_be_ours(&status);
            is_descendant(&map, OWN);
        }
    }
}
