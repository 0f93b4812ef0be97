//! The verdicts to act on: what healthcheckd said last, kept when it is gone. Nothing that is lost brings a server back
//! or takes one out: only a verdict does. Must not know a server or a table.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use vipkit_config::{CHECKS_MAX, SERVERS_TOTAL_MAX};
use vipkit_control::health::{Check, Judgement, Monitor, State, Step, Weight};

/// Most verdicts held: as many as a configuration can ask for. Further ones are not taken in.
pub const VERDICTS_MAX: usize = CHECKS_MAX + SERVERS_TOTAL_MAX;
/// Longest name of a check, in bytes: more than that of any service, a slash and any address. Longer ones are passed over.
const NAME_MAX: usize = 128;
/// Characters of a reason or a time that are kept.
const TEXT_MAX: usize = 256;

/// A verdict as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// What to act on; none: the check was never judged.
    pub judged: Option<Judgement>,
    /// What share to give while it is up; none: all of it.
    #[serde(default)]
    pub weight: Option<Weight>,
    /// Since when that is so: RFC 3339, UTC.
    pub since: String,
    /// Why.
    pub reason: String,
    /// As healthcheckd counts it.
    pub generation: u64,
}

/// Verdicts by the name of the check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdicts(BTreeMap<String, Held>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Held {
    verdict: Verdict,
    /// It is the latest word of a healthcheckd that is there.
    fresh: bool,
    /// It was named since the stream began.
    listed: bool,
}

/// What a message changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// Checks that look different.
    pub names: Vec<String>,
    /// One of them is to be acted on differently.
    pub judged: bool,
}

impl Verdicts {
    /// Those of an earlier life.
    #[must_use]
    pub fn remembered(verdicts: BTreeMap<String, Verdict>) -> Self {
        let held = |(name, verdict)| (name, Held { verdict, fresh: false, listed: false });
        Self(verdicts.into_iter().take(VERDICTS_MAX).map(held).collect())
    }

    /// The verdict on a check; none: nothing was ever heard of it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Verdict> {
        self.0.get(name).map(|held| &held.verdict)
    }

    /// Whether a check is to be taken for down. One that was never judged is not.
    #[must_use]
    pub fn is_down(&self, name: &str) -> bool {
        self.get(name).is_some_and(|verdict| verdict.judged == Some(Judgement::Down))
    }

    /// Whether what is held may not be the truth any more: nobody is there who would say otherwise.
    #[must_use]
    pub fn is_stale(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|held| !held.fresh)
    }

    /// Takes in a message of healthcheckd's stream.
    pub fn hear(&mut self, message: Monitor) -> News {
        let mut news = News::default();
        if message.step == Step::Begin {
            self.0.values_mut().for_each(|held| held.listed = false);
        }
        for check in message.checks {
            self.learn(check, &mut news);
        }
        for name in message.removed {
            if let Some(held) = self.0.get_mut(&name) {
                held.doubt(&name, &mut news);
            }
        }
        if message.step == Step::Level {
            let missing = self.0.iter_mut().filter(|(_, held)| !held.listed);
            missing.for_each(|(name, held)| held.doubt(name, &mut news));
        }
        news
    }

    /// The stream ended: what was heard is held, and shown to be old.
    pub fn lost(&mut self) -> News {
        let mut news = News::default();
        self.0.iter_mut().for_each(|(name, held)| held.doubt(name, &mut news));
        news
    }

    /// What was judged under other names holds for one that was never judged; of several judgements, that it is down.
    pub fn inherit(&mut self, from: &[&str], to: &str) {
        let heir = self.0.get(to);
        if heir.is_some_and(|heir| heir.verdict.judged.is_some()) || self.0.len() >= VERDICTS_MAX {
            return;
        }
        let listed = heir.is_some_and(|heir| heir.listed);
        let judged = from.iter().filter_map(|name| self.get(name)).filter(|verdict| verdict.judged.is_some());
        let verdict = judged.max_by_key(|verdict| verdict.judged == Some(Judgement::Down)).cloned();
        if let Some(verdict) = verdict {
            self.0.insert(to.to_owned(), Held { verdict, fresh: false, listed });
        }
    }

    /// Forgets what nobody asks for and nobody says any more.
    pub fn forget(&mut self, is_wanted: impl Fn(&str) -> bool) {
        self.0.retain(|name, held| held.fresh || is_wanted(name));
    }

    /// The verdicts that are asked for, to be kept.
    #[must_use]
    pub fn wanted(&self, is_wanted: impl Fn(&str) -> bool) -> BTreeMap<String, Verdict> {
        let wanted = self.0.iter().filter(|(name, _)| is_wanted(name));
        wanted.map(|(name, held)| (name.clone(), held.verdict.clone())).collect()
    }

    fn learn(&mut self, check: Check, news: &mut News) {
        let before = self.0.get(&check.name);
        if check.name.len() > NAME_MAX || before.is_none() && self.0.len() >= VERDICTS_MAX {
            return;
        }
        let held = before.map(|held| &held.verdict);
        let is_found = matches!(check.state, State::Up | State::Down);
        // A healthcheckd that was killed before it wrote down what it said, begins with what it found before that.
        let is_outdated = check.runs.iter().all(|run| run.checked.is_none())
            && held.is_some_and(|held| held.judged.is_some() && check.since < held.since);
        let judgement = check.judged.filter(|_| is_found && !is_outdated);
        let said = check.judged.filter(|_| !is_outdated);
        let judged = said.or(held.and_then(|held| held.judged));
        // Not judged now: the verdict is an old one, and so are its time and reason where they are known.
        let known = held.filter(|held| judgement.is_none() && judged.is_some() && held.judged == judged);
        let verdict = known.cloned().unwrap_or_else(|| Verdict {
            judged,
            weight: check.weight,
            since: cut(&check.since),
            reason: cut(&check.reason),
            generation: check.generation,
        });
        let now = Held { verdict, fresh: judgement.is_some() || judged.is_none(), listed: true };
        let shown = |held: &Held| (held.verdict.clone(), held.fresh);
        if before.map(shown) != Some(shown(&now)) {
            let acted_on = |verdict: &Verdict| (verdict.judged, verdict.weight);
            news.judged |= held.map_or((None, None), acted_on) != acted_on(&now.verdict);
            news.names.push(check.name.clone());
        }
        self.0.insert(check.name, now);
    }
}

