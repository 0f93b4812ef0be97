//! `vipctl reload`: what was found in the configuration, and what each daemon did with it.

use serde::Serialize;
use vipkit_control::error::{Error, PERMISSION_DENIED};
use vipkit_control::vrrp::{CONFIG_REFUSED, ConfigRefused, ReloadReply};

use super::check::{self, Checked};
use super::notice::INDENT;
use super::text::{Style, Text, Tone, plain};
use crate::failure::{Exit, Unreachable};

/// A reload of everything.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reload {
    /// The configurations that the daemons read; usually one.
    pub checked: Vec<Checked>,
    /// What came of it, daemon by daemon; those that were not asked, because a configuration is faulty, are left out.
    pub daemons: Vec<Reloaded>,
}

/// What came of a daemon's reload.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reloaded {
    /// The daemon.
    pub name: &'static str,
    /// What it did.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What a daemon did.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It runs the new configuration.
    Reloaded(ReloadReply),
    /// It changed nothing.
    Refused(Error),
    /// It could not be asked.
    Unreachable(Unreachable),
}

impl Reload {
    /// How it ended.
    #[must_use]
    pub fn exit(&self) -> Exit {
        let of = |daemon: &Reloaded| match daemon.outcome {
            Outcome::Reloaded(_) => Exit::Good,
            Outcome::Refused(_) => Exit::Bad,
            Outcome::Unreachable(_) => Exit::Unreachable,
        };
        let own = if self.is_good() && self.digests().len() <= 1 { Exit::Good } else { Exit::Bad };
        self.daemons.iter().map(of).fold(own, Exit::max)
    }

    /// No configuration has a fault.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.checked.iter().all(|checked| checked.good)
    }

    /// Whose digest is which; all of one digest are one entry.
    fn digests(&self) -> Vec<(&str, Vec<&str>)> {
        let files = self
            .checked
            .iter()
            .filter_map(|checked| Some((checked.digest.as_deref()?, checked.file.as_str())));
        let daemons = self.daemons.iter().filter_map(|daemon| match &daemon.outcome {
            Outcome::Reloaded(reply) => Some((reply.digest.as_str(), daemon.name)),
            Outcome::Refused(_) | Outcome::Unreachable(_) => None,
        });
        let mut digests: Vec<(&str, Vec<&str>)> = Vec::new();
        for (digest, whose) in files.chain(daemons) {
            match digests.iter_mut().find(|(known, _)| *known == digest) {
                Some((_, all)) => all.push(whose),
                None => digests.push((digest, vec![whose])),
            }
        }
        digests
    }
}

/// As text.
#[must_use]
pub fn reload(reload: &Reload, style: Style) -> String {
    let mut text = Text::new(style);
    reload.checked.iter().for_each(|checked| check::checked_lines(&mut text, checked));
    if !reload.is_good() {
        let faults = reload.checked.iter().map(|checked| checked.faults.len()).sum();
        text.put(Tone::Bad, &check::count(faults, "fault")).say("; nothing was reloaded").end();
    }
    for Reloaded { name, outcome } in &reload.daemons {
        text.say(name).say(": ");
        match outcome {
            Outcome::Reloaded(reply) => done(&mut text, reply),
            Outcome::Refused(error) => refused(&mut text, error),
            Outcome::Unreachable(Unreachable { what, remedy }) => {
                text.put(Tone::Bad, "unreachable").end();
                entry(&mut text, "fault", what);
                entry(&mut text, "remedy", remedy);
            }
        }
    }
    let digests = reload.digests();
    if digests.len() > 1 && reload.is_good() {
        text.put(Tone::Bad, "the digests differ").end();
        for (digest, whose) in digests {
            entry(&mut text, digest, &whose.join(", "));
        }
        entry(
            &mut text,
            "remedy",
            "the configuration changed meanwhile, or is not read alike by all: `vipctl reload`",
        );
    }
    text.finish()
}

fn done(text: &mut Text, ReloadReply { digest, instances }: &ReloadReply) {
    text.put(Tone::Good, "reloaded").say(&format!(", digest {digest}")).end();
    for (label, names) in
        [("added", &instances.added), ("changed", &instances.changed), ("removed", &instances.removed)]
    {
        if !names.is_empty() {
            entry(text, label, &names.join(", "));
        }
    }
    entry(text, "unchanged", &check::count(instances.unchanged.len(), "instance"));
}

