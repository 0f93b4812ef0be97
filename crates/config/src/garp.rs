//! `garp` of an instance: how gratuitous ARP announces its addresses. The defaults are keepalived's.

use std::time::Duration;

use crate::duration::{DAY, SECOND, between, duration};
use crate::section::{About, Absent, Field, Key};

/// When and how often the addresses of an Active router are announced by gratuitous ARP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Garp {
    /// Frames per address on becoming Active, 1-100.
    pub repeat: u8,
    /// From becoming Active to a second burst; zero is no second burst.
    pub delay: Duration,
    /// Between bursts for as long as the router is Active, from 1 s; zero is none.
    pub refresh: Duration,
    /// Frames per address of each such burst, 1-100.
    pub refresh_repeat: u8,
    /// Frames per address when an advert of lower priority is heard, 0-100.
    pub lower_priority_repeat: u8,
    /// From that advert to a second burst; zero is no second burst.
    pub lower_priority_delay: Duration,
}

pub(crate) const KEYS: &[About] = &[
    REPEAT.about,
    DELAY.about,
    REFRESH.about,
    REFRESH_REPEAT.about,
    LOWER_PRIORITY_REPEAT.about,
    LOWER_PRIORITY_DELAY.about,
];

const REPEAT: Key<u8> = Key {
    about: About {
        name: "repeat",
        kind: "an integer from 1 to 100",
        absent: Absent::Default("5"),
        doc: "Frames per address on becoming Active.",
    },
    read: |field| field.count(1..=100, "leave it out for 5"),
};

const DELAY: Key<Duration> = Key {
    about: About {
        name: "delay",
        kind: "a duration of at most a day",
        absent: Absent::Default("\"5s\""),
        doc: "Time to a second burst; `\"0s\"` is none.",
    },
    read: delay,
};

const REFRESH: Key<Duration> = Key {
    about: About {
        name: "refresh",
        kind: "\"0s\" or a duration from a second to a day",
        absent: Absent::Default("\"0s\""),
        doc: "Time between further bursts while Active; `\"0s\"` is none.",
    },
    read: refresh,
};

const REFRESH_REPEAT: Key<u8> = Key {
    about: About {
        name: "refresh_repeat",
        kind: "an integer from 1 to 100",
        absent: Absent::Default("1"),
        doc: "Frames per address of each further burst.",
    },
    read: |field| field.count(1..=100, "leave it out for 1"),
};

const LOWER_PRIORITY_REPEAT: Key<u8> = Key {
    about: About {
        name: "lower_priority_repeat",
        kind: "an integer from 0 to 100",
        absent: Absent::None("as `repeat`"),
        doc: "Frames per address when an advert of lower priority is heard; 0 is none.",
    },
    read: |field| field.count(0..=100, "leave it out for that of \"repeat\""),
};

const LOWER_PRIORITY_DELAY: Key<Duration> = Key {
    about: About {
        name: "lower_priority_delay",
        kind: "a duration of at most a day",
        absent: Absent::None("as `delay`"),
        doc: "Time from that advert to a second burst; `\"0s\"` is none.",
    },
    read: delay,
};

pub(crate) fn read(field: &mut Field<'_, '_>) -> Option<Garp> {
    let mut section = field.section(KEYS)?;
    let repeat = section.get(&REPEAT);
    let delay = section.get(&DELAY);
    let refresh = section.get(&REFRESH);
    let refresh_repeat = section.get(&REFRESH_REPEAT);
    let lower_priority_repeat = section.get(&LOWER_PRIORITY_REPEAT).or(repeat);
    let lower_priority_delay = section.get(&LOWER_PRIORITY_DELAY).or(delay);
    section.finish();
    Some(Garp {
        repeat: repeat?,
        delay: delay?,
        refresh: refresh?,
        refresh_repeat: refresh_repeat?,
        lower_priority_repeat: lower_priority_repeat?,
        lower_priority_delay: lower_priority_delay?,
    })
}

fn delay(field: &mut Field<'_, '_>) -> Option<Duration> {
    between(field, Duration::ZERO..=DAY)
}

fn refresh(field: &mut Field<'_, '_>) -> Option<Duration> {
    if duration(field)?.is_zero() { Some(Duration::ZERO) } else { between(field, SECOND..=DAY) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_refused, instance, web};

    #[test]
    fn defaults_are_those_of_keepalived() {
        let garp = instance(&web("")).garp;
        let expected = Garp {
            repeat: 5,
            delay: Duration::from_secs(5),
            refresh: Duration::ZERO,
            refresh_repeat: 1,
            lower_priority_repeat: 5,
            lower_priority_delay: Duration::from_secs(5),
        };
        assert_eq!(garp, expected);
    }

    #[test]
    fn lower_priority_follows_repeat_and_delay() {
        let garp = instance(&web("garp = { repeat = 2, delay = \"1m30s\", refresh = \"1day\" }")).garp;
        assert_eq!((garp.lower_priority_repeat, garp.lower_priority_delay), (2, Duration::from_secs(90)));
        let garp =
            instance(&web("[vrrp.web.garp]\nlower_priority_repeat = 0\nlower_priority_delay = \"0s\"")).garp;
        assert_eq!((garp.lower_priority_repeat, garp.lower_priority_delay), (0, Duration::ZERO));
        assert_eq!(garp.repeat, 5);
    }

    #[test]
    fn refuses_what_is_out_of_range() {
        assert_refused(&[
            (
                "garp = { repeat = 0 }",
                "vipkit.toml:5:19: \"repeat\" in [vrrp.web.garp] must be an integer from 1 to 100, not 0; \
                 leave it out for 5",
            ),
            (
                "garp = { refresh_repeat = 101 }",
                "vipkit.toml:5:27: \"refresh_repeat\" in [vrrp.web.garp] must be an integer from 1 to 100, \
                 not 101; leave it out for 1",
            ),
            (
                "garp = { refresh = \"1ms\" }",
                "vipkit.toml:5:20: \"refresh\" in [vrrp.web.garp] must be \"0s\" or a duration from a second \
                 to a day, not \"1ms\"; the nearest is \"1s\"",
            ),
            (
                "garp = { delay = \"2days\" }",
                "vipkit.toml:5:18: \"delay\" in [vrrp.web.garp] must be a duration of at most a day, \
                 not \"2days\"; the nearest is \"1day\"",
            ),
            (
                "garp = { delay = 5 }",
                "vipkit.toml:5:18: \"delay\" in [vrrp.web.garp] must be a duration of at most a day, \
                 not an integer; write it in quotes and with a unit, such as \"5s\"",
            ),
            (
                "garp = 5",
                "vipkit.toml:5:8: \"garp\" in [vrrp.web] must be a table, not an integer; \
                 write it in braces, or under [vrrp.web.garp]",
            ),
        ]);
    }
}
