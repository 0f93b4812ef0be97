//! What a daemon tells systemd of itself: ready, reloading, stopping, alive (sd_notify(3)). Must not wait: a message
//! that cannot be sent at once is an error for the caller to count.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use sd_notify::NotifyState;

/// The line to the service manager; without one every message is dropped and succeeds.
pub struct Notifier {
    line: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

impl Notifier {
    /// Takes the line from `NOTIFY_SOCKET`, and from `WATCHDOG_USEC` and `WATCHDOG_PID` what is expected on it.
    ///
    /// # Errors
    /// An address that is no Unix socket's.
    pub fn from_environment() -> io::Result<Self> {
        Self::to(env::var_os("NOTIFY_SOCKET"), sd_notify::watchdog_enabled())
    }

    fn to(address: Option<OsString>, watchdog: Option<Duration>) -> io::Result<Self> {
        let line = address.map(|address| line_to(&address)).transpose()?;
        Ok(Self { line, watchdog })
    }

    /// The time after the last [`alive`](Self::alive) at which systemd ends the daemon. Send it twice in this time.
    #[must_use]
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// The daemon has started, or has finished reloading.
    ///
    /// # Errors
    /// The message could not be sent at once.
    pub fn ready(&self) -> io::Result<()> {
        self.send(&[NotifyState::Ready])
    }

    /// The daemon has begun to reload; [`ready`](Self::ready) must follow, whatever comes of it.
    ///
    /// # Errors
    /// The message could not be sent at once.
    pub fn reloading(&self) -> io::Result<()> {
        self.send(&[NotifyState::Reloading, NotifyState::monotonic_usec_now()?])
    }

    /// The daemon has begun to end.
    ///
    /// # Errors
    /// The message could not be sent at once.
    pub fn stopping(&self) -> io::Result<()> {
        self.send(&[NotifyState::Stopping])
    }

    /// The line that `systemctl status` shows: at most 256 characters of `text`, control characters as spaces.
    ///
    /// # Errors
    /// The message could not be sent at once.
    pub fn status(&self, text: &str) -> io::Result<()> {
        // A line feed would begin another assignment.
        let shown = |c: char| if c.is_control() { ' ' } else { c };
        let text: String = text.chars().take(MAX_STATUS).map(shown).collect();
        self.send(&[NotifyState::Status(&text)])
    }

    /// The daemon's loop turns: restarts the [`watchdog`](Self::watchdog).
    ///
    /// # Errors
    /// The message could not be sent at once.
    pub fn alive(&self) -> io::Result<()> {
        self.send(&[NotifyState::Watchdog])
    }

    /// Not `sd_notify::notify`: that would wait for a service manager that does not read.
    fn send(&self, states: &[NotifyState]) -> io::Result<()> {
        let Some((socket, address)) = &self.line else { return Ok(()) };
        let message: String = states.iter().map(|state| format!("{state}\n")).collect();
        socket.send_to_addr(message.as_bytes(), address).map(drop)
    }
}

fn line_to(address: &OsStr) -> io::Result<(UnixDatagram, SocketAddr)> {
    let address = match address.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        [b'/', ..] => SocketAddr::from_pathname(address)?,
        _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, "NOTIFY_SOCKET is no Unix socket")),
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    Ok((socket, address))
}

const MAX_STATUS: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn received(manager: &UnixDatagram) -> String {
        let mut buffer = [0; 1024];
        let length = manager.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    #[test]
    fn messages_are_those_of_the_protocol() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let notifier = Notifier::to(Some(path.into()), None).unwrap();
        notifier.ready().unwrap();
        assert_eq!(received(&manager), "READY=1\n");
        notifier.reloading().unwrap();
        assert!(received(&manager).starts_with("RELOADING=1\nMONOTONIC_USEC="));
        notifier.stopping().unwrap();
        assert_eq!(received(&manager), "STOPPING=1\n");
        notifier.alive().unwrap();
        assert_eq!(received(&manager), "WATCHDOG=1\n");
        notifier.status("web: Active\nMAINPID=1").unwrap();
        assert_eq!(received(&manager), "STATUS=web: Active MAINPID=1\n");
        notifier.status(&"ä".repeat(1000)).unwrap();
        assert_eq!(received(&manager), format!("STATUS={}\n", "ä".repeat(MAX_STATUS)));
    }

    #[test]
    fn an_abstract_address_is_reached() {
        let name = format!("vipkit-test-{}", std::process::id());
        let manager = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        Notifier::to(Some(format!("@{name}").into()), None).unwrap().ready().unwrap();
        assert_eq!(received(&manager), "READY=1\n");
    }

    #[test]
    fn a_manager_that_does_not_read_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let _manager = UnixDatagram::bind(&path).unwrap();
        let notifier = Notifier::to(Some(path.into()), None).unwrap();
        let refused = (0..100_000).find_map(|_| notifier.alive().err()).unwrap();
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn without_a_manager_every_message_succeeds() {
        let notifier = Notifier::to(None, None).unwrap();
        notifier.ready().unwrap();
        notifier.alive().unwrap();
    }

    #[test]
    fn an_address_of_another_kind_is_refused() {
        assert!(Notifier::to(Some("vsock:2:1".into()), None).is_err());
    }
}
