//! `hold_down`, `hold_down_max` and `slow_start` of a service or a server: what keeps a server that comes back, or comes
//! and goes, from being trusted at once. Knows no clock.

use std::time::Duration;

use crate::duration::{DAY, HOUR, between, show};
use crate::section::{About, Absent, Field, Key, Section};
use crate::source::At;

/// What keeps a verdict from swinging.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Damping {
    /// How long what was down is kept down though it is up again; none is not at all.
    pub hold_down: Option<HoldDown>,
    /// Over which time its weight then grows to all of it; never zero.
    pub slow_start: Option<Duration>,
}

/// How long what was down is kept down: the longer, the sooner it goes down again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HoldDown {
    /// The first time; never zero.
    pub first: Duration,
    /// At most, however often it goes down; never less than the first.
    pub most: Duration,
}

const DURATION: &str = "a duration of at most a day";

/// The keys of a service or a server.
pub(crate) struct Keys {
    pub hold_down: Key<Duration>,
    pub hold_down_max: Key<Duration>,
    pub slow_start: Key<Duration>,
}

/// Those of a service.
pub(crate) const SERVICE: Keys = keys("`\"0s\"`");
/// Those of a server, which replace its service's.
pub(crate) const SERVER: Keys = keys("that of the service");

const fn keys(absent: &'static str) -> Keys {
    Keys {
        hold_down: Key {
            about: About {
                name: "hold_down",
                kind: DURATION,
                absent: Absent::None(absent),
                doc: "How long a server that soon goes down again stays down at least; doubled each time it does.",
            },
            read: day,
        },
        hold_down_max: Key {
            about: About {
                name: "hold_down_max",
                kind: DURATION,
                absent: Absent::None("`\"5m\"` with `hold_down`"),
                doc: "The longest that doubling `hold_down` comes to.",
            },
            read: day,
        },
        slow_start: Key {
            about: About {
                name: "slow_start",
                kind: "a duration of at most an hour",
                absent: Absent::None(absent),
                doc: "Over which time the weight of a server that is up again grows to all of it.",
            },
            read: |field| between(field, Duration::ZERO..=HOUR),
        },
    }
}

/// What a service or a server says; what is none outside is left out, or wrong.
#[derive(Clone, Copy)]
pub(crate) struct Draft {
    /// Where it says something.
    pub at: Option<At>,
    hold_down: Option<Option<HoldDown>>,
    slow_start: Option<Option<Duration>>,
}

impl Draft {
    pub fn read(section: &mut Section<'_, '_>, keys: &Keys) -> Self {
        let first = section.get(&keys.hold_down);
        let most = section.get(&keys.hold_down_max);
        if section.has(&keys.hold_down_max) && !section.has(&keys.hold_down) {
            let hint = "write \"hold_down\" too, or remove it";
            section.fault(section.at(&keys.hold_down_max), "\"hold_down_max\" without \"hold_down\"", hint);
        }
        let most = most.or_else(|| first.map(|first| first.max(HOLD_DOWN_MAX)));
        if let Some((first, most)) = first.zip(most).filter(|(first, most)| most < first) {
            let what = format!("\"hold_down_max\" {} below \"hold_down\" {}", show(most), show(first));
            section.fault(section.at(&keys.hold_down_max), &what, "it is the longest that doubling comes to");
        }
        let hold_down =
            first.zip(most).map(|(first, most)| (!first.is_zero()).then_some(HoldDown { first, most }));
        let slow_start = section.get(&keys.slow_start).map(|over| (!over.is_zero()).then_some(over));
        let given = [&keys.hold_down, &keys.slow_start].into_iter().find(|key| section.has(key));
        Self { at: given.map(|key| section.at(key)), hold_down, slow_start }
    }

    /// Whether weights grow by it.
    pub fn has_slow_start(&self) -> bool {
        self.slow_start.flatten().is_some()
    }

    /// What a server says, and where it says nothing its service.
    pub fn or(self, service: Self) -> Damping {
        Damping {
            hold_down: self.hold_down.or(service.hold_down).flatten(),
            slow_start: self.slow_start.or(service.slow_start).flatten(),
        }
    }
}

/// It is said of what is never judged.
pub(crate) fn warn_idle(at: At, section: &mut Section<'_, '_>) {
    let what = "\"hold_down\" or \"slow_start\" without a \"check\" changes nothing";
    section.warn(at, what, "write a check, or remove it");
}

/// What `hold_down_max` is when it is left out; a `hold_down` that is longer does not grow.
const HOLD_DOWN_MAX: Duration = Duration::from_secs(300);

