//! Keeps log lines that others can cause from filling the log: one line of a kind, or a few, then silence for a while,
//! then one line with the number of those kept back. Must not log.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::units::Mono;

/// From the first line of a kind to the end of the silence after it.
pub const SILENCE: Duration = Duration::from_secs(60);

/// Most kinds that are told apart at a time; lines of further ones are kept back.
pub const KINDS_MAX: usize = 1024;

/// Which kinds were logged lately.
#[derive(Clone, Debug)]
pub struct Limiter<K = &'static str>(BTreeMap<K, Lines>);

/// The lines of one kind.
#[derive(Clone, Copy, Debug)]
struct Lines {
    /// When silence ends, counted from the first line.
    until: Mono,
    told: u64,
    kept_back: u64,
}

impl<K> Default for Limiter<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord> Limiter<K> {
    /// Whether a line of this kind may be logged now; if so, how many were kept back before it.
    pub fn admit(&mut self, kind: K, now: Mono) -> Option<u64> {
        self.admit_up_to(1, kind, now)
    }

    /// The same with so many lines before the silence.
    pub fn admit_up_to(&mut self, most: u64, kind: K, now: Mono) -> Option<u64> {
        if let Some(lines) = self.0.get_mut(&kind).filter(|lines| now < lines.until) {
            let admitted = lines.told < most;
            *(if admitted { &mut lines.told } else { &mut lines.kept_back }) += 1;
            return admitted.then_some(0);
        }
        if self.0.len() >= KINDS_MAX && !self.0.contains_key(&kind) {
            self.0.retain(|_, lines| now < lines.until);
            if self.0.len() >= KINDS_MAX {
                return None;
            }
        }
        let before = self.0.insert(kind, Lines { until: now + SILENCE, told: 1, kept_back: 0 });
        Some(before.map_or(0, |lines| lines.kept_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_minute_and_the_number_kept_back() {
        let mut limiter = Limiter::default();
        let mut lines = Vec::new();
        for millis in 0..130_000 {
            let now = Mono::at(Duration::from_millis(millis));
            if let Some(kept_back) = limiter.admit("checksum", now) {
                lines.push((millis, kept_back));
            }
        }
        assert_eq!(lines, [(0, 0), (60_000, 59_999), (120_000, 59_999)]);
        assert_eq!(limiter.admit("another kind", Mono(0)), Some(0));
    }

    #[test]
    fn some_lines_a_minute() {
        let mut limiter = Limiter::default();
        let lines = |limiter: &mut Limiter, seconds: std::ops::Range<u64>| -> Vec<Option<u64>> {
            seconds.map(|s| limiter.admit_up_to(3, "state", Mono::at(Duration::from_secs(s)))).collect()
        };
        assert_eq!(lines(&mut limiter, 0..5), [Some(0), Some(0), Some(0), None, None]);
        assert_eq!(lines(&mut limiter, 60..64), [Some(2), Some(0), Some(0), None]);
        assert_eq!(lines(&mut limiter, 500..502), [Some(1), Some(0)]);
    }

    #[test]
    fn the_kinds_told_apart_are_bounded() {
        let mut limiter = Limiter::default();
        let admitted = |limiter: &mut Limiter<usize>, kinds: std::ops::Range<usize>, now| {
            kinds.filter(|kind| limiter.admit(*kind, now).is_some()).count()
        };
        assert_eq!(admitted(&mut limiter, 0..2 * KINDS_MAX, Mono(0)), KINDS_MAX);
        assert_eq!(admitted(&mut limiter, 0..2 * KINDS_MAX, Mono(1)), 0);
        assert_eq!(admitted(&mut limiter, KINDS_MAX..3 * KINDS_MAX, Mono(0) + SILENCE), KINDS_MAX);
    }
}
