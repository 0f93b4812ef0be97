//! `[health]`: how much healthcheckd does at once.

use crate::section::{About, Absent, Field, Key};

/// How much healthcheckd does at once. What is over waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Health {
    /// Checks in flight, 1-65536.
    pub in_flight: usize,
    /// Checks in flight to one host, 1-65536.
    pub in_flight_per_target: usize,
    /// Scripts, 1-1024.
    pub scripts: usize,
}

pub(crate) const KEYS: &[About] = &[IN_FLIGHT.about, IN_FLIGHT_PER_TARGET.about, SCRIPTS.about];

const IN_FLIGHT: Key<usize> = Key {
    about: About {
        name: "in_flight",
        kind: "an integer from 1 to 65536",
        absent: Absent::Default("16384"),
        doc: "Most checks in flight at once; others that are due wait.",
    },
    read: |field| field.count(1..=65536, "leave it out for 16384"),
};

const IN_FLIGHT_PER_TARGET: Key<usize> = Key {
    about: About {
        name: "in_flight_per_target",
        kind: "an integer from 1 to 65536",
        absent: Absent::Default("256"),
        doc: "Most checks in flight to one host at once.",
    },
    read: |field| field.count(1..=65536, "leave it out for 256"),
};

const SCRIPTS: Key<usize> = Key {
    about: About {
        name: "scripts",
        kind: "an integer from 1 to 1024",
        absent: Absent::Default("16"),
        doc: "Most scripts that run at once.",
    },
    read: |field| field.count(1..=1024, "leave it out for 16"),
};

pub(crate) fn read(field: &mut Field<'_, '_>) -> Option<Health> {
    let mut section = field.section(KEYS)?;
    let in_flight = section.get(&IN_FLIGHT);
    let in_flight_per_target = section.get(&IN_FLIGHT_PER_TARGET);
    let scripts = section.get(&SCRIPTS);
    section.finish();
    Some(Health { in_flight: in_flight?, in_flight_per_target: in_flight_per_target?, scripts: scripts? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{config, faults};

    #[test]
    fn reads_each_key() {
        let defaults = Health { in_flight: 16384, in_flight_per_target: 256, scripts: 16 };
        assert_eq!(config("").health, defaults);
        let text = "[health]\nin_flight = 1\nin_flight_per_target = 2\nscripts = 3";
        assert_eq!(config(text).health, Health { in_flight: 1, in_flight_per_target: 2, scripts: 3 });
    }

    #[test]
    fn refuses_what_would_run_nothing_or_too_much() {
        assert_eq!(
            faults("[health]\nin_flight = 0\nscripts = 1025"),
            "vipkit.toml:2:13: \"in_flight\" in [health] must be an integer from 1 to 65536, not 0; \
             leave it out for 16384\n\
             vipkit.toml:3:11: \"scripts\" in [health] must be an integer from 1 to 1024, not 1025; \
             leave it out for 16"
        );
    }
}
