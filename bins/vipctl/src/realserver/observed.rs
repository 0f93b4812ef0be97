//! What a host has: interfaces, where addresses are, and the settings of ARP. Pure.

use std::net::IpAddr;

use super::plan::State;
use super::setting::Settings;
use super::{Vips, is_vip, whole};

/// All that was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// The interfaces.
    pub interfaces: Vec<Interface>,
    /// The addresses on them.
    pub places: Vec<Place>,
    /// The settings of all interfaces that know IPv4.
    pub settings: Settings,
}

/// An interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Set up by the administrator.
    pub up: bool,
    /// It is lo.
    pub loopback: bool,
    /// Others can ask on it by ARP.
    pub arp: bool,
}

/// Where an address is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The address.
    pub address: IpAddr,
    /// Its prefix.
    pub prefix: u8,
    /// The other end, if it has one.
    pub peer: Option<IpAddr>,
    /// Name of the interface.
    pub interface: String,
    /// That is lo.
    pub loopback: bool,
    /// It has vrrpd's mark.
    pub vrrpd: bool,
}

impl Place {
    /// The place of a VIP on a real server: alone on lo.
    #[must_use]
    pub fn is_right(&self) -> bool {
        self.loopback && self.peer.is_none() && self.prefix == whole(self.address)
    }

    /// The place of a VIP on a director.
    #[must_use]
    pub fn is_directors(&self) -> bool {
        self.vrrpd && !self.loopback
    }
}

impl Observed {
    /// The places of an address.
    pub fn places_of(&self, address: IpAddr) -> impl Iterator<Item = &Place> {
        self.places.iter().filter(move |place| place.address == address)
    }

    /// All addresses on lo that others can reach, whatever their prefix.
    #[must_use]
    pub fn on_loopback(&self) -> Vips {
        let on_loopback = self.places.iter().filter(|place| place.loopback && is_vip(place.address));
        on_loopback.map(|place| place.address).collect()
    }

    /// What of it is `vipctl realserver`'s to change.
    #[must_use]
    pub fn state(&self) -> State {
        let right = self.places.iter().filter(|place| place.is_right() && is_vip(place.address));
        State { vips: right.map(|place| place.address).collect(), settings: self.settings.clone() }
    }
}
