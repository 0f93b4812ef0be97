//! The web server of a host: whatever it is asked, it answers with the host's own address.

use std::io::{Read, Write};
use std::net::{Ipv6Addr, TcpListener};
use std::time::Duration;

use socket2::Socket;

use super::host::Host;
use super::worker::Worker;

const PATIENCE: Duration = Duration::from_millis(200);

/// The server, on port 80 of every address of the host.
#[derive(Debug)]
pub struct WebServer {
    _worker: Worker,
}

impl WebServer {
    /// Starts it.
    #[must_use]
    pub fn on(host: &Host) -> Self {
        // Of IPv4 too.
        let listener = host.namespace().within(|| TcpListener::bind((Ipv6Addr::UNSPECIFIED, 80)).unwrap());
        let listener = Socket::from(listener);
        listener.set_read_timeout(Some(PATIENCE)).unwrap();
        let body = format!("{}\n", host.address());
        let answer =
            format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
        let serve = move || {
            let Ok((mut client, _)) = listener.accept() else { return };
            let _ = client.set_read_timeout(Some(PATIENCE));
            let _ = client.read(&mut [0; 4096]);
            let _ = client.write_all(answer.as_bytes());
        };
        Self { _worker: Worker::start(serve) }
    }
}
