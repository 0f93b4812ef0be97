//! Whether a check is well.

use vipkit_control::health::{Check, State};

use super::Health;

/// Of one check. One that was never run is not yet a matter.
#[must_use]
pub const fn of_check(check: &Check) -> Health {
    Health::healthy_if(matches!(check.state, State::Up | State::Unknown))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::check;

    #[test]
    fn what_is_down_or_could_not_run_is_degraded() {
        for (state, health) in [
            (State::Up, Health::Healthy),
            (State::Unknown, Health::Healthy),
            (State::Down, Health::Degraded),
            (State::CouldNotRun, Health::Degraded),
        ] {
            assert_eq!(of_check(&Check { state, ..check("a") }), health, "{state:?}");
        }
    }
}
