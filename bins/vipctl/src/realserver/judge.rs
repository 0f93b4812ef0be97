//! Whether a host is a good real server of its VIPs; if not: what is wrong, why it matters, what helps. Pure.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;
use vipkit_control::common::Notice;

use super::observed::{Observed, Place};
use super::setting::{DEFAULT, Name, effective};
use super::{Vips, words};

/// Most interfaces that one fault names.
const NAMED: usize = 8;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Each VIP.
    pub vips: Vec<Vip>,
    /// Where others can ask by ARP; without IPv4 VIPs none matters.
    pub interfaces: Vec<InForce>,
    /// What is wrong for all VIPs.
    pub faults: Vec<Notice>,
}

/// A VIP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Vip {
    /// The address.
    pub address: IpAddr,
    /// It is on lo with the whole prefix.
    pub present: bool,
    /// What is wrong.
    pub faults: Vec<Notice>,
}

/// What is in force on an interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InForce {
    /// Its name; `default` stands for those to come.
    pub interface: String,
    /// The greater of all's and its own.
    pub arp_ignore: i32,
    /// The same.
    pub arp_announce: i32,
}

impl InForce {
    /// The value of a setting.
    #[must_use]
    pub const fn value(&self, name: Name) -> i32 {
        match name {
            Name::ArpIgnore => self.arp_ignore,
            Name::ArpAnnounce => self.arp_announce,
        }
    }
}

impl Verdict {
    /// Nothing is wrong.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.faults.is_empty() && self.vips.iter().all(|vip| vip.faults.is_empty())
    }
}

/// Judges a host by these VIPs.
#[must_use]
pub fn judge(vips: &Vips, observed: &Observed) -> Verdict {
    // A director has to answer for its VIPs.
    let is_asked = vips.iter().any(|vip| vip.is_ipv4() && !observed.places_of(*vip).any(Place::is_directors));
    let interfaces = if is_asked { in_force(observed) } else { Vec::new() };
    let mut faults = loopback_down(vips, observed);
    faults.extend(Name::EACH.iter().flat_map(|name| loud(*name, &interfaces, vips)));
    Verdict { vips: vips.iter().map(|vip| of_vip(*vip, observed)).collect(), interfaces, faults }
}

/// What stands in the way of a VIP on lo: it is somewhere else, or there as something else.
#[must_use]
pub fn obstacles(vip: IpAddr, observed: &Observed) -> Vec<Notice> {
    observed.places_of(vip).filter(|place| !place.is_right()).map(obstacle).collect()
}

fn of_vip(vip: IpAddr, observed: &Observed) -> Vip {
    let mut faults = obstacles(vip, observed);
    if observed.places_of(vip).next().is_none() {
        faults.push(Notice {
            what: format!("{vip} is not on lo: this host drops what the director forwards to it"),
            remedy: format!("`vipctl realserver add {vip}`"),
        });
    }
    Vip { address: vip, present: observed.places_of(vip).any(Place::is_right), faults }
}

fn obstacle(Place { address, prefix, peer, interface, loopback, vrrpd }: &Place) -> Notice {
    let delete = match peer {
        None => format!("`ip address del {address}/{prefix} dev {interface}`"),
        Some(peer) => format!("`ip address del {address} peer {peer}/{prefix} dev {interface}`"),
    };
    let configured = "and take it out of what configures the host's network";
    match (loopback, peer, vrrpd) {
        (true, None, _) => Notice {
            what: format!(
                "{address}/{prefix} is on lo: this host takes every address of that network for its own, and reaches \
                 none of the others"
            ),
            remedy: format!("{delete}, {configured}; then `vipctl realserver add {address}`"),
        },
        (true, Some(peer), _) => Notice {
            what: format!("{address} is on lo with the peer {peer}/{prefix}: that makes the peer's its own too"),
            remedy: format!("{delete}, {configured}; then `vipctl realserver add {address}`"),
        },
        (false, _, true) => Notice {
            what: format!(
                "{address}/{prefix} is on {interface}, put there by vrrpd: this host is a director of it, and answers \
                 for it by ARP"
            ),
            remedy: "run `vipctl realserver` on the servers behind the directors only; to make this host one, take the \
                     address out of vrrpd's configuration first"
                .to_owned(),
        },
        (false, _, false) => Notice {
            what: format!(
                "{address}/{prefix} is on {interface}: whoever asks for it there is answered by this host, past the \
                 director"
            ),
            remedy: format!("unless this host is a director of it: {delete}, {configured}"),
        },
    }
}

fn loopback_down(vips: &Vips, observed: &Observed) -> Vec<Notice> {
    let down = observed.interfaces.iter().filter(|interface| interface.loopback && !interface.up);
    let notice = |name: &str| Notice {
        what: format!("{name} is down: this host drops what is sent to the addresses on it"),
        remedy: format!("`ip link set {name} up`"),
    };
    down.filter(|_| !vips.is_empty()).map(|interface| notice(&interface.name)).collect()
}

fn in_force(observed: &Observed) -> Vec<InForce> {
    let asked = observed.interfaces.iter().filter(|interface| interface.arp && !interface.loopback);
    let value = |interface: &str, name| effective(&observed.settings, interface, name);
    asked
        .map(|interface| interface.name.as_str())
        .chain([DEFAULT])
        .filter_map(|interface| {
            Some(InForce {
                interface: interface.to_owned(),
                arp_ignore: value(interface, Name::ArpIgnore)?,
                arp_announce: value(interface, Name::ArpAnnounce)?,
            })
        })
        .collect()
}

