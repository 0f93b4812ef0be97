//! From the table that is to the table that should be, in the fewest commands, in an order in which nothing that should
//! be there is ever missing. Pure; what is to be done is decided here, and nowhere else.
//!
//! 1. Services that are missing, each with its destinations.
//! 2. Services that are there, each in turn: its own settings, destinations that are missing, destinations that differ
//!    (weights above 0 first), destinations that should not be there. Editing keeps connections.
//! 3. Services of ours that should not be there. Services of others are left alone.

use std::collections::BTreeSet;

use vipkit_core::ipvs::{Command, Destination, ServiceId};

use crate::table::{Entry, Table, is_same_destination, is_same_service};

/// What turns `actual` into `desired`, where `owned` are the services that are ours to remove.
#[must_use]
pub fn plan(desired: &Table, actual: &Table, owned: &BTreeSet<ServiceId>) -> Vec<Command> {
    let mut commands = Vec::new();
    for (id, wanted) in desired.0.iter().filter(|(id, _)| !actual.0.contains_key(id)) {
        commands.push(Command::NewService(wanted.service.clone()));
        let destinations = wanted.destinations.values();
        commands.extend(destinations.map(|new| Command::NewDestination(*id, new.clone())));
    }
    for (id, found) in &actual.0 {
        if let Some(wanted) = desired.0.get(id) {
            amend(*id, wanted, found, &mut commands);
        }
    }
    let left_over = owned.iter().filter(|id| actual.0.contains_key(id) && !desired.0.contains_key(id));
    commands.extend(left_over.map(|id| Command::DeleteService(*id)));
    commands
}

