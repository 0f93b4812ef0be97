//! Checks as they are called: what each is made of and where it stands. Outcomes of runs, time and the administrator go
//! in; what is to be acted on comes out. Must not run anything or read a clock.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use vipkit_config::{Checked, Config, Damping};
use vipkit_control::common::Changes;
use vipkit_control::health::{Judgement, State};

use crate::combine::{self, Combined, combine};
use crate::damper::{Damped, Damper};
use crate::floor::{self, Floor};
use crate::kept::{Estate, Kept, KeptCheck, KeptRun};
use crate::runs::{Run, RunId, Runs, Turnover};
use crate::standing::{Disabled, Rejudged, Standing};
use crate::users::users;
use crate::verdict::{Found, Outcome, Step, moved};
use crate::weight::Weight;

/// A check with a name.
#[derive(Clone, Debug)]
pub struct Entry {
    checked: Checked,
    /// The run of each of its parts.
    parts: Vec<RunId>,
    used_by: Vec<String>,
    standing: Standing,
    /// Where it stood, while a later judgement must not be told.
    told: Option<Standing>,
    damper: Damper,
    /// What the damper makes of it now.
    damped: Damped,
    /// It is down, but too many of its service are.
    kept_in: bool,
    /// Since when it is to be out, by which the floor of its service was decided.
    out: Option<SystemTime>,
    disabled: Option<Disabled>,
}

impl Entry {
    /// What it is made of.
    #[must_use]
    pub const fn checked(&self) -> &Checked {
        &self.checked
    }

    /// The run of each of its parts.
    #[must_use]
    pub fn parts(&self) -> &[RunId] {
        &self.parts
    }

    /// Who acts on it.
    #[must_use]
    pub fn used_by(&self) -> &[String] {
        &self.used_by
    }

    /// Where it stands, as others are shown it.
    #[must_use]
    pub fn told(&self) -> &Standing {
        self.told.as_ref().unwrap_or(&self.standing)
    }

    /// Where it stands.
    #[must_use]
    pub const fn standing(&self) -> &Standing {
        &self.standing
    }

    /// Who has it not run.
    #[must_use]
    pub const fn disabled(&self) -> Option<&Disabled> {
        self.disabled.as_ref()
    }

    /// Since when it is to be out, if it is.
    fn out_since(&self) -> Option<SystemTime> {
        match self.disabled {
            Some(_) => (self.standing.judged == Some(Judgement::Down)).then_some(self.standing.since),
            None => self.damper.down_since().filter(|_| self.damped.judged == Some(Judgement::Down)),
        }
    }

    fn is_plain(&self) -> bool {
        self.parts.len() == 1 && self.damped.note.is_none() && !self.kept_in
    }
}

/// All checks.
#[derive(Debug, Default)]
pub struct Checks {
    runs: Runs,
    entries: BTreeMap<String, Entry>,
    /// By service.
    floors: BTreeMap<String, Floor>,
    untold: BTreeSet<String>,
    /// Those that change by themselves, by when.
    ripening: BTreeSet<(SystemTime, String)>,
}

/// What an event led to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// Names of checks that are not shown as before.
    pub touched: BTreeSet<String>,
    /// What to act on changed.
    pub rejudged: Vec<Rejudged>,
    /// Names of those that are kept in from now on, though they are down.
    pub kept_in: Vec<String>,
}

/// What a configuration changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configured {
    /// In numbers of checks.
    pub changes: Changes,
    /// Of runs.
    pub turnover: Turnover,
    /// Of checks.
    pub news: News,
}

impl Checks {
    /// Goes over to a configuration. What it does not change goes on as it is; what is new inherits from what was `kept`,
    /// if it can.
    pub fn configure(&mut self, config: Config, kept: &Kept, found: Found, now: SystemTime) -> Configured {
        let mut done = Configured::default();
        let used_by = users(&config);
        self.floors = floor::floors(&config);
        let parts = config
            .checks
            .iter()
            .flat_map(|(name, checked)| checked.parts.iter().map(move |part| (name.as_str(), &part.check)));
        let estate = Estate::new(kept);
        let (ids, turnover) = self.runs.configure(parts, &estate, found, now);
        let mut ids = ids.into_iter();
        let mut old = std::mem::take(&mut self.entries);
        for (name, checked) in config.checks {
            let parts: Vec<RunId> = ids.by_ref().take(checked.parts.len()).collect();
            let used_by = used_by.get(&name).cloned().unwrap_or_default();
            let entry = match old.remove(&name) {
                None => {
                    done.changes.added += 1;
                    done.news.touched.insert(name.clone());
                    self.enter(&name, checked, parts, used_by, kept, now)
                }
                Some(entry) => {
                    let is_same = entry.checked == checked && entry.parts == parts;
                    *if is_same { &mut done.changes.unchanged } else { &mut done.changes.changed } += 1;
                    let is_shown_anew = !is_same
                        || entry.used_by != used_by
                        || parts.iter().any(|id| turnover.shared_anew.contains(id));
                    if is_shown_anew {
                        done.news.touched.insert(name.clone());
                    }
                    Entry { checked, parts, used_by, ..entry }
                }
            };
            self.entries.insert(name, entry);
        }
        done.changes.removed = old.len() as u64;
        let entries = &self.entries;
        self.untold.retain(|name| entries.contains_key(name));
        self.ripening.retain(|(_, name)| entries.contains_key(name));
        let mut news = News { touched: old.into_keys().collect(), ..News::default() };
        self.judge(&done.news.touched, now, &mut news);
        self.drop_floors(now, &mut news);
        let services: Vec<String> = self.floors.keys().cloned().collect();
        services.iter().for_each(|service| self.keep_in(service, now, &mut news));
        done.news.touched.append(&mut news.touched);
        (done.news.rejudged, done.news.kept_in) = (news.rejudged, news.kept_in);
        done.turnover = turnover;
        done
    }

