//! Every change of a host's addresses, as the kernel reports it: what comes and goes between two looks is seen too.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::time::Duration;

use super::host::Host;
use super::process::Process;
use super::until;

const PATIENCE: Duration = Duration::from_secs(5);

/// It watches from when it is made until it is dropped.
#[derive(Debug)]
pub struct AddressWatch {
    host: Host,
    before: Vec<String>,
    process: Process,
    marks: Cell<u32>,
}

/// One change.
struct Change {
    gone: bool,
    /// Address and prefix.
    net: String,
}

impl AddressWatch {
    /// Begins to watch.
    #[must_use]
    pub fn on(host: &Host) -> Self {
        let log = host.folder().join("addresses.log");
        // Only changes from here on matter: an earlier watch may have used the file.
        let _ = std::fs::remove_file(&log);
        let mut command = host.command(&["ip", "-oneline", "monitor", "address"]);
        let process = Process::start(command.stdin(std::process::Stdio::null()), &log);
        let mut watch = Self { host: host.clone(), before: Vec::new(), process, marks: Cell::new(0) };
        watch.catch_up();
        watch.before = [host.addresses(), host.addresses_v6()].concat();
        watch
    }

    /// Times at which the address was gone from the host, with all of its prefixes.
    #[must_use]
    pub fn losses(&self, address: &str) -> usize {
        let is_it = |net: &String| net.split('/').next() == Some(address);
        let mut present: BTreeSet<String> = self.before.iter().filter(|net| is_it(net)).cloned().collect();
        let mut losses = 0;
        for change in self.changes().into_iter().filter(|change| is_it(&change.net)) {
            if !change.gone {
                present.insert(change.net);
            } else if present.remove(&change.net) && present.is_empty() {
                losses += 1;
            }
        }
        losses
    }

    /// Changes of the address so far, with any prefix.
    #[must_use]
    pub fn changes_of(&self, address: &str) -> usize {
        self.changes().iter().filter(|change| change.net.split('/').next() == Some(address)).count()
    }

    fn changes(&self) -> Vec<Change> {
        self.catch_up();
        let change = |line: &str| {
            let gone = line.starts_with("Deleted");
            let net = line.split_whitespace().skip_while(|word| !word.starts_with("inet")).nth(1)?;
            Some(Change { gone, net: net.to_owned() })
        };
        self.process.log().lines().filter_map(change).collect()
    }

    /// Makes changes of its own until one is reported: then all before it have been.
    fn catch_up(&self) {
        let seen = until(PATIENCE, || {
            self.marks.set(self.marks.get() + 1);
            let mark = format!("127.1.{}.{}/32", self.marks.get() / 200, self.marks.get() % 200 + 1);
            self.host.ip(&format!("address add {mark} dev lo"));
            self.host.ip(&format!("address delete {mark} dev lo"));
            until(Duration::from_millis(100), || self.process.log().contains(&mark))
        });
        assert!(seen, "ip monitor reports nothing");
    }
}