fn refused(text: &mut Text, error: &Error) {
    text.put(Tone::Bad, "refused").say(", nothing was changed").end();
    match error.name.as_str() {
        CONFIG_REFUSED => match error.decode() {
            Ok(ConfigRefused { faults }) => check::lines(text, (Tone::Bad, ""), &faults),
            Err(_) => entry(text, "fault", &error.to_string()),
        },
        PERMISSION_DENIED => {
            entry(text, "fault", &error.to_string());
            let join = "be root, or a member of group vipkit-admin: `usermod -aG vipkit-admin USER`, then log in again";
            entry(text, "remedy", join);
        }
        _ => entry(text, "fault", &error.to_string()),
    }
}

fn entry(text: &mut Text, label: &str, words: &str) {
    text.entry(plain(label), plain(words), INDENT, LABEL);
}

/// From a label to its words: the longest label or a digest, and a gap.
const LABEL: usize = 14;

#[cfg(test)]
mod tests {
    use vipkit_control::vrrp::{Fault, Reloaded as Instances};

    use super::*;

    fn checked(digest: Option<&str>) -> Checked {
        let fault = Fault {
            file: "a.toml".to_owned(),
            line: 2,
            column: 1,
            what: "bad".to_owned(),
            hint: "fix".to_owned(),
        };
        Checked {
            file: "a.toml".to_owned(),
            good: digest.is_some(),
            instances: digest.map(|_| 2),
            digest: digest.map(str::to_owned),
            faults: if digest.is_some() { vec![] } else { vec![fault] },
            warnings: vec![],
        }
    }

    fn of(checked: Checked, outcome: Option<Outcome>) -> (String, Exit) {
        let daemons = outcome.into_iter().map(|outcome| Reloaded { name: "vrrpd", outcome }).collect();
        let all = Reload { checked: vec![checked], daemons };
        (reload(&all, Style::Plain), all.exit())
    }

    fn done(digest: &str) -> Outcome {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let instances = Instances {
            added: names(&["a", "b"]),
            removed: names(&["c"]),
            unchanged: names(&["d"]),
            changed: vec![],
        };
        Outcome::Reloaded(ReloadReply { digest: digest.to_owned(), instances })
    }

    #[test]
    fn what_changed_is_named() {
        let text = "\
vrrpd: reloaded, digest 111111111111
  added         a, b
  removed       c
  unchanged     1 instance
";
        assert_eq!(
            of(checked(Some("111111111111")), Some(done("111111111111"))),
            (text.to_owned(), Exit::Good)
        );
    }

    #[test]
    fn a_faulty_file_reloads_nothing() {
        let text = "a.toml:2:1: bad; fix\n1 fault; nothing was reloaded\n";
        assert_eq!(of(checked(None), None), (text.to_owned(), Exit::Bad));
    }

    #[test]
    fn digests_that_differ_are_bad() {
        let (text, exit) = of(checked(Some("111111111111")), Some(done("222222222222")));
        let end = "\
the digests differ
  111111111111  a.toml
  222222222222  vrrpd
  remedy        the configuration changed meanwhile, or is not read alike by all: `vipctl reload`
";
        assert!(text.ends_with(end), "{text}");
        assert_eq!(exit, Exit::Bad);
    }

    #[test]
    fn a_refusal_says_why() {
        let faults = checked(None).faults;
        let (text, exit) = of(
            checked(Some("1")),
            Some(Outcome::Refused(Error::new(CONFIG_REFUSED, &ConfigRefused { faults }))),
        );
        assert_eq!(text, "vrrpd: refused, nothing was changed\na.toml:2:1: bad; fix\n");
        assert_eq!(exit, Exit::Bad);
        let (text, exit) =
            of(checked(Some("1")), Some(Outcome::Refused(Error::permission_denied(1000, "root"))));
        assert!(text.contains("  remedy        be root, or a member of group vipkit-admin: "), "{text}");
        assert_eq!(exit, Exit::Bad);
    }

    #[test]
    fn who_cannot_be_asked_is_the_worst() {
        let lost = Unreachable { what: "gone".to_owned(), remedy: "start it".to_owned() };
        let (text, exit) = of(checked(None), Some(Outcome::Unreachable(lost)));
        assert!(
            text.ends_with("vrrpd: unreachable\n  fault         gone\n  remedy        start it\n"),
            "{text}"
        );
        assert_eq!(exit, Exit::Unreachable);
    }
}
