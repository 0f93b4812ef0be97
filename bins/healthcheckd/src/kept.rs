//! What is left for a successor, so that a restart does not put a dead server back: judged verdicts as the bytes of a
//! file, and which of them a run inherits. Reading and writing the file is the shell's.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use vipkit_config::Check;
use vipkit_control::health::Judgement;

use crate::verdict::Verdict;

/// Longest file that is read back: all the checks that a configuration can have fit in it many times.
pub const BYTES_MAX: usize = 64 << 20;

/// A verdict and what it is about. What a later version adds is ignored: going back to this one is no reason to forget.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    kind: String,
    target: String,
    /// The whole check, in a form that is only ever compared: should it change with a version, kind and target are left.
    check: String,
    verdict: Verdict,
}

impl Kept {
    /// None if there was never a judgement.
    fn new(check: &Check, verdict: &Verdict) -> Option<Self> {
        verdict.judged()?;
        let kind = check.kind.name().to_owned();
        Some(Self { kind, target: check.kind.target(), check: identity(check), verdict: verdict.clone() })
    }
}

fn identity(check: &Check) -> String {
    format!("{check:?}")
}

/// What is kept of these.
#[must_use]
pub fn of(verdicts: &[(Check, Verdict)]) -> Vec<Kept> {
    verdicts.iter().filter_map(|(check, verdict)| Kept::new(check, verdict)).collect()
}

/// The file's bytes.
#[must_use]
pub fn emit(kept: &[Kept]) -> Vec<u8> {
    serde_json::to_vec(kept).unwrap_or_default()
}

/// From a file's bytes.
///
/// # Errors
/// It is damaged.
pub fn parse(bytes: &[u8]) -> Result<Vec<Kept>, serde_json::Error> {
    serde_json::from_slice(bytes)
}

/// Verdicts by what they are about.
#[derive(Debug)]
pub struct Estate<'a> {
    checks: BTreeMap<&'a str, &'a Verdict>,
    targets: BTreeMap<(&'a str, &'a str), &'a Verdict>,
}

impl<'a> Estate<'a> {
    /// Of all that was kept. Of several checks of one target, one that found it down speaks for all, then the latest.
    #[must_use]
    pub fn new(kept: &'a [Kept]) -> Self {
        let mut estate = Self { checks: BTreeMap::new(), targets: BTreeMap::new() };
        let weight = |verdict: &Verdict| (verdict.judged() == Some(Judgement::Down), verdict.since());
        for Kept { kind, target, check, verdict } in kept {
            estate.checks.insert(check, verdict);
            let heir = estate.targets.entry((kind, target)).or_insert(verdict);
            if weight(verdict) > weight(heir) {
                *heir = verdict;
            }
        }
        estate
    }

    /// What a check inherits: the verdict of the very same check, or of one of the same kind and target. Another timeout
    /// does not bring a dead server back to life.
    #[must_use]
    pub fn heirloom(&self, check: &Check) -> Option<&'a Verdict> {
        let (kind, target) = (check.kind.name(), check.kind.target());
        let same = self.checks.get(identity(check).as_str());
        same.or_else(|| self.targets.get(&(kind, target.as_str()))).copied()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use proptest::prelude::*;

    use super::*;
    use crate::runs::tests::tcp;
    use crate::verdict::tests::{failed, hindered, passed};

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn verdict(up: bool, second: u64) -> Verdict {
        let mut verdict = Verdict::unknown(at(0));
        verdict.step(if up { passed() } else { failed() }, 0, at(second));
        verdict
    }

    fn with_timeout(check: Check, seconds: u64) -> Check {
        Check { timeout: Duration::from_secs(seconds), ..check }
    }