    /// A check that is new: it stands where it stood before the restart, or where its parts are. A time to come is none: the
    /// clock was set.
    fn enter(
        &self,
        name: &str,
        checked: Checked,
        parts: Vec<RunId>,
        used_by: Vec<String>,
        kept: &Kept,
        now: SystemTime,
    ) -> Entry {
        let kept = kept.checks.get(name).cloned();
        let KeptCheck { mut standing, damper, mut disabled, .. } =
            kept.unwrap_or_else(|| KeptCheck::new(self.found(&checked, &parts, now)));
        standing.since = standing.since.min(now);
        disabled.iter_mut().for_each(|disabled| disabled.since = disabled.since.min(now));
        let damped = Damped { judged: standing.judged, share: 100, note: None, next: None };
        Entry {
            checked,
            parts,
            used_by,
            standing,
            told: None,
            damper: damper.read_back(now),
            damped,
            kept_in: false,
            out: None,
            disabled,
        }
    }

    /// Where a check stands by its parts alone, since the latest of them.
    fn found(&self, checked: &Checked, parts: &[RunId], now: SystemTime) -> Standing {
        let Combined { state, judged, .. } = combine(&views(&self.runs, checked, parts), checked.needed);
        let since = parts.iter().filter_map(|id| self.runs.get(*id)).map(|run| run.verdict().since()).max();
        let since = since.filter(|_| state != State::Unknown).unwrap_or(now);
        Standing { state, judged, since, ..Standing::unknown(now) }
    }

    /// Takes in what came of a run; none if nobody needs it any more. A judgement that changed is not told before
    /// [`tell`](Self::tell).
    pub fn finished(
        &mut self,
        id: RunId,
        outcome: Outcome,
        took: Duration,
        now: SystemTime,
    ) -> Option<(Step, News)> {
        let step = self.runs.finished(id, outcome, took, now)?;
        let mut news = News::default();
        if step.news {
            let users = self.runs.get(id)?.users().clone();
            self.judge(&users, now, &mut news);
            news.touched.extend(users);
            self.hold_back(&mut news);
        }
        Some((step, news))
    }

    /// When something changes by itself.
    #[must_use]
    pub fn next(&self) -> Option<SystemTime> {
        self.ripening.first().map(|(moment, _)| *moment)
    }

    /// Time has passed.
    pub fn mature(&mut self, now: SystemTime) -> News {
        let mut news = News::default();
        let mut ripe = BTreeSet::new();
        while self.ripening.first().is_some_and(|(moment, _)| *moment <= now) {
            ripe.extend(self.ripening.pop_first().map(|(_, name)| name));
        }
        self.judge(&ripe, now, &mut news);
        self.hold_back(&mut news);
        news
    }

    /// The administrator has a check not run, or run again; none if there is no such check.
    pub fn set_disabled(&mut self, name: &str, disabled: Option<Disabled>, now: SystemTime) -> Option<News> {
        let entry = self.entries.get_mut(name)?;
        entry.disabled = disabled;
        let mut news = News { touched: [name.to_owned()].into(), ..News::default() };
        self.judge(&news.touched.clone(), now, &mut news);
        self.hold_back(&mut news);
        Some(news)
    }

    /// Whether nobody wants this run to be done now.
    #[must_use]
    pub fn is_idle(&self, run: &Run) -> bool {
        let mut users = run.users().iter().filter_map(|name| self.entries.get(name));
        users.all(|entry| entry.disabled.is_some())
    }

