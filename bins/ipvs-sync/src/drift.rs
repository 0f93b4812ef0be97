//! What somebody else changed in the table since it was last known, and how that reads in the log.
//! Must not log, nor decide what is put back: that is the plan's.

use std::collections::{BTreeSet, HashSet};

use vipkit_core::ipvs::{Command, Destination, Forwarding, Netmask, Service, ServiceFlags, ServiceId};

use crate::plan::plan;
use crate::table::{Entry, Table};

/// The commands that are needed now and would not have been if the table were as it was last known.
#[must_use]
pub fn drift(desired: &Table, known: &Table, found: &Table, owned: &BTreeSet<ServiceId>) -> HashSet<Command> {
    let pending: HashSet<Command> = plan(desired, known, owned).into_iter().collect();
    plan(desired, found, owned).into_iter().filter(|command| !pending.contains(command)).collect()
}

/// What was found in the table, and what the command does about it; `found` is its service as it was found. None for a
/// destination that goes with its service.
#[must_use]
pub fn line(command: &Command, found: Option<&Entry>) -> Option<String> {
    let there = |destination: &Destination| found?.destinations.get(&destination.id);
    Some(match command {
        Command::NewService(_) => "was gone from the table: put back".to_owned(),
        Command::SetService(wanted) => {
            let found = found.map(|entry| service(&entry.service)).unwrap_or_default();
            format!("was {found} in the table: set to {}", service(wanted))
        }
        Command::DeleteService(_) => "is not to be in the table: removed".to_owned(),
        Command::NewDestination(_, wanted) => {
            found?;
            format!("server {} was gone from the table: put back with {}", wanted.id, destination(wanted))
        }
        Command::SetDestination(_, wanted) => {
            let found = there(wanted).map(destination).unwrap_or_default();
            format!("server {} had {found} in the table: set to {}", wanted.id, destination(wanted))
        }
        Command::DeleteDestination(_, old) => format!("server {old} is not to be in the table: removed"),
    })
}

/// The settings of a service, in words.
fn service(service: &Service) -> String {
    let Service { scheduler, flags, timeout, .. } = service;
    let mut text = scheduler.to_string();
    if flags.contains(ServiceFlags::PERSISTENT) {
        text += &format!(", persistent for {timeout} s");
        match service.netmask {
            Netmask::Inet(mask) => text += &format!(" by netmask {mask}"),
            Netmask::Inet6(prefix) => text += &format!(" by /{prefix}"),
        }
    }
    let rest = flags.without(ServiceFlags::PERSISTENT | ServiceFlags::HASHED);
    if rest != ServiceFlags::default() {
        text += &format!(", flags {:#x}", rest.0);
    }
    if let Some(engine) = service.persistence_engine {
        text += &format!(", persistence engine {engine}");
    }
    text
}

/// The settings of a destination, in words.
fn destination(destination: &Destination) -> String {
    let Destination { weight, upper_threshold, lower_threshold, .. } = destination;
    let mut text = format!("weight {weight}, {}", forwarding(destination.forwarding));
    if (*upper_threshold, *lower_threshold) != (0, 0) {
        text += &format!(", thresholds {lower_threshold} to {upper_threshold}");
    }
    text
}

/// A forwarding method as the configuration names it.
#[must_use]
pub fn forwarding(method: Forwarding) -> String {
    match method {
        Forwarding::Masquerade => "nat".to_owned(),
        Forwarding::DirectRoute => "dr".to_owned(),
        Forwarding::Tunnel(_) => "tunnel".to_owned(),
        Forwarding::Local => "local".to_owned(),
        Forwarding::Bypass => "bypass".to_owned(),
        Forwarding::Other(bits) => format!("forwarding method {bits}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{any_table, destination, service, table};
    use proptest::prelude::*;

    fn lines(desired: &Table, found: &Table) -> Vec<String> {
        let owned = desired.0.keys().copied().collect();
        let drift = drift(desired, desired, found, &owned);
        let planned = plan(desired, found, &owned);
        let drifted = planned.iter().filter(|command| drift.contains(command));
        drifted.filter_map(|command| line(command, found.0.get(&command.service()))).collect()
    }

    #[test]
    fn each_object_has_a_line() {
        let desired = table(&[
            (service(1, "wrr"), &[destination(1, 1), destination(2, 2)]),
            (service(2, "rr"), &[destination(1, 1)]),
        ]);
        let mut other = service(1, "rr");
        other.flags = ServiceFlags::PERSISTENT | ServiceFlags::HASHED | ServiceFlags::ONE_PACKET;
        other.timeout = 60;
        let wrong = Destination { forwarding: Forwarding::Masquerade, ..destination(2, 5) };
        let found = table(&[(other, &[wrong, destination(3, 1)])]);
        assert_eq!(
            lines(&desired, &found),
            [
                "was gone from the table: put back",
                "was rr, persistent for 60 s by netmask 255.255.255.255, flags 0x4 in the table: set to wrr",
                "server 10.0.0.1:80 was gone from the table: put back with weight 1, dr",
                "server 10.0.0.2:80 had weight 5, nat in the table: set to weight 2, dr",
                "server 10.0.0.3:80 is not to be in the table: removed",
            ]
        );
    }

    #[test]
    fn what_we_have_yet_to_do_is_nobody_elses_doing() {
        let desired = table(&[(service(1, "rr"), &[destination(1, 1)])]);
        let known = table(&[(service(1, "rr"), &[])]);
        let owned = desired.0.keys().copied().collect();
        assert!(drift(&desired, &known, &known, &owned).is_empty());
    }

    proptest! {
        #[test]
        fn a_table_that_is_as_it_was_has_no_drift(desired in any_table(), known in any_table()) {
            let owned = known.0.keys().copied().collect();
            prop_assert!(drift(&desired, &known, &known, &owned).is_empty());
        }
    }
}
