//! Whether a check is well, and how what it found and what is acted on go together.

use vipkit_control::health::{Check, Judgement, State};

use super::Health;

/// What was found of a check, and whether that is what is acted on; the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Down.
    Down,
    /// Found up, acted on as down.
    HeldDown,
    /// Found down, acted on as up.
    KeptIn,
    /// Something on its host keeps it from being run.
    CouldNotRun,
    /// Not run, because somebody said so.
    Disabled,
    /// Nothing was found yet.
    Unknown,
    /// Up.
    Up,
}

impl Standing {
    /// All of them, the best first.
    pub const EACH: [Self; 7] = [
        Self::Up,
        Self::Unknown,
        Self::Disabled,
        Self::CouldNotRun,
        Self::KeptIn,
        Self::HeldDown,
        Self::Down,
    ];

    /// Of a check.
    #[must_use]
    pub const fn of(check: &Check) -> Self {
        match (check.state, check.judged) {
            _ if check.disabled.is_some() => Self::Disabled,
            (State::Down, Some(Judgement::Up)) => Self::KeptIn,
            (State::Down, _) => Self::Down,
            (State::Up, Some(Judgement::Down)) => Self::HeldDown,
            (State::Up, _) => Self::Up,
            (State::CouldNotRun, _) => Self::CouldNotRun,
            (State::Unknown, _) => Self::Unknown,
        }
    }
}

/// Of one check. One that was never run, or that somebody disabled, is no matter while it does not count as down.
#[must_use]
pub const fn of_check(check: &Check) -> Health {
    let is_calm = matches!(Standing::of(check), Standing::Up | Standing::Unknown | Standing::Disabled);
    Health::healthy_if(is_calm && !counts_as_down(check) && check.warning.is_none())
}

/// It is down, counts as down, or could not be run.
#[must_use]
pub const fn is_down(check: &Check) -> bool {
    use Standing::{CouldNotRun, Down, HeldDown, KeptIn};
    counts_as_down(check) || matches!(Standing::of(check), Down | HeldDown | KeptIn | CouldNotRun)
}

const fn counts_as_down(check: &Check) -> bool {
    matches!(check.judged, Some(Judgement::Down))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, disabled};

    #[test]
    fn what_was_found_and_what_is_acted_on_are_both_looked_at() {
        use Judgement::{Down, Up};
        for (state, judged, standing, health) in [
            (State::Up, Some(Up), Standing::Up, Health::Healthy),
            (State::Up, Some(Down), Standing::HeldDown, Health::Degraded),
            (State::Down, Some(Down), Standing::Down, Health::Degraded),
            (State::Down, Some(Up), Standing::KeptIn, Health::Degraded),
            (State::CouldNotRun, Some(Up), Standing::CouldNotRun, Health::Degraded),
            (State::CouldNotRun, None, Standing::CouldNotRun, Health::Degraded),
            (State::Unknown, None, Standing::Unknown, Health::Healthy),
            (State::Unknown, Some(Up), Standing::Unknown, Health::Healthy),
            (State::Unknown, Some(Down), Standing::Unknown, Health::Degraded),
        ] {
            let one = Check { state, judged, ..check("a") };
            assert_eq!((Standing::of(&one), of_check(&one)), (standing, health), "{state:?} {judged:?}");
            assert_eq!(is_down(&one), health == Health::Degraded, "{state:?} {judged:?}");
        }
    }

    #[test]
    fn a_disabled_check_is_as_it_was_judged() {
        assert_eq!(Standing::of(&disabled("a")), Standing::Disabled);
        assert_eq!(of_check(&disabled("a")), Health::Healthy);
        let down = Check { judged: Some(Judgement::Down), ..disabled("a") };
        assert_eq!((of_check(&down), is_down(&down)), (Health::Degraded, true));
    }

    #[test]
    fn a_warning_is_to_be_looked_at() {
        let warned = Check { warning: Some("the certificate expires".to_owned()), ..check("a") };
        assert_eq!((of_check(&warned), is_down(&warned)), (Health::Degraded, false));
    }

    #[test]
    fn the_worst_comes_first() {
        assert!(Standing::EACH.is_sorted_by(|better, worse| better > worse));
    }
}
