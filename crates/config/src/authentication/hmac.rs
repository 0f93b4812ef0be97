//! `type = "hmac"`: an HMAC behind each advert, of either version, as keepalived 2.4.2 and later have it.

use std::collections::BTreeMap;
use std::time::Duration;

use vipkit_core::units::Interval;
use vipkit_core::vrrp::hmac::{Hmac, Key as Secret, KeyId, Mode, ReplayProtection};

use super::key;
use crate::conflicts::once;
use crate::duration::{SECOND, seconds};
use crate::section::{About, Absent, Field, Key, Section};

/// Most keys of one instance.
pub const HMAC_KEYS_MAX: usize = 16;

/// Shortest `time_window` that is there without being asked for.
const TIME_WINDOW_MIN: Duration = Duration::from_secs(5);
const TIME_WINDOW_MAX: Duration = Duration::from_secs(300);

pub(crate) const KEYS: &[About] =
    &[MODE.about, SECRETS.about, ACTIVE_KEY.about, REPLAY_PROTECTION.about, TIME_WINDOW.about];

const MODE: Key<Mode> = Key {
    about: About {
        name: "mode",
        kind: "\"enforce\", \"permissive\" or \"receive-only\"",
        absent: Absent::Default("\"enforce\""),
        doc: "Whether adverts are sent with an HMAC, and refused without; a wrong one is refused in each mode.",
    },
    read: |field| field.word(Mode::ALL.into_iter().map(|mode| (mode.name(), mode))),
};

const SECRETS: Key<Vec<key::Draft>> = Key {
    about: About {
        name: "keys",
        kind: "a list of 1 to 16 tables",
        absent: Absent::Required,
        doc: "Keys to accept, the same on all routers.",
    },
    read: keys,
};

const ACTIVE_KEY: Key<KeyId> = Key {
    about: About {
        name: "active_key",
        kind: "an integer from 1 to 255",
        absent: Absent::None("required, unless there is but one key"),
        doc: "The `id` of the key to send with.",
    },
    read: key::id,
};

const REPLAY_PROTECTION: Key<Protection> = Key {
    about: About {
        name: "replay_protection",
        kind: "\"time\" or \"monotonic\"",
        absent: Absent::Default("\"time\""),
        doc: "How adverts that somebody recorded are known: by the time in them, or by their order alone.",
    },
    read: |field| field.word([("time", Protection::Time), ("monotonic", Protection::Monotonic)].into_iter()),
};

