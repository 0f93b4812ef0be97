//! Whether an instance is well, and what contradicts itself in what vrrpd shows of it.

use vipkit_control::common::Notice;
use vipkit_control::vrrp::{Address, Held, Instance, State};

use super::Health;

/// Of one instance.
#[must_use]
pub fn of_instance(instance: &Instance) -> Health {
    let takes_part = matches!(instance.state, State::Active | State::Backup);
    let is_well = takes_part
        && instance.faults.is_empty()
        && instance.warnings.is_empty()
        && misplaced(instance).is_empty();
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

/// The route or rule is where an instance in this state should not have it.
#[must_use]
pub fn is_held_wrongly(held: &Held, state: State) -> bool {
    held.present != (state == State::Active)
}

/// What is wrong with where addresses, routes and rules are, in words.
#[must_use]
pub fn misplaced(instance: &Instance) -> Vec<Notice> {
    [addresses(instance), held(instance, "route", &instance.routes), held(instance, "rule", &instance.rules)]
        .into_iter()
        .flatten()
        .collect()
}

fn addresses(instance: &Instance) -> Option<Notice> {
    let Instance { name, state, place, address_count, addresses_present, .. } = instance;
    let misplaced = instance.addresses.iter().filter(|address| is_misplaced(address, *state));
    let names: Vec<_> = misplaced.map(|address| address.address.as_str()).collect();
    // Of those that are not shown, only the number is known.
    let missing = match state {
        State::Active => address_count.saturating_sub(*addresses_present),
        State::Initialize | State::Backup | State::Fault => 0,
    };
    let count = missing.max(names.len() as u64);
    let subject = match (names.as_slice(), count) {
        (_, 0) => return None,
        ([name], 1) => format!("{name} is"),
        ([first, ..], _) => format!("{count} addresses ({first}, ...) are"),
        ([], _) => format!("{count} of {address_count} addresses {}", if count == 1 { "is" } else { "are" }),
    };
    let mut notice = notice(*state, &subject, &format!("on {place}"));
    match (names.first(), state) {
        (None, _) => notice.remedy.insert_str(0, &format!("`vipctl vrrp {name}` names them; ")),
        (Some(_), State::Active) => {}
        (Some(first), State::Initialize | State::Backup | State::Fault) => {
            notice.remedy.push_str(&format!("; by hand: `ip addr del {first} dev {place}`"));
        }
    }
    Some(notice)
}

fn held(instance: &Instance, noun: &str, all: &[Held]) -> Option<Notice> {
    let misplaced = all.iter().filter(|held| is_held_wrongly(held, instance.state));
    let names: Vec<_> = misplaced.map(|held| held.what.as_str()).collect();
    let subject = match names.as_slice() {
        [] => return None,
        [name] => format!("{noun} \"{name}\" is"),
        [first, ..] => format!("{} {noun}s (\"{first}\", ...) are", names.len()),
    };
    Some(notice(instance.state, &subject, "in the kernel"))
}

fn notice(state: State, subject: &str, place: &str) -> Notice {
    let (what, remedy) = match state {
        State::Active => (
            format!("{subject} not {place}, though the instance is Active"),
            "vrrpd puts back at once what is missing; if it does not, `journalctl -u vrrpd` says why",
        ),
        State::Initialize | State::Backup | State::Fault => (
            format!("{subject} still {place}, though the instance is not Active"),
            "`journalctl -u vrrpd` says why vrrpd could not remove it",
        ),
    };
    Notice { what, remedy: remedy.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{active, backup, fault, held, notice};

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
            (active, |i| i.address_count = 300, "Active without an address that is not shown"),
            (active, |i| i.routes.push(held("default", false)), "Active without its route"),
            (backup, |i| i.rules.push(held("from 10.0.0.1/32", true)), "Backup with the rule"),
        ] {
            assert_eq!(with(base, change), Health::Degraded, "{what}");
        }
    }

    #[test]
    fn what_is_misplaced_is_counted_and_named() {
        let what = |instance: &Instance| -> Vec<_> {
            misplaced(instance).into_iter().map(|notice| notice.what).collect()
        };
        let mut one = Instance { place: "vrrp.51".to_owned(), ..active("a") };
        one.addresses[0].present = false;
        one.addresses_present = 0;
        one.routes = vec![held("default via 10.0.0.1", false), held("10.0.0.0/8", true), held("b", false)];
        assert_eq!(
            what(&one),
            [
                "192.168.4.80/24 is not on vrrp.51, though the instance is Active",
                "2 routes (\"default via 10.0.0.1\", ...) are not in the kernel, though the instance is Active",
            ]
        );
        let many = Instance { address_count: 4000, addresses_present: 3998, ..active("a") };
        assert_eq!(what(&many), ["2 of 4000 addresses are not on eth0, though the instance is Active"]);
        let left = Instance { rules: vec![held("from 10.0.0.1/32 table 7", true)], ..backup("a") };
        assert_eq!(
            what(&left),
            ["rule \"from 10.0.0.1/32 table 7\" is still in the kernel, though the instance is not Active"]
        );
    }
}
