//! `track_script`, `track_file`, `track_process` and `track_interface` of an instance: what its priority follows.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::block::{Cursor, Done};
use super::note::{Notes, Place};
use super::said::{self, Said};
use super::tracker::{Sort, Trackers};
use super::words::{self, Read, Word, flag, value};

/// Something that an instance follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    /// What.
    pub what: Watched,
    /// None is a fault while it is down.
    pub weight: Option<i64>,
    /// How long an interface must be up to count as up.
    pub up_delay: Duration,
    /// How long it must be down to count as down.
    pub down_delay: Duration,
    /// Where it stands.
    pub at: Place,
}

/// What is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Watched {
    /// `[check.NAME]`.
    Check(String),
    /// An interface of this node.
    Interface(String),
}

/// An entry as it is written.
#[derive(Clone, Debug)]
pub struct Entry {
    /// None is an interface.
    sort: Option<Sort>,
    name: String,
    weight: Option<i64>,
    reverse: Option<bool>,
    at: Place,
}

/// `interface_up_down_delays`: of each interface, down and up.
pub type Delays = BTreeMap<String, (Duration, Duration)>;

/// The instances of each `vrrp_sync_group` that does not say `sync_group_tracking_weight`.
#[derive(Debug, Default)]
pub struct Groups(BTreeSet<String>);

impl Groups {
    /// Reads one of them.
    pub fn read(&mut self, cursor: &mut Cursor<'_>, notes: &mut Notes) {
        let lines = cursor.values(notes);
        if lines.iter().all(|said| said.name != "sync_group_tracking_weight") {
            let all = |said: Said| std::iter::once(said.name).chain(said.values);
            self.0.extend(lines.into_iter().flat_map(all));
        }
    }

    /// Whether an instance is in one.
    #[must_use]
    pub fn has(&self, instance: &str) -> bool {
        self.0.contains(instance)
    }
}

/// What counts beside an entry.
pub struct Around<'a> {
    /// Of the instance.
    pub interface: &'a str,
    /// It is in a group where weights do not count.
    pub grouped: bool,
    /// Of interfaces.
    pub delays: &'a Delays,
}

const WORDS: &[Word<Entry>] = &[
    value(&["weight"], |entry, text| {
        let most = if matches!(entry.sort, Some(Sort::File | Sort::Process)) { 254 } else { 253 };
        match said::integer(text).filter(|weight| (-most..=most).contains(weight)) {
            Some(weight) => {
                entry.weight = Some(weight);
                Ok(None)
            }
            None => Err(format!("weight {text} is not from -{most} to {most}")),
        }
    }),
    flag(&["reverse"], |entry| entry.reverse = Some(true)),
    flag(&["noreverse", "no_reverse"], |entry| entry.reverse = Some(false)),
];

fn other(entry: &mut Entry, word: &str) -> Read {
    Ok(Some(format!("{word:?} after {} is nothing that goes there: keepalived ignores it", entry.name)))
}

/// Reads the entries of a block.
pub fn read(entries: &mut Vec<Entry>, sort: Option<Sort>, cursor: &mut Cursor<'_>, notes: &mut Notes) {
    for Said { at, name, values, .. } in cursor.values(notes) {
        let mut entry = Entry { sort, name, weight: None, reverse: None, at };
        if entries.iter().any(|other| (other.sort, &other.name) == (sort, &entry.name)) {
            notes.say(&entry.at, format!("{} is there already: keepalived ignores it", entry.name));
            continue;
        }
        let (at, name) = (entry.at.clone(), entry.name.clone());
        let values = values.iter().map(String::as_str);
        match words::read(WORDS, other, values, &name, &mut entry, (&at, notes)) {
            Ok(()) => entries.push(entry),
            Err(what) => notes.say(&at, format!("{name} is not tracked: {what}")),
        }
    }
}

/// Reads `interface_up_down_delays`: the delay down, then up, which is the same if it is left out.
pub fn delays(delays: &mut Delays, cursor: &mut Cursor<'_>, notes: &mut Notes) -> Done {
    for Said { at, name, values, .. } in cursor.values(notes) {
        let lengths: Vec<_> = values.iter().map_while(|value| said::seconds(value)).collect();
        match lengths.as_slice() {
            [both] if values.len() == 1 => {
                delays.insert(name, (*both, *both));
            }
            [down, up] if values.len() == 2 => {
                delays.insert(name, (*down, *up));
            }
            _ => notes.say(&at, format!("{name} {}: no delay that is understood", values.join(" "))),
        }
    }
    Ok(())
}

const GROUPED: &str = "in a vrrp_sync_group keepalived ignores a script or a file with a weight unless it says \
                       sync_group_tracking_weight: the instance does not follow it, with vipkit neither";
const REVERSE: &str = "reverse is not carried over: THE INSTANCE DOES NOT FOLLOW IT: vipkit adds a weight above 0 while \
                       all is well, and takes one below 0 away while it is not; turn the test itself round";

impl Entry {
    /// As an instance with this interface follows it; none, with a note, if it does not.
    pub fn whole(self, around: &Around<'_>, trackers: &mut Trackers, notes: &mut Notes) -> Option<Track> {
        let Self { sort, name, weight, reverse, at } = self;
        let tracker = match sort {
            // Its own interface is watched anyway.
            None if name == around.interface => return None,
            None => None,
            Some(sort) => {
                let Some(tracker) = trackers.find(sort, &name) else {
                    let now = format!(
                        "{name} is defined nowhere above: keepalived ignores it, and THE INSTANCE DOES NOT FOLLOW IT"
                    );
                    notes.say(&at, now);
                    return None;
                };
                Some(tracker)
            }
        };
        let default = tracker.as_ref().map(|tracker| tracker.weight).unwrap_or_default();
        let reverse = reverse.unwrap_or(default.reverse && weight.is_none());
        let weight = weight.unwrap_or(default.number);
        // As keepalived does, though not with processes and interfaces.
        if around.grouped && weight != 0 && matches!(sort, Some(Sort::Script | Sort::File)) {
            notes.say(&at, format!("{name}: {GROUPED}"));
            return None;
        }
        let weight = match (sort, reverse) {
            (Some(Sort::File), _) if weight == 0 => {
                let now = "weight 0 of a file, a fault while there is another number than 0 in it, is not carried over: \
                           THE INSTANCE DOES NOT FOLLOW IT: use a script";
                notes.say(&at, format!("{name}: {now}"));
                return None;
            }
            (Some(Sort::File), true) => -weight,
            (_, true) => {
                notes.say(&at, format!("{name}: {REVERSE}"));
                return None;
            }
            (_, false) => weight,
        };
        let nearest = weight.clamp(-253, 253);
        if nearest != weight {
            notes.say(
                &at,
                format!("{name}: a weight of {weight} becomes {nearest}, the most that vipkit takes"),
            );
        }
        let (what, (down_delay, up_delay)) = match tracker {
            Some(tracker) => {
                tracker.track(notes);
                (Watched::Check(tracker.label.clone()), Default::default())
            }
            None => {
                let delays = around.delays.get(&name).copied().unwrap_or_default();
                (Watched::Interface(name), delays)
            }
        };
        Some(Track { what, weight: (nearest != 0).then_some(nearest), up_delay, down_delay, at })
    }
}
