//! `vipctl reload`: what was found in the configuration, and what each daemon did with it.

use serde::Serialize;
use vipkit_control::common::ConfigRefused;
use vipkit_control::error::{Error, METHOD_NOT_IMPLEMENTED};
use vipkit_control::vrrp;

use super::check::{self, Checked};
use super::notice::INDENT;
use super::text::{Places, Style, Text, Tone, plain};
use crate::daemons::Reloaded;
use crate::digests;
use crate::failure::{Exit, Unreachable, permission_denied};

/// A reload of everything.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reload {
    /// The configurations that the daemons read; usually one.
    pub checked: Vec<Checked>,
    /// What came of it, daemon by daemon; those that were not asked, because a configuration is faulty, are left out.
    pub daemons: Vec<Told>,
}

/// What came of a daemon's reload.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Told {
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
    Reloaded(Reloaded),
    /// It changed nothing.
    Refused(Error),
    /// It could not be asked.
    Unreachable(Unreachable),
    /// It was not told, since one before it refused.
    NotTold,
}

impl Outcome {
    /// Those after it are not told: it found something wrong. A program that cannot reload at all found nothing.
    #[must_use]
    pub fn holds_others(&self) -> bool {
        matches!(self, Self::Refused(error) if error.name != METHOD_NOT_IMPLEMENTED)
    }
}

impl Reload {
    /// How it ended.
    #[must_use]
    pub fn exit(&self) -> Exit {
        let of = |daemon: &Told| match daemon.outcome {
            Outcome::Reloaded(_) => Exit::Good,
            Outcome::Refused(_) | Outcome::NotTold => Exit::Bad,
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

    /// Whose digest is which.
    fn digests(&self) -> Vec<digests::Group<'_>> {
        let files = self
            .checked
            .iter()
            .filter_map(|checked| Some((checked.digest.as_deref()?, checked.file.as_str())));
        let daemons = self.daemons.iter().filter_map(|daemon| match &daemon.outcome {
            Outcome::Reloaded(reply) => Some((reply.digest(), daemon.name)),
            Outcome::Refused(_) | Outcome::Unreachable(_) | Outcome::NotTold => None,
        });
        digests::groups(files.chain(daemons))
    }
}

/// As text.
#[must_use]
pub fn reload(reload: &Reload, places: Places, style: Style) -> String {
    let mut text = Text::new(style);
    reload.checked.iter().for_each(|checked| check::checked_lines(&mut text, checked, places));
    if !reload.is_good() {
        let faults = reload.checked.iter().map(|checked| checked.faults.len()).sum();
        text.put(Tone::Bad, &check::count(faults, "fault")).say("; nothing was reloaded").end();
    }
    for Told { name, outcome } in &reload.daemons {
        text.say(name).say(": ");
        match outcome {
            Outcome::Reloaded(reply) => done(&mut text, reply),
            Outcome::Refused(error) => refused(&mut text, name, error, places),
            Outcome::Unreachable(Unreachable { what, remedy, .. }) => {
                text.put(Tone::Bad, "unreachable").end();
                entry(&mut text, "fault", what);
                entry(&mut text, "remedy", remedy);
            }
            Outcome::NotTold => {
                text.put(Tone::Odd, "not told").say(", it runs what it ran").end();
            }
        }
    }
    if reload.is_good() {
        let remedy = "the configuration changed meanwhile, or is not read alike by all: `vipctl reload`";
        super::digests::split(&mut text, &reload.digests(), reload.checked.len(), remedy);
    }
    text.finish()
}

fn done(text: &mut Text, reloaded: &Reloaded) {
    text.put(Tone::Good, "reloaded").say(&format!(", digest {}", reloaded.digest())).end();
    match reloaded {
        Reloaded::Health(reply) => entry(text, "checks", &reply.checks.to_string()),
        Reloaded::Ipvs(reply) => entry(text, "services", &reply.services.to_string()),
        Reloaded::Vrrp(reply) => instances(text, &reply.instances),
    }
}

fn instances(text: &mut Text, vrrp::Reloaded { added, changed, removed, unchanged }: &vrrp::Reloaded) {
    for (label, names) in [("added", added), ("changed", changed), ("removed", removed)] {
        if !names.is_empty() {
            entry(text, label, &names.join(", "));
        }
    }
    entry(text, "unchanged", &check::count(unchanged.len(), "instance"));
}

fn refused(text: &mut Text, name: &str, error: &Error, places: Places) {
    if error.name == METHOD_NOT_IMPLEMENTED {
        text.put(Tone::Odd, "cannot reload").say(", it runs what it ran").end();
        return entry(
            text,
            "remedy",
            &format!("if it should read the file anew: `systemctl restart {name}`"),
        );
    }
    text.put(Tone::Bad, "refused").say(", nothing was changed").end();
    // Each interface names the error for itself.
    if error.name.ends_with(".ConfigRefused")
        && let Ok(ConfigRefused { faults }) = error.decode()
    {
        return check::lines(text, (Tone::Bad, ""), &faults, places);
    }
    match permission_denied(error) {
        Some((what, remedy)) => {
            entry(text, "fault", &what);
            entry(text, "remedy", &remedy);
        }
        None => entry(text, "fault", &error.to_string()),
    }
}

fn entry(text: &mut Text, label: &str, words: &str) {
    text.entry(plain(label), plain(words), INDENT, LABEL);
}

/// From a label to its words: the longest label or a digest, and a gap.
const LABEL: usize = 14;

#[cfg(test)]
mod tests {
    use vipkit_control::common::{Changes, Fault};
    use vipkit_control::{health, ipvs};

