//! A web server that is a program of its own: busybox httpd, which answers with the host's address. While it does not
//! run, the host refuses connections.

use std::fs;
use std::process::Stdio;

use super::host::Host;
use super::process::Process;

/// The server, on port 80 of every address of the host.
#[derive(Debug)]
pub struct Httpd {
    host: Host,
    process: Option<Process>,
}

impl Httpd {
    /// One that runs.
    #[must_use]
    pub fn started(host: &Host) -> Self {
        let folder = host.folder().join("www");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("index.html"), format!("{}\n", host.address())).unwrap();
        let mut httpd = Self { host: host.clone(), process: None };
        httpd.start();
        httpd
    }

    /// Starts it.
    pub fn start(&mut self) {
        let folder = self.host.folder().join("www");
        let mut command =
            self.host.command(&["busybox", "httpd", "-f", "-p", "80", "-h", folder.to_str().unwrap()]);
        let log = self.host.folder().join("httpd.log");
        self.process = Some(Process::start(command.stdin(Stdio::null()), &log));
    }

    /// Ends it at once.
    pub fn stop(&mut self) {
        self.process = None;
    }
}
