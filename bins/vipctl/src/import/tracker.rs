//! `vrrp_script`, `track_file` and `vrrp_track_process`: what instances may track, as checks with names of their own.

use std::time::Duration;

use super::block::{Cursor, Done, Keyword, any, flag, value, values};
use super::check::Check;
use super::command::{self, Exit};
use super::note::{Notes, Place, Refusal};
use super::said::Said;
use super::toml::value::Value;

/// What is tracked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// `vrrp_script`
    Script,
    /// `track_file`, `vrrp_track_file`
    File,
    /// `vrrp_track_process`
    Process,
}

/// Something that instances may track.
#[derive(Debug)]
pub struct Tracker {
    /// What it is.
    pub sort: Sort,
    /// Its name in keepalived.conf.
    pub name: String,
    /// Its name in vipkit.toml.
    pub label: String,
    /// Where it begins.
    pub at: Place,
    /// What an instance that names no weight takes.
    pub weight: Weight,
    /// What it comes to.
    pub check: Check,
    /// What there is to say of it once it is tracked.
    notes: Notes,
    tracked: bool,
}

impl Tracker {
    /// From now on it is tracked.
    pub fn track(&mut self, notes: &mut Notes) {
        self.tracked = true;
        notes.all.append(&mut self.notes.all);
    }
}

/// A weight as it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weight {
    /// 0 is a fault.
    pub number: i64,
    /// The other way round.
    pub reverse: bool,
}

/// All that were read so far.
#[derive(Debug, Default)]
pub struct Trackers(Vec<Tracker>);

impl Trackers {
    /// The one of this name, if it was read before.
    pub fn find(&mut self, sort: Sort, name: &str) -> Option<&mut Tracker> {
        self.0.iter_mut().find(|tracker| (tracker.sort, tracker.name.as_str()) == (sort, name))
    }

    /// Those that are tracked; the others do not run, which is noted.
    pub fn tracked(self, notes: &mut Notes) -> impl Iterator<Item = Tracker> {
        for Tracker { name, at, .. } in self.0.iter().filter(|tracker| !tracker.tracked) {
            notes.say(
                at,
                format!("{name} is not carried over: no vrrp_instance tracks it, so it does not run"),
            );
        }
        self.0.into_iter().filter(|tracker| tracker.tracked)
    }

    /// A name that no other has.
    fn label(&self, name: &str) -> String {
        const MOST: usize = 60;
        let allowed = |c: char| if c.is_ascii_alphanumeric() || "_.-".contains(c) { c } else { '-' };
        let mut plain: String = name.chars().map(allowed).take(MOST).collect();
        if plain.is_empty() {
            plain.push('-');
        }
        let free = |label: &String| self.0.iter().all(|tracker| tracker.label != *label);
        let more = (2..=self.0.len() + 1).map(|number| format!("{plain}-{number}"));
        std::iter::once(plain.clone()).chain(more).find(free).unwrap_or(plain)
    }

    fn add(
        &mut self,
        sort: Sort,
        said: &Said,
        draft: Draft,
        mut own: Notes,
        check: Check,
        notes: &mut Notes,
    ) {
        let name = said.value();
        if self.0.iter().any(|other| other.sort == sort && other.name == name) {
            notes.say(&said.at, format!("{} {name} is there already: keepalived ignores it", said.name));
            return;
        }
        let label = self.label(name);
        if label != name {
            own.say(&said.at, format!("the name {name:?} becomes {label}"));
        }
        self.0.push(Tracker {
            sort,
            name: name.to_owned(),
            label,
            at: said.at.clone(),
            weight: draft.weight,
            check,
            notes: own,
            tracked: false,
        });
    }
}

/// What was said of one.
#[derive(Default)]
struct Draft {
    weight: Weight,
    // Of a script.
    script: Option<Said>,
    interval: Option<Duration>,
    timeout: Option<Duration>,
    rise: Option<u64>,
    fall: Option<u64>,
    user: Option<String>,
    // Of a file.
    file: Option<String>,
    // Of a process.
    process: Vec<String>,
    quorum: Option<u64>,
    quorum_max: Option<u64>,
    fork_delay: Duration,
    terminate_delay: Duration,
}

