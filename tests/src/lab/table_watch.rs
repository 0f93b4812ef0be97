//! What was in a host's IPVS table, looked at many times a second: what comes and goes between two commands is seen too.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::host::Host;
use super::worker::Worker;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(2);

/// Destinations of all services and their weights.
pub type Table = BTreeMap<SocketAddrV4, u32>;

/// It watches from when it is made until it is dropped.
#[derive(Debug)]
pub struct TableWatch {
    seen: Arc<Mutex<Vec<Table>>>,
    _worker: Worker,
}

impl TableWatch {
    /// Begins to watch.
    #[must_use]
    pub fn on(host: &Host) -> Self {
        // The open file stays that of the namespace in which it was opened.
        let mut file = host.namespace().within(|| File::open("/proc/thread-self/net/ip_vs").unwrap());
        let seen = Arc::new(Mutex::new(vec![look(&mut file)]));
        let watched = seen.clone();
        let worker = Worker::start(move || {
            let now = look(&mut file);
            let mut seen = watched.lock().unwrap();
            if seen.last() != Some(&now) {
                seen.push(now);
            }
            drop(seen);
            thread::sleep(PAUSE);
        });
        Self { seen, _worker: worker }
    }

    /// All tables from the first look on, each once in a row.
    #[must_use]
    pub fn seen(&self) -> Vec<Table> {
        self.seen.lock().unwrap().clone()
    }

    /// Forgets what was seen before now.
    pub fn forget(&self) {
        let mut seen = self.seen.lock().unwrap();
        let last = seen.len() - 1;
        seen.drain(..last);
    }
}

fn look(file: &mut File) -> Table {
    let mut text = String::new();
    file.rewind().unwrap();
    file.read_to_string(&mut text).unwrap();
    text.lines().filter_map(destination).collect()
}

/// A line such as `  -> C0A80464:0050      Route   1      0          0`.
fn destination(line: &str) -> Option<(SocketAddrV4, u32)> {
    let mut words = line.strip_prefix("  -> ")?.split_whitespace();
    let (address, port) = words.next()?.split_once(':')?;
    let address = Ipv4Addr::from(u32::from_str_radix(address, 16).ok()?);
    let port = u16::from_str_radix(port, 16).ok()?;
    Some((SocketAddrV4::new(address, port), words.nth(1)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_file_is_read() {
        let row = "  -> C0A80464:0050      Route   2      0          1";
        assert_eq!(destination(row), Some(("192.168.4.100:80".parse().unwrap(), 2)));
        for other in ["  -> RemoteAddress:Port Forward Weight ActiveConn InActConn", "TCP  C0A8040F:0050 wrr"]
        {
            assert_eq!(destination(other), None);
        }
    }
}
