//! A daemon made of the parts of the crate, which notes the names that its node takes.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;
use vipkit_control::call::Call;
use vipkit_control::handler::{Event, Handler, Outcome};
use vipkit_control::rights::Peer;
use vipkit_control::service::Service;
use vipkit_daemon::check::without_credentials;
use vipkit_daemon::outside::Outside;
use vipkit_daemon::reload::Reloader;
use vipkit_linux::listen::bind;

pub type Ended = Result<(), Box<dyn std::error::Error + Send + Sync>>;

const DEADLINE: Duration = Duration::from_secs(20);

static SERVICE: Service =
    Service { vendor: "vipkit", product: "demo", version: "1", url: "https://example.org", interfaces: &[] };

struct Mouth;

impl Handler for Mouth {
    fn service(&self) -> &Service {
        &SERVICE
    }

    fn call(&self, _: &Call, _: &Peer) -> Outcome {
        Outcome::reply(Ok(()))
    }

    fn event(&self, _: Event<'_>) {}
}

/// A daemon that notes the names that its node takes.
pub struct Demo {
    folder: TempDir,
    outside: Outside,
    pub reloader: Rc<Reloader<()>>,
    pub names: Rc<RefCell<Vec<String>>>,
    pub reloaded: Rc<Notify>,
}

impl Demo {
    pub fn new(outside: Outside) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (names, reloaded) = (Rc::new(RefCell::new(Vec::new())), Rc::new(Notify::new()));
        let (noted, told) = (names.clone(), reloaded.clone());
        let path = folder.path().join("vipkit.toml");
        let reloader = Reloader::new(&path, without_credentials, outside.notifier(), move |config| {
            noted.borrow_mut().push(config.node.name.unwrap_or_default());
            told.notify_one();
        });
        Self { folder, outside, reloader, names, reloaded }
    }

    pub fn configure(&self, text: &str) {
        fs::write(self.folder.path().join("vipkit.toml"), text).unwrap();
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("demo.sock")
    }

    /// Runs until it ends, while `story` is told; the socket is there before the story begins.
    pub async fn live(&mut self, tasks: JoinSet<Ended>, story: impl Future<Output = ()>) -> Ended {
        let listening = bind(&self.socket(), "no-such-group-here").unwrap();
        let life = self.outside.live(listening, Rc::new(Mouth), self.reloader.clone(), tasks);
        let (ended, ()) = timeout(DEADLINE, async { tokio::join!(life, story) }).await.expect("no end");
        ended
    }
}

/// Signals are sent by another process, as they are in life.
pub fn signal(name: &str) {
    let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", std::process::id())]).status();
    assert!(sent.unwrap().success());
}

pub async fn ask(socket: &Path) -> String {
    let mut stream = UnixStream::connect(socket).await.unwrap();
    stream.write_all(b"{\"method\":\"org.varlink.service.GetInfo\"}\0").await.unwrap();
    let mut reply = Vec::new();
    while !reply.ends_with(b"\0") {
        assert_ne!(stream.read_buf(&mut reply).await.unwrap(), 0, "closed without a reply");
    }
    String::from_utf8(reply).unwrap()
}
