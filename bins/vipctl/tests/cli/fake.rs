//! A daemon that serves one of the interfaces on its socket and says what a test puts into it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::{fs, io};

use serde::Serialize;
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::net::UnixListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::LocalSet;
use vipkit_control::call::Call;
use vipkit_control::common::{ConfigRefused, GetParameters, ListParameters, Running};
use vipkit_control::error::Error;
use vipkit_control::handler::{Event, Handler, Outcome};
use vipkit_control::monitor::{Feed, Source, Update};
use vipkit_control::page::{MAX_OBJECTS, Page};
use vipkit_control::rights::{Peer, Rights};
use vipkit_control::server::{Bounds, Server};
use vipkit_control::service::Service;
use vipkit_linux::peer::{Credentials, effective_uid};

/// What a daemon keeps, and how its interface calls it.
pub trait Kind: Clone + Serialize + Send + 'static {
    /// Its socket is `<daemon>.sock`.
    const DAEMON: &'static str;
    /// What serves it.
    const SERVICE: &'static Service;
    /// The interface's name.
    const INTERFACE: &'static str;
    /// The field of one object; with an s, that of many.
    const FIELD: &'static str;
    /// The error that there is no such object.
    const NO_SUCH: &'static str;
    /// The daemon itself.
    type Daemon: Serialize;
    /// Reply of its Monitor.
    type Monitor: From<Update<Self::Daemon, Self>> + Serialize;

    fn name(&self) -> &str;
    fn daemon(running: Running) -> Self::Daemon;
    /// What a reload says that changed.
    fn unchanged() -> Value;
    /// As List, Get and Monitor show it.
    fn shown(&self) -> Self {
        self.clone()
    }
    /// The answer to a method that not all interfaces have.
    fn other(_: &mut BTreeMap<String, Self>, call: &Call) -> Result<Value, Error> {
        Err(Error::method_not_found(&call.method))
    }
}

/// A running daemon; it ends when dropped.
pub struct Fake<T: Kind> {
    orders: Option<UnboundedSender<Order<T>>>,
    thread: Option<JoinHandle<()>>,
    reloads: Arc<Reloads>,
}

/// What came of being told to reload.
#[derive(Default)]
struct Reloads {
    /// When, as [`TICKS`] counts.
    at: Mutex<Vec<usize>>,
    refuses: AtomicBool,
}

/// Grows with every reload of any daemon.
static TICKS: AtomicUsize = AtomicUsize::new(0);

struct Order<T> {
    name: String,
    object: Option<T>,
    done: std::sync::mpsc::Sender<()>,
}

impl<T: Kind> Fake<T> {
    /// Serves the socket in the folder, as a daemon whose configuration is `vipkit.toml` there.
    pub fn start(folder: &TempDir, objects: Vec<T>) -> Self {
        let (orders, received) = unbounded_channel();
        let (ready, started) = std::sync::mpsc::channel();
        let reloads = Arc::new(Reloads::default());
        let (told, folder) = (reloads.clone(), folder.path().to_owned());
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            LocalSet::new().block_on(&runtime, async {
                let path = folder.join(format!("{}.sock", T::DAEMON));
                let _ = fs::remove_file(&path);
                let listener = UnixListener::bind(path).unwrap();
                ready.send(()).unwrap();
                let objects = objects.into_iter().map(|object| (object.name().to_owned(), object));
                let world = Rc::new(World {
                    objects: RefCell::new(objects.collect()),
                    config: folder.join("vipkit.toml"),
                });
                let mouth = Mouth { world: world.clone(), feed: Feed::default(), reloads: told };
                let feed = mouth.feed.clone();
                let server = Server {
                    handler: Rc::new(mouth),
                    rights: Rights { daemon_uid: effective_uid(), admin_gid: None },
                    identify: |socket| {
                        let Credentials { uid, gid, pid, groups } = Credentials::of(socket)?;
                        io::Result::Ok(Peer { uid, gid, pid, groups })
                    },
                    bounds: Bounds::default(),
                };
                tokio::select! {
                    ended = server.run(listener) => match ended {},
                    () = world.obey(received, &feed) => {}
                }
            });
        });
        started.recv().unwrap();
        Self { orders: Some(orders), thread: Some(thread), reloads }
    }

    /// Adds or changes an object.
    pub fn put(&self, object: T) {
        self.order(object.name().to_owned(), Some(object));
    }

    /// Removes an object.
    pub fn remove(&self, name: &str) {
        self.order(name.to_owned(), None);
    }

    /// When it was told to reload, among the reloads of all daemons.
    pub fn reloads(&self) -> Vec<usize> {
        self.reloads.at.lock().unwrap().clone()
    }

    /// From now on it refuses to reload.
    pub fn refuse(&self) {
        self.reloads.refuses.store(true, Ordering::SeqCst);
    }

    fn order(&self, name: String, object: Option<T>) {
        let (done, finished) = std::sync::mpsc::channel();
        self.orders.as_ref().unwrap().send(Order { name, object, done }).ok().unwrap();
        finished.recv().unwrap();
    }
}

