//! What healthcheckd said of the checks that are tracked: the last word on each, kept when healthcheckd is gone. Must not
//! know a router, or what follows from a word.

use std::collections::{BTreeMap, BTreeSet};

use vipkit_control::health::{Check, Judgement, Monitor, State, Step, Weight};

/// Characters of a reason or a time that are kept.
const TEXT_MAX: usize = 256;

/// The last word on a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What was found.
    pub state: State,
    /// What to act on; none: it was never judged.
    pub judged: Option<Judgement>,
    /// What share it says is there while judged up.
    pub weight: Option<Weight>,
    /// Since when it is in its state: RFC 3339, UTC.
    pub since: String,
    /// Why.
    pub reason: String,
}

/// A word, and whether it still stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The word.
    pub verdict: Verdict,
    /// A healthcheckd that is there says so.
    pub current: bool,
    /// It was named since the stream began.
    listed: bool,
}

/// The last word on each tracked check, by name. None: there was no word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard(BTreeMap<String, Option<Said>>);

impl Heard {
    /// From now on these checks count. True: of some nothing was listened to, so the stream must begin anew.
    pub fn track(&mut self, names: BTreeSet<String>) -> bool {
        let is_new = names.iter().any(|name| !self.0.contains_key(name));
        self.0.retain(|name, _| names.contains(name));
        for name in names {
            self.0.entry(name).or_default();
        }
        is_new
    }

    /// No check is tracked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The last word on a check.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Said> {
        self.0.get(name)?.as_ref()
    }

    /// Takes in a message of healthcheckd's stream. True: something that is tracked is different.
    pub fn hear(&mut self, message: Monitor) -> bool {
        let mut changed = false;
        if message.step == Step::Begin {
            self.words().for_each(|said| said.listed = false);
        }
        for check in message.checks {
            if let Some(word) = self.0.get_mut(&check.name) {
                changed |= learn(word, check);
            }
        }
        for name in message.removed {
            changed |= self.0.get_mut(&name).and_then(Option::as_mut).is_some_and(Said::doubt);
        }
        if message.step == Step::Level {
            changed |= doubt(self.words().filter(|said| !said.listed));
        }
        changed
    }

    /// The stream ended: what was said is held. True: something stood until now.
    pub fn lost(&mut self) -> bool {
        doubt(self.words())
    }

    fn words(&mut self) -> impl Iterator<Item = &mut Said> {
        self.0.values_mut().flatten()
    }
}

impl Said {
    fn doubt(&mut self) -> bool {
        std::mem::take(&mut self.current)
    }
}

/// All of them, not only up to the first that stood.
fn doubt<'a>(words: impl Iterator<Item = &'a mut Said>) -> bool {
    words.map(Said::doubt).fold(false, |any, stood| any | stood)
}

/// What was judged once holds until it is judged anew.
fn learn(word: &mut Option<Said>, check: Check) -> bool {
    if let Some(said) = word
        && said.verdict.judged.is_some()
        && check.judged.is_none()
    {
        said.listed = true;
        return said.doubt();
    }
    let verdict = Verdict {
        state: check.state,
        judged: check.judged,
        weight: check.weight,
        since: cut(&check.since),
        reason: cut(&check.reason),
    };
    let said = Said { verdict, current: true, listed: true };
    let shown = |said: &Said| (said.verdict.clone(), said.current);
    let changed = word.as_ref().map(shown) != Some(shown(&said));
    *word = Some(said);
    changed
}

fn cut(text: &str) -> String {
    text.chars().take(TEXT_MAX).collect()
}

/// Checks as healthcheckd tells of them, with no more than is read here.
#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    pub(crate) fn check(
        name: &str,
        state: State,
        judged: Option<Judgement>,
        weight: Option<Weight>,
    ) -> Check {
        Check {
            name: name.to_owned(),
            kind: "tcp".to_owned(),
            target: "127.0.0.1:80".to_owned(),
            state,
            judged,
            weight,
            since: "2026-01-01T00:00:00.000Z".to_owned(),
            reason: format!("{state:?}"),
            warning: None,
            generation: 1,
            disabled: None,
            used_by: Vec::new(),
            runs: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::check;
    use super::*;

    const UP: Option<Judgement> = Some(Judgement::Up);
    const DOWN: Option<Judgement> = Some(Judgement::Down);

    fn message(step: Step, checks: Vec<Check>) -> Monitor {
        Monitor { step, sequence: 0, daemon: None, checks, removed: Vec::new() }
    }

    fn down(name: &str) -> Check {
        check(name, State::Down, DOWN, None)
    }

    /// Of `a` and `b`, that `a` is down.
    fn heard() -> Heard {
        let mut heard = Heard::default();
        assert!(heard.track(["a".to_owned(), "b".to_owned()].into()));
        assert!(heard.hear(message(Step::Page, vec![down("a"), down("c")])));
        heard
    }

    #[test]
    fn only_what_is_tracked_is_kept() {
        let mut heard = heard();
        assert!(heard.get("a").is_some_and(|said| said.current && said.verdict.judged == DOWN));
        assert_eq!((heard.get("b"), heard.get("c")), (None, None));
        assert!(!heard.track(["a".to_owned()].into()), "nothing new");
        assert!(heard.get("a").is_some() && !heard.is_empty());
        assert!(heard.track(["a".to_owned(), "c".to_owned()].into()));
        assert!(!heard.track(BTreeSet::new()) && heard.is_empty() && heard.get("a").is_none());
    }

    #[test]
    fn news_are_what_changed_of_what_is_tracked() {
        let mut heard = heard();
        assert!(!heard.hear(message(Step::Change, vec![down("a"), down("c")])));
        let reason = Check { reason: "timed out".to_owned(), ..down("a") };
        assert!(heard.hear(message(Step::Change, vec![reason])));
    }

    #[test]
    fn what_nobody_says_any_more_is_held() {
        let is = |heard: &Heard, current| {
            heard.get("a").is_some_and(|said| said.verdict.judged == DOWN && said.current == current)
        };
        let mut heard = heard();
        assert!(heard.lost() && is(&heard, false));
        assert!(!heard.lost(), "it was lost before");
        // Another healthcheckd, which knows a again.
        heard.hear(message(Step::Begin, vec![]));
        assert!(heard.hear(message(Step::Page, vec![down("a")])) && is(&heard, true));
        assert!(!heard.hear(message(Step::Level, vec![])) && is(&heard, true));
        // One that does not.
        heard.hear(message(Step::Begin, vec![]));
        assert!(heard.hear(message(Step::Level, vec![])) && is(&heard, false));
        heard.hear(message(Step::Change, vec![down("a")]));
        let removed =
            Monitor { removed: vec!["a".to_owned(), "c".to_owned()], ..message(Step::Change, vec![]) };
        assert!(heard.hear(removed) && is(&heard, false));
        // One that has not judged it yet.
        heard.hear(message(Step::Change, vec![down("a")]));
        assert!(
            heard.hear(message(Step::Change, vec![check("a", State::Unknown, None, None)]))
                && is(&heard, false)
        );
        heard.hear(message(Step::Change, vec![check("a", State::Up, UP, None)]));
        assert_eq!(heard.get("a").unwrap().verdict.judged, UP);
    }

    #[test]
    fn texts_are_cut() {
        let mut heard = heard();
        heard.hear(message(Step::Change, vec![Check { reason: "x".repeat(TEXT_MAX + 1), ..down("a") }]));
        assert_eq!(heard.get("a").unwrap().verdict.reason.len(), TEXT_MAX);
    }
}
