//! How many servers of a service checks may take out at once: the rest is kept in, since a check that is wrong about many
//! is the likelier fault. Must not know what found them down.

use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

use vipkit_config::{Config, MaxOut};

/// The floor of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Floor {
    most: MaxOut,
    /// How many servers the service has, checked or not.
    servers: usize,
    /// Names of the checks of its servers.
    pub members: Vec<String>,
}

impl Floor {
    /// How many of its servers may be out.
    #[must_use]
    pub fn allowed(&self) -> usize {
        self.most.of(self.servers)
    }
}

impl fmt::Display for Floor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {} of {} servers may be out", self.allowed(), self.servers)
    }
}

/// The floors that a configuration asks for, by service.
#[must_use]
pub fn floors(config: &Config) -> BTreeMap<String, Floor> {
    let floor = |(name, service): (&String, &vipkit_config::Service)| {
        let members = service.servers.iter().filter_map(|server| server.check.clone()).collect();
        Some((name.clone(), Floor { most: service.max_out?, servers: service.servers.len(), members }))
    };
    config.services.iter().filter_map(floor).collect()
}

/// Of servers that are down, each with the time since when, those that are kept in all the same: who went first is out.
#[must_use]
pub fn kept_in(mut down: Vec<(SystemTime, &str)>, allowed: usize) -> Vec<&str> {
    down.sort_unstable();
    down.into_iter().skip(allowed).map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn who_went_down_first_is_out() {
        let down = || vec![(at(3), "c"), (at(1), "b"), (at(1), "a")];
        assert_eq!(kept_in(down(), 2), ["c"]);
        assert_eq!(kept_in(down(), 1), ["b", "c"]);
        assert_eq!(kept_in(down(), 3), Vec::<&str>::new());
        assert_eq!(kept_in(down(), 0), ["a", "b", "c"]);
    }
}