/// A fault for each value in force that is not quiet.
fn loud(name: Name, interfaces: &[InForce], vips: &Vips) -> Vec<Notice> {
    let mut values: BTreeMap<i32, Vec<&str>> = BTreeMap::new();
    for interface in interfaces.iter().filter(|interface| !name.is_quiet(interface.value(name))) {
        values.entry(interface.value(name)).or_default().push(&interface.interface);
    }
    let notice = |(value, interfaces): (i32, Vec<&str>)| {
        let more = interfaces.len().saturating_sub(NAMED);
        let mut names = interfaces.into_iter().take(NAMED).collect::<Vec<_>>().join(", ");
        if more > 0 {
            names += &format!(" and {more} more");
        }
        Notice {
            what: format!("{} is {value} on {names}: {}", name.as_str(), name.consequence()),
            remedy: format!("`vipctl realserver add {}`", words(vips)),
        }
    };
    values.into_iter().map(notice).collect()
}

#[cfg(test)]
mod tests {
    use super::super::observed::Interface;
    use super::super::setting::{ALL, Setting};
    use super::*;

    const VIP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 4, 15));

    fn place(interface: &str, prefix: u8) -> Place {
        let loopback = interface == "lo";
        Place { address: VIP, prefix, peer: None, interface: interface.to_owned(), loopback, vrrpd: false }
    }

    fn good() -> Observed {
        let interface =
            |name: &str| Interface { name: name.to_owned(), up: true, loopback: name == "lo", arp: true };
        let settings = Name::EACH.iter().flat_map(|name| {
            [(ALL, name.wanted()), (DEFAULT, 0), ("eth0", 0), ("lo", 0)]
                .map(|(interface, value)| (Setting::new(interface, *name), value))
        });
        Observed {
            interfaces: vec![interface("lo"), interface("eth0")],
            places: vec![place("lo", 32)],
            settings: settings.collect(),
        }
    }

    /// What is said of a host that was good.
    fn said(change: impl FnOnce(&mut Observed)) -> Vec<String> {
        let mut observed = good();
        change(&mut observed);
        let verdict = judge(&[VIP].into(), &observed);
        let of_vips = verdict.vips.into_iter().flat_map(|vip| vip.faults);
        verdict.faults.into_iter().chain(of_vips).map(|notice| notice.what).collect()
    }

    fn set(observed: &mut Observed, interface: &str, name: Name, value: i32) {
        observed.settings.insert(Setting::new(interface, name), value);
    }

    #[test]
    fn a_good_host_has_no_faults() {
        assert!(judge(&[VIP].into(), &good()).is_good());
        assert_eq!(said(|_| ()), [""; 0]);
    }

    #[test]
    fn each_fault_is_found_alone() {
        for (change, what) in [
            (
                (|o| o.places.clear()) as fn(&mut Observed),
                "192.168.4.15 is not on lo: this host drops what the director forwards to it",
            ),
            (|o| o.places = vec![place("lo", 24)], "192.168.4.15/24 is on lo: "),
            (|o| o.places.push(place("eth0", 24)), "192.168.4.15/24 is on eth0: whoever asks"),
            (
                |o| o.places.push(Place { vrrpd: true, ..place("eth0", 24) }),
                "192.168.4.15/24 is on eth0, put there by vrrpd",
            ),
            (
                |o| o.places = vec![Place { peer: Some([10, 0, 0, 1].into()), ..place("lo", 32) }],
                "192.168.4.15 is on lo with the peer 10.0.0.1/32",
            ),
            (|o| o.interfaces[0].up = false, "lo is down"),
            (|o| set(o, ALL, Name::ArpIgnore, 0), "arp_ignore is 0 on eth0, default: "),
            (|o| set(o, ALL, Name::ArpAnnounce, 1), "arp_announce is 1 on eth0, default: "),
            (|o| set(o, "eth0", Name::ArpIgnore, 3), "arp_ignore is 3 on eth0: "),
            (|o| set(o, DEFAULT, Name::ArpAnnounce, 9), "arp_announce is 9 on default: "),
        ] {
            let said = said(change);
            assert!(said.len() == 1 && said[0].starts_with(what), "{what}: {said:?}");
        }
    }

    #[test]
    fn what_does_not_matter_is_no_fault() {
        let director = said(|o| {
            o.places = vec![Place { vrrpd: true, ..place("eth0", 24) }];
            set(o, ALL, Name::ArpIgnore, 0);
        });
        assert!(director.len() == 1 && director[0].contains("this host is a director of it"), "{director:?}");
        assert_eq!(said(|o| set(o, "lo", Name::ArpIgnore, 3)), [""; 0], "nobody asks on lo");
        assert_eq!(said(|o| set(o, "eth0", Name::ArpIgnore, 8)), [""; 0], "it answers nobody");
    }

    #[test]
    fn ipv6_has_nothing_to_do_with_arp() {
        let vip: IpAddr = "fd00::15".parse().unwrap();
        let mut observed = Observed { settings: BTreeMap::new(), ..good() };
        set(&mut observed, ALL, Name::ArpIgnore, 0);
        observed.places.push(Place { address: vip, ..place("lo", 128) });
        let verdict = judge(&[vip].into(), &observed);
        assert!(verdict.is_good() && verdict.interfaces.is_empty());
    }

    #[test]
    fn many_interfaces_are_one_fault() {
        let said = said(|observed| {
            for number in 0..20 {
                let name = format!("veth{number}");
                observed.interfaces.push(Interface {
                    name: name.clone(),
                    up: true,
                    loopback: false,
                    arp: true,
                });
                set(observed, &name, Name::ArpIgnore, 4);
                set(observed, &name, Name::ArpAnnounce, 0);
            }
        });
        assert!(said.len() == 1 && said[0].contains("veth7 and 12 more: "), "{said:?}");
    }
}
