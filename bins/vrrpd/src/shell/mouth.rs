//! What vrrpd says on its socket: io.vipkit.Vrrp, answered from the routers as they are. Nothing is built before it is
//! asked for, and never more than a page.

use std::cell::RefCell;
use std::rc::Rc;

use vipkit_control::call::{Call, NoParameters};
use vipkit_control::error::Error;
use vipkit_control::handler::{Event, Handler, Outcome};
use vipkit_control::monitor::Source;
use vipkit_control::page::{MAX_OBJECTS, listed};
use vipkit_control::rights::Peer;
use vipkit_control::service::Service;
use vipkit_control::vrrp::{
    self, GetDaemonReply, GetParameters, GetReply, Instance, ListAddressesParameters, ListAddressesReply,
    ListParameters, ListReply, Monitor, NoSuchInstance, ReloadReply,
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
            vrrp::LIST_ADDRESSES => {
                Outcome::reply(call.parameters().and_then(|asked| self.eye.list_addresses(&asked)))
            }
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
        self.with_view(daemon, router, |view| {
            let (routes, rules) = daemon.held(router.config());
            let virtual_mac = daemon.show_virtual_mac(router);
            status::instance(router, View { virtual_mac, routes, rules, unmet: daemon.unmet(router), ..view })
        })
    }

    fn with_view<T>(&self, daemon: &Daemon, router: &Router, use_it: impl FnOnce(View<'_>) -> T) -> T {
        let name = router.config().place();
        let place = daemon.host.interfaces().get(name);
        let owned = daemon.holdings.ledger().owned(name, place.map_or(0, |interface| interface.index));
        use_it(View {
            place,
            owned: &owned,
            virtual_mac: None,
            routes: Vec::new(),
            rules: Vec::new(),
            unmet: Vec::new(),
            now: now(),
            epoch: daemon.identity.epoch(),
        })
    }

    fn list(&self, asked: &ListParameters) -> Result<ListReply, Error> {
        let (instances, cursor) = list(self, asked)?;
        Ok(ListReply { instances, cursor })
    }

    fn get(&self, asked: &GetParameters) -> Result<GetReply, Error> {
        get(self, &asked.name, |known| no_such(&asked.name, known)).map(|instance| GetReply { instance })
    }

    fn list_addresses(&self, asked: &ListAddressesParameters) -> Result<ListAddressesReply, Error> {
        let daemon = self.daemon.borrow();
        let known = || self.names().into_iter().take(MAX_OBJECTS).collect();
        let router = daemon.router(&asked.name).ok_or_else(|| no_such(&asked.name, known()))?;
        let (addresses, cursor) = self.with_view(&daemon, router, |view| {
            let addresses = status::Addresses::new(router, &view);
            listed(addresses.shown(), asked.cursor.as_deref(), asked.limit)
        })?;
        Ok(ListAddressesReply { addresses, cursor })
    }
}

fn no_such(name: &str, known: Vec<String>) -> Error {
    Error::new(vrrp::NO_SUCH_INSTANCE, &NoSuchInstance { name: name.to_owned(), known })
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