    /// Goes by what is known of the parts of these checks now.
    fn judge(&mut self, names: &BTreeSet<String>, now: SystemTime, news: &mut News) {
        let services: BTreeSet<String> = names.iter().filter_map(|name| self.damp(name, now)).collect();
        services.iter().for_each(|service| self.keep_in(service, now, news));
        names.iter().for_each(|name| self.stand(name, now, news));
    }

    /// Decides whether a check is to be out by what is known of its parts, and says whose floor that may change.
    fn damp(&mut self, name: &str, now: SystemTime) -> Option<String> {
        let entry = self.entries.get_mut(name)?;
        if let Some(next) = entry.damped.next.take() {
            self.ripening.remove(&(next, name.to_owned()));
        }
        if entry.disabled.is_none() {
            let combined = combine(&views(&self.runs, &entry.checked, &entry.parts), entry.checked.needed);
            let Damping { slow_start, .. } = entry.checked.damping;
            // Who was kept in was never gone, so he does not return.
            let damping =
                Damping { slow_start: slow_start.filter(|_| !entry.kept_in), ..entry.checked.damping };
            let damped = entry.damper.step(&damping, combined.judged, now);
            // What is not known now is what it was.
            let judged = damped.judged.or(entry.damped.judged);
            entry.damped = Damped { judged, ..damped };
            self.ripening.extend(entry.damped.next.map(|next| (next, name.to_owned())));
        }
        let out = entry.out_since();
        let is_out_anew = std::mem::replace(&mut entry.out, out) != out;
        let (service, _) = entry.checked.server.as_ref().filter(|_| is_out_anew)?;
        self.floors.contains_key(service).then(|| service.clone())
    }

    /// Decides anew which servers of a service are kept in. Those that are disabled stay as they are.
    fn keep_in(&mut self, service: &str, now: SystemTime, news: &mut News) {
        let Some(floor) = self.floors.get(service) else { return };
        let members: Vec<(&String, &Entry)> =
            floor.members.iter().filter_map(|name| self.entries.get_key_value(name)).collect();
        let out =
            members.iter().filter_map(|(name, entry)| Some((entry.out_since()?, name.as_str(), *entry)));
        let (stay_out, down): (Vec<_>, Vec<_>) = out.partition(|(.., entry)| entry.disabled.is_some());
        let down = down.into_iter().map(|(since, name, _)| (since, name)).collect();
        let allowed = floor.allowed().saturating_sub(stay_out.len());
        let kept_in: BTreeSet<&str> = floor::kept_in(down, allowed).into_iter().collect();
        let turned: Vec<(String, bool)> = members
            .into_iter()
            .map(|(name, entry)| (name, entry.kept_in, kept_in.contains(name.as_str())))
            .filter(|(_, was_in, is_in)| was_in != is_in)
            .map(|(name, _, is_in)| (name.clone(), is_in))
            .collect();
        turned.into_iter().for_each(|(name, is_in)| self.turn(name, is_in, now, news));
    }

    /// Nobody is kept in where there is no floor any more.
    fn drop_floors(&mut self, now: SystemTime, news: &mut News) {
        let has_floor =
            |entry: &Entry| entry.checked.server.as_ref().is_some_and(|(s, _)| self.floors.contains_key(s));
        let freed = self.entries.iter().filter(|(_, entry)| entry.kept_in && !has_floor(entry));
        let freed: Vec<String> = freed.map(|(name, _)| name.clone()).collect();
        freed.into_iter().for_each(|name| self.turn(name, false, now, news));
    }

    /// From now on a check is kept in, or not.
    fn turn(&mut self, name: String, is_in: bool, now: SystemTime, news: &mut News) {
        let Some(entry) = self.entries.get_mut(&name) else { return };
        entry.kept_in = is_in;
        self.stand(&name, now, news);
        news.kept_in.extend(is_in.then_some(name));
    }

    /// Says where a check stands, by all that is decided.
    fn stand(&mut self, name: &str, now: SystemTime, news: &mut News) {
        let Some(entry) = self.entries.get(name).filter(|entry| entry.disabled.is_none()) else { return };
        let combined = combine(&views(&self.runs, &entry.checked, &entry.parts), entry.checked.needed);
        let judged = if entry.kept_in { Some(Judgement::Up) } else { entry.damped.judged };
        let mut notes = vec![combined.reason];
        if entry.kept_in {
            let service = entry.checked.server.as_ref().and_then(|(service, _)| self.floors.get(service));
            notes.extend(service.map(|floor| format!("kept in: {floor}")));
        } else {
            notes.extend(entry.damped.note.clone());
        }
        let share = entry.damped.share;
        let weight = match combined.weight {
            weight if share == 100 => weight,
            weight => Some(weight.unwrap_or(Weight::Percent(100)).scaled(share)),
        };
        let weight = weight.filter(|_| !entry.kept_in && judged == Some(Judgement::Up));
        let standing = Standing {
            weight,
            reason: notes.join("; "),
            warning: combined.warning,
            ..entry.standing.changed(combined.state, judged, now)
        };
        let Some(entry) = self.entries.get_mut(name).filter(|entry| entry.standing != standing) else {
            return;
        };
        news.touched.insert(name.to_owned());
        let before = std::mem::replace(&mut entry.standing, standing);
        if before.judged != judged {
            news.rejudged.push(Rejudged {
                name: name.to_owned(),
                from: before.judged,
                to: judged,
                lasted: now.duration_since(before.since).unwrap_or_default(),
                is_plain: entry.is_plain(),
            });
            entry.told.get_or_insert(before);
            self.untold.insert(name.to_owned());
        }
    }