fn amend(id: ServiceId, wanted: &Entry, found: &Entry, commands: &mut Vec<Command>) {
    if !is_same_service(&wanted.service, &found.service) {
        commands.push(Command::SetService(wanted.service.clone()));
    }
    let missing = wanted.destinations.iter().filter(|(id, _)| !found.destinations.contains_key(id));
    commands.extend(missing.map(|(_, new)| Command::NewDestination(id, new.clone())));
    let differs = |wanted: &&Destination| {
        found.destinations.get(&wanted.id).is_some_and(|there| !is_same_destination(wanted, there))
    };
    let (raised, silenced): (Vec<_>, Vec<_>) =
        wanted.destinations.values().filter(differs).partition(|changed| changed.weight > 0);
    let changed = raised.into_iter().chain(silenced);
    commands.extend(changed.map(|changed| Command::SetDestination(id, changed.clone())));
    let surplus = found.destinations.keys().filter(|id| !wanted.destinations.contains_key(id));
    commands.extend(surplus.map(|old| Command::DeleteDestination(id, *old)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{any_table, destination, service, table};
    use proptest::prelude::*;

    fn names(commands: &[Command]) -> Vec<&'static str> {
        let name = |command: &Command| match command {
            Command::NewService(_) => "new service",
            Command::SetService(_) => "set service",
            Command::DeleteService(_) => "delete service",
            Command::NewDestination(..) => "new",
            Command::SetDestination(_, d) if d.weight == 0 => "silence",
            Command::SetDestination(..) => "set",
            Command::DeleteDestination(..) => "delete",
        };
        commands.iter().map(name).collect()
    }

    #[test]
    fn what_is_added_comes_first_and_what_is_removed_last() {
        let desired = table(&[
            (service(1, "wrr"), &[destination(1, 0), destination(2, 1), destination(4, 1)]),
            (service(9, "rr"), &[destination(1, 1)]),
        ]);
        let actual = table(&[
            (service(1, "rr"), &[destination(1, 1), destination(2, 0), destination(3, 1)]),
            (service(2, "rr"), &[destination(1, 1)]),
        ]);
        let owned = BTreeSet::from([service(2, "rr").id]);
        assert_eq!(
            names(&plan(&desired, &actual, &owned)),
            ["new service", "new", "set service", "new", "set", "silence", "delete", "delete service"]
        );
    }

    #[test]
    fn another_address_is_another_service_that_is_there_before_the_old_one_goes() {
        let (old, new) = (service(1, "rr"), service(2, "rr"));
        let commands = plan(
            &table(&[(new, &[destination(1, 1)])]),
            &table(&[(old.clone(), &[destination(1, 1)])]),
            &BTreeSet::from([old.id]),
        );
        assert_eq!(names(&commands), ["new service", "new", "delete service"]);
    }

    #[test]
    fn services_of_others_are_left_alone() {
        let foreign = table(&[(service(1, "rr"), &[destination(1, 1)])]);
        assert_eq!(plan(&Table::default(), &foreign, &BTreeSet::new()), []);
    }

    /// How many services and destinations are only in one of the tables, or in both with other settings. What a
    /// service that goes has in it goes with it.
    fn size(desired: &Table, actual: &Table, owned: &BTreeSet<ServiceId>) -> usize {
        let gone = owned.iter().filter(|id| actual.0.contains_key(id) && !desired.0.contains_key(id)).count();
        let entry = |(id, wanted): (&ServiceId, &Entry)| {
            let found = actual.0.get(id);
            let service = found.is_none_or(|found| !is_same_service(&found.service, &wanted.service));
            let empty = Default::default();
            let there = found.map_or(&empty, |found| &found.destinations);
            let wrong = wanted
                .destinations
                .iter()
                .filter(|(id, wanted)| there.get(id).is_none_or(|found| !is_same_destination(found, wanted)));
            let surplus = there.keys().filter(|id| !wanted.destinations.contains_key(id));
            usize::from(service) + wrong.count() + surplus.count()
        };
        gone + desired.0.iter().map(entry).sum::<usize>()
    }

    proptest! {
        #[test]
        fn the_plan_leads_there_by_the_shortest_way_and_nothing_is_missed_on_it(
            desired in any_table(),
            actual in any_table(),
            ours in prop::collection::btree_set(0_u8..6, 0..6),
        ) {
            let owned: BTreeSet<ServiceId> = ours.iter().map(|number| service(*number, "rr").id).collect();
            let commands = plan(&desired, &actual, &owned);
            prop_assert_eq!(commands.len(), size(&desired, &actual, &owned));

            let mut table = actual.clone();
            for command in &commands {
                prop_assert!(table.apply(command), "refused: {:?}", command);
                for (id, wanted) in &desired.0 {
                    let Some(found) = actual.0.get(id) else { continue };
                    let kept = wanted.destinations.keys().filter(|id| found.destinations.contains_key(id));
                    for destination in kept {
                        prop_assert!(table.0[id].destinations.contains_key(destination));
                    }
                }
            }
            for (id, entry) in &table.0 {
                match desired.0.get(id) {
                    Some(wanted) => prop_assert!(entry.is_like(wanted)),
                    None => {
                        prop_assert!(!owned.contains(id));
                        prop_assert_eq!(Some(entry), actual.0.get(id));
                    }
                }
            }
            prop_assert!(desired.0.keys().all(|id| table.0.contains_key(id)));
            prop_assert_eq!(plan(&desired, &table, &owned), []);
        }

        #[test]
        fn nothing_is_removed_before_all_is_added(
            desired in any_table(),
            actual in any_table(),
        ) {
            let owned = actual.0.keys().copied().collect();
            let commands = plan(&desired, &actual, &owned);
            for (place, command) in commands.iter().enumerate() {
                let after = commands.iter().skip(place + 1);
                let is_late = |later: &Command| match command {
                    Command::DeleteService(_) => !matches!(later, Command::DeleteService(_)),
                    Command::DeleteDestination(id, _) => {
                        later.service() == *id && !matches!(later, Command::DeleteDestination(..))
                    }
                    _ => matches!(later, Command::NewService(_)) && !matches!(command, Command::NewService(_) | Command::NewDestination(..)),
                };
                prop_assert_eq!(after.filter(|later| is_late(later)).count(), 0);
            }
        }

        #[test]
        fn what_is_as_it_should_be_needs_nothing(table in any_table()) {
            let owned = table.0.keys().copied().collect();
            prop_assert_eq!(plan(&table, &table, &owned), []);
        }
    }
}
