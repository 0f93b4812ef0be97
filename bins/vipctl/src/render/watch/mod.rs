//! `vipctl watch`: the steps of a Monitor as one line for each thing that changed. Remembers the objects as they were
//! last shown, no more of them than a configuration has, and nothing older.

mod checks;
mod instances;
mod services;

use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

use serde::de::DeserializeOwned;
use serde_json::Value;
use vipkit_control::common::{Notice, Running};
use vipkit_control::monitor::{Step, Update};

use super::check::count;
use super::notice::SHOWN;
use super::text::{Cell, Style, Text, Tone, plain};
use super::time;
use crate::daemons::object::Object;

/// Who tells a daemon's stream, reply by reply.
pub trait Tell: fmt::Debug {
    /// What a reply says, as text; none or more lines.
    ///
    /// # Errors
    /// It is no reply of this stream.
    fn tell(&mut self, reply: Value, now: SystemTime, style: Style) -> serde_json::Result<String>;
}

/// An object that is told about.
pub trait Told: Object {
    /// A reply of the stream.
    type Monitor: DeserializeOwned;
    /// The daemon.
    type Daemon;
    /// The daemon's name.
    const TELLER: &'static str;

    /// The reply without the names of its interface.
    fn update(monitor: Self::Monitor) -> Update<Self::Daemon, Self>;
    /// What all daemons say.
    fn running(daemon: &Self::Daemon) -> &Running;
    /// How it is when the story begins.
    fn level(&self, now: SystemTime, lines: &mut Lines);
    /// How it is when it is new.
    fn added(&self) -> Vec<Cell>;
    /// What differs, in the order in which it matters.
    fn changes(before: &Self, after: &Self, lines: &mut Lines);
    /// A line about one of them.
    fn line(lines: &mut Lines, name: &str, words: &[Cell]) {
        lines.add(name, words);
    }
    /// How all of them are, in one line before the others.
    fn summary(_: &BTreeMap<String, Self>) -> Option<Vec<Cell>> {
        None
    }
    /// What is remarkable about the daemon, and what is different from before.
    fn of_daemon(_: Option<&Self::Daemon>, _: &Self::Daemon, _: &mut Lines) {}
}

/// What was told so far.
#[derive(Debug)]
pub struct Story<T: Told> {
    daemon: Option<T::Daemon>,
    objects: BTreeMap<String, T>,
}

impl<T: Told> Default for Story<T> {
    fn default() -> Self {
        Self { daemon: None, objects: BTreeMap::new() }
    }
}

impl<T: Told + fmt::Debug> Tell for Story<T>
where
    T::Daemon: fmt::Debug,
{
    fn tell(&mut self, reply: Value, now: SystemTime, style: Style) -> serde_json::Result<String> {
        Ok(self.go_on(T::update(serde_json::from_value(reply)?), now, style))
    }
}

impl<T: Told> Story<T> {
    fn go_on(&mut self, update: Update<T::Daemon, T>, now: SystemTime, style: Style) -> String {
        let mut lines = Lines { text: Text::new(style), now };
        match update.step {
            Step::Begin => self.begin(update.daemon, &mut lines),
            Step::Page => self.keep(update.objects),
            Step::Level => {
                if let Some(summary) = T::summary(&self.objects) {
                    lines.add(T::TELLER, &summary);
                }
                self.objects.values().for_each(|object| object.level(now, &mut lines));
            }
            Step::Change => self.change(update, &mut lines),
        }
        lines.text.finish()
    }

    fn begin(&mut self, daemon: Option<T::Daemon>, lines: &mut Lines) {
        self.objects.clear();
        if let Some(daemon) = &daemon {
            let Running { node, version, digest, .. } = T::running(daemon);
            let digest = if digest.is_empty() { String::new() } else { format!(", digest {digest}") };
            lines.add(T::TELLER, &[plain(format!("on {node}, version {version}{digest}"))]);
            T::of_daemon(None, daemon, lines);
        }
        self.daemon = daemon;
    }

    fn keep(&mut self, objects: Vec<T>) {
        for object in objects {
            if self.objects.len() < T::MOST || self.objects.contains_key(object.name()) {
                self.objects.insert(object.name().to_owned(), object);
            }
        }
    }

    fn change(&mut self, update: Update<T::Daemon, T>, lines: &mut Lines) {
        if let Some(daemon) = update.daemon {
            let digest = |daemon: &T::Daemon| T::running(daemon).digest.clone();
            if let Some(before) = self.daemon.as_ref().map(digest).filter(|before| *before != digest(&daemon))
            {
                let words = format!("reloaded, digest {before} -> {}", digest(&daemon));
                lines.add(T::TELLER, &[plain(words)]);
            }
            T::of_daemon(self.daemon.as_ref(), &daemon, lines);
            self.daemon = Some(daemon);
        }
        let mut added = Vec::new();
        for object in &update.objects {
            match self.objects.get(object.name()) {
                Some(before) => T::changes(before, object, lines),
                None => added.push(object),
            }
        }
        each_or_count::<T, _>(&added, "added", lines, |object, lines| {
            T::line(lines, object.name(), &[vec![plain("added: ")], object.added()].concat());
        });
        let mut removed = update.removed;
        removed.retain(|name| self.objects.remove(name).is_some());
        each_or_count::<T, _>(&removed, "removed", lines, |name, lines| {
            T::line(lines, name, &[plain("removed")]);
        });
        self.keep(update.objects);
    }
}

