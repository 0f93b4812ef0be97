//! `[vrrp.NAME]`: the keys of an instance. The rules between the keys of one instance are in `together`, those between
//! instances in `conflicts`.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use vipkit_core::units::{Priority, Version, Vrid};
use vipkit_core::vrrp::{ChecksumForm, UnicastPeer};

use crate::address::{self, Address};
use crate::context::quote;
use crate::duration::{HOUR, between, duration};
use crate::garp::{self, Garp};
use crate::instance::Instance;
use crate::named::{self, Noun};
use crate::section::{About, Absent, Field, Key};
use crate::source::At;
use crate::track::{self, OnHealthLoss, Track};
use crate::tree::Datum;
use crate::{authentication, conflicts, host, interface, route, rule, together, unicast, virtual_mac};

/// Most instances of one configuration.
pub const INSTANCES_MAX: usize = 4096;

const INSTANCES: Noun = Noun { article: "an", noun: "instance", most: INSTANCES_MAX, example: "[vrrp.web]" };

pub(crate) const KEYS: &[About] = &[
    INTERFACE.about,
    VIRTUAL_ROUTER_ID.about,
    PRIORITY.about,
    ADVERTISEMENT_INTERVAL.about,
    VERSION.about,
    PREEMPT.about,
    ACCEPT.about,
    STRICT.about,
    CHECKSUM.about,
    AUTHENTICATION.about,
    SOURCE_ADDRESS.about,
    UNICAST_PEERS.about,
    VIRTUAL_MAC.about,
    ADDRESSES.about,
    ROUTES.about,
    RULES.about,
    GARP.about,
    TRACK.about,
    ON_HEALTH_LOSS.about,
    STARTUP_TIMEOUT.about,
];

pub(crate) const INTERFACE: Key<String> = Key {
    about: About {
        name: "interface",
        kind: "the name of a network interface",
        absent: Absent::Required,
        doc: "Interface to speak on, and to put the addresses on.",
    },
    read: interface::read,
};

pub(crate) const VIRTUAL_ROUTER_ID: Key<Vrid> = Key {
    about: About {
        name: "virtual_router_id",
        kind: "an integer from 1 to 255",
        absent: Absent::Required,
        doc: "The virtual router: the same on all its routers, and once for each family on an interface.",
    },
    read: |field| field.count(1..=u8::MAX, "use the number that its other routers have").and_then(Vrid::new),
};

pub(crate) const PRIORITY: Key<Priority> = Key {
    about: About {
        name: "priority",
        kind: "an integer from 1 to 255",
        absent: Absent::Default("100"),
        doc: "The highest becomes Active; 255 is for the router that owns the addresses.",
    },
    read: priority,
};

pub(crate) const ADVERTISEMENT_INTERVAL: Key<Duration> = Key {
    about: About {
        name: "advertisement_interval",
        kind: "a duration",
        absent: Absent::Default("\"1s\""),
        doc: "Time between adverts: 10 ms to 40.95 s in steps of 10 ms; in version 2 whole seconds, 1 to 255.",
    },
    read: duration,
};

pub(crate) const VERSION: Key<Version> = Key {
    about: About {
        name: "version",
        kind: "2 or 3",
        absent: Absent::Default("3"),
        doc: "Version of VRRP: the same on all routers of the virtual router; 2 is for IPv4 only.",
    },
    read: version,
};

pub(crate) const PREEMPT: Key<bool> = Key {
    about: About {
        name: "preempt",
        kind: "true or false",
        absent: Absent::Default("true"),
        doc: "Whether to take over from an Active router of lower priority.",
    },
    read: |field| field.boolean(),
};

pub(crate) const ACCEPT: Key<bool> = Key {
    about: About {
        name: "accept",
        kind: "true or false",
        absent: Absent::Default("true"),
        doc: "Whether the Active router takes packets to the addresses, or only forwards for them.",
    },
    read: |field| field.boolean(),
};

pub(crate) const STRICT: Key<bool> = Key {
    about: About {
        name: "strict",
        kind: "true or false",
        absent: Absent::Default("false"),
        doc: "Whether to refuse adverts that are odd but believable; see below.",
    },
    read: |field| field.boolean(),
};

pub(crate) const CHECKSUM: Key<ChecksumForm> = Key {
    about: About {
        name: "checksum",
        kind: "\"pseudo-header\" or \"rfc9568\"",
        absent: Absent::Default("\"pseudo-header\""),
        doc: "Checksum to send, in version 3 over IPv4 only: keepalived and FRR require the first.",
    },
    read: checksum,
};

pub(crate) const AUTHENTICATION: Key<authentication::Draft> = Key {
    about: About {
        name: "authentication",
        kind: "a table",
        absent: Absent::None("none"),
        doc: "How the routers know each other: a password or an HMAC.",
    },
    read: authentication::read,
};

pub(crate) const SOURCE_ADDRESS: Key<IpAddr> = Key {
    about: About {
        name: "source_address",
        kind: "an IP address",
        absent: Absent::None("the interface's own, with IPv6 the link-local one"),
        doc: "Address of this machine that adverts come from.",
    },
    read: host::read,
};

