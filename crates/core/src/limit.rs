//! Keeps log lines that others can cause from filling the log: one line of a kind, then silence for a while,
//! then one line with the number of those kept back. Must not log.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::units::Mono;

/// Silence after a line of a kind.
pub const SILENCE: Duration = Duration::from_secs(60);

/// Which kinds were logged lately.
#[derive(Clone, Debug, Default)]
pub struct Limiter(BTreeMap<&'static str, (Mono, u64)>);

impl Limiter {
    /// Whether a line of this kind may be logged now; if so, how many were kept back before it.
    pub fn admit(&mut self, kind: &'static str, now: Mono) -> Option<u64> {
        match self.0.get_mut(kind) {
            Some((until, kept_back)) if now < *until => {
                *kept_back += 1;
                None
            }
            before => {
                let kept_back = before.map_or(0, |(_, kept_back)| *kept_back);
                self.0.insert(kind, (now + SILENCE, 0));
                Some(kept_back)
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
}
