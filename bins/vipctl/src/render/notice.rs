//! Labels with words behind them, in the form that all blocks share: what is wrong first, what helps below it.

use vipkit_control::common::Notice;
use vipkit_control::vrrp::{Address, Instance, Peer, State};

use super::text::{Cell, Text, Tone, plain};
use crate::health;

/// Blanks before a label.
pub const INDENT: usize = 2;
/// From a label to its words.
pub const LABEL: usize = 9;
/// Most of a kind that a summary names: addresses, peers, servers, checks; the worst come first.
pub const SHOWN: usize = 8;

/// Faults, warnings and hints of an instance, what it holds that contradicts its state, and what helps.
pub fn notices(text: &mut Text, instance: &Instance) {
    let misplaced = health::misplaced(instance);
    groups(text, &instance.faults, instance.warnings.iter().chain(&misplaced), &instance.hints);
}

/// Faults, warnings and hints, each with what helps.
pub fn groups<'n>(
    text: &mut Text,
    faults: impl IntoIterator<Item = &'n Notice>,
    warnings: impl IntoIterator<Item = &'n Notice>,
    hints: impl IntoIterator<Item = &'n Notice>,
) {
    let faults = faults.into_iter().map(|notice| (("fault", Tone::Bad), notice));
    let warnings = warnings.into_iter().map(|notice| (("warning", Tone::Odd), notice));
    let hints = hints.into_iter().map(|notice| (("hint", Tone::Plain), notice));
    for ((label, tone), Notice { what, remedy }) in faults.chain(warnings).chain(hints) {
        text.entry((tone, label.to_owned()), plain(what), INDENT, LABEL);
        text.entry(plain("remedy"), plain(remedy), INDENT, LABEL);
    }
}

/// A state, as RFC 9568 writes it.
#[must_use]
pub const fn state(state: State) -> (Tone, &'static str) {
    match state {
        State::Initialize => (Tone::Odd, "Initialize"),
        State::Backup => (Tone::Plain, "Backup"),
        State::Active => (Tone::Good, "Active"),
        State::Fault => (Tone::Bad, "Fault"),
    }
}

/// An address and whether it is there.
#[must_use]
pub fn address(address: &Address, state: State) -> Cell {
    let tone = match (health::is_misplaced(address, state), address.present) {
        (true, _) => Tone::Bad,
        (false, true) => Tone::Good,
        (false, false) => Tone::Faint,
    };
    let place = match (address.present, address.ours) {
        (false, _) => "absent",
        (true, true) => "present",
        (true, false) => "present, not from vrrpd",
    };
    let beside = if address.advertised { "" } else { ", not advertised" };
    (tone, format!("{} {place}{beside}", address.address))
}

/// The addresses that an instance shows, those in the wrong place first.
#[must_use]
pub fn addresses(instance: &Instance) -> Vec<Cell> {
    let (wrong, right): (Vec<_>, Vec<_>) =
        instance.addresses.iter().partition(|address| health::is_misplaced(address, instance.state));
    wrong.into_iter().chain(right).map(|item| address(item, instance.state)).collect()
}

/// How many addresses, routes or rules there are, and how many of them are there: `4000, all present`.
#[must_use]
pub fn tally(all: u64, present: u64, state: State) -> Cell {
    let tone = match (state, present == all) {
        (State::Active, true) => Tone::Good,
        (State::Active, false) => Tone::Bad,
        (State::Initialize | State::Backup | State::Fault, _) => Tone::Plain,
    };
    let words = match present {
        0 => "none present".to_owned(),
        _ if present == all => "all present".to_owned(),
        _ => format!("{present} present"),
    };
    (tone, format!("{all}, {words}"))
}

/// The peers, those of highest priority first, at most `most`, and how many more.
#[must_use]
pub fn peers<'i>(instance: &'i Instance, most: usize, cell: impl Fn(&'i Peer) -> Cell) -> Vec<Cell> {
    let mut peers: Vec<_> = instance.peers.iter().collect();
    peers.sort_by_key(|peer| std::cmp::Reverse(peer.priority));
    let more = peers.len().saturating_sub(most);
    let mut cells: Vec<_> = peers.into_iter().take(most).map(cell).collect();
    if more > 0 {
        cells.push(plain(format!("and {more} more: `vipctl vrrp {}`", instance.name)));
    }
    cells
}
