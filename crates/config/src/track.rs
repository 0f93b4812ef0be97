//! `track` of an instance, `[[vrrp.NAME.track]]`: the checks and interfaces that its priority, or its taking part at all,
//! follows. Whether there is such a check is asked in `checked`; whether there is such an interface is not asked.

use std::time::Duration;

use crate::conflicts::once;
use crate::context::quote;
use crate::duration::{HOUR, between};
use crate::interface;
use crate::section::{About, Absent, Field, Key, Section};
use crate::source::At;

/// Most things that one instance follows.
pub const TRACKS_MAX: usize = 64;

/// Something that an instance follows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Track {
    /// What it is.
    pub what: Tracked,
    /// What it does to the instance.
    pub effect: Effect,
}

/// What an instance follows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tracked {
    /// A check of [`Config::checks`](crate::Config::checks), by its name.
    Check(String),
    /// An interface, and never the one that the instance speaks on.
    Interface {
        /// A valid name, perhaps of no interface that exists.
        name: String,
        /// How long it must be up before it counts as up, at most an hour.
        up_delay: Duration,
        /// How long it must be down before it counts as down, at most an hour.
        down_delay: Duration,
    },
}

/// What something that is followed does to an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// While it is down the instance is in Fault.
    Fault,
    /// Added to the priority, -253 to 253 but 0: below 0 while it is down, above 0 while it is up.
    Weight(i16),
}

/// What becomes of an instance when nobody tells it how its checks are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OnHealthLoss {
    /// It goes on with what was heard last; what was never judged counts as up.
    Hold,
    /// It is in Fault.
    Fault,
}

impl OnHealthLoss {
    pub(crate) const ALL: [Self; 2] = [Self::Hold, Self::Fault];

    /// Its name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Fault => "fault",
        }
    }
}

pub(crate) const KEYS: &[About] =
    &[CHECK.about, INTERFACE.about, WEIGHT.about, UP_DELAY.about, DOWN_DELAY.about];

const CHECK: Key<String> = Key {
    about: About {
        name: "check",
        kind: "the name of a check",
        absent: Absent::None("none: see `interface`"),
        doc: "NAME of a `[check.NAME]` with a target of its own, or of a kind that needs none.",
    },
    read: |field| field.text().map(str::to_owned),
};

const INTERFACE: Key<String> = Key {
    about: About {
        name: "interface",
        kind: "the name of a network interface",
        absent: Absent::None("none: see `check`"),
        doc: "Another interface than the instance's own, which is always followed.",
    },
    read: interface::read,
};

const WEIGHT: Key<i16> = Key {
    about: About {
        name: "weight",
        kind: "an integer from -253 to 253 but 0",
        absent: Absent::None("none: down is Fault"),
        doc: "Added to the priority: below 0 while it is down, above 0 while it is up.",
    },
    read: weight,
};

const DELAY: &str = "a duration of at most an hour";

const UP_DELAY: Key<Duration> = Key {
    about: About {
        name: "up_delay",
        kind: DELAY,
        absent: Absent::None("`\"0s\"`"),
        doc: "How long the interface must be up before it counts as up.",
    },
    read: delay,
};

const DOWN_DELAY: Key<Duration> = Key {
    about: About {
        name: "down_delay",
        kind: DELAY,
        absent: Absent::None("`\"0s\"`"),
        doc: "How long it must be down before it counts as down.",
    },
    read: delay,
};

/// What is followed, in the order it is written, each with its place.
pub(crate) fn read(field: &mut Field<'_, '_>) -> Option<Vec<(Track, At)>> {
    let list = field.tables(TRACKS_MAX)?;
    let read: Vec<_> =
        list.iter().filter_map(|value| Some((track(field.listed(value, KEYS)?)?, value.at))).collect();
    let names = read.iter().map(|(track, at)| (track.what.named(), *at));
    once(names, |(noun, name)| format!("the {noun} {} is tracked", quote(name)), "keep one", field.cx);
    (read.len() == list.len()).then_some(read)
}

impl Tracked {
    /// What it is, in words, and its name.
    const fn named(&self) -> (&'static str, &str) {
        match self {
            Self::Check(name) => ("check", name.as_str()),
            Self::Interface { name, .. } => ("interface", name.as_str()),
        }
    }
}