impl<T: Kind> Drop for Fake<T> {
    fn drop(&mut self) {
        self.orders = None;
        let _ = self.thread.take().unwrap().join();
    }
}

struct World<T> {
    objects: RefCell<BTreeMap<String, T>>,
    config: PathBuf,
}

impl<T: Kind> World<T> {
    /// Until the test ends.
    async fn obey(&self, mut orders: UnboundedReceiver<Order<T>>, feed: &Feed) {
        while let Some(Order { name, object, done }) = orders.recv().await {
            match object {
                Some(object) => drop(self.objects.borrow_mut().insert(name.clone(), object)),
                None => drop(self.objects.borrow_mut().remove(&name)),
            }
            feed.touch(&name);
            let _ = done.send(());
        }
    }

    fn list(&self, asked: &ListParameters) -> Value {
        let mut page = Page::new(MAX_OBJECTS);
        let (mut listed, mut cursor) = (Vec::new(), None);
        for (name, object) in &*self.objects.borrow() {
            if asked.cursor.as_ref().is_some_and(|cursor| name <= cursor) {
                continue;
            }
            let object = object.shown();
            if !page.admits(&object) {
                cursor = listed.last().map(|last: &T| last.name().to_owned());
                break;
            }
            listed.push(object);
        }
        let objects = (format!("{}s", T::FIELD), json!(listed));
        Value::Object(Map::from_iter([objects, ("cursor".to_owned(), json!(cursor))]))
    }

    fn get(&self, GetParameters { name }: &GetParameters) -> Result<Value, Error> {
        let objects = self.objects.borrow();
        match objects.get(name) {
            Some(object) => Ok(Value::Object(Map::from_iter([(T::FIELD.to_owned(), json!(object.shown()))]))),
            None => {
                let known: Vec<_> = objects.keys().collect();
                Err(Error::new(T::NO_SUCH, &json!({ "name": name, "known": known })))
            }
        }
    }
}

impl<T: Kind> Source for World<T> {
    type Daemon = T::Daemon;
    type Object = T;
    type Reply = T::Monitor;

    fn daemon(&self) -> T::Daemon {
        T::daemon(Running {
            node: "web1".to_owned(),
            version: "0.1.0".to_owned(),
            pid: 1,
            started: "2026-01-01T00:00:00.000Z".to_owned(),
            config: self.config.display().to_string(),
            digest: "0a1b2c3d4e5f".to_owned(),
            log_records_dropped: 0,
        })
    }

    fn names(&self) -> Vec<String> {
        self.objects.borrow().keys().cloned().collect()
    }

    fn object(&self, name: &str) -> Option<T> {
        self.objects.borrow().get(name).map(T::shown)
    }
}

struct Mouth<T> {
    world: Rc<World<T>>,
    feed: Feed,
    reloads: Arc<Reloads>,
}

impl<T: Kind> Mouth<T> {
    fn reload(&self) -> Result<Value, Error> {
        self.reloads.at.lock().unwrap().push(TICKS.fetch_add(1, Ordering::SeqCst));
        if self.reloads.refuses.load(Ordering::SeqCst) {
            let name = format!("{}.ConfigRefused", T::INTERFACE);
            return Err(Error::new(&name, &ConfigRefused { faults: Vec::new() }));
        }
        let config = vipkit_config::load(&self.world.config, vipkit_config::Credentials::Unread);
        let digest = config.expect("vipctl checks first").digest.to_string();
        let changes = (format!("{}s", T::FIELD), T::unchanged());
        Ok(Value::Object(Map::from_iter([("digest".to_owned(), json!(digest)), changes])))
    }
}

impl<T: Kind> Handler for Mouth<T> {
    fn service(&self) -> &Service {
        T::SERVICE
    }

    fn call(&self, call: &Call, _: &Peer) -> Outcome {
        let world = &self.world;
        let method = call.method.strip_prefix(T::INTERFACE).unwrap_or_default();
        match method {
            ".GetDaemon" => Outcome::reply(Ok(json!({ "daemon": world.daemon() }))),
            ".List" => Outcome::reply(call.parameters().map(|asked| world.list(&asked))),
            ".Get" => Outcome::reply(call.parameters().and_then(|asked| world.get(&asked))),
            ".Monitor" => self.feed.monitor(world.clone()),
            ".Reload" => Outcome::reply(self.reload()),
            _ => Outcome::reply(T::other(&mut world.objects.borrow_mut(), call)),
        }
    }

    fn event(&self, _: Event<'_>) {}
}
