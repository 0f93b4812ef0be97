//! socat as a server: an agent that says what stands in a file, and one that echoes datagrams.

use std::fs;
use std::path::PathBuf;

use super::host::Host;
use super::server::Server;

/// An agent.
#[derive(Debug)]
pub struct Agent {
    /// The program.
    pub server: Server,
    file: PathBuf,
}

impl Agent {
    /// Starts one on a port of all addresses.
    #[must_use]
    pub fn started(host: &Host, port: u16, line: &str) -> Self {
        let file = host.folder().join(format!("agent-{port}"));
        fs::write(&file, line).unwrap();
        let listen = format!("TCP6-LISTEN:{port},fork,reuseaddr,ipv6only=0");
        let says = format!("EXEC:cat {}", file.display());
        let server = Server::started(host, &format!("agent-{port}"), port, &["socat", &listen, &says]);
        Self { server, file }
    }

    /// What it says from now on.
    pub fn says(&self, line: &str) {
        fs::write(&self.file, line).unwrap();
    }
}

/// Starts what answers each datagram with itself, on a port of all addresses.
#[must_use]
pub fn echo(host: &Host, port: u16) -> Server {
    let listen = format!("UDP6-RECVFROM:{port},fork,ipv6only=0");
    Server::started(host, &format!("echo-{port}"), port, &["socat", &listen, "EXEC:cat"])
}