fn track(mut section: Section<'_, '_>) -> Option<Track> {
    let check = section.get(&CHECK);
    let interface = section.get(&INTERFACE);
    let weight = section.get(&WEIGHT);
    let up_delay = section.get(&UP_DELAY);
    let down_delay = section.get(&DOWN_DELAY);
    let both = (section.has(&CHECK), section.has(&INTERFACE));
    match both {
        (true, true) => {
            let hint = "write each in a table of its own";
            section.fault(section.at(&INTERFACE), "both \"check\" and \"interface\"", hint);
        }
        (false, false) => {
            section
                .lacks("neither \"check\" nor \"interface\"", "write which of them to follow, and its name");
        }
        _ => {}
    }
    for key in [&UP_DELAY, &DOWN_DELAY] {
        if both == (true, false) && section.has(key) {
            let what = format!("{:?} of a check", key.about.name);
            section.fault(section.at(key), &what, "write \"rise\" and \"fall\" in the check itself");
        }
    }
    let is_weighed = section.has(&WEIGHT);
    section.finish();
    let effect = if is_weighed { Effect::Weight(weight?) } else { Effect::Fault };
    let what = match (check, interface) {
        (Some(name), None) => Tracked::Check(name),
        (None, Some(name)) => Tracked::Interface {
            name,
            up_delay: up_delay.unwrap_or_default(),
            down_delay: down_delay.unwrap_or_default(),
        },
        _ => return None,
    };
    Some(Track { what, effect })
}

fn weight(field: &mut Field<'_, '_>) -> Option<i16> {
    let hint = "it is added to a priority of 1 to 254; leave it out for Fault";
    let weight = field.count(-253..=253, hint)?;
    if weight == 0 {
        field.wrong("0", "0 changes nothing: leave it out for Fault");
        return None;
    }
    Some(weight)
}

