//! What share of the work a target that is up is to get. Must not know what it is a share of: whoever acts on it does.

use std::fmt;

use serde::{Deserialize, Serialize};
use vipkit_control::health::{self, WeightUnit};

/// A share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// Percent of what it has by the configuration.
    Percent(u32),
    /// In place of what it has by the configuration.
    Absolute(i64),
}

impl Weight {
    /// So many percent of it; what is left of a share is never nothing.
    #[must_use]
    pub fn scaled(self, percent: u32) -> Self {
        match self {
            Self::Percent(own) => {
                let scaled = u64::from(own) * u64::from(percent) / 100;
                let scaled = u32::try_from(scaled).unwrap_or(u32::MAX);
                Self::Percent(scaled.max(own.min(percent).min(1)))
            }
            Self::Absolute(own) => {
                let scaled = own.saturating_mul(i64::from(percent)) / 100;
                Self::Absolute(if scaled == 0 && percent > 0 { own.signum() } else { scaled })
            }
        }
    }

    /// What two checks that are both right leave: of one unit the less, of both one scaled by the other.
    #[must_use]
    pub fn least(self, other: Self) -> Self {
        match (self, other) {
            (Self::Percent(a), Self::Percent(b)) => Self::Percent(a.min(b)),
            (Self::Absolute(a), Self::Absolute(b)) => Self::Absolute(a.min(b)),
            (Self::Percent(percent), absolute @ Self::Absolute(_))
            | (absolute @ Self::Absolute(_), Self::Percent(percent)) => absolute.scaled(percent),
        }
    }
}

impl From<Weight> for health::Weight {
    fn from(weight: Weight) -> Self {
        match weight {
            Weight::Percent(percent) => Self { unit: WeightUnit::Percent, number: percent.into() },
            Weight::Absolute(number) => Self { unit: WeightUnit::Absolute, number },
        }
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Percent(percent) => write!(f, "{percent}%"),
            Self::Absolute(number) => write!(f, "{number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shares_are_scaled_and_the_least_is_taken() {
        use Weight::{Absolute, Percent};
        for (first, second, least) in [
            (Percent(50), Percent(30), Percent(30)),
            (Absolute(7), Absolute(9), Absolute(7)),
            (Absolute(7), Percent(50), Absolute(3)),
            (Percent(10), Absolute(5), Absolute(1)),
            (Percent(0), Absolute(5), Absolute(0)),
            (Percent(50), Absolute(-4), Absolute(-2)),
        ] {
            assert_eq!((first.least(second), second.least(first)), (least, least));
        }
        assert_eq!(Percent(5).scaled(10), Percent(1), "not nothing");
        assert_eq!((Percent(0).scaled(10), Percent(80).scaled(50)), (Percent(0), Percent(40)));
    }

    proptest! {
        #[test]
        fn no_weight_overflows(own in any::<i64>(), percent in any::<u32>(), other in any::<u32>()) {
            let _ = Weight::Absolute(own).scaled(percent).least(Weight::Percent(other).scaled(percent));
        }
    }
}
