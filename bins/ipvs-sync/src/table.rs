//! The kernel's table by identity, what a command does to it, and what counts as a difference. The mirror of the kernel
//! in memory and the kernel of the tests are this same table. Must not decide what should be in it.

use std::collections::BTreeMap;

use vipkit_core::ipvs::{self, Command, Destination, DestinationId, Name, Netmask, Scheduler};
use vipkit_core::ipvs::{Service, ServiceFlags, ServiceId};

/// Services by identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table(pub BTreeMap<ServiceId, Entry>);

/// A service and its destinations by identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The service.
    pub service: Service,
    /// Where it leads.
    pub destinations: BTreeMap<DestinationId, Destination>,
}

impl Entry {
    /// Its settings and those of its destinations are the same; what they have carried is not compared.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        let pairs = || self.destinations.values().zip(other.destinations.values());
        is_same_service(&self.service, &other.service)
            && self.destinations.len() == other.destinations.len()
            && pairs().all(|(a, b)| a.id == b.id && is_same_destination(a, b))
    }
}

impl Table {
    /// Does what the kernel does on a command; false, and nothing, where it refuses because what the command is about
    /// is there, or is not.
    pub fn apply(&mut self, command: &Command) -> bool {
        match command {
            Command::NewService(service) if !self.0.contains_key(&service.id) => {
                let entry = Entry { service: service.clone(), destinations: BTreeMap::new() };
                self.0.insert(service.id, entry).is_none()
            }
            Command::NewService(_) => false,
            Command::SetService(service) => self.0.get_mut(&service.id).is_some_and(|entry| {
                let statistics = entry.service.statistics;
                entry.service = Service { statistics, ..service.clone() };
                true
            }),
            Command::DeleteService(id) => self.0.remove(id).is_some(),
            Command::NewDestination(id, new) => self.0.get_mut(id).is_some_and(|entry| {
                let free = !entry.destinations.contains_key(&new.id);
                if free {
                    entry.destinations.insert(new.id, new.clone());
                }
                free
            }),
            Command::SetDestination(id, new) => self.destination_mut(id, new.id).is_some_and(|old| {
                let Destination { id, forwarding, weight, upper_threshold, lower_threshold, .. } = *new;
                *old =
                    Destination { id, forwarding, weight, upper_threshold, lower_threshold, ..old.clone() };
                true
            }),
            Command::DeleteDestination(id, old) => {
                self.0.get_mut(id).is_some_and(|entry| entry.destinations.remove(old).is_some())
            }
        }
    }

    fn destination_mut(&mut self, service: &ServiceId, id: DestinationId) -> Option<&mut Destination> {
        self.0.get_mut(service)?.destinations.get_mut(&id)
    }
}

impl From<ipvs::Table> for Table {
    fn from(table: ipvs::Table) -> Self {
        let entry = |ipvs::Entry { service, destinations }| {
            let by_id = |destination: Destination| (destination.id, destination);
            (service.id, Entry { service, destinations: destinations.into_iter().map(by_id).collect() })
        };
        Self(table.services.into_iter().map(entry).collect())
    }
}

/// Same scheduler, flags, persistence and persistence engine. The kernel's mark on every service it holds does not
/// count, nor does how a service would be persistent if it were.
#[must_use]
pub fn is_same_service(one: &Service, other: &Service) -> bool {
    settings(one) == settings(other)
}

fn settings(service: &Service) -> (Scheduler, ServiceFlags, Option<(u32, Netmask)>, Option<Name>) {
    let persistent = service.flags.contains(ServiceFlags::PERSISTENT);
    (
        service.scheduler,
        service.flags.without(ServiceFlags::HASHED),
        persistent.then_some((service.timeout, service.netmask)),
        service.persistence_engine,
    )
}

/// Same forwarding method, weight and thresholds.
#[must_use]
pub fn is_same_destination(one: &Destination, other: &Destination) -> bool {
    let settings = |d: &Destination| (d.forwarding, d.weight, d.upper_threshold, d.lower_threshold);
    settings(one) == settings(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{destination, service};

    #[test]
    fn what_only_the_kernel_says_is_no_difference() {
        let ours = service(1, "rr");
        let mut found = ours.clone();
        found.flags |= ServiceFlags::HASHED;
        found.timeout = 360;
        found.statistics = Some(Default::default());
        assert!(is_same_service(&ours, &found));
        found.flags |= ServiceFlags::ONE_PACKET;
        assert!(!is_same_service(&ours, &found));
        let ours = destination(1, 5);
        let found = Destination { active_connections: 7, ..ours.clone() };
        assert!(is_same_destination(&ours, &found));
        assert!(!is_same_destination(&ours, &Destination { upper_threshold: 7, ..ours.clone() }));
    }

    #[test]
    fn persistence_counts_when_there_is_one() {
        let persistent = |timeout| Service { flags: ServiceFlags::PERSISTENT, timeout, ..service(1, "rr") };
        assert!(is_same_service(&persistent(300), &persistent(300)));
        assert!(!is_same_service(&persistent(300), &persistent(60)));
        assert!(!is_same_service(&persistent(300), &service(1, "rr")));
    }

    #[test]
    fn a_command_that_does_not_fit_is_refused() {
        let (web, id) = (service(1, "rr"), service(1, "rr").id);
        let mut table = Table::default();
        for (command, accepted) in [
            (Command::SetService(web.clone()), false),
            (Command::NewDestination(id, destination(1, 1)), false),
            (Command::NewService(web.clone()), true),
            (Command::NewService(web), false),
            (Command::SetDestination(id, destination(1, 1)), false),
            (Command::NewDestination(id, destination(1, 1)), true),
            (Command::NewDestination(id, destination(1, 1)), false),
            (Command::SetDestination(id, destination(1, 2)), true),
            (Command::DeleteDestination(id, destination(1, 1).id), true),
            (Command::DeleteDestination(id, destination(1, 1).id), false),
            (Command::DeleteService(id), true),
            (Command::DeleteService(id), false),
        ] {
            assert_eq!(table.apply(&command), accepted, "{command:?}");
        }
    }

    #[test]
    fn an_edit_keeps_what_was_carried() {
        let id = service(1, "rr").id;
        let carried = Destination { active_connections: 3, ..destination(1, 1) };
        let mut table = Table::default();
        for command in [
            Command::NewService(service(1, "rr")),
            Command::NewDestination(id, carried),
            Command::SetDestination(id, destination(1, 9)),
        ] {
            assert!(table.apply(&command));
        }
        let found = &table.0[&id].destinations[&destination(1, 1).id];
        assert_eq!((found.weight, found.active_connections), (9, 3));
    }
}
