//! What healthcheckd says on its socket: io.vipkit.Health, answered from the checks as they are. Nothing is built before
//! it is asked for, and never more than a page.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tracing::info;
use vipkit_config::External;
use vipkit_control::call::{Call, NoParameters};
use vipkit_control::common::{GetParameters, ListParameters};
use vipkit_control::error::Error;
use vipkit_control::handler::{Event, Handler, Outcome};
use vipkit_control::health::{
    self, BadValue, Check, Done, GetDaemonReply, GetReply, Judgement, ListReply, Monitor, NoSuchCheck,
    NotAllowed, NotExternal, ReloadReply, RunReply, SetParameters,
};
use vipkit_control::monitor::Source;
use vipkit_control::page::MAX_OBJECTS;
use vipkit_control::rights::Peer;
use vipkit_control::service::Service;
use vipkit_daemon::mouth::{EventLog, bare, get, list};
use vipkit_daemon::reload::Reloader;

use super::daemon::Daemon;
use super::{caller, trial};

static SERVICE: Service = Service {
    vendor: "vipkit",
    product: "healthcheckd",
    version: env!("CARGO_PKG_VERSION"),
    url: env!("CARGO_PKG_REPOSITORY"),
    interfaces: &[&health::INTERFACE],
};

/// Checks run by hand at once.
const TRIALS_MAX: usize = 8;
/// Longest that what is said of an external check may hold.
const TTL_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);
/// Longest that the answer waits until what was said has been heeded.
const HEED_WITHIN: Duration = Duration::from_secs(1);
/// Greatest weight that the kernel takes.
const WEIGHT_MAX: u32 = 65535;

/// Answers for the daemon.
pub struct Mouth {
    eye: Rc<Eye>,
    reloader: Rc<Reloader<ReloadReply>>,
    events: Rc<EventLog>,
    /// One permit for each check that may be run by hand at once.
    trials: Arc<Semaphore>,
}

/// Sees the daemon as it is shown.
struct Eye(Rc<RefCell<Daemon>>);

impl Mouth {
    /// Speaks for this daemon.
    #[must_use]
    pub fn new(daemon: Rc<RefCell<Daemon>>, reloader: Rc<Reloader<ReloadReply>>) -> Self {
        Self {
            eye: Rc::new(Eye(daemon)),
            reloader,
            events: Rc::default(),
            trials: Arc::new(Semaphore::new(TRIALS_MAX)),
        }
    }
}

impl Handler for Mouth {
    fn service(&self) -> &Service {
        &SERVICE
    }

    fn call(&self, call: &Call, caller: &Peer) -> Outcome {
        match call.method.as_str() {
            health::GET_DAEMON => Outcome::reply(
                call.parameters().map(|NoParameters {}| GetDaemonReply { daemon: self.eye.daemon() }),
            ),
            health::LIST => Outcome::reply(call.parameters().and_then(|asked| self.eye.list(&asked))),
            health::GET => Outcome::reply(call.parameters().and_then(|asked| self.eye.get(&asked))),
            health::MONITOR => bare(call, || self.eye.0.borrow().feed().monitor(self.eye.clone())),
            health::RELOAD => bare(call, || self.reloader.answer(health::CONFIG_REFUSED)),
            health::RUN => match call.parameters() {
                Ok(GetParameters { name }) => self.run(&name),
                Err(error) => Outcome::reply::<()>(Err(error)),
            },
            health::SET => match call.parameters() {
                Ok(asked) => self.set(asked, caller.clone()),
                Err(error) => Outcome::reply::<()>(Err(error)),
            },
            health::ENABLE => {
                Outcome::reply(call.parameters().and_then(|asked| self.eye.set_disabled(&asked, None)))
            }
            health::DISABLE => {
                let by = Some(format!("uid {}", caller.uid));
                Outcome::reply(call.parameters().and_then(|asked| self.eye.set_disabled(&asked, by)))
            }
            other => Outcome::reply::<()>(Err(Error::method_not_found(other))),
        }
    }

    fn event(&self, event: Event<'_>) {
        self.events.log(&event);
    }
}

impl Mouth {
    /// Runs a check for somebody who looks on.
    fn run(&self, name: &str) -> Outcome {
        let Ok(permit) = self.trials.clone().try_acquire_owned() else {
            return Outcome::reply::<()>(Err(bad_value(
                format!("{TRIALS_MAX} checks are being run by hand"),
                "try again when they have ended",
            )));
        };
        let Some(trials) = self.eye.0.borrow().try_out(name) else {
            return Outcome::reply::<()>(Err(self.eye.no_such(name)));
        };
        Outcome::later(async move {
            let reports = trial::run(trials).await;
            drop(permit);
            Ok(RunReply { reports })
        })
    }

