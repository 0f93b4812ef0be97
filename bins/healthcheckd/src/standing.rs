//! Where a check with a name stands: what was found, what to act on, and since when. Must not know how it came to that.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use vipkit_control::health::{Judgement, State};

use crate::verdict::moved;
use crate::weight::Weight;

/// Where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// What was found.
    pub state: State,
    /// What to act on.
    pub judged: Option<Judgement>,
    /// What share to give.
    pub weight: Option<Weight>,
    /// Since when state and judgement are these.
    pub since: SystemTime,
    /// Changes of either so far.
    pub generation: u64,
    /// Why. Found anew after a restart.
    #[serde(skip)]
    pub reason: String,
    /// What will go wrong if nothing is done.
    #[serde(skip)]
    pub warning: Option<String>,
}

/// Who has it not run, and since when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disabled {
    /// Such as `uid 0`.
    pub by: String,
    /// When.
    pub since: SystemTime,
}

/// What to act on changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejudged {
    /// Of which check.
    pub name: String,
    /// What it was.
    pub from: Option<Judgement>,
    /// What it is.
    pub to: Option<Judgement>,
    /// How long it had been in its state.
    pub lasted: Duration,
    /// It is what its one run says: whoever tells of that has told of this.
    pub is_plain: bool,
}

impl Standing {
    /// Nothing is known.
    #[must_use]
    pub const fn unknown(now: SystemTime) -> Self {
        Self {
            state: State::Unknown,
            judged: None,
            weight: None,
            since: now,
            generation: 0,
            reason: String::new(),
            warning: None,
        }
    }

    /// The same after it changed to `state` and `judged` at the moment `now`, if that is a change.
    #[must_use]
    pub fn changed(&self, state: State, judged: Option<Judgement>, now: SystemTime) -> Self {
        if (state, judged) == (self.state, self.judged) {
            return self.clone();
        }
        Self { state, judged, since: now, generation: self.generation.saturating_add(1), ..self.clone() }
    }

    /// The time of day was set: what was called `from` is called `to` now.
    pub fn set_time(&mut self, from: SystemTime, to: SystemTime) {
        self.since = moved(self.since, from, to);
    }
}