/// A line for each that came or went; of more than [`SHOWN`] at once only how many: a reload of thousands hides nothing
/// else.
fn each_or_count<T: Told, I>(items: &[I], what: &str, lines: &mut Lines, each: impl Fn(&I, &mut Lines)) {
    if items.len() > SHOWN {
        lines.add(T::TELLER, &[plain(format!("{} {what}", count(items.len(), T::NOUN)))]);
    } else {
        items.iter().for_each(|item| each(item, lines));
    }
}

/// The lines of one step, all of one moment.
#[derive(Debug)]
pub struct Lines {
    text: Text,
    now: SystemTime,
}

impl Lines {
    fn add(&mut self, name: &str, words: &[Cell]) {
        line(&mut self.text, self.now, name, words);
    }

    /// The notices that came, and those that went.
    fn notices(&mut self, name: &str, (label, tone): (&str, Tone), before: &[Notice], after: &[Notice]) {
        for Notice { what, remedy } in after.iter().filter(|notice| !before.contains(notice)) {
            self.add(name, &[(tone, format!("{label}: ")), plain(format!("{what} (remedy: {remedy})"))]);
        }
        for Notice { what, .. } in before.iter().filter(|notice| !after.contains(notice)) {
            self.add(name, &[(Tone::Good, format!("{label} gone: ")), plain(what)]);
        }
    }
}

/// Something that is not in a stream.
#[must_use]
pub fn remark(name: &str, tone: Tone, words: &str, now: SystemTime, style: Style) -> String {
    let mut text = Text::new(style);
    line(&mut text, now, name, &[(tone, words.to_owned())]);
    text.finish()
}

/// The days of what is told: a line has only the time of day.
#[derive(Debug, Default)]
pub struct Days {
    last: Option<String>,
}

impl Days {
    /// The line of the day, unless it is that of the line before.
    pub fn turn(&mut self, now: SystemTime, style: Style) -> String {
        let today = time::day(now);
        let mut text = Text::new(style);
        if self.last.as_ref() != Some(&today) {
            text.put(Tone::Faint, &today).end();
            self.last = Some(today);
        }
        text.finish()
    }
}

fn line(text: &mut Text, now: SystemTime, name: &str, words: &[Cell]) {
    let time = time::of_day(now);
    let width = name.chars().count().max(NAME);
    let indent = time.len() + 2 + width + 2;
    text.put(Tone::Faint, &time).skip(2).say(name).skip(2 + width - name.chars().count());
    text.fold(words, indent);
}

/// Names up to this long are aligned: those of the daemons are.
const NAME: usize = 12;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::testing::now;

    #[test]
    fn a_day_is_told_once() {
        let mut days = Days::default();
        let day = Duration::from_secs(86_400);
        let turns = [now(), now() + day / 2, now() + day, now()].map(|now| days.turn(now, Style::Plain));
        assert_eq!(turns, ["2026-02-03\n", "", "2026-02-04\n", "2026-02-03\n"]);
    }

    #[test]
    fn long_words_go_on_under_themselves() {
        let words = ["word"; 12].join(" ");
        let told = |name| remark(name, Tone::Bad, &words, now(), Style::Plain);
        let short = format!("03:00:00Z  web           {}\n{}word\n", ["word"; 11].join(" "), " ".repeat(25));
        let long = format!("03:00:00Z  production-web-front  {}\n{}", ["word"; 9].join(" "), " ".repeat(33));
        assert_eq!(told("web"), short);
        assert_eq!(told("production-web-front"), format!("{long}word word word\n"));
    }
}

#[cfg(test)]
mod testing {
    //! Stories for the tests of each kind of object.

    use super::*;
    use crate::testing::now;

    /// A step of a stream.
    pub fn step<T: Told>(
        step: Step,
        daemon: Option<T::Daemon>,
        objects: Vec<T>,
        removed: &[&str],
    ) -> Update<T::Daemon, T> {
        let removed = removed.iter().map(|name| (*name).to_owned()).collect();
        Update { step, sequence: 1, daemon, objects, removed }
    }

    /// What a step says.
    pub fn tell<T: Told>(story: &mut Story<T>, update: Update<T::Daemon, T>) -> String {
        story.go_on(update, now(), Style::Plain)
    }

    /// A story with these objects, and how it began.
    pub fn begun<T: Told>(daemon: T::Daemon, objects: Vec<T>) -> (Story<T>, String) {
        let mut story = Story::default();
        let steps = [
            step(Step::Begin, Some(daemon), vec![], &[]),
            step(Step::Page, None, objects, &[]),
            step(Step::Level, None, vec![], &[]),
        ];
        let text = steps.map(|step| tell(&mut story, step)).concat();
        (story, text)
    }

    /// What is said when `before` becomes `after`, without the time and the name.
    pub fn said<T: Told>(daemon: T::Daemon, before: T, after: T) -> Vec<String> {
        let (mut story, _) = begun(daemon, vec![before]);
        words(&tell(&mut story, step(Step::Change, None, vec![after], &[])))
    }

    /// Lines without the time and the name.
    pub fn words(text: &str) -> Vec<String> {
        let words = |line: &str| line.splitn(3, "  ").last().expect("words").trim_start().to_owned();
        text.lines().map(words).collect()
    }
}