const INIT_FAIL: &str =
    "init_fail is not carried over: the instance waits for the first result, at most startup_timeout";
const INIT_FILE: &str = "init_file is not carried over: vipkit writes no file: see that it is there";
const WHOLE: &str = "keepalived compares the whole command line; vipkit the name of the program, and looks for the \
                     arguments in the rest";
const FILE: &str = "keepalived takes a file that is gone as 0, and a sum of -254 or less as a fault; vipkit holds the \
                    number that the file had last, and 1 is the lowest priority";
/// keepalived's 1 s.
const SECOND: Duration = Duration::from_secs(1);

const SCRIPT: &[Keyword<Draft>] = &[
    values(&["script"], |draft, said, _| {
        draft.script = Some(said.clone());
        Ok(())
    }),
    value(&["interval"], |draft, said, notes| {
        draft.interval = positive(said, notes)?.or(draft.interval);
        Ok(())
    }),
    value(&["timeout"], |draft, said, notes| {
        draft.timeout = positive(said, notes)?.or(draft.timeout);
        Ok(())
    }),
    value(&["rise"], |draft, said, notes| {
        draft.rise = said.number(1..=u64::from(u32::MAX), notes)?.or(draft.rise);
        Ok(())
    }),
    value(&["fall"], |draft, said, notes| {
        draft.fall = said.number(1..=u64::from(u32::MAX), notes)?.or(draft.fall);
        Ok(())
    }),
    values(&["weight"], |draft, said, notes| weight(draft, said, 253, notes)),
    values(&["user"], |draft, said, _| {
        draft.user = Some(said.value().to_owned());
        Ok(())
    }),
    flag(&["init_fail"], |_, said, notes| {
        notes.say(&said.at, INIT_FAIL);
        Ok(())
    }),
];

const FILES: &[Keyword<Draft>] = &[
    value(&["file"], |draft, said, _| {
        draft.file = Some(said.value().to_owned());
        Ok(())
    }),
    values(&["weight"], |draft, said, notes| weight(draft, said, 254, notes)),
    any(&["init_file"], |_, said, notes| {
        notes.say(&said.at, INIT_FILE);
        Ok(())
    }),
];

const PROCESS: &[Keyword<Draft>] = &[
    values(&["process"], |draft, said, notes| {
        draft.process.clone_from(&said.values);
        if draft.process.len() > 1 {
            notes.once(&said.at, WHOLE);
        }
        Ok(())
    }),
    values(&["weight"], |draft, said, notes| weight(draft, said, 254, notes)),
    value(&["quorum"], |draft, said, notes| {
        draft.quorum = said.number(1..=65535, notes)?.or(draft.quorum);
        Ok(())
    }),
    value(&["quorum_max"], |draft, said, notes| {
        draft.quorum_max = said.number(0..=65535, notes)?.or(draft.quorum_max);
        Ok(())
    }),
    value(&["fork_delay"], |draft, said, notes| {
        draft.fork_delay = said.seconds(Duration::ZERO, notes)?.unwrap_or(draft.fork_delay);
        Ok(())
    }),
    value(&["terminate_delay"], |draft, said, notes| {
        draft.terminate_delay = said.seconds(Duration::ZERO, notes)?.unwrap_or(draft.terminate_delay);
        Ok(())
    }),
    value(&["delay"], |draft, said, notes| {
        if let Some(delay) = said.seconds(Duration::ZERO, notes)? {
            draft.fork_delay = delay;
            draft.terminate_delay = delay;
        }
        Ok(())
    }),
    any(&["param_match", "full_command"], |_, said, notes| {
        notes.once(&said.at, WHOLE);
        Ok(())
    }),
];

/// keepalived takes 0 as a second.
fn positive(said: &Said, notes: &mut Notes) -> Result<Option<Duration>, Refusal> {
    let length = said.seconds(Duration::ZERO, notes)?;
    Ok(length.map(|length| if length.is_zero() { SECOND } else { length }))
}

