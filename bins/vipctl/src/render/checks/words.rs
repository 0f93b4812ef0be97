//! What is said of a check on every screen: how it stands, how many there are of each, and why.

use std::time::SystemTime;

use vipkit_control::health::{Check, Disabled, Judgement, Part, State, Weight, WeightUnit};

use crate::health::Standing;
use crate::render::check::count;
use crate::render::text::{Cell, Text, Tone, plain};
use crate::render::time;

/// How it stands in a word, for counting.
const fn standing(standing: Standing) -> (Tone, &'static str) {
    match standing {
        Standing::Up => (Tone::Good, "up"),
        Standing::Unknown => (Tone::Odd, "unknown"),
        Standing::Disabled => (Tone::Odd, "disabled"),
        Standing::CouldNotRun => (Tone::Bad, "could_not_run"),
        Standing::KeptIn => (Tone::Bad, "kept in"),
        Standing::HeldDown => (Tone::Bad, "held down"),
        Standing::Down => (Tone::Bad, "down"),
    }
}

/// What was found, and what is acted on if that is something else: `up, held down`, `disabled, up`, `up, 50%`.
#[must_use]
pub fn verdict(check: &Check) -> Cell {
    let stands = Standing::of(check);
    let (tone, word) = standing(stands);
    let weight = check.weight.filter(|_| check.judged == Some(Judgement::Up)).map(weight);
    let words = match stands {
        Standing::KeptIn => vec!["down", word],
        Standing::HeldDown => vec!["up", word],
        Standing::Disabled => std::iter::once(word).chain(check.judged.map(judgement)).collect(),
        _ => vec![word],
    };
    let words: Vec<_> = words.into_iter().chain(weight.as_deref()).collect();
    (tone, words.join(", "))
}

/// How many there are, and how many stand how: `20 checks: 18 up, 2 down`.
#[must_use]
pub fn counts<'c>(checks: impl IntoIterator<Item = &'c Check>) -> Vec<Cell> {
    let all: Vec<_> = checks.into_iter().map(Standing::of).collect();
    let mut cells = vec![plain(count(all.len(), "check"))];
    for wanted in Standing::EACH {
        let number = all.iter().filter(|standing| **standing == wanted).count();
        if number > 0 {
            let (tone, word) = standing(wanted);
            cells.push(plain(if cells.len() == 1 { ": " } else { ", " }));
            cells.push((tone, format!("{number} {word}")));
        }
    }
    cells
}

/// Adds why a check is not well, or what else is to be said of it, below its row.
pub fn below(text: &mut Text, check: &Check, now: SystemTime, indent: usize) {
    text.below(&why(check, now), indent);
    if let Some(warning) = &check.warning {
        text.below(&format!("warning: {warning}"), indent);
    }
}

/// Kind, target and reason of a check that is not simply up.
fn why(check: &Check, now: SystemTime) -> String {
    let counting: Vec<_> = check.runs.iter().filter_map(counting).collect();
    let reason = match Standing::of(check) {
        Standing::Disabled => {
            return check.disabled.as_ref().map(|disabled| by(disabled, now)).unwrap_or_default();
        }
        Standing::Up if check.weight.is_none() && counting.is_empty() => return String::new(),
        Standing::Up if check.weight.is_none() => counting.join("; "),
        _ => reason(check),
    };
    format!("{}: {reason}", kind(check))
}

/// The kind, and the target unless the name ends with it.
fn kind(Check { kind, target, name, .. }: &Check) -> String {
    if name.ends_with(target.as_str()) { kind.clone() } else { format!("{kind} {target}") }
}

/// Why, and what counts meanwhile if the state says nothing about the target.
pub fn reason(Check { reason, state, judged, .. }: &Check) -> String {
    match (state, judged) {
        (State::CouldNotRun | State::Unknown, Some(judged)) => {
            format!("{reason}; counts as {}", judgement(*judged))
        }
        _ => reason.clone(),
    }
}

/// What goes on in a part that may change its state.
pub fn counting(Part { failures, successes, .. }: &Part) -> Option<String> {
    let (number, noun) = match (failures, successes) {
        (0, 0) => return None,
        (0, passed) => (passed, "passed run"),
        (failed, _) => (failed, "failed run"),
    };
    let number = usize::try_from(*number).unwrap_or(usize::MAX);
    Some(format!("{}, not counting yet", count(number, noun)))
}

/// Who disabled it, and when.
pub fn by(Disabled { by, since }: &Disabled, now: SystemTime) -> String {
    format!("disabled by {by} {}", time::ago(since, now))
}

pub fn weight(Weight { unit, number }: Weight) -> String {
    match unit {
        WeightUnit::Percent => format!("{number}%"),
        WeightUnit::Absolute => format!("weight {number}"),
    }
}

pub const fn judgement(judged: Judgement) -> &'static str {
    match judged {
        Judgement::Up => "up",
        Judgement::Down => "down",
    }
}

/// What was found of a part, or in one run.
pub fn of_state(state: State) -> Cell {
    let (tone, word) = standing(match state {
        State::Up => Standing::Up,
        State::Down => Standing::Down,
        State::Unknown => Standing::Unknown,
        State::CouldNotRun => Standing::CouldNotRun,
    });
    (tone, word.to_owned())
}
