//! `[vrrp.NAME]`: the instances, their keys and the rules between the keys of one. The rules between
//! instances are in `conflicts`.

use std::collections::BTreeMap;
use std::time::Duration;

use ipnet::IpNet;
use vipkit_core::units::{Interval, Priority, Version, Vrid};
use vipkit_core::vrrp::{Authentication, ChecksumForm, SimplePassword};

use crate::address::addresses;
use crate::authentication;
use crate::conflicts::{self, Claim};
use crate::context::quote;
use crate::duration::{duration, instead_of, show};
use crate::garp::{self, Garp};
use crate::named::{self, Noun};
use crate::section::{About, Absent, Field, Key, Section};
use crate::source::At;
use crate::tree::Datum;

/// Most instances of one configuration.
pub const INSTANCES_MAX: usize = 4096;

const INSTANCES: Noun = Noun { article: "an", noun: "instance", most: INSTANCES_MAX, example: "[vrrp.web]" };

/// One virtual router as this machine takes part in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Interface it speaks and puts its addresses on: a valid name, perhaps of no interface that exists.
    pub interface: String,
    /// The virtual router; on one interface no two instances have the same.
    pub virtual_router_id: Vrid,
    /// 1-255.
    pub priority: Priority,
    /// Between adverts; its kind is the version.
    pub advertisement_interval: Interval,
    /// Whether a higher priority takes over from a lower one; always true at priority 255.
    pub preempt: bool,
    /// Form of the checksums sent in version 3; the default in version 2, which has but one.
    pub checksum: ChecksumForm,
    /// Only version 2 has any.
    pub authentication: Authentication,
    /// Virtual addresses with their prefixes, 1-255, IPv4, each once, in the order of the configuration.
    pub addresses: Vec<IpNet>,
    /// Announcements by gratuitous ARP.
    pub garp: Garp,
}

pub(crate) const KEYS: &[About] = &[
    INTERFACE.about,
    VIRTUAL_ROUTER_ID.about,
    PRIORITY.about,
    ADVERTISEMENT_INTERVAL.about,
    VERSION.about,
    PREEMPT.about,
    CHECKSUM.about,
    AUTHENTICATION.about,
    ADDRESSES.about,
    GARP.about,
];

const INTERFACE: Key<String> = Key {
    about: About {
        name: "interface",
        kind: "the name of a network interface",
        absent: Absent::Required,
        doc: "Interface to speak on and to put the addresses on.",
    },
    read: interface,
};

const VIRTUAL_ROUTER_ID: Key<Vrid> = Key {
    about: About {
        name: "virtual_router_id",
        kind: "an integer from 1 to 255",
        absent: Absent::Required,
        doc: "The virtual router: the same on all its routers, and once on an interface.",
    },
    read: |field| field.count(1..=u8::MAX, "use the number that its other routers have").and_then(Vrid::new),
};

const PRIORITY: Key<Priority> = Key {
    about: About {
        name: "priority",
        kind: "an integer from 1 to 255",
        absent: Absent::Default("100"),
        doc: "The highest becomes Active; 255 is for the router that owns the addresses.",
    },
    read: priority,
};

const ADVERTISEMENT_INTERVAL: Key<Duration> = Key {
    about: About {
        name: "advertisement_interval",
        kind: "a duration",
        absent: Absent::Default("\"1s\""),
        doc: "Time between adverts: 10 ms to 40.95 s in steps of 10 ms; in version 2 whole seconds, 1 to 255.",
    },
    read: duration,
};

const VERSION: Key<Version> = Key {
    about: About {
        name: "version",
        kind: "2 or 3",
        absent: Absent::Default("3"),
        doc: "Version of VRRP: the same on all routers of the virtual router.",
    },
    read: version,
};

const PREEMPT: Key<bool> = Key {
    about: About {
        name: "preempt",
        kind: "true or false",
        absent: Absent::Default("true"),
        doc: "Whether to take over from an Active router of lower priority.",
    },
    read: |field| field.boolean(),
};

const CHECKSUM: Key<ChecksumForm> = Key {
    about: About {
        name: "checksum",
        kind: "\"pseudo-header\" or \"rfc9568\"",
        absent: Absent::Default("\"pseudo-header\""),
        doc: "Checksum to send, in version 3 only: keepalived and FRR require the first. Both are accepted.",
    },
    read: checksum,
};

const AUTHENTICATION: Key<SimplePassword> = Key {
    about: About {
        name: "authentication",
        kind: "a table",
        absent: Absent::None("none"),
        doc: "Password, in version 2 only.",
    },
    read: authentication::read,
};