const TIME_WINDOW: Key<Duration> = Key {
    about: About {
        name: "time_window",
        kind: "a duration of whole seconds from 1 s to 5 min",
        absent: Absent::None("three times the whole seconds of `advertisement_interval`, at least `\"5s\"`"),
        doc: "How far the clocks of the routers may be apart, with \"time\".",
    },
    read: |field| seconds(field, SECOND..=TIME_WINDOW_MAX),
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Protection {
    Time,
    Monotonic,
}

/// What is written down: the window may follow from the interval.
pub(crate) struct Draft {
    mode: Mode,
    active_key: KeyId,
    /// Those that were read.
    keys: BTreeMap<KeyId, Secret>,
    protection: Protection,
    window: Option<Duration>,
}

impl Draft {
    /// In an instance with this interval.
    pub fn complete(self, interval: Interval) -> Hmac {
        let default = || (3 * Duration::from_secs(interval.length().as_secs())).max(TIME_WINDOW_MIN);
        Hmac {
            mode: self.mode,
            active_key: self.active_key,
            keys: self.keys,
            replay_protection: match self.protection {
                Protection::Time => ReplayProtection::Time { window: self.window.unwrap_or_else(default) },
                Protection::Monotonic => ReplayProtection::Monotonic,
            },
        }
    }
}

pub(super) fn read(section: &mut Section<'_, '_>) -> Option<super::Draft> {
    let mode = section.get(&MODE);
    let keys = section.get(&SECRETS);
    let active_key = keys.as_ref().and_then(|keys| active_key(section, keys));
    let protection = section.get(&REPLAY_PROTECTION);
    let window = section.get(&TIME_WINDOW);
    key::refuse_inline(section);
    if protection == Some(Protection::Monotonic) && section.has(&TIME_WINDOW) {
        let hint = "no clock counts then: remove it";
        section.fault(section.at(&TIME_WINDOW), "\"time_window\" with \"monotonic\"", hint);
    }
    let keys = keys?.into_iter().filter_map(|key::Draft { id, secret }| Some((id, secret?))).collect();
    Some(super::Draft::Hmac(Draft {
        mode: mode?,
        active_key: active_key?,
        keys,
        protection: protection?,
        window,
    }))
}

fn keys(field: &mut Field<'_, '_>) -> Option<Vec<key::Draft>> {
    let list = field.tables(HMAC_KEYS_MAX)?;
    if list.is_empty() {
        field.fault("has no keys", "give one at least");
        return None;
    }
    let keys: Vec<_> = list
        .iter()
        .filter_map(|value| Some((key::read(field.listed(value, key::KEYS)?)?, value.at)))
        .collect();
    once(
        keys.iter().map(|(key, at)| (key.id, *at)),
        |id| format!("key {id} is there"),
        "keep one, or give the other another id",
        field.cx,
    );
    (keys.len() == list.len()).then(|| keys.into_iter().map(|(key, _)| key).collect())
}

/// The key to send with, which is one of the keys.
fn active_key(section: &mut Section<'_, '_>, keys: &[key::Draft]) -> Option<KeyId> {
    if let (false, [only]) = (section.has(&ACTIVE_KEY), keys) {
        return Some(only.id);
    }
    if !section.has(&ACTIVE_KEY) {
        section.lacks("several keys and no \"active_key\"", "give the id of the one to send with");
    }
    let active = section.get(&ACTIVE_KEY)?;
    if !keys.iter().any(|key| key.id == active) {
        let hint = "give the id of one of \"keys\"";
        section.fault(section.at(&ACTIVE_KEY), &format!("\"active_key\" {active} is no key"), hint);
        return None;
    }
    Some(active)
}

#[cfg(test)]
mod tests {
    use vipkit_core::vrrp::Authentication;

    use super::*;
    use crate::testing::{faults, instance, web};

    const ONE: &str = "keys = [{ id = 1, credential = \"vrrp-1\" }]";
    const TWO: &str = "keys = [{ id = 1, credential = \"vrrp-1\" }, { id = 2, credential = \"vrrp-2\" }]";

    fn with(keys: &str) -> String {
        web(&format!("authentication = {{ type = \"hmac\", {keys} }}"))
    }

    fn hmac(text: &str) -> Hmac {
        match instance(text).authentication {
            Authentication::Hmac(hmac) => hmac,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn defaults() {
        let expected = Hmac {
            mode: Mode::Enforce,
            active_key: KeyId::new(1).unwrap(),
            keys: BTreeMap::new(),
            replay_protection: ReplayProtection::Time { window: Duration::from_secs(5) },
        };
        assert_eq!(hmac(&with(ONE)), expected);
    }

    #[test]
    fn reads_each_key() {
        let read = hmac(&with(&format!(
            "{TWO}, mode = \"receive-only\", active_key = 2, replay_protection = \"monotonic\""
        )));
        assert_eq!(read.mode, Mode::ReceiveOnly);
        assert_eq!(read.active_key.number(), 2);
        assert_eq!(read.replay_protection, ReplayProtection::Monotonic);
        let read = hmac(&with(&format!("{ONE}, time_window = \"5m\"")));
        assert_eq!(read.replay_protection, ReplayProtection::Time { window: TIME_WINDOW_MAX });
    }

    #[test]
    fn the_window_is_three_intervals_in_both_versions() {
        for (lines, seconds) in [
            ("advertisement_interval = \"2500ms\"", 6),
            ("advertisement_interval = \"100ms\"", 5),
            ("advertisement_interval = \"4m\"\nversion = 2", 720),
        ] {
            let window = hmac(&format!("{}\n{lines}", with(ONE))).replay_protection;
            assert_eq!(window, ReplayProtection::Time { window: Duration::from_secs(seconds) }, "{lines}");
        }
    }

    #[test]
    fn refuses_keys_that_are_none() {
        for (keys, expected) in [
            ("keys = []", "5:42: \"keys\" in [vrrp.web.authentication] has no keys; give one at least"),
            (
                TWO,
                "5:1: [vrrp.web.authentication] has several keys and no \"active_key\"; \
                 give the id of the one to send with",
            ),
            (
                &format!("active_key = 2, {ONE}"),
                "5:48: \"active_key\" 2 is no key in [vrrp.web.authentication]; give the id of one of \"keys\"",
            ),
            (
                &format!("active_key = 1, {}", TWO.replace("id = 2", "id = 1")),
                "5:94: key 1 is there already, at vipkit.toml:5:59; keep one, or give the other another id",
            ),
            (
                "keys = [{ id = 1 }, { id = 0, key_file = \"/k\", credential = \"k\" }]",
                "5:43: [[vrrp.web.authentication.keys]] has neither \"key_file\" nor \"credential\"; add one of them\n\
                 vipkit.toml:5:62: \"id\" in [[vrrp.web.authentication.keys]] must be an integer from 1 to 255; \
                 use the number that its other routers have\n\
                 vipkit.toml:5:95: both \"key_file\" and \"credential\" in [[vrrp.web.authentication.keys]]; keep one of them",
            ),
            (
                "keys = [{ id = 1, credential = \"../key\" }]",
                "5:66: \"credential\" in [[vrrp.web.authentication.keys]] is no name of a credential; \
                 it is a file name: letters, digits, \".\", \"_\" and \"-\"",
            ),
        ] {
            assert_eq!(faults(&with(keys)), format!("vipkit.toml:{expected}"));
        }
    }

    #[test]
    fn refuses_a_key_in_the_configuration() {
        let hint = "put it into a file, and write keys = [{ id = 1, key_file = \"/etc/vipkit/keys/web-1.key\" }], \
                    or \"credential\"";
        for (keys, place, table) in [
            ("keys = [{ id = 1, key = \"QWERTY\" }]", "5:59", "[[vrrp.web.authentication.keys]]"),
            (&format!("key = \"QWERTY\", {ONE}"), "5:41", "[vrrp.web.authentication]"),
        ] {
            let what = "is not taken here: the key must not stand in the configuration";
            assert_eq!(
                faults(&with(keys)),
                format!("vipkit.toml:{place}: \"key\" in {table} {what}; {hint}")
            );
        }
    }

    #[test]
    fn a_key_in_the_configuration_is_not_proposed() {
        for (keys, proposed) in [
            (&format!("kes = 1, {ONE}"), "did you mean \"keys\"?"),
            (
                &format!("secret = 1, {ONE}"),
                "known here: type, mode, keys, active_key, replay_protection, time_window",
            ),
        ] {
            let shown = faults(&with(keys));
            assert_eq!(
                shown,
                format!("vipkit.toml:5:35: unknown key in [vrrp.web.authentication]; {proposed}")
            );
        }
    }

    #[test]
    fn refuses_a_window_without_a_clock_and_of_other_lengths() {
        let refused = |keys: &str, expected: &str| {
            assert_eq!(faults(&with(&format!("{ONE}, {keys}"))), format!("vipkit.toml:{expected}"));
        };
        refused(
            "replay_protection = \"monotonic\", time_window = \"5s\"",
            "5:126: \"time_window\" with \"monotonic\" in [vrrp.web.authentication]; no clock counts then: remove it",
        );
        let kind = "5:93: \"time_window\" in [vrrp.web.authentication] must be \
                    a duration of whole seconds from 1 s to 5 min; the nearest";
        refused("time_window = \"0s\"", &format!("{kind} is \"1s\""));
        refused("time_window = \"301s\"", &format!("{kind} is \"5m\""));
        refused("time_window = \"1500ms\"", &format!("{kind} below is \"1s\""));
    }

    #[test]
    fn their_number_is_bounded() {
        let list = |count: usize| {
            let keys: Vec<_> =
                (1..=count).map(|id| format!("{{ id = {id}, credential = \"k{id}\" }}")).collect();
            with(&format!("active_key = 1, keys = [{}]", keys.join(", ")))
        };
        hmac(&list(HMAC_KEYS_MAX));
        assert!(faults(&list(HMAC_KEYS_MAX + 1)).contains("has 17 tables; 16 are the most"));
    }
}
