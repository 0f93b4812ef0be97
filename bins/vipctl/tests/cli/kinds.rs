//! What the fakes keep: instances, services and checks, and how their interfaces call them.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use vipkit_control::call::Call;
use vipkit_control::common::{Changes, GetParameters, Running};
use vipkit_control::error::Error;
use vipkit_control::health::{self, Check, Part, Weight, WeightUnit};
use vipkit_control::service::{Interface, Service};
use vipkit_control::vrrp::{self, Instance, State};
use vipkit_control::{ipvs, page};

use crate::fake::Kind;
use crate::objects::{self, active, address, disabled, passed, removed, server, with_addresses};

const fn serving(interfaces: &'static [&'static Interface]) -> Service {
    Service { vendor: "vipkit", product: "fake", version: "1", url: "https://example.org", interfaces }
}

static VRRP: Service = serving(&[&vrrp::INTERFACE]);
static IPVS: Service = serving(&[&ipvs::INTERFACE]);
static HEALTH: Service = serving(&[&health::INTERFACE]);

impl Kind for Instance {
    const DAEMON: &'static str = "vrrpd";
    const SERVICE: &'static Service = &VRRP;
    const INTERFACE: &'static str = "io.vipkit.Vrrp";
    const FIELD: &'static str = "instance";
    const NO_SUCH: &'static str = vrrp::NO_SUCH_INSTANCE;
    type Daemon = vrrp::Daemon;
    type Monitor = vrrp::Monitor;

    fn name(&self) -> &str {
        &self.name
    }

    fn daemon(running: Running) -> vrrp::Daemon {
        vrrp::Daemon { running, ..objects::daemon() }
    }

    fn unchanged() -> Value {
        json!(vrrp::Reloaded::default())
    }

    fn shown(&self) -> Self {
        let addresses = self.addresses.iter().take(vrrp::SHOWN_MAX).cloned().collect();
        Self { addresses, ..self.clone() }
    }

    /// ListAddresses, unless the instance has fewer addresses than it says.
    fn other(all: &mut BTreeMap<String, Self>, call: &Call) -> Result<Value, Error> {
        let none = || Error::method_not_implemented(&call.method);
        let vrrp::ListAddressesParameters { name, cursor, limit } = call.parameters()?;
        let instance = all.get(&name).filter(|one| one.addresses.len() as u64 == one.address_count);
        let addresses = instance.ok_or_else(none)?.addresses.iter();
        let (addresses, cursor) = page::listed(addresses, cursor.as_deref(), limit)?;
        Ok(json!({ "addresses": addresses, "cursor": cursor }))
    }
}

impl Kind for ipvs::Service {
    const DAEMON: &'static str = "ipvs-sync";
    const SERVICE: &'static Service = &IPVS;
    const INTERFACE: &'static str = "io.vipkit.Ipvs";
    const FIELD: &'static str = "service";
    const NO_SUCH: &'static str = ipvs::NO_SUCH_SERVICE;
    type Daemon = ipvs::Daemon;
    type Monitor = ipvs::Monitor;

    fn name(&self) -> &str {
        &self.name
    }

    fn daemon(running: Running) -> ipvs::Daemon {
        ipvs::Daemon { running, ..objects::ipvs_daemon() }
    }

    fn unchanged() -> Value {
        json!(Changes { unchanged: 1, ..Changes::default() })
    }
}

impl Kind for Check {
    const DAEMON: &'static str = "healthcheckd";
    const SERVICE: &'static Service = &HEALTH;
    const INTERFACE: &'static str = "io.vipkit.Health";
    const FIELD: &'static str = "check";
    const NO_SUCH: &'static str = health::NO_SUCH_CHECK;
    type Daemon = health::Daemon;
    type Monitor = health::Monitor;

    fn name(&self) -> &str {
        &self.name
    }

    fn daemon(running: Running) -> health::Daemon {
        health::Daemon { running, ..objects::health_daemon() }
    }

    fn unchanged() -> Value {
        json!(Changes { unchanged: 1, ..Changes::default() })
    }

    /// A check of kind external may be set to all weights but 13, unless it is not ours; running one finds it as it is.
    fn other(all: &mut BTreeMap<String, Self>, call: &Call) -> Result<Value, Error> {
        let named = |call: &Call| call.parameters().map(|GetParameters { name }| name);
        match call.method.as_str() {
            health::RUN => {
                let report = |part: &Part| health::Report {
                    state: part.state,
                    reason: part.reason.clone(),
                    ..passed(&part.label)
                };
                let reports = find(all, named(call)?)?.runs.iter().map(report).collect();
                Ok(json!(health::RunReply { reports }))
            }
            health::SET => {
                let health::SetParameters { name, judged, weight, .. } = call.parameters()?;
                let Self { name, kind, .. } = find(all, name)?.clone();
                if kind != "external" {
                    return Err(Error::new(health::NOT_EXTERNAL, &health::NotExternal { name, kind }));
                }
                if name == "theirs" {
                    let needed = vec!["user:app".to_owned(), "group:web".to_owned()];
                    return Err(Error::new(health::NOT_ALLOWED, &health::NotAllowed { name, needed }));
                }
                if weight == Some(13) {
                    let (what, hint) = ("weight 13".to_owned(), "any but 13".to_owned());
                    return Err(Error::new(health::BAD_VALUE, &health::BadValue { what, hint }));
                }
                let check = find(all, name)?;
                check.judged = Some(judged);
                check.weight = weight.map(|number| Weight { unit: WeightUnit::Absolute, number });
                Ok(json!(health::Done {}))
            }
            health::ENABLE => {
                find(all, named(call)?)?.disabled = None;
                Ok(json!(health::Done {}))
            }
            health::DISABLE => {
                let check = find(all, named(call)?)?;
                check.disabled = disabled("").disabled;
                check.runs.iter_mut().for_each(|part| part.next = None);
                Ok(json!(health::Done {}))
            }
            other => Err(Error::method_not_found(other)),
        }
    }
}

fn find(all: &mut BTreeMap<String, Check>, name: String) -> Result<&mut Check, Error> {
    let known = all.keys().cloned().collect();
    all.get_mut(&name).ok_or_else(|| Error::new(health::NO_SUCH_CHECK, &health::NoSuchCheck { name, known }))
}

/// An instance as it is when all is well in this state.
pub fn instance(name: &str, state: State) -> Instance {
    let present = state == State::Active;
    let addresses = vec![address("192.168.4.80/24", present, present)];
    with_addresses(addresses, Instance { state, reason: "because".to_owned(), ..active(name) })
}

/// A service with one server, up and in the table or neither.
pub fn service(name: &str, up: bool) -> ipvs::Service {
    let server = if up { server } else { removed };
    ipvs::Service { servers: vec![server("192.168.4.100:80", 1)], ..objects::service(name) }
}