impl Held {
    fn doubt(&mut self, name: &str, news: &mut News) {
        if std::mem::take(&mut self.fresh) {
            news.names.push(name.to_owned());
        }
    }
}

fn cut(text: &str) -> String {
    text.chars().take(TEXT_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use vipkit_control::health::WeightUnit;

    fn check(name: &str, state: State, judged: Option<Judgement>) -> Check {
        crate::testing::check(name, state, judged)
    }

    fn message(step: Step, checks: Vec<Check>) -> Monitor {
        Monitor { step, sequence: 0, daemon: None, checks, removed: Vec::new() }
    }

    fn heard(checks: Vec<Check>) -> Verdicts {
        let mut verdicts = Verdicts::default();
        verdicts.hear(message(Step::Change, checks));
        verdicts
    }

    #[test]
    fn a_server_never_judged_counts_as_up() {
        assert!(!Verdicts::default().is_down("a"));
        for state in [State::Unknown, State::CouldNotRun] {
            assert!(!heard(vec![check("a", state, None)]).is_down("a"));
        }
    }

    #[test]
    fn what_cannot_be_judged_now_is_what_it_was() {
        for state in [State::Unknown, State::CouldNotRun] {
            // healthcheckd's word counts, then ours.
            assert!(heard(vec![check("a", state, Some(Judgement::Down))]).is_down("a"));
            let mut verdicts = heard(vec![check("a", State::Down, None)]);
            let news = verdicts.hear(message(Step::Change, vec![check("a", state, None)]));
            assert_eq!(news, News { names: vec!["a".to_owned()], judged: false });
            assert!(verdicts.is_down("a") && verdicts.is_stale("a"));
            assert_eq!(verdicts.get("a").unwrap().reason, "Down", "of the verdict, not of the state");
            verdicts.hear(message(Step::Change, vec![check("a", state, Some(Judgement::Up))]));
            assert!(!verdicts.is_down("a"));
        }
    }

    #[test]
    fn a_lost_stream_brings_nobody_back() {
        let mut verdicts = heard(vec![check("a", State::Down, None), check("b", State::Up, None)]);
        assert_eq!(verdicts.lost(), News { names: vec!["a".to_owned(), "b".to_owned()], judged: false });
        assert_eq!(verdicts.lost(), News::default());
        assert!(verdicts.is_down("a") && verdicts.is_stale("a"));
        verdicts.hear(message(Step::Begin, vec![]));
        assert!(verdicts.is_down("a"));
        verdicts.hear(message(Step::Page, vec![check("b", State::Up, None)]));
        let news = verdicts.hear(message(Step::Level, vec![]));
        assert_eq!(news, News::default(), "a was stale already");
        assert!(verdicts.is_down("a") && verdicts.is_stale("a"), "this healthcheckd does not know a");
        assert!(!verdicts.is_stale("b"));
        verdicts.hear(message(Step::Change, vec![check("a", State::Up, None)]));
        assert!(!verdicts.is_down("a") && !verdicts.is_stale("a"));
    }

    #[test]
    fn a_check_that_is_removed_keeps_its_verdict() {
        let mut verdicts = heard(vec![check("a", State::Down, None)]);
        let gone = Monitor { removed: vec!["a".to_owned()], ..message(Step::Change, vec![]) };
        assert_eq!(verdicts.hear(gone).names, ["a"]);
        assert!(verdicts.is_down("a") && verdicts.is_stale("a"));
    }

    #[test]
    fn another_name_inherits_what_was_judged_until_it_is_judged_itself() {
        let mut verdicts = heard(vec![check("a", State::Down, None), check("b", State::Unknown, None)]);
        verdicts.inherit(&["a"], "b");
        assert!(verdicts.is_down("b") && verdicts.is_stale("b"));
        verdicts.hear(message(Step::Change, vec![check("b", State::Unknown, None)]));
        assert!(verdicts.is_down("b"), "not judged yet");
        verdicts.hear(message(Step::Change, vec![check("b", State::Up, None)]));
        verdicts.inherit(&["a"], "b");
        assert!(!verdicts.is_down("b"));
        verdicts.inherit(&["b", "a", "d"], "c");
        assert!(verdicts.is_down("c"), "of several a down one");
        verdicts.inherit(&["d"], "e");
        assert!(verdicts.get("e").is_none());
    }

    #[test]
    fn what_was_found_before_what_is_held_is_outdated() {
        let said = |state, since: &str, checked: Option<&str>| {
            let mut check = Check { since: format!("2026-01-01T00:00:{since}Z"), ..check("a", state, None) };
            check.runs.iter_mut().for_each(|run| run.checked = checked.map(str::to_owned));
            check
        };
        let mut verdicts = heard(vec![said(State::Down, "10.000", Some("10.000"))]);
        verdicts.lost();
        // It was killed before it wrote down that the server is down.
        let judged = Check { judged: Some(Judgement::Up), ..said(State::CouldNotRun, "09.000", None) };
        for old in [said(State::Up, "09.000", None), judged] {
            assert_eq!(verdicts.hear(message(Step::Page, vec![old])), News::default());
            assert!(verdicts.is_down("a") && verdicts.is_stale("a"));
        }
        // Run again, it is what was found, whatever the clock says.
        verdicts.hear(message(Step::Change, vec![said(State::Up, "09.000", Some("11.000"))]));
        assert!(!verdicts.is_down("a") && !verdicts.is_stale("a"));
        verdicts.hear(message(Step::Change, vec![said(State::Down, "12.000", None)]));
        assert!(verdicts.is_down("a"), "who does not say when it was checked is believed");
    }

    #[test]
    fn a_name_that_no_check_can_have_is_passed_over() {
        let verdicts = heard(vec![check(&"a".repeat(NAME_MAX + 1), State::Down, None)]);
        assert_eq!(verdicts, Verdicts::default());
        assert!(heard(vec![check(&"a".repeat(NAME_MAX), State::Down, None)]).is_down(&"a".repeat(NAME_MAX)));
    }

    #[test]
    fn news_are_what_changed() {
        let mut verdicts = Verdicts::default();
        let down = || vec![check("a", State::Down, None)];
        assert!(verdicts.hear(message(Step::Page, down())).judged);
        assert_eq!(verdicts.hear(message(Step::Change, down())), News::default());
        let reason = Check { reason: "timed out".to_owned(), ..check("a", State::Down, None) };
        let news = verdicts.hear(message(Step::Change, vec![reason]));
        assert_eq!(news, News { names: vec!["a".to_owned()], judged: false });
    }

    #[test]
    fn what_nobody_asks_for_is_forgotten_once_nobody_says_it() {
        let mut verdicts = heard(vec![check("a", State::Down, None), check("b", State::Down, None)]);
        verdicts.forget(|_| false);
        assert!(verdicts.is_down("a"), "the service may come with the next configuration");
        verdicts.lost();
        verdicts.forget(|name| name == "a");
        assert!(verdicts.is_down("a") && verdicts.get("b").is_none());
        assert_eq!(verdicts.wanted(|_| true).len(), 1);
    }

    #[test]
    fn what_to_act_on_counts_not_what_was_found() {
        let said = |state, judged| Check { judged: Some(judged), ..check("a", state, None) };
        let mut verdicts = heard(vec![said(State::Up, Judgement::Down)]);
        assert!(verdicts.is_down("a") && !verdicts.is_stale("a"), "held down");
        verdicts.hear(message(Step::Change, vec![said(State::Down, Judgement::Up)]));
        assert!(!verdicts.is_down("a") && !verdicts.is_stale("a"), "kept in");
        verdicts.hear(message(Step::Change, vec![said(State::CouldNotRun, Judgement::Down)]));
        assert!(verdicts.is_down("a"), "as its check says");
    }

    #[test]
    fn another_weight_is_acted_on() {
        let weighty = |number| {
            let weight = Some(Weight { unit: WeightUnit::Percent, number });
            message(Step::Change, vec![Check { weight, ..check("a", State::Up, None) }])
        };
        let mut verdicts = Verdicts::default();
        assert!(verdicts.hear(weighty(50)).judged);
        assert!(verdicts.hear(weighty(60)).judged);
        assert_eq!(verdicts.hear(weighty(60)), News::default());
    }

    #[test]
    fn an_earlier_life_is_remembered_as_old() {
        let verdict = heard(vec![check("a", State::Down, None)]).get("a").unwrap().clone();
        let verdicts = Verdicts::remembered([("a".to_owned(), verdict)].into());
        assert!(verdicts.is_down("a") && verdicts.is_stale("a"));
    }

    fn any_act() -> impl Strategy<Value = Option<Monitor>> {
        use prop::sample::select;
        let judged = prop::option::of(select(vec![Judgement::Up, Judgement::Down]));
        let state = select(vec![State::Up, State::Down, State::Unknown, State::CouldNotRun]);
        let name = || select(vec!["a", "b", "c"]);
        let check = (name(), state, judged).prop_map(|(name, state, judged)| check(name, state, judged));
        let step = select(vec![Step::Begin, Step::Page, Step::Level, Step::Change]);
        let removed = prop::collection::vec(name().prop_map(str::to_owned), 0..2);
        let message = (step, prop::collection::vec(check, 0..3), removed)
            .prop_map(|(step, checks, removed)| Monitor { removed, ..message(step, checks) });
        prop::option::weighted(0.8, message)
    }

    proptest! {
        /// Whatever is said and lost, a server is down if and only if the last judgement on it was.
        #[test]
        fn only_a_judgement_changes_what_is_acted_on(acts in prop::collection::vec(any_act(), 0..30)) {
            let mut verdicts = Verdicts::default();
            let mut last = BTreeMap::new();
            for act in acts {
                let before = last.clone();
                let news = match act {
                    None => verdicts.lost(),
                    Some(message) => {
                        for check in &message.checks {
                            let judged = match check.state {
                                State::Up => Some(Judgement::Up),
                                State::Down => Some(Judgement::Down),
                                _ => check.judged,
                            };
                            judged.map(|judged| last.insert(check.name.clone(), judged));
                        }
                        verdicts.hear(message)
                    }
                };
                prop_assert!(news.judged || before == last);
                for name in ["a", "b", "c"] {
                    prop_assert_eq!(verdicts.is_down(name), last.get(name) == Some(&Judgement::Down));
                }
            }
        }
    }
}
