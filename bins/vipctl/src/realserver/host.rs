//! The kernel's side: what is observed, and an operation carried out. Must not decide.

use std::io;

use vipkit_control::common::Notice;
use vipkit_core::units::Family;
use vipkit_linux::capabilities::{self, Capability};
use vipkit_linux::route::{Address, AddressChange, AddressKey, Link, NetlinkError, Route, RouteError};
use vipkit_linux::sysctl::{self, SysctlError};

use super::observed::{Interface, Observed, Place};
use super::plan::Op;
use super::setting::{ALL, DEFAULT, Name, Setting, Settings};
use super::whole;

/// Who put an address there, if it was vrrpd (IFA_PROTO, linux/if_addr.h).
const VRRPD: u8 = 112;

/// The host, that is the network namespace of the calling thread.
pub struct Host {
    route: Route,
}

impl Host {
    /// Looks for it.
    ///
    /// # Errors
    /// No file descriptor left.
    pub fn open() -> Result<Self, Notice> {
        Ok(Self { route: Route::open().map_err(|error| unseen(&error))? })
    }

    /// What there is.
    ///
    /// # Errors
    /// The kernel does not say.
    pub fn observe(&mut self) -> Result<Observed, Notice> {
        let links = self.route.links().map_err(|error| unseen(&error))?;
        let addresses = self.route.addresses().map_err(|error| unseen(&error))?;
        let mut settings = Settings::new();
        for interface in [ALL, DEFAULT].into_iter().chain(links.iter().map(|link| link.name.as_str())) {
            for name in Name::EACH {
                match sysctl::read(Family::V4, interface, name.as_str()) {
                    Ok(value) => drop(settings.insert(Setting::new(interface, name), value)),
                    Err(error) if is_gone(&error) => {}
                    Err(error) => return Err(unseen(&error)),
                }
            }
        }
        let places = addresses.iter().filter_map(|address| place(address, &links));
        Ok(Observed { places: places.collect(), settings, interfaces: links.iter().map(interface).collect() })
    }

    /// Carries out an operation. What somebody else has done meanwhile is done.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn carry_out(&mut self, op: &Op) -> Result<(), Notice> {
        let key = |address| AddressKey { index: LOOPBACK, address, peer: None, prefix: whole(address) };
        let change = match op {
            Op::Set { setting, to, .. } => {
                return match sysctl::write(Family::V4, &setting.interface, setting.name.as_str(), *to) {
                    Err(error) if !is_gone(&error) => Err(refused(op, &error)),
                    _ => Ok(()),
                };
            }
            Op::Add(vip) => AddressChange::AddLocal(key(*vip)),
            Op::Remove(vip) => AddressChange::Delete(key(*vip)),
        };
        let result = self.route.change_addresses(&[change]).into_iter().next();
        match result.unwrap_or(Err(NetlinkError::NoReply.into())) {
            Ok(()) | Err(RouteError::Exists | RouteError::NoSuchAddress) => Ok(()),
            Err(error) => Err(refused(op, &error)),
        }
    }
}

/// Whether this process may change the network.
///
/// # Errors
/// It may not.
pub fn may_change() -> Result<(), Notice> {
    let missing = capabilities::missing(&[Capability::NetAdmin]);
    missing.first().map_or(Ok(()), |capability| {
        Err(Notice {
            what: format!("vipctl may not change the network here: it has no {}", capability.name()),
            remedy: "run it as root".to_owned(),
        })
    })
}

fn interface(link: &Link) -> Interface {
    Interface { name: link.name.clone(), up: link.up, loopback: link.loopback, arp: link.arp }
}

fn place(address: &Address, links: &[Link]) -> Option<Place> {
    let link = links.iter().find(|link| link.index == address.index)?;
    Some(Place {
        address: address.address,
        prefix: address.prefix,
        peer: address.peer,
        interface: link.name.clone(),
        loopback: link.index == LOOPBACK,
        vrrpd: address.protocol == VRRPD,
    })
}

fn is_gone(error: &SysctlError) -> bool {
    matches!(error, SysctlError::File { source, .. } if source.kind() == io::ErrorKind::NotFound)
}

fn unseen(error: &dyn std::error::Error) -> Notice {
    Notice {
        what: format!("the kernel does not show the network: {error}"),
        remedy: "try again; /proc must be mounted".to_owned(),
    }
}

fn refused(op: &Op, error: &dyn std::error::Error) -> Notice {
    let remedy = match op {
        Op::Set { .. } => "run as root, with /proc/sys writable; in a container, prepare the host itself",
        Op::Add(_) | Op::Remove(_) => "run as root; for IPv6, it must not be switched off on lo",
    };
    Notice { what: format!("not done: {op}: {error}"), remedy: remedy.to_owned() }
}

/// The index of lo in every network namespace (LOOPBACK_IFINDEX, net/flow.h).
const LOOPBACK: u32 = 1;
