//! Makes the interfaces that virtual MACs need, removes those that nothing needs, and switches each on while its router is
//! Active. What to do is planned in `links`.

use std::collections::BTreeMap;

use tracing::{info, warn};
use vipkit_config::VirtualMac;
use vipkit_control::vrrp;
use vipkit_core::ethernet::virtual_mac;
use vipkit_linux::route::RouteError;

use super::daemon::Daemon;
use crate::fault::Fault;
use crate::links::{LinkOp, Wanted, is_ours, plan, taken};
use crate::router::Router;

impl Daemon {
    /// Makes those that are missing, and removes those of ours that nobody needs.
    pub fn make_links(&mut self) {
        let mut wanted = BTreeMap::new();
        for (router, made) in self.with_virtual_mac() {
            let config = router.config();
            let parent = self.host.interfaces().get(&config.interface).map(|interface| interface.index);
            let mac = virtual_mac(config.family(), config.virtual_router_id);
            wanted.extend(parent.map(|parent| (made.interface.clone(), Wanted { parent, mac })));
        }
        self.link_errors.retain(|name, _| wanted.contains_key(name));
        for op in plan(&wanted, self.host.interfaces()) {
            // The kernel takes tens of milliseconds for one: what is due goes first.
            self.serve();
            let (LinkOp::Create(name, _) | LinkOp::Delete(name, _)) = &op;
            let refused = match self.host.change_link(&op) {
                Ok(Ok(()) | Err(RouteError::NoSuchInterface)) => None,
                Ok(Err(error)) => Some(format!("{op}: {error}")),
                Err(error) => Some(format!("{op}: {error:#}")),
            };
            let Some(problem) = refused else {
                info!("{op}, for a virtual MAC");
                self.link_errors.remove(name);
                // Whatever was on an earlier one of that name went with it.
                self.holdings.change(|ledger| drop(ledger.interfaces.remove(name)));
                continue;
            };
            let fault = Fault::VirtualMac(problem);
            // Once, not at each look.
            if self.link_errors.get(name) != Some(&fault) {
                warn!("{name}: {}", fault.what(name));
            }
            self.link_errors.insert(name.clone(), fault);
        }
        for name in wanted.keys().filter(|name| taken(name, self.host.interfaces())) {
            self.link_errors.insert(name.clone(), Fault::NameTaken(name.clone()));
        }
        for name in wanted.keys().filter(|name| !self.holdings.wants(name)).cloned().collect::<Vec<_>>() {
            if self.to_switch(&name).is_some() {
                self.want(&name, false);
            }
        }
    }

    /// Whether an interface is one of ours that is not switched as it should be: its index, and how it should be.
    pub(super) fn to_switch(&self, place: &str) -> Option<(u32, bool)> {
        let interface = self.host.interfaces().get(place).filter(|interface| is_ours(interface))?;
        let up = self.routers_at(place).any(Router::is_active);
        (interface.up != up).then_some((interface.index, up))
    }

    /// An instance's virtual MAC as it is shown.
    pub(super) fn show_virtual_mac(&self, router: &Router) -> Option<vrrp::VirtualMac> {
        let config = router.config();
        let made = config.virtual_mac.as_ref()?;
        let interface = self.host.interfaces().get(&made.interface).filter(|interface| is_ours(interface));
        let mac = virtual_mac(config.family(), config.virtual_router_id);
        Some(vrrp::VirtualMac {
            interface: made.interface.clone(),
            mac: mac.map(|byte| format!("{byte:02x}")).join(":"),
            adverts_from: made.adverts_from.name().to_owned(),
            present: interface.is_some(),
            up: interface.is_some_and(|interface| interface.up),
        })
    }

    fn with_virtual_mac(&self) -> impl Iterator<Item = (&Router, &VirtualMac)> {
        self.routers().filter_map(|router| Some((router, router.config().virtual_mac.as_ref()?)))
    }
}