fn delay(field: &mut Field<'_, '_>) -> Option<Duration> {
    between(field, Duration::ZERO..=HOUR)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_refused, faults, instance, warnings, web};

    const NGINX: &str = "[check.nginx]\ntype = \"tcp\"\ntarget = \"127.0.0.1:80\"";

    /// The instance web with these lines, and a check nginx.
    fn with(lines: &str) -> String {
        format!("{}\n{NGINX}", web(lines))
    }

    #[test]
    fn follows_nothing_unless_told() {
        let instance = instance(&web(""));
        assert_eq!(instance.track, []);
        assert_eq!(instance.on_health_loss, OnHealthLoss::Hold);
        assert_eq!(instance.startup_timeout, Duration::from_secs(10));
    }

    #[test]
    fn reads_each_key_in_any_order() {
        let text = with(
            "on_health_loss = \"fault\"\nstartup_timeout = \"0s\"\n\
             track = [{ interface = \"eth2\", weight = 253 }, { check = \"nginx\", weight = -253 },\n\
             { interface = \"eth1\", up_delay = \"5s\", down_delay = \"1h\" }]",
        );
        let instance = instance(&text);
        let interface = |name: &str, up, down| Tracked::Interface {
            name: name.to_owned(),
            up_delay: Duration::from_secs(up),
            down_delay: Duration::from_secs(down),
        };
        let expected = [
            Track { what: Tracked::Check("nginx".to_owned()), effect: Effect::Weight(-253) },
            Track { what: interface("eth1", 5, 3600), effect: Effect::Fault },
            Track { what: interface("eth2", 0, 0), effect: Effect::Weight(253) },
        ];
        assert_eq!(instance.track, expected);
        assert_eq!(instance.on_health_loss, OnHealthLoss::Fault);
        assert_eq!(instance.startup_timeout, Duration::ZERO);
    }

    #[test]
    fn refuses_what_cannot_be_followed() {
        let weight = "must be an integer from -253 to 253 but 0, not";
        assert_refused(&[
            (
                "track = [\"nginx\"]",
                "vipkit.toml:5:10: \"track\" in [vrrp.web] has a string, where a table is due; \
                 write each under [[vrrp.web.track]]",
            ),
            (
                "track = [{ weight = 10 }]",
                "vipkit.toml:5:10: [[vrrp.web.track]] has neither \"check\" nor \"interface\"; \
                 write which of them to follow, and its name",
            ),
            (
                "track = [{ check = \"a\", interface = \"eth1\" }]",
                "vipkit.toml:5:37: both \"check\" and \"interface\" in [[vrrp.web.track]]; \
                 write each in a table of its own",
            ),
            (
                "track = [{ interface = \"eth1\", weight = 0 }]",
                &format!(
                    "vipkit.toml:5:41: \"weight\" in [[vrrp.web.track]] {weight} 0; \
                     0 changes nothing: leave it out for Fault"
                ),
            ),
            (
                "track = [{ interface = \"eth1\", weight = -254 }]",
                &format!(
                    "vipkit.toml:5:41: \"weight\" in [[vrrp.web.track]] {weight} -254; \
                     it is added to a priority of 1 to 254; leave it out for Fault"
                ),
            ),
            (
                "track = [{ interface = \"a/b\", up_delay = \"2h\" }]",
                "vipkit.toml:5:24: \"interface\" in [[vrrp.web.track]] must be the name of a network interface, \
                 not \"a/b\"; 1 to 15 bytes without spaces, \"/\" and \":\"\n\
                 vipkit.toml:5:42: \"up_delay\" in [[vrrp.web.track]] must be a duration of at most an hour, \
                 not \"2h\"; the nearest is \"1h\"",
            ),
        ]);
        assert_eq!(
            faults(&with("track = [{ check = \"nginx\", down_delay = \"1s\" }]")),
            "vipkit.toml:5:42: \"down_delay\" of a check in [[vrrp.web.track]]; \
             write \"rise\" and \"fall\" in the check itself"
        );
    }

    #[test]
    fn refuses_to_follow_the_same_twice_and_what_is_followed_anyway() {
        let twice = |list: &str| faults(&with(&format!("track = [{list}]")));
        assert_eq!(
            twice("{ check = \"nginx\" }, { check = \"nginx\", weight = 1 }"),
            "vipkit.toml:5:31: the check \"nginx\" is tracked already, at vipkit.toml:5:10; keep one"
        );
        assert_eq!(
            twice("{ interface = \"eth1\" }, { interface = \"eth1\", up_delay = \"1s\" }"),
            "vipkit.toml:5:34: the interface \"eth1\" is tracked already, at vipkit.toml:5:10; keep one"
        );
        let own = |name: &str| {
            format!(
                "vipkit.toml:5:10: \"{name}\" is the instance's own interface, and tracked in [vrrp.web]; \
                 it is followed without being named: remove it"
            )
        };
        assert_eq!(twice("{ interface = \"eth0\" }"), own("eth0"));
        for (name, mac) in [("vrrp.51", "true"), ("mac0", "{ interface = \"mac0\" }")] {
            let text = with(&format!("track = [{{ interface = \"{name}\" }}]\nvirtual_mac = {mac}"));
            assert_eq!(faults(&text), own(name));
        }
        let eth1 =
            web("track = [{ interface = \"eth1\" }, { interface = \"nginx\" }, { check = \"nginx\" }]");
        assert_eq!(instance(&format!("{eth1}\n{NGINX}")).track.len(), 3);
    }

    #[test]
    fn what_changes_nothing_is_a_warning() {
        for (lines, expected) in [
            ("track = [{ check = \"nginx\" }]\non_health_loss = \"fault\"", ""),
            ("track = [{ check = \"nginx\" }]\npriority = 255", ""),
            (
                "priority = 255\ntrack = [{ check = \"nginx\", weight = 1 }]",
                "vipkit.toml:6:10: a weight at priority 255 changes nothing in [vrrp.web]; \
                 the priority of the owner never changes: lower it, or remove the weight for Fault",
            ),
            (
                "track = [{ interface = \"eth1\" }]\nstartup_timeout = \"1s\"",
                "vipkit.toml:6:19: \"startup_timeout\" without a tracked check changes nothing in [vrrp.web]; \
                 track one, or remove it",
            ),
        ] {
            assert_eq!(warnings(&with(lines)), expected);
        }
    }

    #[test]
    fn their_number_is_bounded() {
        let many = |count: usize| {
            let list: Vec<_> = (1..=count).map(|number| format!("{{ interface = \"e{number}\" }}")).collect();
            web(&format!("track = [{}]", list.join(", ")))
        };
        assert_eq!(instance(&many(TRACKS_MAX)).track.len(), TRACKS_MAX);
        assert!(faults(&many(TRACKS_MAX + 1)).contains("has 65 tables; 64 are the most"));
    }
}
