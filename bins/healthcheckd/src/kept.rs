//! What is left for a successor, so that a restart does not put a dead server back, as the bytes of a file: verdicts on
//! targets, where each check stands, what was said of external ones; and which of it a run inherits. Reading and writing
//! the file is the shell's.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use vipkit_config::Check;

use crate::damper::Damper;
use crate::runs::Run;
use crate::standing::{Disabled, Standing};
use crate::told::ToldTable;
use crate::verdict::Verdict;

/// Longest file that is read back: all the checks that a configuration can have fit in it.
pub const BYTES_MAX: usize = 128 << 20;

/// All that is left. What a later version adds is ignored: going back to this one is no reason to forget.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Of runs that were judged.
    #[serde(default)]
    pub runs: Vec<KeptRun>,
    /// By name.
    #[serde(default)]
    pub checks: BTreeMap<String, KeptCheck>,
    /// Of external checks.
    #[serde(default)]
    pub told: ToldTable,
}

/// A verdict and what it is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptRun {
    kind: String,
    target: String,
    /// The [identity] of the check: should it change with a version, kind and target are left.
    check: String,
    verdict: Verdict,
}

/// Where a check with a name stands, and what decides how it goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptCheck {
    /// Where it stands.
    pub standing: Standing,
    /// What it remembers of coming and going.
    #[serde(default, skip_serializing_if = "Damper::is_blank")]
    pub damper: Damper,
    /// Who has it not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<Disabled>,
    /// Where the runs of its parts are among those that are kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<usize>,
}

impl KeptCheck {
    /// One that stands there, and has nothing to remember.
    #[must_use]
    pub fn new(standing: Standing) -> Self {
        Self { standing, damper: Damper::default(), disabled: None, runs: Vec::new() }
    }
}

impl KeptRun {
    /// None if there was never a judgement.
    #[must_use]
    pub fn new(run: &Run) -> Option<Self> {
        Self::of(run.check(), run.identity(), run.verdict())
    }

    fn of(check: &Check, identity: &str, verdict: &Verdict) -> Option<Self> {
        verdict.judged()?;
        let kind = check.kind.name().to_owned();
        Some(Self { kind, target: check.kind.target(), check: identity.to_owned(), verdict: verdict.clone() })
    }
}

/// What a check is called that is only ever compared: the same for the same, of one length however long the check is.
#[must_use]
pub fn identity(check: &Check) -> String {
    Sha256::digest(format!("{check:?}")).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The file's bytes.
#[must_use]
pub fn emit(kept: &Kept) -> Vec<u8> {
    serde_json::to_vec(kept).unwrap_or_default()
}

/// From a file's bytes.
///
/// # Errors
/// It is damaged.
pub fn parse(bytes: &[u8]) -> Result<Kept, serde_json::Error> {
    serde_json::from_slice(bytes)
}

/// Verdicts by what they are about.
#[derive(Debug)]
pub struct Estate<'a> {
    kept: &'a Kept,
    verdicts: BTreeMap<&'a str, &'a Verdict>,
}

impl<'a> Estate<'a> {
    /// Of all that was kept.
    #[must_use]
    pub fn new(kept: &'a Kept) -> Self {
        Self { kept, verdicts: kept.runs.iter().map(|run| (run.check.as_str(), &run.verdict)).collect() }
    }

    /// What a check inherits that is a part of the one of this name: the verdict of the very same check, or of a part
    /// that had the same kind and target. Another timeout does not bring a dead server back to life.
    #[must_use]
    pub fn heirloom(&self, name: &str, check: &Check, identity: &str) -> Option<&'a Verdict> {
        if let Some(same) = self.verdicts.get(identity) {
            return Some(same);
        }
        let (kind, target) = (check.kind.name(), check.kind.target());
        let mut parts =
            self.kept.checks.get(name)?.runs.iter().filter_map(|place| self.kept.runs.get(*place));
        parts.find(|run| run.kind == kind && run.target == target).map(|run| &run.verdict)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use proptest::prelude::*;

    use vipkit_control::health::{Judgement, State};

    use super::*;
    use crate::runs::tests::tcp;
    use crate::verdict::tests::{failed, hindered, passed, rules};

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn verdict(up: bool, second: u64) -> Verdict {
        let mut verdict = Verdict::unknown(at(0));
        verdict.step(if up { passed() } else { failed() }, &rules(0), at(second));
        verdict
    }

    fn kept_run(check: &Check, verdict: &Verdict) -> Option<KeptRun> {
        KeptRun::of(check, &identity(check), verdict)
    }

    fn heirloom(estate: &Estate<'_>, name: &str, check: &Check) -> Option<Verdict> {
        estate.heirloom(name, check, &identity(check)).cloned()
    }

    fn with_timeout(check: Check, seconds: u64) -> Check {
        Check { timeout: Duration::from_secs(seconds), ..check }
    }

