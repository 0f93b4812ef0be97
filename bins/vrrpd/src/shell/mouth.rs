//! What vrrpd says on its socket: io.vipkit.Vrrp, answered from the routers as they are. Nothing is built before it is
//! asked for, and never more than a page.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tracing::{info, warn};
use vipkit_control::call::{Call, NoParameters};
use vipkit_control::error::Error;
use vipkit_control::handler::{Event, Handler, Outcome};
use vipkit_control::monitor::Source;
use vipkit_control::page::{MAX_OBJECTS, Page};
use vipkit_control::rights::Peer;
use vipkit_control::service::Service;
use vipkit_control::vrrp::{
    self, ConfigRefused, GetDaemonReply, GetParameters, GetReply, Instance, ListParameters, ListReply,
    Monitor, NoSuchInstance,
};
use vipkit_linux::clock;

use super::daemon::{Daemon, now};
use super::reload::Reloader;
use crate::limit::Limiter;
use crate::router::Router;
use crate::status::{self, View};

static SERVICE: Service = Service {
    vendor: "vipkit",
    product: "vrrpd",
    version: env!("CARGO_PKG_VERSION"),
    url: env!("CARGO_PKG_REPOSITORY"),
    interfaces: &[&vrrp::INTERFACE],
};

/// Answers for the daemon.
pub struct Mouth {
    eye: Rc<Eye>,
    reloader: Rc<Reloader>,
    limiter: RefCell<Limiter>,
}

/// Sees the daemon as it is shown.
struct Eye {
    daemon: Rc<RefCell<Daemon>>,
    /// Wall time of boot.
    epoch: Cell<SystemTime>,
}

/// The two clocks are read one after the other; only a greater step means that the wall clock was set.
const CLOCK_STEP: Duration = Duration::from_millis(100);

impl Mouth {
    /// Speaks for this daemon.
    #[must_use]
    pub fn new(daemon: Rc<RefCell<Daemon>>, reloader: Rc<Reloader>) -> Self {
        Self { eye: Rc::new(Eye { daemon, epoch: Cell::new(boot()) }), reloader, limiter: RefCell::default() }
    }

    fn reload(&self) -> Outcome {
        let reloader = self.reloader.clone();
        Outcome::later(async move {
            // As many as a message takes; the log has them all.
            let faults = |faults: vipkit_config::Faults| {
                let mut page = Page::new(MAX_OBJECTS);
                let faults = faults.iter().map(fault).take_while(|fault| page.admits(fault)).collect();
                ConfigRefused { faults }
            };
            reloader.reload().await.map_err(|refused| Error::new(vrrp::CONFIG_REFUSED, &faults(refused)))
        })
    }
}

impl Handler for Mouth {
    fn service(&self) -> &Service {
        &SERVICE
    }

    fn call(&self, call: &Call, _caller: &Peer) -> Outcome {
        match call.method.as_str() {
            vrrp::GET_DAEMON => Outcome::reply(
                call.parameters().map(|NoParameters {}| GetDaemonReply { daemon: self.eye.daemon() }),
            ),
            vrrp::LIST => Outcome::reply(call.parameters().and_then(|asked| self.eye.list(&asked))),
            vrrp::GET => Outcome::reply(call.parameters().and_then(|asked| self.eye.get(&asked))),
            vrrp::MONITOR => match call.parameters() {
                Ok(NoParameters {}) => self.eye.daemon.borrow().feed.clone().monitor(self.eye.clone()),
                Err(error) => Outcome::reply::<()>(Err(error)),
            },
            vrrp::RELOAD => match call.parameters() {
                Ok(NoParameters {}) => self.reload(),
                Err(error) => Outcome::reply::<()>(Err(error)),
            },
            other => Outcome::reply::<()>(Err(Error::method_not_found(other))),
        }
    }

    fn event(&self, event: Event<'_>) {
        let (kind, line) = match event {
            Event::Changing { method, caller } => return info!("{method} called by {caller}"),
            Event::Denied { method, caller } => ("denied", format!("{method} denied to {caller}")),
            Event::Dropped { caller, reason } => {
                ("dropped", format!("connection of {caller} closed: {reason}"))
            }
            Event::Full => ("full", "a connection was refused: there are too many".to_owned()),
            Event::Unidentified(error) => {
                ("unidentified", format!("a connection was refused, its owner is unknown: {error}"))
            }
            Event::NotAccepting(error) => {
                ("not accepting", format!("no connection can be accepted: {error}"))
            }
        };
        // Whoever may open the socket could fill the log.
        match self.limiter.borrow_mut().admit(kind, now()) {
            Some(0) => warn!("{line}"),
            Some(kept_back) => warn!("{line} ({kept_back} more like this)"),
            None => {}
        }
    }
}

