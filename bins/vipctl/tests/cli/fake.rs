//! A daemon that serves io.vipkit.Vrrp on a socket and says what a test puts into it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::{fs, io};

use tempfile::TempDir;
use tokio::net::UnixListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::LocalSet;
use vipkit_control::call::{Call, NoParameters};
use vipkit_control::error::Error;
use vipkit_control::handler::{Event, Handler, Outcome};
use vipkit_control::monitor::{Feed, Source};
use vipkit_control::page::{MAX_OBJECTS, Page};
use vipkit_control::rights::{Peer, Rights};
use vipkit_control::server::{Bounds, Server};
use vipkit_control::service::Service;
use vipkit_control::vrrp::{
    self, Address, Daemon, GetDaemonReply, GetParameters, GetReply, Instance, ListParameters, ListReply,
    Monitor, NoSuchInstance, ReloadReply, Reloaded, State,
};
use vipkit_linux::peer::{Credentials, effective_uid};

static SERVICE: Service = Service {
    vendor: "vipkit",
    product: "fake",
    version: "1",
    url: "https://example.org",
    interfaces: &[&vrrp::INTERFACE],
};

/// A running daemon; it ends when dropped.
pub struct Fake {
    orders: Option<UnboundedSender<Order>>,
    thread: Option<JoinHandle<()>>,
    reloads: Arc<AtomicUsize>,
}

struct Order {
    name: String,
    instance: Option<Instance>,
    done: std::sync::mpsc::Sender<()>,
}

