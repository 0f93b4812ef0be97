//! A mirror of the host's interfaces and addresses: read once, then kept by folding in every change that the kernel
//! reports, our own changes too. So it can be asked at any time without asking the kernel. Must not decide.

use std::rc::Rc;

use ipnet::IpNet;
use tracing::warn;
use vipkit_linux::route::{
    Address, AddressChange, AddressKey, Change, Link, Monitor, NewAddress, NewMacvlan, Route, RouteError,
};

use crate::addresses::Op;
use crate::links::{ALIAS, LinkOp};
use crate::observed::{Entry, Interface, Interfaces, Present};

/// Who put an address, route or rule there (IFA_PROTO, RTPROT_*, FRA_PROTOCOL): the number of VRRP's IP protocol.
pub const MARK: u8 = 112;

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

    /// True if [`Host::take_news`] would be.
    #[must_use]
    pub const fn has_news(&self) -> bool {
        self.news
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
        let change = |op: &Op| match op {
            Op::Add(entry) => AddressChange::Add(new(index, entry, MARK)),
            Op::PutBack(entry) => AddressChange::Add(new(index, entry, 0)),
            Op::Delete(entry) => AddressChange::Delete(key(index, entry)),
        };
        let changes: Vec<_> = ops.iter().map(change).collect();
        let results = self.route.change_addresses(&changes);
        // The kernel reports a new IPv6 address some time after it has acknowledged it.
        for (op, result) in ops.iter().zip(&results) {
            if let (Op::Add(entry) | Op::PutBack(entry), Ok(())) = (op, result) {
                self.expect(index, entry, matches!(op, Op::Add(_)));
            }
        }
        // After that: somebody may have removed it already.
        self.fold(&changes)?;
        Ok(results)
    }

    /// Makes or removes an interface for a virtual MAC, and folds in what that did.
    ///
    /// # Errors
    /// What the kernel refuses to report; a refused change is the result.
    pub fn change_link(&mut self, op: &LinkOp) -> anyhow::Result<Result<(), RouteError>> {
        let result = match op {
            LinkOp::Create(name, wanted) => self.route.create_macvlan(&NewMacvlan {
                name: name.clone(),
                parent: wanted.parent,
                mac: wanted.mac,
                alias: ALIAS.to_owned(),
            }),
            LinkOp::Delete(_, index) => self.route.delete_link(*index),
        };
        self.sync()?;
        // Of a link that is down the kernel reports no new alias.
        let links = self.route.links()?;
        links.iter().for_each(|link| self.link(link));
        Ok(result)
    }

    /// Switches an interface on or off, and folds in what that did.
    ///
    /// # Errors
    /// What the kernel refuses to report; a refused change is the result.
    pub fn switch(&mut self, index: u32, up: bool) -> anyhow::Result<Result<(), RouteError>> {
        let result = self.route.set_link_up(index, up);
        self.sync()?;
        Ok(result)
    }

    fn link(&mut self, link: &Link) {
        let before =
            self.interfaces.iter().find(|(_, i)| i.index == link.index).map(|(name, _)| name.clone());
        let kept = before.and_then(|name| self.interfaces.remove(&name)).unwrap_or_default();
        let interface = Interface {
            index: link.index,
            mac: link.mac,
            up: link.up,
            carrier: link.carrier,
            mtu: link.mtu,
            kind: link.kind.clone(),
            parent: link.parent,
            alias: link.alias.clone(),
            addresses: kept.addresses,
        };
        self.interfaces.insert(link.name.clone(), interface);
    }

    fn address(&mut self, address: &Address) {
        let (Some(interface), Some(net)) = (self.of(address.index), net(address)) else { return };
        let is_v4 = address.address.is_ipv4();
        let present = Present {
            entry: Entry {
                net,
                peer: address.peer,
                scope: if is_v4 { address.scope } else { 0 },
                label: address.label.clone(),
                prefix_route: address.prefix_route,
            },
            secondary: is_v4 && address.secondary,
            marked: address.protocol == MARK,
            unusable: address.tentative || address.dad_failed,
        };
        match interface.addresses.iter_mut().find(|p| p.net() == net) {
            Some(known) => *known = present,
            None => interface.addresses.push(present),
        }
    }

    /// An address that was added is there, whether or not that was reported.
    fn expect(&mut self, index: u32, entry: &Entry, marked: bool) {
        let Some(interface) = self.of(index) else { return };
        if !interface.addresses.iter().any(|p| p.net() == entry.net) {
            let present = Present { entry: entry.clone(), secondary: false, marked, unusable: false };
            interface.addresses.push(present);
        }
    }

    fn address_gone(&mut self, address: &Address) {
        let (Some(interface), Some(net)) = (self.of(address.index), net(address)) else { return };
        interface.addresses.retain(|p| p.net() != net);
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

fn key(index: u32, entry: &Entry) -> AddressKey {
    AddressKey { index, address: entry.net.addr(), peer: entry.peer, prefix: entry.net.prefix_len() }
}

fn new(index: u32, entry: &Entry, protocol: u8) -> NewAddress {
    NewAddress {
        key: key(index, entry),
        protocol,
        scope: entry.scope,
        label: entry.label.clone(),
        prefix_route: entry.prefix_route,
        detect_duplicates: false,
    }
}

fn net(address: &Address) -> Option<IpNet> {
    IpNet::new(address.address, address.prefix).ok()
}
