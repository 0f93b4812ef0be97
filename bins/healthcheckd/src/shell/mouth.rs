//! What healthcheckd says on its socket: io.vipkit.Health, answered from the runs as they are. Nothing is built before it
//! is asked for, and never more than a page.

use std::cell::RefCell;
use std::rc::Rc;

use vipkit_control::call::{Call, NoParameters};
use vipkit_control::common::{GetParameters, ListParameters};
use vipkit_control::error::Error;
use vipkit_control::handler::{Event, Handler, Outcome};
use vipkit_control::health::{
    self, Check, GetDaemonReply, GetReply, ListReply, Monitor, NoSuchCheck, ReloadReply,
};
use vipkit_control::monitor::Source;
use vipkit_control::rights::Peer;
use vipkit_control::service::Service;
use vipkit_daemon::mouth::{EventLog, bare, get, list};
use vipkit_daemon::reload::Reloader;

use super::daemon::Daemon;
use crate::status;

static SERVICE: Service = Service {
    vendor: "vipkit",
    product: "healthcheckd",
    version: env!("CARGO_PKG_VERSION"),
    url: env!("CARGO_PKG_REPOSITORY"),
    interfaces: &[&health::INTERFACE],
};

/// Answers for the daemon.
pub struct Mouth {
    eye: Rc<Eye>,
    reloader: Rc<Reloader<ReloadReply>>,
    events: EventLog,
}

/// Sees the daemon as it is shown.
struct Eye(Rc<RefCell<Daemon>>);

impl Mouth {
    /// Speaks for this daemon.
    #[must_use]
    pub fn new(daemon: Rc<RefCell<Daemon>>, reloader: Rc<Reloader<ReloadReply>>) -> Self {
        Self { eye: Rc::new(Eye(daemon)), reloader, events: EventLog::default() }
    }
}

impl Handler for Mouth {
    fn service(&self) -> &Service {
        &SERVICE
    }

    fn call(&self, call: &Call, _caller: &Peer) -> Outcome {
        match call.method.as_str() {
            health::GET_DAEMON => Outcome::reply(
                call.parameters().map(|NoParameters {}| GetDaemonReply { daemon: self.eye.daemon() }),
            ),
            health::LIST => Outcome::reply(call.parameters().and_then(|asked| self.eye.list(&asked))),
            health::GET => Outcome::reply(call.parameters().and_then(|asked| self.eye.get(&asked))),
            health::MONITOR => bare(call, || self.eye.0.borrow().feed().monitor(self.eye.clone())),
            health::RELOAD => bare(call, || self.reloader.answer(health::CONFIG_REFUSED)),
            other => Outcome::reply::<()>(Err(Error::method_not_found(other))),
        }
    }

    fn event(&self, event: Event<'_>) {
        self.events.log(&event);
    }
}

impl Eye {
    fn list(&self, asked: &ListParameters) -> Result<ListReply, Error> {
        let (checks, cursor) = list(self, asked)?;
        Ok(ListReply { checks, cursor })
    }

    fn get(&self, asked: &GetParameters) -> Result<GetReply, Error> {
        let no_such = |known| {
            let name = asked.name.clone();
            Error::new(health::NO_SUCH_CHECK, &NoSuchCheck { name, known })
        };
        get(self, &asked.name, no_such).map(|check| GetReply { check })
    }
}

impl Source for Eye {
    type Daemon = health::Daemon;
    type Object = Check;
    type Reply = Monitor;

    fn daemon(&self) -> health::Daemon {
        let daemon = self.0.borrow();
        let lateness = daemon.schedule().lateness();
        health::Daemon {
            running: daemon.identity().running(),
            lateness: lateness.latest.as_secs_f64(),
            lateness_max: lateness.max.as_secs_f64(),
            runs: daemon.runs().count() as u64,
        }
    }

    fn names(&self) -> Vec<String> {
        self.0.borrow().runs().names().cloned().collect()
    }

    fn object(&self, name: &str) -> Option<Check> {
        self.0.borrow().runs().named(name).map(|run| status::check(name, run))
    }
}
