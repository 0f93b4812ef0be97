//! What an instance tracks: how each of it is, what that does to the instance, and below it why.

use std::time::SystemTime;

use vipkit_control::vrrp::{Instance, Judgement, TrackedState, Tracker, TrackerKind};

use crate::render::notice::INDENT;
use crate::render::text::{Cell, Text, Tone, plain};
use crate::render::time;

/// A row for each; nothing if nothing is tracked.
pub fn show(text: &mut Text, instance: &Instance, now: SystemTime) {
    if instance.trackers.is_empty() {
        return;
    }
    let row = |tracker: &Tracker| {
        let since = tracker.since.as_ref().map_or("-".to_owned(), |since| time::ago(since, now));
        vec![plain(name(tracker)), state(tracker), effect(tracker), plain(since)]
    };
    text.skip(INDENT).say("trackers").end();
    text.list(
        &["TRACKED", "STATE", "EFFECT", "SINCE"],
        &instance.trackers,
        INDENT * 2,
        row,
        |text, tracker| {
            text.below(&why(tracker), INDENT * 3);
        },
    );
}

/// What is tracked: `check nginx`.
#[must_use]
pub fn name(tracker: &Tracker) -> String {
    let kind = match tracker.kind {
        TrackerKind::Check => "check",
        TrackerKind::Interface => "interface",
    };
    format!("{kind} {}", tracker.name)
}

/// What was found, in the tone of what counts.
fn state(tracker: &Tracker) -> Cell {
    let found = match tracker.state {
        TrackedState::Up => "up",
        TrackedState::Down => "down",
        TrackedState::Unknown => "unknown",
        TrackedState::CouldNotRun => "could not run",
    };
    let stale = if tracker.stale { ", stale" } else { "" };
    let tone = match tracker.judged {
        Some(Judgement::Down) => Tone::Bad,
        Some(Judgement::Up) if tracker.state == TrackedState::Up && !tracker.stale => Tone::Good,
        Some(Judgement::Up) | None => Tone::Odd,
    };
    (tone, format!("{found}{stale}"))
}

/// Why, and what counts where that is not what was found.
fn why(tracker: &Tracker) -> String {
    let counts = match (tracker.judged, tracker.state) {
        (None, _) => "not judged: ",
        (Some(Judgement::Up), TrackedState::Up) | (Some(Judgement::Down), TrackedState::Down) => "",
        (Some(Judgement::Up), _) => "counts as up: ",
        (Some(Judgement::Down), _) => "counts as down: ",
    };
    format!("{counts}{}", tracker.reason)
}

/// What it does to the instance now, or would do.
#[must_use]
pub fn effect(tracker: &Tracker) -> Cell {
    match (tracker.weight, tracker.change) {
        _ if tracker.fault => (Tone::Bad, "fault".to_owned()),
        (None, _) => plain("fault if down"),
        (Some(weight), 0) if weight < 0 => plain(format!("{weight} if down")),
        (Some(weight), 0) => plain(format!("{weight:+} if up")),
        (Some(_), change) => (if change < 0 { Tone::Odd } else { Tone::Plain }, format!("{change:+}")),
    }
}
