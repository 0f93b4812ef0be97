//! `persistence` of a service: a client keeps the server that it got.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::context::quote;
use crate::duration::{DAY, SECOND, seconds};
use crate::section::{About, Absent, Field, Key};

/// How long a client keeps its server, and which clients do together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Persistence {
    /// After its last connection; whole seconds, 1 s to 31 days.
    pub timeout: Duration,
    /// Clients with the same bits under it are one; contiguous, never 0.0.0.0.
    pub netmask: Ipv4Addr,
}

pub(crate) const KEYS: &[About] = &[TIMEOUT.about, NETMASK.about];

const TIMEOUT: Key<Duration> = Key {
    about: About {
        name: "timeout",
        kind: "a duration of whole seconds from 1 s to 31 days",
        absent: Absent::Default("\"5m\""),
        doc: "How long after its last connection a client keeps its server.",
    },
    read: |field| seconds(field, SECOND..=31 * DAY),
};

const NETMASK: Key<Ipv4Addr> = Key {
    about: About {
        name: "netmask",
        kind: "an IPv4 netmask",
        absent: Absent::Default("\"255.255.255.255\""),
        doc: "Clients with the same bits under it keep their server together.",
    },
    read: netmask,
};

pub(crate) fn read(field: &mut Field<'_, '_>) -> Option<Persistence> {
    let mut section = field.section(KEYS)?;
    let timeout = section.get(&TIMEOUT);
    let netmask = section.get(&NETMASK);
    section.finish();
    Some(Persistence { timeout: timeout?, netmask: netmask? })
}

fn netmask(field: &mut Field<'_, '_>) -> Option<Ipv4Addr> {
    let text = field.text()?;
    let mask = text.parse::<Ipv4Addr>().ok();
    let contiguous = |mask: &Ipv4Addr| mask.to_bits().leading_ones() == mask.to_bits().count_ones();
    let mask = mask.filter(contiguous).filter(|mask| !mask.is_unspecified());
    if mask.is_none() {
        field.wrong(&quote(text), "such as \"255.255.255.0\": ones from the left, then zeros");
    }
    mask
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_service_refused, service, the_service};

    #[test]
    fn is_none_unless_given() {
        assert_eq!(the_service(&service("")).persistence, None);
        let defaults = Persistence { timeout: Duration::from_secs(300), netmask: Ipv4Addr::BROADCAST };
        assert_eq!(the_service(&service("persistence = {}")).persistence, Some(defaults));
        let text = service("persistence = { timeout = \"50s\", netmask = \"255.255.254.0\" }");
        let expected =
            Persistence { timeout: Duration::from_secs(50), netmask: Ipv4Addr::new(255, 255, 254, 0) };
        assert_eq!(the_service(&text).persistence, Some(expected));
    }

    #[test]
    fn refuses_what_the_kernel_cannot_hold() {
        let mask = |found: &str| {
            format!(
                "vipkit.toml:6:27: \"netmask\" in [service.persistence] must be an IPv4 netmask, not \"{found}\"; \
                 such as \"255.255.255.0\": ones from the left, then zeros"
            )
        };
        for found in ["0.0.0.0", "255.0.255.0", "0.0.0.255", "24", ""] {
            assert_service_refused(&[(&format!("persistence = {{ netmask = \"{found}\" }}"), &mask(found))]);
        }
        let timeout = "vipkit.toml:6:27: \"timeout\" in [service.persistence] must be \
                       a duration of whole seconds from 1 s to 31 days, not";
        assert_service_refused(&[
            ("persistence = { timeout = \"0s\" }", &format!("{timeout} \"0s\"; the nearest is \"1s\"")),
            (
                "persistence = { timeout = \"32days\" }",
                &format!("{timeout} \"1month 1day 13h 26m 24s\"; the nearest is \"1month 13h 26m 24s\""),
            ),
            (
                "persistence = { timeout = \"1500ms\" }",
                &format!("{timeout} \"1s 500ms\"; the nearest below is \"1s\""),
            ),
        ]);
    }
}
