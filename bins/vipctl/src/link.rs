//! The way to a daemon: which socket, whether its server may be trusted, and what it means when there is no answer.
//! Must not know an interface.

use std::fs;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use vipkit_control::client::{Client, ClientError};
use vipkit_control::place;
use vipkit_linux::peer::{self, Credentials};

use crate::failure::{Failure, Unreachable};

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
        Client::connect(&self.path, timeout, |socket| trust(&self.path, socket))
            .map_err(|error| self.unreachable(&error))
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
        Unreachable { what, remedy }
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

const JOIN_GROUP: &str = "be root, or a member of group vipkit: `usermod -aG vipkit USER`, then log in again";

/// The server has to be root, ourselves, or the owner of the folder, who decides whose sockets are there anyway.
fn trust(path: &Path, socket: BorrowedFd<'_>) -> io::Result<()> {
    let server = Credentials::of(socket)?.uid;
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let owner = fs::metadata(folder)?.uid();
    if is_trusted(server, peer::effective_uid(), owner) {
        return Ok(());
    }
    Err(io::Error::other(format!("it runs as uid {server}, the folder belongs to uid {owner}")))
}

const fn is_trusted(server: u32, ourselves: u32, owner: u32) -> bool {
    server == 0 || server == ourselves || server == owner
}

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
    fn root_ourselves_and_the_owner_of_the_folder_are_trusted_and_nobody_else() {
        for (server, trusted) in [(0, true), (1000, true), (990, true), (65534, false)] {
            assert_eq!(is_trusted(server, 1000, 990), trusted, "{server}");
        }
        assert!(!is_trusted(1000, 0, 0), "root does not trust just anybody");
    }

    #[test]
    fn each_way_of_not_answering_has_its_remedy() {
        let target = Target { daemon: Some("vrrpd".to_owned()), path: "/run/vipkit/vrrpd.sock".into() };
        let rows = [
            (
                connect_error(io::ErrorKind::NotFound),
                "vrrpd is not running: there is no /run/vipkit/vrrpd.sock",
                "`systemctl start vrrpd`",
            ),
            (
                connect_error(io::ErrorKind::ConnectionRefused),
                "vrrpd is not running: nobody listens on /run/vipkit/vrrpd.sock",
                "`systemctl start vrrpd`",
            ),
            (
                connect_error(io::ErrorKind::PermissionDenied),
                "no permission to use /run/vipkit/vrrpd.sock",
                "be root, or a member of group vipkit: `usermod -aG vipkit USER`, then log in again",
            ),
            (
                connect_error(io::ErrorKind::TimedOut),
                "vrrpd does not accept connections on /run/vipkit/vrrpd.sock",
                "`systemctl status vrrpd` and `journalctl -u vrrpd` tell more",
            ),
            (
                ClientError::TimedOut(Duration::from_secs(5)),
                "vrrpd on /run/vipkit/vrrpd.sock: no answer within 5s",
                "`systemctl status vrrpd` and `journalctl -u vrrpd` tell more",
            ),
            (
                ClientError::Continues,
                "vrrpd on /run/vipkit/vrrpd.sock: one reply was asked for, the server streams",
                "see that it and vipctl are of the same version: `vipctl --version`",
            ),
        ];
        for (error, what, remedy) in rows {
            let expected = Unreachable { what: what.to_owned(), remedy: remedy.to_owned() };
            assert_eq!(target.unreachable(&error), expected);
        }
        let nameless = Target::parse("/tmp/x.sock").unreachable(&ClientError::Closed);
        assert_eq!(nameless.what, "the server on /tmp/x.sock: the server closed the connection");
        assert_eq!(nameless.remedy, "look at the program that serves it");
    }
}