const ADDRESSES: Key<Vec<(IpNet, At)>> = Key {
    about: About {
        name: "addresses",
        kind: "a list of 1 to 255 addresses",
        absent: Absent::Required,
        doc: "IPv4 addresses with prefix that the Active router holds: the same on all routers.",
    },
    read: addresses,
};

const GARP: Key<Garp> = Key {
    about: About {
        name: "garp",
        kind: "a table",
        absent: Absent::Default("{}"),
        doc: "How the addresses are announced by gratuitous ARP.",
    },
    read: garp::read,
};

/// All instances by name.
pub(crate) fn read(field: &mut Field<'_, '_>) -> Option<BTreeMap<String, Instance>> {
    let mut claims = Vec::new();
    let instances = named::tables(field, &INSTANCES, KEYS, |section| {
        let (read, claim) = instance(section);
        claims.extend(claim);
        read
    });
    conflicts::check(claims, field.cx);
    instances
}

fn instance(mut section: Section<'_, '_>) -> (Option<Instance>, Option<Claim>) {
    let interface = section.get(&INTERFACE);
    let virtual_router_id = section.get(&VIRTUAL_ROUTER_ID);
    let priority = section.get(&PRIORITY);
    let advertisement_interval = advertisement_interval(&mut section);
    let preempt = section.get(&PREEMPT);
    let checksum = section.get(&CHECKSUM);
    let password = section.get(&AUTHENTICATION);
    let addresses = section.get(&ADDRESSES);
    let garp = section.get(&GARP);
    if let Some(interval) = advertisement_interval {
        belongs_to_version(&mut section, interval.version());
    }
    if preempt == Some(false) && priority.is_some_and(Priority::is_owner) {
        let hint = "the owner of the addresses always takes over (RFC 9568 section 6.1): \
                    remove \"preempt\", or lower the priority";
        section.fault(section.at(&PREEMPT), "\"preempt\" is false at priority 255", hint);
    }
    let claim = interface.clone().map(|interface| Claim {
        interface,
        vrid: virtual_router_id.map(|vrid| (vrid, section.at(&VIRTUAL_ROUTER_ID))),
        addresses: addresses.clone().unwrap_or_default(),
    });
    section.finish();
    let whole = || {
        Some(Instance {
            interface: interface?,
            virtual_router_id: virtual_router_id?,
            priority: priority?,
            advertisement_interval: advertisement_interval?,
            preempt: preempt?,
            checksum: checksum?,
            authentication: password.map_or(Authentication::None, Authentication::Pass),
            addresses: addresses?.into_iter().map(|(net, _)| net).collect(),
            garp: garp?,
        })
    };
    (whole(), claim)
}

/// The name of an interface as the kernel allows it (`dev_valid_name` of net/core/dev.c).
fn interface(field: &mut Field<'_, '_>) -> Option<String> {
    let text = field.text()?;
    let fits = (1..=15).contains(&text.len()) && !matches!(text, "." | "..");
    if fits && !text.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '/' | ':')) {
        return Some(text.to_owned());
    }
    field.wrong(&quote(text), "1 to 15 bytes without spaces, \"/\" and \":\"");
    None
}

fn priority(field: &mut Field<'_, '_>) -> Option<Priority> {
    if matches!(field.value.datum, Datum::Integer(0)) {
        field.wrong("0", "0 is what a router sends when it leaves; the lowest priority is 1");
        return None;
    }
    field.count(1..=u8::MAX, "leave it out for 100").map(Priority)
}

fn version(field: &mut Field<'_, '_>) -> Option<Version> {
    match field.integer()? {
        2 => Some(Version::V2),
        3 => Some(Version::V3),
        other => {
            field.wrong(&other.to_string(), "2 is RFC 3768, 3 is RFC 9568");
            None
        }
    }
}

fn checksum(field: &mut Field<'_, '_>) -> Option<ChecksumForm> {
    let text = field.text()?;
    let form =
        [ChecksumForm::PseudoHeader, ChecksumForm::Rfc9568].into_iter().find(|form| form.name() == text);
    if form.is_none() {
        field.wrong(&quote(text), "the first is what keepalived and FRR send");
    }
    form
}

/// The interval as the version's adverts carry it.
fn advertisement_interval(section: &mut Section<'_, '_>) -> Option<Interval> {
    let version = section.get(&VERSION);
    let length = section.get(&ADVERTISEMENT_INTERVAL);
    let (version, length) = (version?, length?);
    let interval = Interval::exact(version, length);
    if interval.is_none() {
        let what = format!("version {version} cannot carry the \"advertisement_interval\" {}", show(length));
        section.fault(section.at(&ADVERTISEMENT_INTERVAL), &what, instead_of(version, length));
    }
    interval
}

