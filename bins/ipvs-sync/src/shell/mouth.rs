//! What ipvs-sync says on its socket: io.vipkit.Ipvs. What is shown of connections is at most a second old; nothing is
//! built before it is asked for, and never more than a page.

use std::rc::Rc;
use std::time::Duration;

use tokio::time::timeout;
use vipkit_control::call::{Call, NoParameters};
use vipkit_control::common::{GetParameters, ListParameters};
use vipkit_control::error::Error;
use vipkit_control::handler::{Event, Handler, Outcome};
use vipkit_control::ipvs::{self, GetDaemonReply, GetReply, ListReply, Monitor, NoSuchService, ReloadReply};
use vipkit_control::monitor::Source;
use vipkit_control::rights::Peer;
use vipkit_control::service::Service;
use vipkit_daemon::mouth::{EventLog, bare, get, list, refused};
use vipkit_daemon::reload::Reloader;

use super::Shared;
use super::apply::Reconciler;
use crate::desired;
use crate::status::{self, View};

/// Longest wait of a caller of Reload for the table to follow.
const RELOAD_PATIENCE: Duration = Duration::from_secs(10);

static SERVICE: Service = Service {
    vendor: "vipkit",
    product: "ipvs-sync",
    version: env!("CARGO_PKG_VERSION"),
    url: env!("CARGO_PKG_REPOSITORY"),
    interfaces: &[&ipvs::INTERFACE],
};

/// Answers for the daemon.
pub struct Mouth {
    eye: Rc<Eye>,
    reconciler: Rc<Reconciler>,
    reloader: Rc<Reloader<ReloadReply>>,
    events: EventLog,
}

/// Sees the daemon as it is shown.
struct Eye {
    daemon: Shared,
}

impl Mouth {
    /// Speaks for this daemon.
    #[must_use]
    pub fn new(daemon: Shared, reconciler: Rc<Reconciler>, reloader: Rc<Reloader<ReloadReply>>) -> Self {
        Self { eye: Rc::new(Eye { daemon }), reconciler, reloader, events: EventLog::default() }
    }

    /// Looks at the table, then answers.
    fn look<P: 'static, R: serde::Serialize + 'static>(
        &self,
        asked: Result<P, Error>,
        answer: fn(&Eye, &P) -> Result<R, Error>,
    ) -> Outcome {
        let (eye, reconciler) = (self.eye.clone(), self.reconciler.clone());
        Outcome::later(async move {
            let asked = asked?;
            reconciler.refresh().await;
            answer(&eye, &asked)
        })
    }

    /// Reads the configuration, and answers when the table has followed.
    fn reload(&self) -> Outcome {
        let (eye, reloader) = (self.eye.clone(), self.reloader.clone());
        Outcome::later(async move {
            let reply = reloader.reload().await.map_err(|faults| refused(ipvs::CONFIG_REFUSED, &faults))?;
            let level = eye.daemon.borrow().level();
            let _ = timeout(RELOAD_PATIENCE, level).await;
            Ok(reply)
        })
    }
}

impl Handler for Mouth {
    fn service(&self) -> &Service {
        &SERVICE
    }

    fn call(&self, call: &Call, _caller: &Peer) -> Outcome {
        match call.method.as_str() {
            ipvs::GET_DAEMON => Outcome::reply(
                call.parameters().map(|NoParameters {}| GetDaemonReply { daemon: self.eye.daemon() }),
            ),
            ipvs::LIST => self.look(call.parameters(), Eye::list),
            ipvs::GET => self.look(call.parameters(), Eye::get),
            ipvs::MONITOR => bare(call, || self.eye.daemon.borrow().feed.clone().monitor(self.eye.clone())),
            ipvs::RELOAD => bare(call, || self.reload()),
            other => Outcome::reply::<()>(Err(Error::method_not_found(other))),
        }
    }

    fn event(&self, event: Event<'_>) {
        self.events.log(&event);
    }
}

impl Eye {
    fn list(&self, asked: &ListParameters) -> Result<ListReply, Error> {
        let (services, cursor) = list(self, asked)?;
        Ok(ListReply { services, cursor })
    }

    fn get(&self, asked: &GetParameters) -> Result<GetReply, Error> {
        let no_such = |known| {
            let name = asked.name.clone();
            Error::new(ipvs::NO_SUCH_SERVICE, &NoSuchService { name, known })
        };
        get(self, &asked.name, no_such).map(|service| GetReply { service })
    }
}

impl Source for Eye {
    type Daemon = ipvs::Daemon;
    type Object = ipvs::Service;
    type Reply = Monitor;

    fn daemon(&self) -> ipvs::Daemon {
        let daemon = self.daemon.borrow();
        ipvs::Daemon {
            running: daemon.identity.running(),
            ipvs: daemon.ipvs.clone(),
            health_connected: daemon.link.connected,
            health_since: daemon.identity.epoch().time(daemon.link.since),
            foreign: u64::try_from(daemon.foreign()).unwrap_or(u64::MAX),
            repairs: daemon.repairs,
            faults: daemon.faults(),
        }
    }

    fn names(&self) -> Vec<String> {
        self.daemon.borrow().config.services.keys().cloned().collect()
    }

    fn object(&self, name: &str) -> Option<ipvs::Service> {
        let daemon = self.daemon.borrow();
        let service = daemon.config.services.get(name)?;
        let id = desired::id(service);
        let view = View {
            entry: daemon.seen.as_ref().and_then(|seen| seen.table.0.get(&id)),
            verdicts: &daemon.verdicts,
            fault: daemon.refused(id),
            forwards: daemon.seen.as_ref().is_none_or(|seen| seen.forwards),
        };
        Some(status::service(name, service, view))
    }
}
