//! An interface that an instance tracks: up or down counts once it has lasted long enough; what is found first counts at
//! once. Must not know what it is worth to the instance.

use std::time::Duration;

use vipkit_control::health::{Judgement, State};
use vipkit_core::units::Mono;

use crate::fault::Fault;

/// A tracked interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    pub(super) name: String,
    up_delay: Duration,
    down_delay: Duration,
    found: Option<Found>,
    judged: Option<Judgement>,
}

/// What was found of it last.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    /// None: it is up.
    trouble: Option<Fault>,
    /// Since when it is up, or is not.
    since: Mono,
}

impl Interface {
    /// Not looked at yet.
    pub(super) const fn new(name: String) -> Self {
        Self { name, up_delay: Duration::ZERO, down_delay: Duration::ZERO, found: None, judged: None }
    }

    /// With other delays: what waits, waits by those.
    pub(super) fn with_delays(self, up_delay: Duration, down_delay: Duration) -> Self {
        Self { up_delay, down_delay, ..self }
    }

    /// It was looked at: what is wrong with it.
    pub(super) fn observe(&mut self, trouble: Option<&Fault>, now: Mono) {
        let same = self.found.as_ref().filter(|found| found.trouble.is_none() == trouble.is_none());
        let since = same.map_or(now, |found| found.since);
        self.found = Some(Found { trouble: trouble.cloned(), since });
    }

    /// Time passed.
    pub(super) fn settle(&mut self, now: Mono) {
        if self.due().is_some_and(|due| due <= now) {
            self.judged = self.found();
        }
    }

    /// When what was found begins to count.
    pub(super) fn deadline(&self) -> Option<Mono> {
        self.due()
    }

    fn due(&self) -> Option<Mono> {
        let found = self.found.as_ref().filter(|_| self.found() != self.judged)?;
        let delay = match self.judged {
            None => Duration::ZERO,
            Some(Judgement::Down) => self.up_delay,
            Some(Judgement::Up) => self.down_delay,
        };
        Some(found.since + delay)
    }

    fn found(&self) -> Option<Judgement> {
        let found = self.found.as_ref()?;
        Some(if found.trouble.is_none() { Judgement::Up } else { Judgement::Down })
    }

    pub(super) const fn judged(&self) -> Option<Judgement> {
        self.judged
    }

    pub(super) fn state(&self) -> State {
        match self.found() {
            None => State::Unknown,
            Some(Judgement::Up) => State::Up,
            Some(Judgement::Down) => State::Down,
        }
    }

    pub(super) fn since(&self) -> Option<Mono> {
        self.found.as_ref().map(|found| found.since)
    }

    pub(super) fn reason(&self) -> String {
        let Some(found) = &self.found else { return "not looked at yet".to_owned() };
        let words = match &found.trouble {
            None => "up".to_owned(),
            Some(trouble) => trouble.what(&self.name),
        };
        match self.judged {
            Some(Judgement::Down) if found.trouble.is_none() => {
                format!("{words}, for less than its up_delay of {:?}", self.up_delay)
            }
            Some(Judgement::Up) if found.trouble.is_some() => {
                format!("{words}, for less than its down_delay of {:?}", self.down_delay)
            }
            Some(_) | None => words,
        }
    }

    pub(super) fn down(&self) -> Option<Fault> {
        let found = self.found.as_ref().filter(|_| self.judged == Some(Judgement::Down))?;
        Some(match &found.trouble {
            Some(trouble) => Fault::Tracked(self.name.clone(), Box::new(trouble.clone())),
            None => Fault::UpDelay(self.name.clone(), self.up_delay),
        })
    }
}