    #[test]
    fn a_check_inherits_from_the_very_same_one_or_from_what_its_name_was() {
        let (one, other) = (tcp("192.0.2.1:80"), tcp("192.0.2.2:80"));
        let run = |check: &Check, seconds, up, second| {
            kept_run(&with_timeout(check.clone(), seconds), &verdict(up, second)).unwrap()
        };
        let mut kept = Kept {
            runs: vec![run(&one, 1, true, 10), run(&one, 2, false, 11), run(&other, 1, false, 12)],
            ..Kept::default()
        };
        for (name, runs) in [("a", vec![0]), ("b", vec![1]), ("both", vec![2, 0]), ("damaged", vec![9])] {
            let check = KeptCheck { runs, ..KeptCheck::new(Standing::unknown(at(0))) };
            kept.checks.insert(name.to_owned(), check);
        }
        let estate = Estate::new(&kept);
        for (name, timeout, inherits) in [
            ("new", 1, Some((true, 10))),
            ("new", 2, Some((false, 11))),
            ("new", 3, None),
            ("a", 2, Some((false, 11))),
            ("a", 3, Some((true, 10))),
            ("b", 3, Some((false, 11))),
            ("both", 3, Some((true, 10))),
            ("damaged", 3, None),
        ] {
            let heirloom = heirloom(&estate, name, &with_timeout(one.clone(), timeout));
            assert_eq!(heirloom, inherits.map(|(up, second)| verdict(up, second)), "{name} {timeout}");
        }
        assert_eq!(heirloom(&estate, "a", &tcp("192.0.2.1:81")), None, "another target");
    }

    #[test]
    fn what_was_never_judged_is_not_kept_and_a_hidden_judgement_is() {
        let check = tcp("192.0.2.1:80");
        let mut unjudged = Verdict::unknown(at(0));
        assert_eq!(kept_run(&check, &unjudged), None);
        unjudged.step(hindered(), &rules(0), at(1));
        assert_eq!(kept_run(&check, &unjudged), None);
        let mut hidden = verdict(false, 1);
        hidden.step(hindered(), &rules(0), at(2));
        assert!(kept_run(&check, &hidden).is_some());
    }

    /// All that is kept of a server that is down.
    fn whole() -> Kept {
        let standing = Standing {
            state: State::Down,
            judged: Some(Judgement::Down),
            generation: 3,
            ..Standing::unknown(at(7))
        };
        let mut kept = Kept {
            runs: vec![kept_run(&tcp("192.0.2.1:80"), &verdict(false, 7)).unwrap()],
            ..Kept::default()
        };
        let disabled = Some(Disabled { by: "uid 0".to_owned(), since: at(8) });
        kept.checks
            .insert("web".to_owned(), KeptCheck { disabled, runs: vec![0], ..KeptCheck::new(standing) });
        kept
    }

    #[test]
    fn a_file_in_full() {
        let text = String::from_utf8(emit(&whole())).unwrap();
        let seconds = |s: u32| format!("{{\"secs_since_epoch\":{s},\"nanos_since_epoch\":0}}");
        let (_, after) = text.split_once("\"verdict\":").unwrap();
        assert_eq!(
            after,
            format!(
                "{{\"judged\":\"down\",\"hindered\":false,\"since\":{0},\"reason\":\"refused\",\"weight\":null}}}}],\
                 \"checks\":{{\"web\":{{\"standing\":{{\"state\":\"down\",\"judged\":\"down\",\"weight\":null,\"since\":{0},\
                 \"generation\":3}},\"disabled\":{{\"by\":\"uid 0\",\"since\":{1}}},\"runs\":[0]}}}},\"told\":{{}}}}",
                seconds(7),
                seconds(8)
            )
        );
    }

    #[test]
    fn what_a_later_version_added_is_ignored() {
        let text = String::from_utf8(emit(&whole())).unwrap();
        let text =
            text.replace("\"kind\"", "\"later\":[],\"kind\"").replace("\"judged\"", "\"later\":1,\"judged\"");
        assert_eq!(parse(text.as_bytes()).unwrap(), whole());
        assert_eq!(parse(b"{}").unwrap(), Kept::default());
    }

    proptest! {
        #[test]
        fn what_is_emitted_is_parsed(rows in proptest::collection::vec((any::<u16>(), any::<bool>(), 0_u64..1 << 40), 0..20)) {
            let row = |(port, up, second)| kept_run(&tcp(&format!("192.0.2.1:{port}")), &verdict(up, second));
            let kept = Kept { runs: rows.into_iter().filter_map(row).collect(), ..whole() };
            prop_assert_eq!(parse(&emit(&kept)).unwrap(), kept);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in any::<Vec<u8>>()) {
            let _ = parse(&bytes);
        }

        /// A file with one byte changed gets further than arbitrary bytes, and what it says can still be used.
        #[test]
        fn a_damaged_file_never_panics(at_byte in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = emit(&whole());
            let index = at_byte.index(bytes.len());
            bytes[index] = byte;
            if let Ok(kept) = parse(&bytes) {
                let _ = heirloom(&Estate::new(&kept), "web", &tcp("192.0.2.1:80"));
            }
        }
    }
}
