//! An instance as keepalived runs it: what is said of it, put together. Reads no keyword.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use vipkit_core::units::Family;

use super::{Draft, Instance};
use crate::import::address::is_link_local;
use crate::import::addresses::On;
use crate::import::authentication::{Authentication, Beside};
use crate::import::garp::Garp;
use crate::import::global::Globals;
use crate::import::mac::VirtualMac;
use crate::import::note::{Notes, Place, Refusal};
use crate::import::said::Said;
use crate::import::unicast::Peer;

/// The instance as it runs.
pub(super) fn whole(
    mut draft: Draft,
    globals: &Globals,
    mac_names: &mut BTreeSet<String>,
    said: &Said,
    notes: &mut Notes,
) -> Result<Instance, Refusal> {
    let lacks = |keyword: &str| {
        let what = format!("vrrp_instance {} has no {keyword}", said.value());
        Refusal::new(&said.at, what, format!("add {keyword} to it"))
    };
    let interface = draft.interface.take().ok_or_else(|| lacks("interface"))?;
    let virtual_router_id = draft.virtual_router_id.take().ok_or_else(|| lacks("virtual_router_id"))?;
    if !draft.addresses.are_advertised() {
        return Err(lacks("virtual_ipaddress"));
    }
    let family = draft.addresses.family.unwrap_or(Family::V4);
    let version = draft.running_version(family, globals, notes);
    let interval = carried(version.0, draft.interval.take(), notes);
    let priority = draft.running_priority(said, notes);
    let preempt = draft.preempt(priority.0, notes);
    let accept = draft.accepts(said.value(), version.0, priority.0, notes);
    let strict = draft.strict.is_some();
    let beside = Beside { version: version.0, strict };
    let authentication = std::mem::take(&mut draft.authentication).whole(&beside, notes, &mut draft.later);
    // With an HMAC keepalived hears its peers only.
    draft.unicast.checked |= matches!(authentication, Authentication::Hmac(_));
    let source = draft.source(family, notes);
    let peers = draft.peers(source.as_ref(), notes);
    let mut mac = draft.mac(&peers, notes);
    if let Some(mac) = &mut mac {
        mac.name(virtual_router_id.0, family, &globals.mac_prefix, mac_names);
    }
    let on = On { interface: &interface.0, mac: mac.as_ref() };
    let addresses = draft.addresses.whole(virtual_router_id.0, &on, notes);
    let networks: Vec<_> = addresses.iter().map(|address| address.net).collect();
    draft.routes.iter().for_each(|route| route.leaves_by(&networks, on.place(), notes));
    Ok(Instance {
        name: said.value().to_owned(),
        at: said.at.clone(),
        interface,
        virtual_router_id,
        family,
        priority,
        rfc9568: draft.rfc9568 && version.0 == 3 && family == Family::V4,
        version,
        interval,
        preempt,
        accept,
        strict,
        authentication,
        source,
        peers,
        mac,
        addresses,
        routes: draft.routes,
        rules: draft.rules,
        garp: if strict {
            Garp { lower_repeat: Some(0), lower_delay: Some(0), ..draft.garp }
        } else {
            draft.garp
        },
        track: Vec::new(),
        later: draft.later,
    })
}

/// The interval as the adverts of the version carry it.
fn carried(version: u8, said: Option<(Duration, Place)>, notes: &mut Notes) -> (Duration, Option<Place>) {
    let Some((length, at)) = said else { return (Duration::from_secs(1), None) };
    let (unit, most) = if version == 2 { (1_000_000, 255) } else { (10_000, 4095) };
    let units = (length.as_micros() + unit / 2) / unit;
    let rounded = Duration::from_micros(u64::try_from(units.clamp(1, most) * unit).unwrap_or(u64::MAX));
    if rounded != length {
        let now = format!(
            "version {version} cannot carry an advert_int of {} s: keepalived runs with {} s",
            length.as_secs_f64(),
            rounded.as_secs_f64()
        );
        notes.say(&at, now);
    }
    (rounded, Some(at))
}