    #[test]
    fn the_same_check_comes_first_then_a_down_one_of_its_target_then_the_latest() {
        let check = tcp("192.0.2.1:80");
        let kept = |rows: &[(u64, bool, u64)]| -> Vec<Kept> {
            let row = |&(timeout, up, second): &(u64, bool, u64)| {
                Kept::new(&with_timeout(check.clone(), timeout), &verdict(up, second)).unwrap()
            };
            rows.iter().map(row).collect()
        };
        for (rows, timeout, inherits) in [
            (&[(1, true, 10), (2, false, 11)][..], 1, Some((true, 10))),
            (&[(1, true, 10), (2, false, 11)], 2, Some((false, 11))),
            (&[(1, true, 20), (2, false, 11)], 3, Some((false, 11))),
            (&[(1, true, 20), (2, true, 21), (4, true, 5)], 3, Some((true, 21))),
            (&[], 1, None),
        ] {
            let kept = kept(rows);
            let heirloom = Estate::new(&kept).heirloom(&with_timeout(check.clone(), timeout)).cloned();
            assert_eq!(heirloom, inherits.map(|(up, second)| verdict(up, second)), "{rows:?} {timeout}");
        }
        let kept = kept(&[(1, false, 10)]);
        assert_eq!(Estate::new(&kept).heirloom(&tcp("192.0.2.1:81")), None, "another target");
    }

    #[test]
    fn what_was_never_judged_is_not_kept_and_a_hidden_judgement_is() {
        let check = tcp("192.0.2.1:80");
        let mut unjudged = Verdict::unknown(at(0));
        assert_eq!(Kept::new(&check, &unjudged), None);
        unjudged.step(hindered(), 0, at(1));
        assert_eq!(Kept::new(&check, &unjudged), None);
        let mut hidden = verdict(false, 1);
        hidden.step(hindered(), 0, at(2));
        assert!(Kept::new(&check, &hidden).is_some());
    }

    #[test]
    fn a_file_in_full() {
        let kept = [Kept::new(&tcp("192.0.2.1:80"), &verdict(false, 7)).unwrap()];
        assert_eq!(
            String::from_utf8(emit(&kept)).unwrap(),
            "[{\"kind\":\"tcp\",\"target\":\"192.0.2.1:80\",\"check\":\"Check { kind: Tcp(Tcp { target: 192.0.2.1:80, \
             source: None }), interval: 10s, timeout: 3s, retries: 1, retry_delay: 1s }\",\"verdict\":{\
             \"judged\":\"down\",\"hindered\":false,\"since\":{\"secs_since_epoch\":7,\"nanos_since_epoch\":0},\
             \"reason\":\"refused\",\"generation\":1}}]"
        );
    }

    #[test]
    fn what_a_later_version_added_is_ignored() {
        let kept = [Kept::new(&tcp("192.0.2.1:80"), &verdict(false, 7)).unwrap()];
        let text = String::from_utf8(emit(&kept)).unwrap();
        let text =
            text.replace("\"kind\"", "\"later\":[],\"kind\"").replace("\"judged\"", "\"later\":1,\"judged\"");
        assert_eq!(parse(text.as_bytes()).unwrap(), kept);
    }

    proptest! {
        #[test]
        fn what_is_emitted_is_parsed(rows in proptest::collection::vec((any::<u16>(), any::<bool>(), 0_u64..1 << 40), 0..20)) {
            let row = |(port, up, second)| Kept::new(&tcp(&format!("192.0.2.1:{port}")), &verdict(up, second));
            let kept: Vec<Kept> = rows.into_iter().filter_map(row).collect();
            prop_assert_eq!(parse(&emit(&kept)).unwrap(), kept);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in any::<Vec<u8>>()) {
            let _ = parse(&bytes);
        }

        /// A file with one byte changed gets further than arbitrary bytes, and what it says can still be used.
        #[test]
        fn a_damaged_file_never_panics(at_byte in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = emit(&[Kept::new(&tcp("192.0.2.1:80"), &verdict(false, 7)).unwrap()]);
            let index = at_byte.index(bytes.len());
            bytes[index] = byte;
            if let Ok(kept) = parse(&bytes) {
                let _ = Estate::new(&kept).heirloom(&tcp("192.0.2.1:80"));
            }
        }
    }
}