/// Keys that only the other version has.
fn belongs_to_version(section: &mut Section<'_, '_>, version: Version) {
    if version == Version::V2 && section.has(&CHECKSUM) {
        let hint = "version 2 has but one checksum: remove it";
        section.fault(section.at(&CHECKSUM), "\"checksum\" with version 2", hint);
    }
    if version == Version::V3 && section.has(&AUTHENTICATION) {
        let hint = "RFC 9568 has none: remove it, or set version = 2 on all routers";
        section.fault(section.at(&AUTHENTICATION), "\"authentication\" with version 3", hint);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_refused, config, faults, instance, web};

    #[test]
    fn defaults() {
        let instance = instance(&web(""));
        assert_eq!(instance.interface, "eth0");
        assert_eq!(instance.virtual_router_id.number(), 51);
        assert_eq!(instance.priority, Priority::DEFAULT);
        assert_eq!(instance.advertisement_interval.length(), Duration::from_secs(1));
        assert_eq!(instance.advertisement_interval.version(), Version::V3);
        assert!(instance.preempt);
        assert_eq!(instance.checksum, ChecksumForm::PseudoHeader);
        assert_eq!(instance.authentication, Authentication::None);
    }

    #[test]
    fn reads_each_key() {
        let text = web("priority = 0x32\nversion = 3\nadvertisement_interval = \"40s 950ms\"\n\
                        preempt = false\nchecksum = \"rfc9568\"");
        let instance = instance(&text);
        assert_eq!(instance.priority, Priority(50));
        assert_eq!(instance.advertisement_interval.length(), Duration::from_millis(40_950));
        assert!(!instance.preempt);
        assert_eq!(instance.checksum, ChecksumForm::Rfc9568);
    }

    #[test]
    fn refuses_a_value_that_a_key_cannot_have() {
        assert_refused(&[
            (
                "interface = \"a/b\"",
                "vipkit.toml:2:13: \"interface\" in [vrrp.web] must be the name of a network interface, \
                 not \"a/b\"; 1 to 15 bytes without spaces, \"/\" and \":\"",
            ),
            (
                "virtual_router_id = 0",
                "vipkit.toml:3:21: \"virtual_router_id\" in [vrrp.web] must be an integer from 1 to 255, not 0; \
                 use the number that its other routers have",
            ),
            (
                "virtual_router_id = 99999999999999999999",
                "vipkit.toml:3:21: \"virtual_router_id\" in [vrrp.web] must be an integer from 1 to 255, \
                 not 9223372036854775807; use the number that its other routers have",
            ),
            (
                "virtual_router_id = \"51\"",
                "vipkit.toml:3:21: \"virtual_router_id\" in [vrrp.web] must be an integer from 1 to 255, \
                 not a string; write it without quotes",
            ),
            (
                "priority = 0",
                "vipkit.toml:5:12: \"priority\" in [vrrp.web] must be an integer from 1 to 255, not 0; \
                 0 is what a router sends when it leaves; the lowest priority is 1",
            ),
            (
                "priority = -1",
                "vipkit.toml:5:12: \"priority\" in [vrrp.web] must be an integer from 1 to 255, not -1; \
                 leave it out for 100",
            ),
            (
                "priority = 1.5",
                "vipkit.toml:5:12: \"priority\" in [vrrp.web] must be an integer from 1 to 255, not a float; \
                 write a number",
            ),
            (
                "version = 4",
                "vipkit.toml:5:11: \"version\" in [vrrp.web] must be 2 or 3, not 4; 2 is RFC 3768, 3 is RFC 9568",
            ),
            (
                "preempt = \"no\"",
                "vipkit.toml:5:11: \"preempt\" in [vrrp.web] must be true or false, not a string; \
                 write it without quotes",
            ),
            (
                "checksum = \"rfc5798\"",
                "vipkit.toml:5:12: \"checksum\" in [vrrp.web] must be \"pseudo-header\" or \"rfc9568\", \
                 not \"rfc5798\"; the first is what keepalived and FRR send",
            ),
        ]);
    }

    #[test]
    fn refuses_an_interval_that_the_version_cannot_carry() {
        let refused = |interval: &str, version: u8, rest: &str| {
            let text = web(&format!("advertisement_interval = {interval}\nversion = {version}"));
            assert_eq!(faults(&text), format!("vipkit.toml:5:26: {rest}"));
        };
        let cannot = |version, length: &str, hint: &str| {
            let what = "cannot carry the \"advertisement_interval\"";
            format!("version {version} {what} \"{length}\" in [vrrp.web]; {hint}")
        };
        refused("\"14ms\"", 3, &cannot(3, "14ms", "the nearest are \"10ms\" and \"20ms\""));
        refused("\"0s\"", 3, &cannot(3, "0s", "the nearest is \"10ms\""));
        refused("\"1m\"", 3, &cannot(3, "1m", "the nearest is \"40s 950ms\""));
        refused("\"1.5s\"", 2, &cannot(2, "1s 500ms", "the nearest are \"1s\" and \"2s\"; version 3 can"));
        refused("\"5min\"", 2, &cannot(2, "5m", "the nearest is \"4m 15s\""));
        let kind = "\"advertisement_interval\" in [vrrp.web] must be a duration, not";
        refused("\"1\"", 3, &format!("{kind} \"1\"; a number needs a unit, such as \"1s\" or \"500ms\""));
        refused("1", 3, &format!("{kind} an integer; write it in quotes and with a unit, such as \"1s\""));
        let units = "write numbers with units, such as \"1s\", \"500ms\" or \"1m 30s\"";
        refused("\"1 sek\"", 3, &format!("{kind} \"1 sek\"; {units}"));
        let long = "18446744073709551615s 999ms 1ms";
        refused(&format!("\"{long}\""), 3, &format!("{kind} \"{long}\"; {units}"));
    }

    #[test]
    fn refuses_keys_that_do_not_go_together() {
        assert_refused(&[
            (
                "checksum = \"rfc9568\"\nversion = 2",
                "vipkit.toml:5:12: \"checksum\" with version 2 in [vrrp.web]; \
                 version 2 has but one checksum: remove it",
            ),
            (
                "authentication = { type = \"pass\", key = \"1111\" }",
                "vipkit.toml:5:18: \"authentication\" with version 3 in [vrrp.web]; \
                 RFC 9568 has none: remove it, or set version = 2 on all routers",
            ),
            (
                "preempt = false\npriority = 255",
                "vipkit.toml:5:11: \"preempt\" is false at priority 255 in [vrrp.web]; \
                 the owner of the addresses always takes over (RFC 9568 section 6.1): \
                 remove \"preempt\", or lower the priority",
            ),
        ]);
    }

    #[test]
    fn refuses_an_instance_that_lacks_what_it_needs() {
        assert_eq!(
            faults("[vrrp.web]"),
            "vipkit.toml:1:7: [vrrp.web] has no \"addresses\"; \
             it is required, and must be a list of 1 to 255 addresses\n\
             vipkit.toml:1:7: [vrrp.web] has no \"interface\"; \
             it is required, and must be the name of a network interface\n\
             vipkit.toml:1:7: [vrrp.web] has no \"virtual_router_id\"; \
             it is required, and must be an integer from 1 to 255"
        );
    }

    #[test]
    fn refuses_what_is_no_instance() {
        assert_eq!(
            faults("[vrrp]\ninterface = \"eth0\""),
            "vipkit.toml:2:1: \"interface\" in [vrrp] is no instance; \
             an instance is a table with a name, such as [vrrp.web]"
        );
        assert_eq!(
            faults(&web("version = 4").replace("[vrrp.web]", "[vrrp.\"a\\n\"]")),
            "vipkit.toml:1:7: \"a\\n\" cannot be the name of an instance; \
             1 to 64 letters, digits, \"_\", \".\" and \"-\"\n\
             vipkit.toml:5:11: \"version\" in [vrrp.\"a\\n\"] must be 2 or 3, not 4; \
             2 is RFC 3768, 3 is RFC 9568"
        );
        assert_eq!(
            faults("[[vrrp]]"),
            "vipkit.toml:1:1: \"vrrp\" at the top level must be a table, not a list; \
             each is a table with a name, such as [vrrp.web]"
        );
    }

    #[test]
    fn the_number_of_instances_is_bounded() {
        let many = |count: usize| -> String {
            let instance = |n| {
                format!(
                    "[vrrp.i{n}]\ninterface = \"eth{n}\"\nvirtual_router_id = 1\naddresses = [\"192.0.2.1/24\"]\n"
                )
            };
            (0..count).map(instance).collect()
        };
        assert_eq!(config(&many(INSTANCES_MAX)).vrrp.len(), INSTANCES_MAX);
        assert!(faults(&many(INSTANCES_MAX + 1)).contains("has 4097 instances; 4096 are the most"));
    }
}