fn day(field: &mut Field<'_, '_>) -> Option<Duration> {
    between(field, Duration::ZERO..=DAY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{checked, faults, service, warnings};

    const CHECK: &str = "check = { type = \"tcp\" }\n";

    fn of_service(lines: &str) -> String {
        service(&format!("{CHECK}{lines}"))
    }

    fn damping(text: &str) -> Damping {
        checked(text, "web/192.0.2.81:80").damping
    }

    const fn held(first: u64, most: u64) -> Option<HoldDown> {
        Some(HoldDown { first: Duration::from_secs(first), most: Duration::from_secs(most) })
    }

    #[test]
    fn is_none_unless_given() {
        assert_eq!(damping(&of_service("")), Damping::default());
        assert_eq!(damping(&of_service("hold_down = \"0s\"\nslow_start = \"0s\"")), Damping::default());
        assert_eq!(damping(&of_service("hold_down = \"10s\"")).hold_down, held(10, 300));
        assert_eq!(damping(&of_service("hold_down = \"10m\"")).hold_down, held(600, 600));
        let both = of_service("hold_down = \"10s\"\nhold_down_max = \"10s\"\nslow_start = \"30s\"");
        let expected = Damping { hold_down: held(10, 10), slow_start: Some(Duration::from_secs(30)) };
        assert_eq!(damping(&both), expected);
    }

    #[test]
    fn that_of_a_server_replaces_that_of_its_service() {
        let with = |server: &str| {
            let server = format!("server = [{{ address = \"192.0.2.81:80\", {server} }}]");
            let text = of_service("hold_down = \"10s\"\nhold_down_max = \"20s\"\nslow_start = \"30s\"");
            damping(&text.replace("server = [{ address = \"192.0.2.81:80\" }]", &server))
        };
        let slow_start = Some(Duration::from_secs(30));
        assert_eq!(with("weight = 100"), Damping { hold_down: held(10, 20), slow_start });
        assert_eq!(with("hold_down = \"1s\""), Damping { hold_down: held(1, 300), slow_start });
        assert_eq!(with("hold_down = \"0s\", slow_start = \"0s\""), Damping::default());
    }

    #[test]
    fn refuses_a_longest_that_is_none() {
        assert_eq!(
            faults(&of_service("hold_down_max = \"1m\"")),
            "vipkit.toml:7:17: \"hold_down_max\" without \"hold_down\" in [[service]]; \
             write \"hold_down\" too, or remove it"
        );
        assert_eq!(
            faults(&of_service("hold_down = \"10s\"\nhold_down_max = \"5s\"")),
            "vipkit.toml:8:17: \"hold_down_max\" \"5s\" below \"hold_down\" \"10s\" in [[service]]; \
             it is the longest that doubling comes to"
        );
        assert_eq!(
            faults(&of_service("hold_down = \"25h\"\nslow_start = \"2h\"")),
            "vipkit.toml:7:13: \"hold_down\" in [[service]] must be a duration of at most a day, \
             not \"1day 1h\"; the nearest is \"1day\"\n\
             vipkit.toml:8:14: \"slow_start\" in [[service]] must be a duration of at most an hour, \
             not \"2h\"; the nearest is \"1h\""
        );
    }

    #[test]
    fn what_changes_nothing_is_a_warning() {
        let idle = "\"hold_down\" or \"slow_start\" without a \"check\" changes nothing in";
        let hint = "write a check, or remove it";
        assert_eq!(
            warnings(&service("hold_down = \"1s\"")),
            format!("vipkit.toml:6:13: {idle} [[service]]; {hint}")
        );
        assert_eq!(warnings(&of_service("hold_down = \"1s\"")), "");
        let own = "server = [{ address = \"192.0.2.81:80\", weight = 100, slow_start = \"1s\" }]";
        assert_eq!(warnings(&service(own)), format!("vipkit.toml:5:67: {idle} [[service]]; {hint}"));
        let steep = "vipkit.toml:1:1: \"slow_start\" has no steps for servers of weight 1 in [[service]]; \
                     weights grow by whole numbers: write weight = 100 for each";
        let slow = of_service("slow_start = \"1s\"");
        assert_eq!(warnings(&slow), steep);
        let weighed = slow.replace("\"192.0.2.81:80\" }", "\"192.0.2.81:80\", weight = 100 }");
        assert_eq!(warnings(&weighed), "");
        assert_eq!(
            warnings(&format!("{weighed}\nscheduler = \"rr\"")),
            "vipkit.toml:8:13: \"slow_start\" with the scheduler \"rr\", which does not look at weights in [[service]]; \
             write one that does, such as \"wrr\" or \"wlc\""
        );
    }
}