impl Fake {
    /// Serves `vrrpd.sock` in the folder, as a daemon whose configuration is `vipkit.toml` there.
    pub fn start(folder: &TempDir, instances: Vec<Instance>) -> Self {
        let (orders, received) = unbounded_channel();
        let (ready, started) = std::sync::mpsc::channel();
        let reloads = Arc::new(AtomicUsize::new(0));
        let (counted, folder) = (reloads.clone(), folder.path().to_owned());
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            LocalSet::new().block_on(&runtime, async {
                let path = folder.join("vrrpd.sock");
                let _ = fs::remove_file(&path);
                let listener = UnixListener::bind(path).unwrap();
                ready.send(()).unwrap();
                let instances = instances.into_iter().map(|instance| (instance.name.clone(), instance));
                let world = Rc::new(World {
                    instances: RefCell::new(instances.collect()),
                    config: folder.join("vipkit.toml"),
                });
                let mouth = Mouth { world: world.clone(), feed: Feed::default(), reloads: counted };
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

    /// Adds or changes an instance.
    pub fn put(&self, instance: Instance) {
        self.order(instance.name.clone(), Some(instance));
    }

    /// Removes an instance.
    pub fn remove(&self, name: &str) {
        self.order(name.to_owned(), None);
    }

    /// How often it was told to reload.
    pub fn reloads(&self) -> usize {
        self.reloads.load(Ordering::SeqCst)
    }

    fn order(&self, name: String, instance: Option<Instance>) {
        let (done, finished) = std::sync::mpsc::channel();
        self.orders.as_ref().unwrap().send(Order { name, instance, done }).ok().unwrap();
        finished.recv().unwrap();
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.orders = None;
        let _ = self.thread.take().unwrap().join();
    }
}

struct World {
    instances: RefCell<BTreeMap<String, Instance>>,
    config: PathBuf,
}

impl World {
    /// Until the test ends.
    async fn obey(&self, mut orders: UnboundedReceiver<Order>, feed: &Feed) {
        while let Some(Order { name, instance, done }) = orders.recv().await {
            match instance {
                Some(instance) => drop(self.instances.borrow_mut().insert(name.clone(), instance)),
                None => drop(self.instances.borrow_mut().remove(&name)),
            }
            feed.touch(&name);
            let _ = done.send(());
        }
    }

    fn list(&self, asked: &ListParameters) -> ListReply {
        let mut page = Page::new(MAX_OBJECTS);
        let mut reply = ListReply { instances: Vec::new(), cursor: None };
        for (name, instance) in &*self.instances.borrow() {
            if asked.cursor.as_ref().is_some_and(|cursor| name <= cursor) {
                continue;
            }
            if !page.admits(instance) {
                reply.cursor = reply.instances.last().map(|last: &Instance| last.name.clone());
                break;
            }
            reply.instances.push(instance.clone());
        }
        reply
    }

    fn get(&self, GetParameters { name }: GetParameters) -> Result<GetReply, Error> {
        let instances = self.instances.borrow();
        let known = || instances.keys().cloned().collect();
        match instances.get(&name) {
            Some(instance) => Ok(GetReply { instance: instance.clone() }),
            None => Err(Error::new(vrrp::NO_SUCH_INSTANCE, &NoSuchInstance { known: known(), name })),
        }
    }
}

impl Source for World {
    type Daemon = Daemon;
    type Object = Instance;
    type Reply = Monitor;

    fn daemon(&self) -> Daemon {
        Daemon {
            node: "web1".to_owned(),
            version: "0.1.0".to_owned(),
            pid: 1,
            started: "2026-01-01T00:00:00.000Z".to_owned(),
            config: self.config.display().to_string(),
            digest: "0a1b2c3d4e5f".to_owned(),
            lateness: 0.0,
            lateness_max: 0.0,
            log_records_dropped: 0,
        }
    }

    fn names(&self) -> Vec<String> {
        self.instances.borrow().keys().cloned().collect()
    }

    fn object(&self, name: &str) -> Option<Instance> {
        self.instances.borrow().get(name).cloned()
    }
}

struct Mouth {
    world: Rc<World>,
    feed: Feed,
    reloads: Arc<AtomicUsize>,
}

impl Mouth {
    fn reload(&self) -> ReloadReply {
        self.reloads.fetch_add(1, Ordering::SeqCst);
        let config = vipkit_config::load(&self.world.config).expect("vipctl checks first");
        ReloadReply { digest: config.digest.to_string(), instances: Reloaded::default() }
    }
}

impl Handler for Mouth {
    fn service(&self) -> &Service {
        &SERVICE
    }

    fn call(&self, call: &Call, _: &Peer) -> Outcome {
        let world = &self.world;
        match call.method.as_str() {
            vrrp::GET_DAEMON => Outcome::reply(
                call.parameters().map(|NoParameters {}| GetDaemonReply { daemon: world.daemon() }),
            ),
            vrrp::LIST => Outcome::reply(call.parameters().map(|asked| world.list(&asked))),
            vrrp::GET => Outcome::reply(call.parameters().and_then(|asked| world.get(asked))),
            vrrp::MONITOR => self.feed.monitor(world.clone()),
            vrrp::RELOAD => Outcome::reply(call.parameters().map(|NoParameters {}| self.reload())),
            other => Outcome::reply::<()>(Err(Error::method_not_found(other))),
        }
    }

    fn event(&self, _: Event<'_>) {}
}

/// An instance as it is when all is well in this state.
pub fn instance(name: &str, state: State) -> Instance {
    let present = state == State::Active;
    Instance {
        name: name.to_owned(),
        interface: "eth0".to_owned(),
        virtual_router_id: 51,
        version: 3,
        state,
        since: "2026-02-03T02:56:48.000Z".to_owned(),
        reason: "because".to_owned(),
        priority: 100,
        preempt: true,
        checksum: Some("pseudo-header".to_owned()),
        source: Some("192.168.4.100".to_owned()),
        advertisement_interval: 1.0,
        active_adver_interval: 1.0,
        skew_time: 0.609,
        active_down_interval: 3.609,
        addresses: vec![Address { address: "192.168.4.80/24".to_owned(), present, ours: present }],
        peers: Vec::new(),
        faults: Vec::new(),
        warnings: Vec::new(),
        hints: Vec::new(),
        counters: BTreeMap::new(),
    }
}
