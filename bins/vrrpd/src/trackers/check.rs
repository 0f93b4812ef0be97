//! A check that an instance tracks: what was said of it last, and since when nobody says so. Must not know what it is
//! worth to the instance.

use std::time::Duration;

use vipkit_control::health::{Judgement, State, Weight};
use vipkit_core::units::Mono;

use crate::fault::Fault;
use crate::heard::{Heard, Verdict};

/// A tracked check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    pub(super) name: String,
    verdict: Option<Verdict>,
    /// Since when a verdict that stands is waited for.
    missing_since: Option<Mono>,
    /// It is waited for no longer.
    overdue: bool,
}

impl Check {
    /// Of which nothing was heard. Nobody waits for it yet.
    pub(super) const fn new(name: String) -> Self {
        Self { name, verdict: None, missing_since: None, overdue: false }
    }

    /// Takes over what was heard.
    pub(super) fn hear(&mut self, heard: &Heard, now: Mono) {
        let said = heard.get(&self.name);
        if let Some(said) = said {
            self.verdict = Some(said.verdict.clone());
        }
        match (self.judged(), said) {
            (Some(_), Some(said)) if said.current => self.missing_since = None,
            (Some(_), _) => drop(self.missing_since.get_or_insert(now)),
            (None, _) => {}
        }
    }

    /// From now on its first verdict is waited for.
    pub(super) fn await_verdict(&mut self, now: Mono) {
        if self.judged().is_none() {
            self.missing_since.get_or_insert(now);
        }
    }

    /// Time passed. A verdict is waited for so long, if not for ever.
    pub(super) fn settle(&mut self, patience: Option<Duration>, now: Mono) {
        self.overdue = self.due(patience).is_some_and(|due| due <= now);
    }

    /// When it is waited for no longer.
    pub(super) fn deadline(&self, patience: Option<Duration>) -> Option<Mono> {
        self.due(patience).filter(|_| !self.overdue)
    }

    fn due(&self, patience: Option<Duration>) -> Option<Mono> {
        Some(self.missing_since? + patience?)
    }

    pub(super) fn judged(&self) -> Option<Judgement> {
        self.verdict.as_ref()?.judged
    }

    pub(super) fn state(&self) -> State {
        self.verdict.as_ref().map_or(State::Unknown, |verdict| verdict.state)
    }

    pub(super) fn weight(&self) -> Option<Weight> {
        self.verdict.as_ref()?.weight
    }

    pub(super) fn since(&self) -> Option<&str> {
        self.verdict.as_ref().map(|verdict| verdict.since.as_str())
    }

    pub(super) fn reason(&self) -> &str {
        self.verdict.as_ref().map_or("healthcheckd has not said anything of it", |verdict| &verdict.reason)
    }

    /// It was judged, and nobody says so any more.
    pub(super) fn is_stale(&self) -> bool {
        self.judged().is_some() && self.missing_since.is_some()
    }

    pub(super) const fn is_overdue(&self) -> bool {
        self.overdue
    }

    pub(super) fn down(&self) -> Option<Fault> {
        let down = || Fault::CheckDown(self.name.clone(), self.reason().to_owned());
        (self.judged() == Some(Judgement::Down)).then(down)
    }

    /// Nobody says what is to be acted on.
    pub(super) fn silence(&self) -> Option<Fault> {
        match self.judged() {
            None => Some(Fault::CheckNotJudged(self.name.clone())),
            Some(_) if self.is_stale() => Some(Fault::CheckStale(self.name.clone())),
            Some(_) => None,
        }
    }
}
