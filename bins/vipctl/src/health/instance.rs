//! Whether an instance is well, and what contradicts itself in what vrrpd shows of it.

use vipkit_control::common::Notice;
use vipkit_control::vrrp::{Address, Instance, State};

use super::Health;

/// Of one instance.
#[must_use]
pub fn of_instance(instance: &Instance) -> Health {
    let takes_part = matches!(instance.state, State::Active | State::Backup);
    let is_well = takes_part
        && instance.faults.is_empty()
        && instance.warnings.is_empty()
        && !instance.addresses.iter().any(|address| is_misplaced(address, instance.state));
    if is_well { Health::Healthy } else { Health::Degraded }
}

/// The address is where an instance in this state should not have it.
#[must_use]
pub fn is_misplaced(address: &Address, state: State) -> bool {
    match state {
        State::Active => !address.present,
        State::Initialize | State::Backup | State::Fault => address.present && address.ours,
    }
}

/// What is wrong with where the addresses are, in words.
#[must_use]
pub fn misplaced(instance: &Instance) -> Option<Notice> {
    let misplaced = instance.addresses.iter().filter(|address| is_misplaced(address, instance.state));
    let names: Vec<_> = misplaced.map(|address| address.address.as_str()).collect();
    let (first, interface) = (names.first()?, &instance.interface);
    let (addresses, verb) = match names.len() {
        1 => ((*first).to_owned(), "is"),
        count => (format!("{count} addresses ({first}, ...)"), "are"),
    };
    Some(match instance.state {
        State::Active => Notice {
            what: format!("{addresses} {verb} not on {interface}, though the instance is Active"),
            remedy:
                "vrrpd puts missing addresses back at once; if it does not, `journalctl -u vrrpd` says why"
                    .to_owned(),
        },
        State::Initialize | State::Backup | State::Fault => Notice {
            what: format!("{addresses} {verb} still on {interface}, though the instance is not Active"),
            remedy: format!(
                "`journalctl -u vrrpd` says why vrrpd could not remove it; by hand: `ip addr del {first} dev \
                 {interface}`"
            ),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{active, backup, fault, notice};

    #[test]
    fn hints_are_healthy_and_each_of_the_rest_is_not() {
        let with = |base: fn(&str) -> Instance, change: fn(&mut Instance)| {
            let mut instance = base("a");
            change(&mut instance);
            of_instance(&instance)
        };
        assert_eq!(with(active, |i| i.hints.push(notice("x", "y"))), Health::Healthy);
        assert_eq!(with(backup, |i| i.addresses[0].present = true), Health::Healthy, "the owner's");
        for (base, change, what) in [
            (active as fn(&str) -> _, (|i| i.state = State::Initialize) as fn(&mut Instance), "initialize"),
            (fault, |i| i.faults.clear(), "state fault"),
            (active, |i| i.faults.push(notice("x", "y")), "a fault"),
            (active, |i| i.warnings.push(notice("x", "y")), "a warning"),
            (active, |i| i.addresses[0].present = false, "Active without its address"),
            (
                backup,
                |i| {
                    i.addresses[0].present = true;
                    i.addresses[0].ours = true;
                },
                "Backup with the address",
            ),
        ] {
            assert_eq!(with(base, change), Health::Degraded, "{what}");
        }
    }
}