    use super::*;
    use crate::failure::Sign;
    use crate::render::check::Contents;

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
            contents: digest.map(|_| Contents { instances: 2, services: 0, checks: 0 }),
            digest: digest.map(str::to_owned),
            faults: if digest.is_some() { vec![] } else { vec![fault] },
            warnings: vec![],
        }
    }

    fn of(checked: Checked, outcome: Option<Outcome>) -> (String, Exit) {
        let daemons = outcome.into_iter().map(|outcome| Told { name: "vrrpd", outcome }).collect();
        let all = Reload { checked: vec![checked], daemons };
        (reload(&all, Places::Whole, Style::Plain), all.exit())
    }

    fn done(digest: &str) -> Outcome {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let instances = vrrp::Reloaded {
            added: names(&["a", "b"]),
            removed: names(&["c"]),
            unchanged: names(&["d"]),
            changed: vec![],
        };
        Outcome::Reloaded(Reloaded::Vrrp(vrrp::ReloadReply { digest: digest.to_owned(), instances }))
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
  remedy        the configuration changed meanwhile, or is not read alike by
                all: `vipctl reload`
";
        assert!(text.ends_with(end), "{text}");
        assert_eq!(exit, Exit::Bad);
    }

    #[test]
    fn a_refusal_says_why() {
        let faults = checked(None).faults;
        let (text, exit) = of(
            checked(Some("1")),
            Some(Outcome::Refused(Error::new(vrrp::CONFIG_REFUSED, &ConfigRefused { faults }))),
        );
        assert_eq!(text, "vrrpd: refused, nothing was changed\na.toml:2:1: bad; fix\n");
        assert_eq!(exit, Exit::Bad);
        let (text, exit) =
            of(checked(Some("1")), Some(Outcome::Refused(Error::permission_denied(1000, "root"))));
        assert!(text.contains("\n  fault         uid 1000 may not: it takes root\n"), "{text}");
        assert!(text.contains("  remedy        be root, or a member of group vipkit-admin:\n"), "{text}");
        assert_eq!(exit, Exit::Bad);
    }

    #[test]
    fn who_cannot_be_asked_is_the_worst() {
        let lost =
            Unreachable { what: "gone".to_owned(), remedy: "start it".to_owned(), sign: Sign::Nothing };
        let (text, exit) = of(checked(None), Some(Outcome::Unreachable(lost)));
        assert!(
            text.ends_with("vrrpd: unreachable\n  fault         gone\n  remedy        start it\n"),
            "{text}"
        );
        assert_eq!(exit, Exit::Unreachable);
    }

    #[test]
    fn who_cannot_reload_keeps_nobody_back() {
        let cannot = Outcome::Refused(Error::method_not_implemented("Reload"));
        assert!(!cannot.holds_others());
        assert!(Outcome::Refused(Error::permission_denied(1000, "root")).holds_others());
        let (text, exit) = of(checked(Some("1")), Some(cannot));
        let said = "\
vrrpd: cannot reload, it runs what it ran
  remedy        if it should read the file anew: `systemctl restart vrrpd`
";
        assert_eq!((text.as_str(), exit), (said, Exit::Bad));
    }

    fn all(outcomes: [Outcome; 3]) -> (String, Reload) {
        let names = ["healthcheckd", "ipvs-sync", "vrrpd"];
        let daemons = names.into_iter().zip(outcomes).map(|(name, outcome)| Told { name, outcome });
        let all = Reload { checked: vec![checked(Some("111111111111"))], daemons: daemons.collect() };
        (reload(&all, Places::Whole, Style::Plain), all)
    }

    #[test]
    fn all_daemons_say_what_changed() {
        let digest = || "111111111111".to_owned();
        let changes = Changes { added: 1, changed: 0, removed: 2, unchanged: 9_000 };
        let checks = Reloaded::Health(health::ReloadReply { digest: digest(), checks: changes });
        let services = Reloaded::Ipvs(ipvs::ReloadReply { digest: digest(), services: Changes::default() });
        let (text, all) = all([Outcome::Reloaded(checks), Outcome::Reloaded(services), done("111111111111")]);
        let expected = "\
healthcheckd: reloaded, digest 111111111111
  checks        1 added, 0 changed, 2 removed, 9000 unchanged
ipvs-sync: reloaded, digest 111111111111
  services      0 added, 0 changed, 0 removed, 0 unchanged
vrrpd: reloaded, digest 111111111111
  added         a, b
";
        assert!(text.starts_with(expected), "{text}");
        assert_eq!(all.exit(), Exit::Good);
    }

    #[test]
    fn after_a_refusal_nobody_is_told() {
        let denied = || Outcome::Refused(Error::permission_denied(1000, "root"));
        let (text, all) = all([denied(), Outcome::NotTold, Outcome::NotTold]);
        let end = "ipvs-sync: not told, it runs what it ran\nvrrpd: not told, it runs what it ran\n";
        assert!(text.starts_with("healthcheckd: refused, nothing was changed\n"), "{text}");
        assert!(text.ends_with(end), "{text}");
        assert_eq!(all.exit(), Exit::Bad);
        let json = serde_json::to_value(&all).unwrap();
        assert_eq!(json["daemons"][1], serde_json::json!({"name": "ipvs-sync", "not_told": null}));
    }
}