    /// What must not be told yet is no news.
    fn hold_back(&self, news: &mut News) {
        news.touched.retain(|name| self.entries.get(name).is_none_or(|entry| entry.told.is_none()));
    }

    /// Checks with a judgement that is not told yet: whoever takes them keeps it first, then [tells](Self::tell) it.
    #[must_use]
    pub fn take_untold(&mut self) -> BTreeSet<String> {
        std::mem::take(&mut self.untold)
    }

    /// From now on others are shown where these stand, unless that changed once more; those that are.
    pub fn tell(&mut self, told: &BTreeSet<String>) -> Vec<String> {
        let mut names = Vec::new();
        for name in told.difference(&self.untold) {
            if let Some(entry) = self.entries.get_mut(name) {
                entry.told = None;
                names.push(name.clone());
            }
        }
        names
    }

    /// The time of day was set: what was called `from` is called `to` now.
    pub fn set_times(&mut self, from: SystemTime, to: SystemTime) {
        self.runs.set_times(from, to);
        self.ripening.clear();
        for (name, entry) in &mut self.entries {
            entry.standing.set_time(from, to);
            entry.told.iter_mut().for_each(|told| told.set_time(from, to));
            entry.damper.set_time(from, to);
            entry.disabled.iter_mut().for_each(|disabled| {
                disabled.since = moved(disabled.since, from, to);
            });
            entry.damped.next = entry.damped.next.map(|next| moved(next, from, to));
            self.ripening.extend(entry.damped.next.map(|next| (next, name.clone())));
            entry.out = entry.out_since();
        }
    }

    /// All runs.
    #[must_use]
    pub const fn runs(&self) -> &Runs {
        &self.runs
    }

    /// The check of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// All checks by name.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Entry)> {
        self.entries.iter()
    }

    /// How many checks are in which state, in a line.
    #[must_use]
    pub fn summary(&self) -> String {
        let count = |state: State| self.entries.values().filter(|e| e.standing.state == state).count();
        let counted = [
            (State::Up, "up"),
            (State::Down, "down"),
            (State::Unknown, "unknown"),
            (State::CouldNotRun, "could not run"),
        ];
        let counted = counted.map(|(state, name)| (count(state), name)).into_iter();
        let states = counted.filter(|(count, _)| *count > 0).map(|(count, name)| format!(", {count} {name}"));
        let total = self.entries.len();
        format!("{total} check{}{}", if total == 1 { "" } else { "s" }, states.collect::<String>())
    }

    /// A copy of what a successor needs, for others to make something of.
    #[must_use]
    pub fn keep(&self) -> Kept {
        let (mut runs, mut place) = (Vec::new(), BTreeMap::new());
        for (id, run) in self.runs.iter() {
            if let Some(kept) = KeptRun::new(run) {
                place.insert(id, runs.len());
                runs.push(kept);
            }
        }
        let check = |(name, entry): (&String, &Entry)| {
            let Entry { standing, damper, disabled, parts, .. } = entry;
            let kept = KeptCheck {
                standing: standing.clone(),
                damper: damper.clone(),
                disabled: disabled.clone(),
                runs: parts.iter().filter_map(|id| place.get(id).copied()).collect(),
            };
            (name.clone(), kept)
        };
        let checks = self.entries.iter().map(check).collect();
        Kept { runs, checks, ..Kept::default() }
    }
}

fn views<'a>(runs: &'a Runs, checked: &'a Checked, parts: &[RunId]) -> Vec<combine::Part<'a>> {
    let parts = parts.iter().zip(&checked.parts);
    parts.filter_map(|(id, part)| Some(view(&part.label, runs.get(*id)?))).collect()
}

fn view<'a>(label: &'a str, run: &'a Run) -> combine::Part<'a> {
    let verdict = run.verdict();
    combine::Part {
        label,
        state: verdict.state(),
        judged: verdict.judged(),
        weight: verdict.weight(),
        reason: verdict.reason(),
        warning: verdict.warning(),
    }
}

#[cfg(test)]
pub(crate) mod tests;
