//! What vrrpd says on its socket: io.vipkit.Vrrp, answered from the routers as they are. Nothing is built before it is
//! asked for, and never more than a page.

use std::cell::RefCell;
use std::rc::Rc;

use vipkit_control::call::{Call, NoParameters};
use vipkit_control::error::Error;
use vipkit_control::handler::{Event, Handler, Outcome};
use vipkit_control::monitor::Source;
use vipkit_control::rights::Peer;
use vipkit_control::service::Service;
use vipkit_control::vrrp::{
    self, GetDaemonReply, GetParameters, GetReply, Instance, ListParameters, ListReply, Monitor,
    NoSuchInstance, ReloadReply,
};
use vipkit_daemon::clock::now;
use vipkit_daemon::mouth::{EventLog, bare, get, list};
use vipkit_daemon::reload::Reloader;

use super::daemon::Daemon;
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
    reloader: Rc<Reloader<ReloadReply>>,
    events: EventLog,
}

/// Sees the daemon as it is shown.
struct Eye {
    daemon: Rc<RefCell<Daemon>>,
}

impl Mouth {
    /// Speaks for this daemon.
    #[must_use]
    pub fn new(daemon: Rc<RefCell<Daemon>>, reloader: Rc<Reloader<ReloadReply>>) -> Self {
        Self { eye: Rc::new(Eye { daemon }), reloader, events: EventLog::default() }
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
            vrrp::MONITOR => bare(call, || self.eye.daemon.borrow().feed.clone().monitor(self.eye.clone())),
            vrrp::RELOAD => bare(call, || self.reloader.answer(vrrp::CONFIG_REFUSED)),
            other => Outcome::reply::<()>(Err(Error::method_not_found(other))),
        }
    }

    fn event(&self, event: Event<'_>) {
        self.events.log(&event);
    }
}

impl Eye {
    fn show(&self, daemon: &Daemon, router: &Router) -> Instance {
        let name = &router.config().interface;
        let interface = daemon.host.interfaces().get(name);
        let owned = daemon.holdings.ledger().owned(name, interface.map_or(0, |interface| interface.index));
        let view = View { interface, owned: &owned, now: now(), epoch: daemon.identity.epoch() };
        status::instance(router, view)
    }

    fn list(&self, asked: &ListParameters) -> Result<ListReply, Error> {
        let (instances, cursor) = list(self, asked)?;
        Ok(ListReply { instances, cursor })
    }

    fn get(&self, asked: &GetParameters) -> Result<GetReply, Error> {
        let no_such = |known| {
            let name = asked.name.clone();
            Error::new(vrrp::NO_SUCH_INSTANCE, &NoSuchInstance { name, known })
        };
        get(self, &asked.name, no_such).map(|instance| GetReply { instance })
    }
}

impl Source for Eye {
    type Daemon = vrrp::Daemon;
    type Object = Instance;
    type Reply = Monitor;

    fn daemon(&self) -> vrrp::Daemon {
        let daemon = self.daemon.borrow();
        vrrp::Daemon {
            running: daemon.identity.running(),
            lateness: daemon.lateness.latest.as_secs_f64(),
            lateness_max: daemon.lateness.max.as_secs_f64(),
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