impl Draft {
    fn running_priority(&mut self, said: &Said, notes: &mut Notes) -> (u64, Option<Place>) {
        const DEFAULT: u64 = 100;
        const HIGHEST: u64 = 254;
        const OWNER: u64 = 255;
        let what = "the highest that is not the owner's";
        let (now, running, at) = match self.priority.take() {
            Some((Some(priority), at)) => return (priority, Some(at)),
            Some((None, at)) => ("the priority is not from 1 to 255: keepalived runs with 100", DEFAULT, at),
            None if self.master => {
                let now =
                    "no priority with state MASTER: keepalived runs with 255, as the owner of the addresses";
                (now, OWNER, said.at.clone())
            }
            None => return (DEFAULT, None),
        };
        let applied = notes.doubt(&at, now, what, format!("priority = {HIGHEST}"), &mut self.later);
        (if applied { HIGHEST } else { running }, Some(at))
    }

    fn preempt(&mut self, priority: u64, notes: &mut Notes) -> bool {
        let Some(at) = self.nopreempt.take() else { return true };
        if priority == 255 {
            notes.say(&at, "nopreempt at priority 255: keepalived ignores it, the owner always takes over");
            return true;
        }
        if !self.master {
            return false;
        }
        let now = "nopreempt with state MASTER: keepalived ignores it, so this node takes the addresses back";
        !notes.doubt(&at, now, "no taking back", "preempt = false", &mut self.later)
    }

    /// The owner of the addresses always takes packets to them.
    fn accepts(&self, name: &str, version: u8, priority: u64, notes: &mut Notes) -> bool {
        if priority == 255 {
            return true;
        }
        let (why, accept, at) = match (&self.accept, &self.strict) {
            (None, None) => return true,
            (Some((false, at)), _) => ("no_accept", false, at),
            (Some((true, at)), None) => ("accept", true, at),
            (said, Some(at)) => ("strict mode", version == 3 && said.is_some(), at),
        };
        if !accept {
            let now = format!(
                "{why}: keepalived drops packets to the addresses of vrrp_instance {name} wherever they come in, vipkit \
                 (accept = false) those that come in on its interface"
            );
            notes.say(at, now);
        }
        accept
    }

    /// Over IPv6 adverts come from a link-local address; between unicast peers from any.
    fn source(&mut self, family: Family, notes: &mut Notes) -> Option<(IpAddr, Place)> {
        let (source, at) = self.source.take()?;
        if family == Family::V6 && self.peers.is_empty() && !is_link_local(source) {
            let now = "vipkit multicasts over IPv6 from the interface's link-local address";
            notes.say(&at, format!("{source} as source of adverts is not carried over: {now}"));
            return None;
        }
        Some((source, at))
    }

    fn peers(&mut self, source: Option<&(IpAddr, Place)>, notes: &mut Notes) -> Vec<Peer> {
        let (own, peers): (Vec<_>, Vec<_>) = std::mem::take(&mut self.peers)
            .into_iter()
            .partition(|peer| source.is_some_and(|(source, _)| *source == peer.address));
        for peer in own {
            notes.say(&peer.at, format!("{} is this node itself: no peer of vipkit's", peer.address));
        }
        let checked = self.unicast.checked || peers.iter().any(|peer| peer.checked);
        if let (Some(peer), false) = (peers.first(), checked) {
            let now = "keepalived without check_unicast_src hears adverts from anybody; vipkit hears these peers only: \
                       each must send from the address that stands here";
            notes.say(&peer.at, now);
        }
        peers
    }

    fn mac(&mut self, peers: &[Peer], notes: &mut Notes) -> Option<VirtualMac> {
        let base = self.xmit_base.take();
        let mac = self.mac.take()?;
        let strict = self.strict.is_some() && peers.is_empty();
        if let Some(at) = base.as_ref().filter(|_| strict) {
            notes.say(at, "vmac_xmit_base in strict mode: keepalived ignores it");
        }
        let adverts_from_interface = !peers.is_empty() || base.is_some() && !strict;
        Some(VirtualMac { adverts_from_interface, ..mac })
    }

    /// Over IPv6 there is version 3 only.
    fn running_version(
        &mut self,
        family: Family,
        globals: &Globals,
        notes: &mut Notes,
    ) -> (u8, Option<Place>) {
        match (self.version.take(), family) {
            (Some((2, at)), Family::V6) => {
                let now = "version 2 over IPv6, which no RFC has: vipkit speaks version 3 there, and is not heard by \
                           nodes with version 2, so both would hold the addresses: first remove it on all nodes and \
                           reload keepalived on them at once";
                notes.say(&at, now);
                (3, None)
            }
            (Some((version, at)), _) => (version, Some(at)),
            (None, Family::V6) => (3, None),
            (None, Family::V4) => globals.version.clone(),
        }
    }
}
