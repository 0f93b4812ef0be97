//! What the mouths of all daemons have in common: lists in pages, names that are not there, a refused configuration, and what the log says of
//! callers. Must not know an interface.

use std::cell::RefCell;

use tracing::{info, warn};
use vipkit_config::Faults;
use vipkit_control::call::{Call, NoParameters};
use vipkit_control::common::{ConfigRefused, Fault, ListParameters};
use vipkit_control::error::Error;
use vipkit_control::handler::{Event, Outcome};
use vipkit_control::monitor::Source;
use vipkit_control::page::{MAX_OBJECTS, Page};
use vipkit_core::limit::Limiter;

use crate::clock::now;

/// The objects that are asked for, as many as a message takes, and the cursor to go on from if there are more. The
/// source's names must be in order.
///
/// # Errors
/// The limit is not from 1 to [`MAX_OBJECTS`].
pub fn list<S: Source>(
    source: &S,
    asked: &ListParameters,
) -> Result<(Vec<S::Object>, Option<String>), Error> {
    let mut page = Page::asked(asked.limit)?;
    let mut objects = Vec::new();
    let mut last = None;
    for name in source.names() {
        if asked.cursor.as_ref().is_some_and(|cursor| name <= *cursor) {
            continue;
        }
        let Some(object) = source.object(&name) else { continue };
        if !page.admits(&object) {
            return Ok((objects, last));
        }
        objects.push(object);
        last = Some(name);
    }
    Ok((objects, None))
}

/// The object of this name; or what `no_such` makes of the names that there are, as many as a message takes.
///
/// # Errors
/// There is none.
pub fn get<S: Source>(
    source: &S,
    name: &str,
    no_such: impl FnOnce(Vec<String>) -> Error,
) -> Result<S::Object, Error> {
    source.object(name).ok_or_else(|| no_such(source.names().into_iter().take(MAX_OBJECTS).collect()))
}

/// What comes of a call of a method that has no parameters.
#[must_use]
pub fn bare(call: &Call, outcome: impl FnOnce() -> Outcome) -> Outcome {
    match call.parameters() {
        Ok(NoParameters {}) => outcome(),
        Err(error) => Outcome::reply::<()>(Err(error)),
    }
}

/// The error of this name, with as many faults as a message takes; the log has them all.
#[must_use]
pub fn refused(name: &'static str, faults: &Faults) -> Error {
    let mut page = Page::new(MAX_OBJECTS);
    let faults = faults.iter().map(fault).take_while(|fault| page.admits(fault)).collect();
    Error::new(name, &ConfigRefused { faults })
}

fn fault(fault: &vipkit_config::Fault) -> Fault {
    let position = fault.place.position;
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Fault {
        file: fault.place.file.clone(),
        line: position.map_or(0, |p| number(p.line)),
        column: position.map_or(0, |p| number(p.column)),
        what: fault.what.clone(),
        hint: fault.hint.clone().unwrap_or_default(),
    }
}

/// Puts what happens on the socket into the log.
#[derive(Debug, Default)]
pub struct EventLog(RefCell<Limiter>);