pub(crate) const UNICAST_PEERS: Key<Vec<(UnicastPeer, At)>> = Key {
    about: About {
        name: "unicast_peers",
        kind: "a list of 1 to 64 addresses or tables",
        absent: Absent::None("none: multicast"),
        doc: "The other routers, where there is no multicast.",
    },
    read: unicast::read,
};

pub(crate) const VIRTUAL_MAC: Key<Option<virtual_mac::Draft>> = Key {
    about: About {
        name: "virtual_mac",
        kind: "true, false or a table",
        absent: Absent::Default("false"),
        doc: "Whether the addresses answer from the MAC address of the virtual router.",
    },
    read: virtual_mac::read,
};

pub(crate) const ADDRESSES: Key<Vec<(Address, At)>> = Key {
    about: About {
        name: "addresses",
        kind: "a list of 1 to 4000 addresses or tables",
        absent: Absent::Required,
        doc: "Addresses with prefix that the Active router holds: the same on all routers.",
    },
    read: address::read,
};

pub(crate) const ROUTES: Key<Vec<(route::Draft, At)>> = Key {
    about: About {
        name: "routes",
        kind: "a list of tables",
        absent: Absent::Default("[]"),
        doc: "Routes that the Active router has, each `[[vrrp.NAME.routes]]`.",
    },
    read: route::read,
};

pub(crate) const RULES: Key<Vec<(rule::Draft, At)>> = Key {
    about: About {
        name: "rules",
        kind: "a list of tables",
        absent: Absent::Default("[]"),
        doc: "Rules that the Active router routes by, each `[[vrrp.NAME.rules]]`.",
    },
    read: rule::read,
};

pub(crate) const GARP: Key<Garp> = Key {
    about: About {
        name: "garp",
        kind: "a table",
        absent: Absent::Default("{}"),
        doc: "How the addresses are announced by gratuitous ARP, and by its like over IPv6.",
    },
    read: garp::read,
};

pub(crate) const TRACK: Key<Vec<(Track, At)>> = Key {
    about: About {
        name: "track",
        kind: "a list of tables",
        absent: Absent::Default("[]"),
        doc: "Checks and interfaces that it follows, each `[[vrrp.NAME.track]]`.",
    },
    read: track::read,
};

pub(crate) const ON_HEALTH_LOSS: Key<OnHealthLoss> = Key {
    about: About {
        name: "on_health_loss",
        kind: "\"hold\" or \"fault\"",
        absent: Absent::Default("\"hold\""),
        doc: "Whether to go on with what was heard last, or in Fault, when healthcheckd says nothing of the checks.",
    },
    read: |field| field.word(OnHealthLoss::ALL.into_iter().map(|what| (what.name(), what))),
};

pub(crate) const STARTUP_TIMEOUT: Key<Duration> = Key {
    about: About {
        name: "startup_timeout",
        kind: "a duration of at most an hour",
        absent: Absent::Default("\"10s\""),
        doc: "How long to wait at the start for the first verdicts of its checks; then `on_health_loss` holds.",
    },
    read: |field| between(field, Duration::ZERO..=HOUR),
};

/// Instances by name, and what they claim and follow.
#[derive(Default)]
pub(crate) struct Instances {
    pub instances: BTreeMap<String, Instance>,
    /// Names of checks that they follow, and where.
    pub tracked: Vec<(String, At)>,
}

/// All instances.
pub(crate) fn read(field: &mut Field<'_, '_>) -> Option<Instances> {
    let mut claims = Vec::new();
    let instances = named::tables(field, &INSTANCES, KEYS, |section| {
        let (read, claim) = together::instance(section);
        claims.push(claim);
        read
    });
    conflicts::check(&claims, field.cx);
    let tracked = claims.into_iter().flat_map(|claim| claim.tracked).collect();
    Some(Instances { instances: instances?, tracked })
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
    let form = ChecksumForm::ALL.into_iter().find(|form| form.name() == text);
    if form.is_none() {
        field.wrong(&quote(text), "the first is what keepalived and FRR send");
    }
    form
}

#[cfg(test)]
mod tests {
    use vipkit_core::vrrp::Authentication;

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
        assert!(instance.accept && !instance.strict);
        assert_eq!((instance.source_address, &instance.virtual_mac), (None, &None));
        assert!(instance.unicast_peers.is_empty() && instance.routes.is_empty() && instance.rules.is_empty());
        assert_eq!(instance.place(), "eth0");
    }

    #[test]
    fn reads_each_key() {
        let text = web("priority = 0x32\nversion = 3\nadvertisement_interval = \"40s 950ms\"\n\
                        preempt = false\nchecksum = \"rfc9568\"\naccept = false\nstrict = true\n\
                        source_address = \"192.0.2.1\"");
        let instance = instance(&text);
        assert_eq!(instance.priority, Priority(50));
        assert_eq!(instance.advertisement_interval.length(), Duration::from_millis(40_950));
        assert!(!instance.preempt);
        assert_eq!(instance.checksum, ChecksumForm::Rfc9568);
        assert!(!instance.accept && instance.strict);
        assert_eq!(instance.source_address, Some("192.0.2.1".parse().unwrap()));
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
    fn refuses_an_instance_that_lacks_what_it_needs() {
        assert_eq!(
            faults("[vrrp.web]"),
            "vipkit.toml:1:7: [vrrp.web] has no \"addresses\"; \
             it is required, and must be a list of 1 to 4000 addresses or tables\n\
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
