//! A server without file descriptors waits for some. In a process of its own, because it uses them all up.

use std::fs::File;
use std::io;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::net::UnixListener;
use tokio::task::LocalSet;
use vipkit_control::call::Call;
use vipkit_control::client::Client;
use vipkit_control::handler::{Event, Handler, Outcome};
use vipkit_control::rights::{Peer, Rights};
use vipkit_control::server::{Bounds, Server};
use vipkit_control::service::Service;

const PATIENCE: Duration = Duration::from_secs(10);

static SERVICE: Service =
    Service { vendor: "vipkit", product: "demo", version: "1", url: "https://example.org", interfaces: &[] };

/// Tells when accepting fails.
struct Silent(mpsc::Sender<String>);

impl Handler for Silent {
    fn service(&self) -> &Service {
        &SERVICE
    }

    fn call(&self, _: &Call, _: &Peer) -> Outcome {
        Outcome::reply(Ok(Nothing {}))
    }

    fn event(&self, event: Event<'_>) {
        if let Event::NotAccepting(error) = event {
            let _ = self.0.send(error.to_string());
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Nothing {}

#[test]
fn without_descriptors_accepting_pauses_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("demo.sock");
    let (log, events) = mpsc::channel();
    let (ready, started) = mpsc::channel();
    let place = path.clone();
    // Ends with the process.
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        LocalSet::new().block_on(&runtime, async {
            let listener = UnixListener::bind(place).unwrap();
            ready.send(()).unwrap();
            let rights = Rights { daemon_uid: 0, admin_gid: None };
            let identify = |_: std::os::fd::BorrowedFd<'_>| -> io::Result<Peer> {
                Ok(Peer { uid: 0, gid: 0, pid: 1, groups: Vec::new() })
            };
            let server =
                Server { handler: Rc::new(Silent(log)), rights, identify, bounds: Bounds::default() };
            server.run(listener).await
        })
    });
    started.recv_timeout(PATIENCE).unwrap();

    let mut all = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        all.push(file);
    }
    all.pop();
    let _waiting = UnixStream::connect(&path).unwrap();
    events.recv_timeout(PATIENCE).unwrap();
    let again = events.recv_timeout(Duration::from_millis(300));
    assert!(again.is_err(), "without a pause it would fail again at once");

    all.clear();
    let mut client = Client::connect(&path, PATIENCE, |_| Ok(())).unwrap();
    assert_eq!(client.info().unwrap().product, "demo");
}
