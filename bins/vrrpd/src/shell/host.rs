//! A mirror of the host's interfaces and addresses: read once, then kept by folding in every change that the kernel
//! reports, our own changes too. So it can be asked at any time without asking the kernel. Must not decide.

use std::rc::Rc;

use ipnet::IpNet;
use tracing::warn;
use vipkit_linux::route::{
    Address, AddressChange, AddressKey, Change, Link, Monitor, NewAddress, Route, RouteError,
};

use crate::addresses::Op;
use crate::observed::{Interface, Interfaces, Present};

/// Who put an address there (IFA_PROTO, linux/if_addr.h): our mark, the number of VRRP's IP protocol.
const MARK: u8 = 112;

/// The mirror, and the hand that changes addresses.
pub struct Host {
    route: Route,
    monitor: Rc<Monitor>,
    interfaces: Interfaces,
    /// Something changed that nobody was told of.
    news: bool,
    /// Reports were lost, and reading everything anew has failed so far.
    stale: bool,
}

impl Host {
    /// Begins to listen for changes, then reads everything.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn open() -> anyhow::Result<Self> {
        let monitor = Rc::new(Monitor::open()?);
        let mut host =
            Self { route: Route::open()?, monitor, interfaces: Interfaces::new(), news: false, stale: false };
        host.read()?;
        Ok(host)
    }

    /// Where changes are reported; worth a [`Host::sync`] when readable.
    #[must_use]
    pub fn monitor(&self) -> Rc<Monitor> {
        self.monitor.clone()
    }

    /// The interfaces as of the last [`Host::sync`].
    #[must_use]
    pub const fn interfaces(&self) -> &Interfaces {
        &self.interfaces
    }

    /// True once after something changed, other than by our own hand. Whoever folds in a report must ask: the kernel
    /// wakes nobody for what was read already.
    pub fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.news)
    }

    /// Folds in all that was reported.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn sync(&mut self) -> anyhow::Result<()> {
        self.fold(&[])
    }

    fn fold(&mut self, own: &[AddressChange]) -> anyhow::Result<()> {
        for change in self.monitor.drain()? {
            self.news |= !is_own(&change, own);
            match change {
                Change::Link(link) => self.link(&link),
                Change::LinkGone { index, .. } => self.interfaces.retain(|_, i| i.index != index),
                Change::Address(address) => self.address(&address),
                Change::AddressGone(address) => self.address_gone(&address),
                Change::Overrun => self.stale = true,
            }
        }
        if self.stale {
            self.reread();
        }
        Ok(())
    }

    /// Reads everything anew; if that fails, what is known stays, and the next look tries again. On a busy host a dump
    /// may be interrupted again and again: no reason to give the addresses away.
    pub fn reread(&mut self) {
        let read = self.read();
        self.stale = read.is_err();
        if let Err(error) = read {
            warn!("links and addresses cannot be read now: {error:#}");
        }
    }

    /// Reads everything anew. What was reported before is part of it.
    fn read(&mut self) -> anyhow::Result<()> {
        self.news = true;
        self.monitor.drain()?;
        let (links, addresses) = (self.route.links()?, self.route.addresses()?);
        self.interfaces.clear();
        links.iter().for_each(|link| self.link(link));
        addresses.iter().for_each(|address| self.address(address));
        Ok(())
    }

    /// Applies changes to one interface, and folds in what they did.
    ///
    /// # Errors
    /// What the kernel refuses to report; refused changes are in the results, one for each.
    pub fn change(&mut self, index: u32, ops: &[Op]) -> anyhow::Result<Vec<Result<(), RouteError>>> {
        let key = |net: &IpNet| AddressKey { index, address: net.addr(), prefix: net.prefix_len() };
        let change = |op: &Op| match op {
            Op::Add(net) => AddressChange::Add(NewAddress { key: key(net), protocol: MARK }),
            Op::PutBack(net) => AddressChange::Add(NewAddress { key: key(net), protocol: 0 }),
            Op::Delete(net) => AddressChange::Delete(key(net)),
        };
        let changes: Vec<_> = ops.iter().map(change).collect();
        let results = self.route.change_addresses(&changes);
        self.fold(&changes)?;
        Ok(results)
    }

    fn link(&mut self, link: &Link) {
        let before =
            self.interfaces.iter().find(|(_, i)| i.index == link.index).map(|(name, _)| name.clone());
        let kept = before.and_then(|name| self.interfaces.remove(&name)).unwrap_or_default();
        let interface =
            Interface { index: link.index, mac: link.mac, up: link.up, carrier: link.carrier, ..kept };
        self.interfaces.insert(link.name.clone(), interface);
    }

    fn address(&mut self, address: &Address) {
        let (Some(interface), Some(net)) = (self.of(address.index), net(address)) else { return };
        let present = Present { net, secondary: address.secondary, marked: address.protocol == MARK };
        match interface.addresses.iter_mut().find(|p| p.net == net) {
            Some(known) => *known = present,
            None => interface.addresses.push(present),
        }
    }

    fn address_gone(&mut self, address: &Address) {
        let (Some(interface), Some(net)) = (self.of(address.index), net(address)) else { return };
        interface.addresses.retain(|p| p.net != net);
    }

    fn of(&mut self, index: u32) -> Option<&mut Interface> {
        self.interfaces.values_mut().find(|interface| interface.index == index)
    }
}

/// True if the report is of one of our own changes.
fn is_own(report: &Change, own: &[AddressChange]) -> bool {
    own.iter().any(|change| match (report, change) {
        (Change::Address(address), AddressChange::Add(new)) => address.key() == new.key,
        (Change::AddressGone(address), AddressChange::Delete(key)) => address.key() == *key,
        _ => false,
    })
}

fn net(address: &Address) -> Option<IpNet> {
    IpNet::new(address.address, address.prefix).ok()
}
