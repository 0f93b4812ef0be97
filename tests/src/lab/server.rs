//! A server that is a program of its own on a host: it can be stopped and started. While it does not run, the host refuses
//! connections.

use std::path::PathBuf;
use std::time::Duration;

use super::host::Host;
use super::process::Process;
use super::until;

/// Programs start slowly where many do.
const PATIENCE: Duration = Duration::from_secs(20);

/// The server.
#[derive(Debug)]
pub struct Server {
    host: Host,
    log: PathBuf,
    line: Vec<String>,
    port: u16,
    process: Option<Process>,
}

impl Server {
    /// One that listens on a port of all addresses, of TCP or, with other things, of UDP. Its log is named after it.
    #[must_use]
    pub fn started(host: &Host, name: &str, port: u16, line: &[&str]) -> Self {
        let log = host.folder().join(format!("{name}.log"));
        let line = line.iter().map(|word| (*word).to_owned()).collect();
        let mut server = Self { host: host.clone(), log, line, port, process: None };
        server.start();
        server
    }

    /// Starts it, and waits until it listens.
    ///
    /// # Panics
    /// If it does not.
    pub fn start(&mut self) {
        let line: Vec<&str> = self.line.iter().map(String::as_str).collect();
        let mut process =
            Process::start(self.host.command(&line).stdin(std::process::Stdio::null()), &self.log);
        let listens = || {
            let at = format!("sport = :{}", self.port);
            let sockets = self.host.run(&["ss", "-Hlntu", &at]).stdout;
            sockets.lines().any(|socket| !socket.is_empty())
        };
        let up = until(PATIENCE, || !process.is_running() || listens());
        assert!(up && process.is_running(), "{line:?} does not listen:\n{}", process.log());
        self.process = Some(process);
    }

    /// Ends it at once.
    pub fn stop(&mut self) {
        self.process = None;
    }
}