impl EventLog {
    /// Logs an event, or keeps it back: whoever may open the socket could fill the log.
    pub fn log(&self, event: &Event<'_>) {
        let (kind, line) = match event {
            Event::Changing { method, caller } => return info!("{method} called by {caller}"),
            Event::Denied { method, caller } => ("denied", format!("{method} denied to {caller}")),
            Event::Dropped { caller, reason } => {
                ("dropped", format!("connection of {caller} closed: {reason}"))
            }
            Event::Full => ("full", "a connection was refused: there are too many".to_owned()),
            Event::Unidentified(error) => {
                ("unidentified", format!("a connection was refused, its owner is unknown: {error}"))
            }
            Event::NotAccepting(error) => {
                ("not accepting", format!("no connection can be accepted: {error}"))
            }
        };
        match self.0.borrow_mut().admit(kind, now()) {
            Some(0) => warn!("{line}"),
            Some(kept_back) => warn!("{line} ({kept_back} more like this)"),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use vipkit_config::Source as Text;
    use vipkit_control::monitor::Update;
    use vipkit_control::rights::Peer;

    use super::*;

    /// Numbers below this, by name; one of them goes while it is looked for.
    struct Numbers(u32);

    struct Reply;

    impl From<Update<(), u32>> for Reply {
        fn from(_: Update<(), u32>) -> Self {
            Self
        }
    }

    impl serde::Serialize for Reply {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_unit()
        }
    }

    impl Source for Numbers {
        type Daemon = ();
        type Object = u32;
        type Reply = Reply;

        fn daemon(&self) {}

        fn names(&self) -> Vec<String> {
            (0..self.0).map(|number| format!("{number:04}")).collect()
        }

        fn object(&self, name: &str) -> Option<u32> {
            name.parse().ok().filter(|number| *number != 7)
        }
    }

    fn page(source: &Numbers, cursor: Option<&str>, limit: Option<u32>) -> (Vec<u32>, Option<String>) {
        list(source, &ListParameters { cursor: cursor.map(str::to_owned), limit }).unwrap()
    }

    #[test]
    fn the_pages_of_a_list_are_the_list() {
        let source = Numbers(600);
        for limit in [None, Some(1), Some(256)] {
            let (mut all, mut cursor) = page(&source, None, limit);
            while let Some(from) = cursor {
                let (more, next) = page(&source, Some(&from), limit);
                all.extend(more);
                cursor = next;
            }
            assert!(all.iter().copied().eq((0..600).filter(|number| *number != 7)), "{limit:?}");
        }
        assert_eq!(page(&source, Some("0599"), None), (vec![], None));
        assert_eq!(page(&source, Some("0597x"), Some(2)), (vec![598, 599], None));
    }

    #[test]
    fn a_limit_out_of_range_is_named() {
        for limit in [0, 257] {
            let error = list(&Numbers(1), &ListParameters { cursor: None, limit: Some(limit) }).unwrap_err();
            assert_eq!(error, Error::invalid_parameter("limit"), "{limit}");
        }
    }

    #[test]
    fn a_name_that_is_not_there_is_answered_with_those_that_are() {
        let none = |_| Error::invalid_parameter("name");
        assert_eq!(get(&Numbers(600), "0599", none).ok(), Some(599));
        let mut known = Vec::new();
        let no_such = |names| {
            known = names;
            Error::invalid_parameter("name")
        };
        assert!(get(&Numbers(600), "none", no_such).is_err());
        assert_eq!((known.len(), known[0].as_str()), (MAX_OBJECTS, "0000"));
    }

    #[test]
    fn callers_cannot_fill_the_log() {
        let (log, lines) = std::sync::mpsc::channel();
        let subscriber = tracing_subscriber::fmt()
            .without_time()
            .with_target(false)
            .with_ansi(false)
            .with_writer(move || Line(log.clone()))
            .finish();
        let caller = Peer { uid: 1000, gid: 1000, pid: 7, groups: vec![] };
        tracing::subscriber::with_default(subscriber, || {
            let events = EventLog::default();
            for _ in 0..3 {
                events.log(&Event::Denied { method: "org.example.Set", caller: &caller });
            }
            events.log(&Event::Full);
            events.log(&Event::Changing { method: "org.example.Set", caller: &caller });
        });
        let lines: Vec<String> = lines.iter().collect();
        assert_eq!(
            lines,
            [
                " WARN org.example.Set denied to uid 1000 pid 7\n",
                " WARN a connection was refused: there are too many\n",
                " INFO org.example.Set called by uid 1000 pid 7\n",
            ]
        );
    }

    /// Passes on what is written to it.
    struct Line(std::sync::mpsc::Sender<String>);

    impl std::io::Write for Line {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.send(String::from_utf8_lossy(bytes).into_owned()).unwrap();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_refusal_has_as_many_faults_as_a_message_takes() {
        let text: String = (0..400).map(|number| format!("a{number} = 1\n")).collect();
        let source = Text { name: "vipkit.toml".to_owned(), text };
        let faults = vipkit_config::parse(&[source]).unwrap_err();
        let error = refused("org.example.Refused", &faults);
        let ConfigRefused { faults } = serde_json::from_value(error.parameters.into()).unwrap();
        assert_eq!(faults.len(), MAX_OBJECTS);
        assert_eq!((faults[2].line, faults[2].column), (3, 1));
        assert!(faults[2].what.contains("a2"), "{}", faults[2].what);
    }
}
