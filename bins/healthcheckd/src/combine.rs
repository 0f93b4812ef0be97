//! What the parts of a check come to together: all of them, any of them, or so many. Must not know time, or what a part is.

use vipkit_config::Needed;
use vipkit_control::health::{Judgement, State};

use crate::weight::Weight;

/// Longest reason that is made of those of the parts, in characters.
const REASON_MAX: usize = 300;

/// What is known of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// What it is called.
    pub label: &'a str,
    /// What was found.
    pub state: State,
    /// What to act on.
    pub judged: Option<Judgement>,
    /// What share it wants.
    pub weight: Option<Weight>,
    /// Why.
    pub reason: String,
    /// What will go wrong if nothing is done.
    pub warning: Option<&'a str>,
}

/// What they come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Combined {
    /// What was found.
    pub state: State,
    /// What to act on.
    pub judged: Option<Judgement>,
    /// The least that one of them wants.
    pub weight: Option<Weight>,
    /// Why.
    pub reason: String,
    /// The first of them.
    pub warning: Option<String>,
}

/// What the parts come to if so many are needed. Nothing is decided that a part that is not known could still change.
#[must_use]
pub fn combine(parts: &[Part<'_>], needed: Needed) -> Combined {
    let count = parts.len();
    let needed = match needed {
        Needed::All => count,
        Needed::Any => 1,
        Needed::AtLeast(few) => usize::try_from(few).unwrap_or(usize::MAX).min(count),
    };
    let judged = {
        let of = |judgement| parts.iter().filter(|part| part.judged == Some(judgement)).count();
        let (up, down) = (of(Judgement::Up), of(Judgement::Down));
        decided(up >= needed, count - down < needed)
    };
    let of = |state| parts.iter().filter(|part| part.state == state).count();
    let (up, down) = (of(State::Up), of(State::Down));
    let state = match decided(up >= needed, count - down < needed) {
        Some(Judgement::Up) => State::Up,
        Some(Judgement::Down) => State::Down,
        None if of(State::CouldNotRun) > 0 => State::CouldNotRun,
        None => State::Unknown,
    };
    let weights =
        parts.iter().filter(|part| part.judged == Some(Judgement::Up)).filter_map(|part| part.weight);
    let warning = parts.iter().find_map(|part| Some((part.label, part.warning?)));
    let named =
        |label: &str, text: &str| if count == 1 { text.to_owned() } else { format!("{label}: {text}") };
    Combined {
        state,
        judged,
        weight: weights.reduce(Weight::least),
        reason: reason(parts, up, needed),
        warning: warning.map(|(label, warning)| named(label, warning)),
    }
}

const fn decided(up: bool, down: bool) -> Option<Judgement> {
    match (up, down) {
        (true, _) => Some(Judgement::Up),
        (_, true) => Some(Judgement::Down),
        _ => None,
    }
}

fn reason(parts: &[Part<'_>], up: usize, needed: usize) -> String {
    if let [part] = parts {
        return part.reason.clone();
    }
    let mut reason = format!("{up} of {} up", parts.len());
    if needed < parts.len() {
        reason += &format!(", {needed} needed");
    }
    for part in parts.iter().filter(|part| part.state != State::Up) {
        reason += &format!("; {}: {}", part.label, part.reason);
    }
    match reason.char_indices().nth(REASON_MAX) {
        Some((end, _)) => format!("{}...", reason.get(..end).unwrap_or_default()),
        None => reason,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn part(label: &str, state: State) -> Part<'_> {
        let judged = match state {
            State::Up => Some(Judgement::Up),
            State::Down => Some(Judgement::Down),
            State::Unknown | State::CouldNotRun => None,
        };
        Part {
            label,
            state,
            judged,
            weight: None,
            reason: format!("{state:?}").to_lowercase(),
            warning: None,
        }
    }

    #[test]
    fn what_is_needed_decides() {
        use State::{CouldNotRun as C, Down as D, Unknown as N, Up as U};
        let three = Needed::AtLeast(2);
        #[rustfmt::skip]
        let table = [
            (&[U, U, U][..], Needed::All, U), (&[U, D, U], Needed::All, D), (&[U, N, U], Needed::All, N),
            (&[D, N, U], Needed::All, D),     (&[C, N, U], Needed::All, C), (&[D, C, C], Needed::All, D),
            (&[D, D, U], Needed::Any, U),     (&[D, D, D], Needed::Any, D), (&[D, N, D], Needed::Any, N),
            (&[D, C, D], Needed::Any, C),     (&[U, N, C], Needed::Any, U),
            (&[U, U, D], three, U),           (&[U, D, D], three, D),       (&[U, D, N], three, N),
            (&[N, N, U], three, N),           (&[D, D, N], three, D),       (&[U, D, C], three, C),
            (&[U], Needed::All, U),           (&[D], Needed::AtLeast(9), D),
        ];
        for (states, needed, expected) in table {
            let parts: Vec<_> = states.iter().map(|state| part("a", *state)).collect();
            let combined = combine(&parts, needed);
            let judged = match expected {
                U => Some(Judgement::Up),
                D => Some(Judgement::Down),
                _ => None,
            };
            assert_eq!((combined.state, combined.judged), (expected, judged), "{states:?} {needed:?}");
        }
    }

    #[test]
    fn the_reason_names_who_is_not_up() {
        let [http, dns] = [part("http", State::Up), part("dns", State::Down)];
        let reason = |parts: &[Part<'_>], needed| combine(parts, needed).reason;
        assert_eq!(reason(std::slice::from_ref(&dns), Needed::All), "down");
        let both = [http, dns];
        assert_eq!(reason(&both, Needed::All), "1 of 2 up; dns: down");
        assert_eq!(reason(&both, Needed::Any), "1 of 2 up, 1 needed; dns: down");
        let long = Part { reason: "ж".repeat(400), ..part("a", State::Down) };
        assert_eq!(reason(&[long.clone(), long], Needed::All).chars().count(), REASON_MAX + 3);
    }

    #[test]
    fn a_part_that_cannot_be_run_is_acted_on_as_it_was() {
        let held = Part { judged: Some(Judgement::Up), ..part("a", State::CouldNotRun) };
        let combined = combine(&[part("b", State::Up), held], Needed::All);
        assert_eq!((combined.state, combined.judged), (State::CouldNotRun, Some(Judgement::Up)));
    }

    #[test]
    fn weights_and_warnings_are_those_of_parts() {
        let weighty = |weight| Part { weight: Some(weight), ..part("a", State::Up) };
        let parts = [weighty(Weight::Percent(50)), weighty(Weight::Absolute(8)), part("c", State::Up)];
        assert_eq!(combine(&parts, Needed::All).weight, Some(Weight::Absolute(4)));
        let down = Part { weight: Some(Weight::Percent(0)), ..part("a", State::Down) };
        assert_eq!(combine(&[down, part("b", State::Up)], Needed::Any).weight, None);
        let warning = Part { warning: Some("expires"), ..part("tls", State::Up) };
        assert_eq!(combine(std::slice::from_ref(&warning), Needed::All).warning.as_deref(), Some("expires"));
        let both = combine(&[part("b", State::Up), warning], Needed::All);
        assert_eq!(both.warning.as_deref(), Some("tls: expires"));
    }

    proptest! {
        /// What becomes known of a part never turns round what was decided without it.
        #[test]
        fn a_decision_holds_whatever_the_rest_comes_to(
            states in proptest::collection::vec(0_usize..4, 1..6),
            needed in 0_u32..7,
            rest in any::<bool>(),
        ) {
            let all = [State::Up, State::Down, State::Unknown, State::CouldNotRun];
            let parts: Vec<_> = states.iter().map(|state| part("a", all[*state])).collect();
            let known: Vec<_> = parts
                .iter()
                .map(|p| if p.judged.is_none() { part("a", all[usize::from(rest)]) } else { p.clone() })
                .collect();
            let needed = match needed { 0 => Needed::Any, 6 => Needed::All, few => Needed::AtLeast(few) };
            let (before, after) = (combine(&parts, needed), combine(&known, needed));
            prop_assert!(after.judged.is_some());
            prop_assert!(before.judged.is_none() || before.judged == after.judged);
        }
    }
}
