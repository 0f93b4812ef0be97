//! keepalived on a host, as the peer that is not ours. It keeps its files in a /run of its own.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::host::Host;
use super::process::Process;

/// A running keepalived.
#[derive(Debug)]
pub struct Keepalived {
    process: Process,
}

impl Keepalived {
    /// True if the keepalived that is installed knows every word of a keepalived.conf.
    #[must_use]
    pub fn knows(host: &Host, config: &str) -> bool {
        let path = write(host, config);
        let ran = host.run(&["keepalived", "--config-test", "-f", path.to_str().unwrap()]);
        !format!("{}{}", ran.stdout, ran.stderr).contains("Unknown keyword")
    }

    /// Starts it on a keepalived.conf.
    #[must_use]
    pub fn start(host: &Host, config: &str) -> Self {
        let path = write(host, config);
        // `ip netns exec` has made a mount namespace already.
        let private =
            "mount -t tmpfs tmpfs /run && exec keepalived --dont-fork --log-console --log-detail -f \"$0\"";
        let mut command = host.command(&["sh", "-c", private, path.to_str().unwrap()]);
        Self { process: Process::start(command.stdin(Stdio::null()), &host.folder().join("keepalived.log")) }
    }

    /// Ends it in its own way.
    pub fn terminate(mut self) {
        self.process.signal(Signal::SIGTERM);
        self.process.wait(Duration::from_secs(5));
    }

    /// All that it logged, also before a restart.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }
}

fn write(host: &Host, config: &str) -> PathBuf {
    let path = host.folder().join("keepalived.conf");
    fs::write(&path, config).unwrap();
    path
}