    /// Takes in what somebody says of an external check, if he may.
    fn set(&self, asked: SetParameters, peer: Peer) -> Outcome {
        let (eye, events) = (self.eye.clone(), self.events.clone());
        Outcome::later(async move {
            let SetParameters { name, judged, weight, ttl } = asked;
            let mut external = eye.external(&name)?;
            loop {
                if !caller::may_set(peer.clone(), external.allow.clone()).await {
                    events.log(&Event::Denied { method: health::SET, caller: &peer });
                    let needed = caller::needed(&external.allow);
                    return Err(Error::new(health::NOT_ALLOWED, &NotAllowed { name, needed }));
                }
                // A reload may have come between.
                match eye.external(&name)? {
                    now if now == external => break,
                    now => external = now,
                }
            }
            let ttl = match ttl {
                None => None,
                Some(seconds) => Some(span(seconds)?),
            };
            if weight.is_some() && judged == Judgement::Down {
                return Err(bad_value("a weight for what is down".to_owned(), "leave the weight out"));
            }
            let weight = match weight.map(u32::try_from) {
                None => None,
                Some(Ok(weight)) if weight <= WEIGHT_MAX => Some(weight),
                Some(_) => {
                    return Err(bad_value("the weight".to_owned(), "it must be from 0 to 65535"));
                }
            };
            let by = format!("uid {}", peer.uid);
            // Who says the same every few seconds is not to fill the log.
            if eye.0.borrow_mut().tell_external(&name, judged, weight, ttl, &by) {
                info!("{}: {name} set to {judged:?} by {peer}", health::SET);
            }
            // Who asks right after is to see it.
            let heeded = async {
                while !eye.0.borrow().has_heeded(&name) {
                    let heeded = eye.0.borrow().heeded();
                    heeded.notified().await;
                }
            };
            let _ = tokio::time::timeout(HEED_WITHIN, heeded).await;
            Ok(Done {})
        })
    }
}

/// How long something that is said holds.
fn span(seconds: f64) -> Result<Duration, Error> {
    Duration::try_from_secs_f64(seconds).ok().filter(|span| !span.is_zero() && *span <= TTL_MAX).ok_or_else(
        || bad_value("the time that it holds".to_owned(), "it must be more than nothing, and at most a year"),
    )
}

fn bad_value(what: String, hint: &str) -> Error {
    Error::new(health::BAD_VALUE, &BadValue { what, hint: hint.to_owned() })
}

impl Eye {
    fn set_disabled(&self, asked: &GetParameters, by: Option<String>) -> Result<Done, Error> {
        let is_known = self.0.borrow_mut().set_disabled(&asked.name, by);
        if is_known { Ok(Done {}) } else { Err(self.no_such(&asked.name)) }
    }

    /// The external check of that name.
    fn external(&self, name: &str) -> Result<External, Error> {
        self.0.borrow().external(name).map_err(|kind| match kind {
            Some(kind) => Error::new(health::NOT_EXTERNAL, &NotExternal { name: name.to_owned(), kind }),
            None => self.no_such(name),
        })
    }

    fn no_such(&self, name: &str) -> Error {
        let known = self.names().into_iter().take(MAX_OBJECTS).collect();
        Error::new(health::NO_SUCH_CHECK, &NoSuchCheck { name: name.to_owned(), known })
    }

    fn list(&self, asked: &ListParameters) -> Result<ListReply, Error> {
        let (checks, cursor) = list(self, asked)?;
        Ok(ListReply { checks, cursor })
    }

    fn get(&self, asked: &GetParameters) -> Result<GetReply, Error> {
        get(self, &asked.name, |_| self.no_such(&asked.name)).map(|check| GetReply { check })
    }
}

impl Source for Eye {
    type Daemon = health::Daemon;
    type Object = Check;
    type Reply = Monitor;

    fn daemon(&self) -> health::Daemon {
        self.0.borrow().shown_daemon()
    }

    fn names(&self) -> Vec<String> {
        self.0.borrow().checks().iter().map(|(name, _)| name.clone()).collect()
    }

    fn object(&self, name: &str) -> Option<Check> {
        self.0.borrow().shown(name)
    }
}