impl Eye {
    /// Moves when the wall clock is set, as what is shown should; else not by a millisecond.
    fn epoch(&self) -> SystemTime {
        let (kept, read) = (self.epoch.get(), boot());
        let step = read.duration_since(kept).or_else(|_| kept.duration_since(read)).unwrap_or_default();
        if step > CLOCK_STEP {
            self.epoch.set(read);
        }
        self.epoch.get()
    }

    fn show(&self, daemon: &Daemon, router: &Router) -> Instance {
        let name = &router.config().interface;
        let interface = daemon.host.interfaces().get(name);
        let owned = daemon.holdings.ledger().owned(name, interface.map_or(0, |interface| interface.index));
        status::instance(router, View { interface, owned: &owned, now: now(), epoch: self.epoch() })
    }

    fn list(&self, asked: &ListParameters) -> Result<ListReply, Error> {
        let limit = asked.limit.map_or(Ok(MAX_OBJECTS), usize::try_from).unwrap_or(usize::MAX);
        if !(1..=MAX_OBJECTS).contains(&limit) {
            return Err(Error::invalid_parameter("limit"));
        }
        let daemon = self.daemon.borrow();
        let after = |router: &&Router| asked.cursor.as_deref().is_none_or(|cursor| router.name() > cursor);
        let mut page = Page::new(limit);
        let mut instances: Vec<Instance> = Vec::new();
        for router in daemon.routers().filter(after) {
            let instance = self.show(&daemon, router);
            if !page.admits(&instance) {
                let cursor = instances.last().map(|last| last.name.clone());
                return Ok(ListReply { instances, cursor });
            }
            instances.push(instance);
        }
        Ok(ListReply { instances, cursor: None })
    }

    fn get(&self, asked: &GetParameters) -> Result<GetReply, Error> {
        let daemon = self.daemon.borrow();
        match daemon.router(&asked.name) {
            Some(router) => Ok(GetReply { instance: self.show(&daemon, router) }),
            None => {
                let known =
                    daemon.routers().take(MAX_OBJECTS).map(|router| router.name().to_owned()).collect();
                Err(Error::new(vrrp::NO_SUCH_INSTANCE, &NoSuchInstance { name: asked.name.clone(), known }))
            }
        }
    }
}

impl Source for Eye {
    type Daemon = vrrp::Daemon;
    type Object = Instance;
    type Reply = Monitor;

    fn daemon(&self) -> vrrp::Daemon {
        let daemon = self.daemon.borrow();
        let dropped = daemon.log_records_dropped.dropped_lines();
        vrrp::Daemon {
            node: daemon.node.clone(),
            version: SERVICE.version.to_owned(),
            pid: std::process::id(),
            started: humantime::format_rfc3339_millis(self.epoch() + daemon.started.since_start())
                .to_string(),
            config: daemon.config_path.display().to_string(),
            digest: daemon.digest.clone(),
            lateness: daemon.lateness.latest.as_secs_f64(),
            lateness_max: daemon.lateness.max.as_secs_f64(),
            log_records_dropped: u64::try_from(dropped).unwrap_or(u64::MAX),
        }
    }

    fn names(&self) -> Vec<String> {
        self.daemon.borrow().routers().map(|router| router.name().to_owned()).collect()
    }

    fn object(&self, name: &str) -> Option<Instance> {
        let daemon = self.daemon.borrow();
        daemon.router(name).map(|router| self.show(&daemon, router))
    }
}

/// Wall time of boot, as far as two clocks can tell.
fn boot() -> SystemTime {
    clock::wall().checked_sub(clock::now()).unwrap_or(UNIX_EPOCH)
}

fn fault(fault: &vipkit_config::Fault) -> vrrp::Fault {
    let position = fault.place.position;
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    vrrp::Fault {
        file: fault.place.file.clone(),
        line: position.map_or(0, |p| number(p.line)),
        column: position.map_or(0, |p| number(p.column)),
        what: fault.what.clone(),
        hint: fault.hint.clone().unwrap_or_default(),
    }
}