fn weight(draft: &mut Draft, said: &Said, most: i64, notes: &mut Notes) -> Done {
    if let Some(number) = said.signed(-most..=most, notes)? {
        let reverse = said.values.get(1).is_some_and(|word| word == "reverse");
        draft.weight = Weight { number, reverse };
    }
    Ok(())
}

/// A check that runs so often, of no kind yet.
fn check(interval: Duration, timeout: Duration) -> Check {
    Check { kind: "", keys: Vec::new(), interval, timeout, retries: 0, retry_delay: SECOND, rise: 1, fall: 1 }
}

/// Reads a `vrrp_script`; `user` is `script_user`.
///
/// # Errors
/// It cannot be understood.
pub fn script(
    trackers: &mut Trackers,
    user: Option<&str>,
    said: &Said,
    cursor: &mut Cursor<'_>,
    notes: &mut Notes,
) -> Done {
    let (mut draft, mut own) = (Draft::default(), Notes::new(notes.intended));
    cursor.block(SCRIPT, &mut draft, &mut own)?;
    let Some(line) = draft.script.take() else { return lacks("script", said, notes) };
    let interval = draft.interval.unwrap_or(SECOND);
    let mut check = check(interval, draft.timeout.unwrap_or(interval));
    command::ask(&line, Exit::Simple, draft.user.as_deref().or(user), &mut check, &mut own);
    check.rise = draft.rise.unwrap_or(1);
    check.fall = draft.fall.unwrap_or(1);
    trackers.add(Sort::Script, said, draft, own, check, notes);
    Ok(())
}

/// Reads a `track_file`.
///
/// # Errors
/// It cannot be understood.
pub fn file(trackers: &mut Trackers, said: &Said, cursor: &mut Cursor<'_>, notes: &mut Notes) -> Done {
    let weight = Weight { number: 1, reverse: false };
    let (mut draft, mut own) = (Draft { weight, ..Draft::default() }, Notes::new(notes.intended));
    cursor.block(FILES, &mut draft, &mut own)?;
    let Some(file) = draft.file.take() else { return lacks("file", said, notes) };
    own.say(&said.at, format!("{}: {FILE}", said.value()));
    let mut check = check(SECOND, SECOND);
    check.is("file", vec![("file", file.into())]);
    trackers.add(Sort::File, said, draft, own, check, notes);
    Ok(())
}

/// Reads a `vrrp_track_process`.
///
/// # Errors
/// It cannot be understood.
pub fn process(trackers: &mut Trackers, said: &Said, cursor: &mut Cursor<'_>, notes: &mut Notes) -> Done {
    let (mut draft, mut own) = (Draft::default(), Notes::new(notes.intended));
    cursor.block(PROCESS, &mut draft, &mut own)?;
    let Some((program, arguments)) = draft.process.split_first() else {
        return lacks("process", said, notes);
    };
    let name = program.rsplit('/').next().unwrap_or(program);
    let mut check = check(SECOND, SECOND);
    check.is("process", vec![("name", name.into())]);
    if !arguments.is_empty() {
        check.with("arguments", arguments.join(" "));
    }
    let least = draft.quorum.unwrap_or(1).min(draft.quorum_max.unwrap_or(u64::MAX));
    if least != 1 {
        check.with("at_least", least);
    }
    if let Some(most) = draft.quorum_max {
        check.with("at_most", Value::from(most));
    }
    // Looked for once a second; a delay is as many looks more.
    let looks = |delay: Duration| 1 + u64::try_from(delay.as_millis().div_ceil(1000)).unwrap_or(u64::MAX - 1);
    check.rise = looks(draft.fork_delay);
    check.fall = looks(draft.terminate_delay);
    trackers.add(Sort::Process, said, draft, own, check, notes);
    Ok(())
}

fn lacks(keyword: &str, said: &Said, notes: &mut Notes) -> Done {
    notes.say(&said.at, format!("{} {} without {keyword}: keepalived ignores it", said.name, said.value()));
    Ok(())
}
