//! What was said of external checks (`vipctl health set`), by the name of the check, until it runs out.
//! Must not judge, or know who may say it.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::verdict::moved;

/// Something that was said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// That it is up; else it is down.
    pub up: bool,
    /// And that it wants this weight.
    pub weight: Option<u32>,
    /// Who said so: "uid 0".
    pub by: String,
    /// When.
    pub at: SystemTime,
    /// When it runs out; none: never.
    pub until: Option<SystemTime>,
}

impl Told {
    /// Whether it is what another says, and of the same: only the time is another.
    #[must_use]
    pub fn says_as(&self, other: &Self) -> bool {
        (self.up, self.weight, &self.by) == (other.up, other.weight, &other.by)
    }

    /// How long it holds from `now`; none: it has run out.
    #[must_use]
    pub fn left(&self, now: SystemTime) -> Option<Option<Duration>> {
        match self.until {
            None => Some(None),
            Some(until) => until.duration_since(now).ok().filter(|left| !left.is_zero()).map(Some),
        }
    }
}

/// What was said last, by the name of the check.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ToldTable(BTreeMap<String, Told>);

impl ToldTable {
    /// Somebody says something.
    pub fn tell(&mut self, name: &str, told: Told) {
        self.0.insert(name.to_owned(), told);
    }

    /// What was said last.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Told> {
        self.0.get(name)
    }

    /// The same, read back at the moment `now`. What was said at a time to come was said by a clock that was set: it holds
    /// from now, as long as it was to hold.
    #[must_use]
    pub fn read_back(mut self, now: SystemTime) -> Self {
        for told in self.0.values_mut().filter(|told| told.at > now) {
            told.until = told.until.map(|until| moved(until, told.at, now));
            told.at = now;
        }
        self
    }

    /// Forgets what is said of others than these.
    pub fn keep(&mut self, is_external: impl Fn(&str) -> bool) {
        self.0.retain(|name, _| is_external(name));
    }

    /// The time of day was set: what was called `from` is called `to` now.
    pub fn set_time(&mut self, from: SystemTime, to: SystemTime) {
        for told in self.0.values_mut() {
            told.at = moved(told.at, from, to);
            told.until = told.until.map(|until| moved(until, from, to));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn told(until: Option<u64>) -> Told {
        Told { up: true, weight: None, by: "uid 0".to_owned(), at: at(0), until: until.map(at) }
    }

    #[test]
    fn what_is_said_holds_until_it_runs_out() {
        assert_eq!(told(None).left(at(1 << 40)), Some(None));
        assert_eq!(told(Some(10)).left(at(7)), Some(Some(Duration::from_secs(3))));
        assert_eq!(told(Some(10)).left(at(10)), None);
    }

    #[test]
    fn the_last_word_counts_and_is_about_one_check() {
        let mut table = ToldTable::default();
        table.tell("a", told(None));
        table.tell("a", told(Some(5)));
        table.tell("b", told(None));
        assert_eq!(table.get("a").unwrap().until, Some(at(5)));
        table.keep(|name| name == "a");
        assert!(table.get("b").is_none());
        table.set_time(at(0), at(100));
        assert_eq!(table.get("a"), Some(&Told { at: at(100), ..told(Some(105)) }));
    }

    #[test]
    fn what_was_said_at_a_time_to_come_holds_no_longer_than_it_was_to() {
        let mut table = ToldTable::default();
        table.tell("a", Told { at: at(1000), ..told(Some(1010)) });
        table.tell("b", Told { at: at(1000), ..told(None) });
        let early = table.clone().read_back(at(50));
        assert_eq!(early.get("a"), Some(&Told { at: at(50), ..told(Some(60)) }));
        assert_eq!(early.get("b").unwrap().until, None);
        assert_eq!(table.clone().read_back(at(1005)), table);
    }

    #[test]
    fn the_same_said_again_is_no_news() {
        let before = told(Some(10));
        assert!(before.says_as(&Told { at: at(5), ..told(Some(15)) }));
        let others = [
            Told { up: false, ..told(None) },
            Told { weight: Some(5), ..told(None) },
            Told { by: "uid 1".to_owned(), ..told(None) },
        ];
        assert!(others.iter().all(|other| !before.says_as(other)));
    }
}
