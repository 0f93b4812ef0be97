//! The way to a daemon: which socket, whether its server may be trusted, and what it means when there is no answer.
//! Must not know an interface.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use vipkit_control::client::{Client, ClientError};
use vipkit_control::place;
use vipkit_linux::peer;

use crate::failure::{Failure, Sign, Unreachable};

/// A socket, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The daemon, if it was named.
    daemon: Option<String>,
    path: PathBuf,
}

impl Target {
    /// The socket of a daemon.
    #[must_use]
    pub fn daemon(name: &str) -> Self {
        Self { daemon: Some(name.to_owned()), path: place::socket(name) }
    }

    /// What has a slash is a path, else it is the name of a daemon.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        if text.contains('/') { Self { daemon: None, path: text.into() } } else { Self::daemon(text) }
    }

    /// The socket.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Connects, if the server may be trusted.
    ///
    /// # Errors
    /// Nobody serves the socket, or somebody who should not.
    pub fn connect(&self, timeout: Duration) -> Result<Client, Unreachable> {
        self.open(timeout).map_err(|error| self.unreachable(&error))
    }

    /// The same, for who looks at the error.
    ///
    /// # Errors
    /// [`ClientError::Connect`], [`ClientError::Untrusted`].
    pub fn open(&self, timeout: Duration) -> Result<Client, ClientError> {
        Client::connect(&self.path, timeout, |socket| peer::trust(&self.path, socket))
    }

    /// What a failed call comes to.
    #[must_use]
    pub fn failure(&self, error: ClientError) -> Failure {
        match error {
            ClientError::Refused(refusal) => refusal.into(),
            other => self.unreachable(&other).into(),
        }
    }

    /// What an error says of the daemon, and what helps.
    #[must_use]
    pub fn unreachable(&self, error: &ClientError) -> Unreachable {
        use io::ErrorKind::{ConnectionRefused, NotFound, PermissionDenied, TimedOut};
        let path = self.path.display();
        let who = self.daemon.as_deref().unwrap_or("the server");
        let (what, remedy) = match error {
            ClientError::Connect { source, .. } => match source.kind() {
                NotFound => (format!("{who} is not running: there is no {path}"), self.start()),
                ConnectionRefused => {
                    (format!("{who} is not running: nobody listens on {path}"), self.start())
                }
                PermissionDenied => (format!("no permission to use {path}"), JOIN_GROUP.to_owned()),
                TimedOut => (format!("{who} does not accept connections on {path}"), self.look()),
                _ => (format!("cannot connect to {path}: {source}"), self.look()),
            },
            ClientError::Untrusted { source, .. } => (
                format!("not talking to the server of {path}: {source}"),
                "only root, you, or the owner of the socket's folder may serve it: find out who does"
                    .to_owned(),
            ),
            ClientError::TimedOut(_) | ClientError::Closed | ClientError::Io(_) | ClientError::Refused(_) => {
                (format!("{who} on {path}: {error}"), self.look())
            }
            ClientError::Message(_) | ClientError::Continues | ClientError::Parameters(_) => (
                format!("{who} on {path}: {error}"),
                "see that it and vipctl are of the same version: `vipctl --version`".to_owned(),
            ),
        };
        Unreachable { what, remedy, sign: sign(error) }
    }

    fn start(&self) -> String {
        match &self.daemon {
            Some(daemon) => format!("`systemctl start {daemon}`"),
            None => "start the program that serves it".to_owned(),
        }
    }

    fn look(&self) -> String {
        match &self.daemon {
            Some(daemon) => format!("`systemctl status {daemon}` and `journalctl -u {daemon}` tell more"),
            None => "look at the program that serves it".to_owned(),
        }
    }
}

fn sign(error: &ClientError) -> Sign {
    match error {
        ClientError::Connect { source, .. } if source.kind() == io::ErrorKind::NotFound => Sign::Nothing,
        ClientError::Connect { source, .. } if source.kind() == io::ErrorKind::ConnectionRefused => {
            Sign::Socket
        }
        _ => Sign::Server,
    }
}

const JOIN_GROUP: &str = "be root, or a member of group vipkit: `usermod -aG vipkit USER`, then log in again";

#[cfg(test)]
mod tests {
    use super::*;

    fn connect_error(kind: io::ErrorKind) -> ClientError {
        ClientError::Connect { path: PathBuf::new(), source: kind.into() }
    }

    #[test]
    fn a_name_is_a_daemon_and_a_slash_makes_a_path() {
        assert_eq!(Target::parse("vrrpd"), Target::daemon("vrrpd"));
        assert_eq!(Target::parse("./vrrpd"), Target { daemon: None, path: "./vrrpd".into() });
    }

    #[test]
    fn each_way_of_not_answering_has_its_remedy() {
        let target = Target { daemon: Some("vrrpd".to_owned()), path: "/run/vipkit/vrrpd.sock".into() };
        let rows = [
            (
                Sign::Nothing,
                connect_error(io::ErrorKind::NotFound),
                "vrrpd is not running: there is no /run/vipkit/vrrpd.sock",
                "`systemctl start vrrpd`",
            ),
            (
                Sign::Socket,
                connect_error(io::ErrorKind::ConnectionRefused),
                "vrrpd is not running: nobody listens on /run/vipkit/vrrpd.sock",
                "`systemctl start vrrpd`",
            ),
            (
                Sign::Server,
                connect_error(io::ErrorKind::PermissionDenied),
                "no permission to use /run/vipkit/vrrpd.sock",
                "be root, or a member of group vipkit: `usermod -aG vipkit USER`, then log in again",
            ),
            (
                Sign::Server,
                connect_error(io::ErrorKind::TimedOut),
                "vrrpd does not accept connections on /run/vipkit/vrrpd.sock",
                "`systemctl status vrrpd` and `journalctl -u vrrpd` tell more",
            ),
            (
                Sign::Server,
                ClientError::TimedOut(Duration::from_secs(5)),
                "vrrpd on /run/vipkit/vrrpd.sock: no answer within 5s",
                "`systemctl status vrrpd` and `journalctl -u vrrpd` tell more",
            ),
            (
                Sign::Server,
                ClientError::Continues,
                "vrrpd on /run/vipkit/vrrpd.sock: one reply was asked for, the server streams",
                "see that it and vipctl are of the same version: `vipctl --version`",
            ),
        ];
        for (sign, error, what, remedy) in rows {
            let expected = Unreachable { what: what.to_owned(), remedy: remedy.to_owned(), sign };
            assert_eq!(target.unreachable(&error), expected);
        }
        let nameless = Target::parse("/tmp/x.sock").unreachable(&ClientError::Closed);
        assert_eq!(nameless.what, "the server on /tmp/x.sock: the server closed the connection");
        assert_eq!(nameless.remedy, "look at the program that serves it");
    }
}
