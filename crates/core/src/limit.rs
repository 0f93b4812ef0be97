//! Keeps log lines that others can cause from filling the log: one line of a kind, then silence for a while,
//! then one line with the number of those kept back. Must not log.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::units::Mono;

/// Silence after a line of a kind.
pub const SILENCE: Duration = Duration::from_secs(60);

/// Most kinds that are told apart at a time; lines of further ones are kept back.
pub const KINDS_MAX: usize = 1024;

/// Which kinds were logged lately.
#[derive(Clone, Debug)]
pub struct Limiter<K = &'static str>(BTreeMap<K, (Mono, u64)>);

impl<K> Default for Limiter<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord> Limiter<K> {
    /// Whether a line of this kind may be logged now; if so, how many were kept back before it.
    pub fn admit(&mut self, kind: K, now: Mono) -> Option<u64> {
        match self.0.get_mut(&kind) {
            Some((until, kept_back)) if now < *until => {
                *kept_back += 1;
                None
            }
            Some((until, kept_back)) => {
                *until = now + SILENCE;
                Some(std::mem::take(kept_back))
            }
            None => {
                if self.0.len() >= KINDS_MAX {
                    self.0.retain(|_, (until, _)| now < *until);
                }
                (self.0.len() < KINDS_MAX).then(|| self.0.insert(kind, (now + SILENCE, 0))).map(|_| 0)
            }
        }
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
