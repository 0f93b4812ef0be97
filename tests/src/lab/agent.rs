//! The agent of a host: whoever connects is told in a line how much work the host wants, as HAProxy's agents tell.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use socket2::Socket;

use super::host::Host;
use super::worker::Worker;

/// The port of an agent.
pub const PORT: u16 = 9707;
const PATIENCE: Duration = Duration::from_millis(200);

/// It answers from when it is made until it is dropped.
#[derive(Debug)]
pub struct Agent {
    line: Arc<Mutex<String>>,
    _worker: Worker,
}

impl Agent {
    /// One that says this.
    #[must_use]
    pub fn on(host: &Host, line: &str) -> Self {
        let listener = host.namespace().within(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)).unwrap());
        let listener = Socket::from(listener);
        listener.set_read_timeout(Some(PATIENCE)).unwrap();
        let line = Arc::new(Mutex::new(line.to_owned()));
        let said = line.clone();
        let serve = move || {
            let Ok((mut client, _)) = listener.accept() else { return };
            let line = format!("{}\n", said.lock().unwrap());
            let _ = client.write_all(line.as_bytes());
        };
        Self { line, _worker: Worker::start(serve) }
    }

    /// From now on it says this.
    pub fn says(&self, line: &str) {
        line.clone_into(&mut self.line.lock().unwrap());
    }
}
