//! Whose sequences were heard how far, so that an advert that somebody sends again is known; and how far our own went.
//! Kept over a reload, and in a file over a restart. Must not verify: who asks has found the HMAC right.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use vipkit_core::units::Wall;
use vipkit_core::vrrp::hmac::ReplayProtection;
use vipkit_core::vrrp::{Sequence, Signature};

/// Senders kept, each of whom has a key; the one with the oldest sequence makes room.
pub const SENDERS_MAX: usize = 64;

/// Adverts that were sent but may not be in the file yet: more than a second has room for. Where the clock leads, what they
/// have is before the clock of the next life; where it does not, each is one step after the last. In time it is a trifle,
/// so that restarts do not drive the sequence out of the others' window.
const UNWRITTEN: u64 = 1 << 16;

/// The sequences of one virtual router.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    /// Our own latest one.
    sent: u64,
    /// The latest one heard of each sender, us among them.
    heard: BTreeMap<IpAddr, u64>,
}

impl Replay {
    /// As they were written by an earlier life: what it sent after it wrote counts as sent.
    #[must_use]
    pub fn resumed(self) -> Self {
        let Self { sent, heard } = self;
        let heard = heard.into_iter().take(SENDERS_MAX).collect();
        Self { sent: if sent == 0 { 0 } else { sent.wrapping_add(UNWRITTEN) }, heard }
    }

    /// The sequence of the next advert of ours: the time of day, if that is after all that were sent. In time mode a
    /// clock that was far ahead and stepped back counts again, since others would refuse what is ahead of theirs. It counts
    /// as heard of `source`: once our adverts come from another address, somebody may send us the old ones.
    pub fn next(&mut self, source: IpAddr, protection: ReplayProtection, wall: Wall) -> Sequence {
        let (clock, last) = (Sequence::at(wall), Sequence(self.sent));
        let restarts = self.sent == 0 || is_astray(last, protection, wall);
        let next = if restarts || clock.is_after(last) { clock } else { last.next() };
        self.sent = next.0;
        self.mark(source, next);
        next
    }

    /// Takes a verified sequence of a sender, which is of now in time mode; false if it, or a later one, was heard before.
    #[must_use]
    pub fn take(
        &mut self,
        sender: IpAddr,
        signature: Signature,
        protection: ReplayProtection,
        wall: Wall,
    ) -> bool {
        let counts = |mark: &Sequence| !is_astray(*mark, protection, wall);
        let mark = self.heard.get(&sender).map(|mark| Sequence(*mark)).filter(counts);
        if mark.is_some_and(|mark| !signature.sequence.is_after(mark)) {
            return false;
        }
        self.mark(sender, signature.sequence);
        true
    }

    fn mark(&mut self, sender: IpAddr, sequence: Sequence) {
        if !self.heard.contains_key(&sender) && self.heard.len() >= SENDERS_MAX {
            let oldest = self.heard.iter().min_by_key(|(_, mark)| **mark).map(|(sender, _)| *sender);
            oldest.and_then(|sender| self.heard.remove(&sender));
        }
        self.heard.insert(sender, sequence.0);
    }
}

/// Ahead of the clock by more than the window, so from before a clock was set back: in time mode it counts no more, or an
/// hour that a clock was ahead would be an hour without adverts.
fn is_astray(sequence: Sequence, protection: ReplayProtection, wall: Wall) -> bool {
    let ReplayProtection::Time { window } = protection else { return false };
    u64::try_from(sequence.ahead_of(wall)).is_ok_and(|ahead| Duration::from_secs(ahead) > window)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use vipkit_core::vrrp::KeyId;

    const TIME: ReplayProtection = ReplayProtection::Time { window: Duration::from_secs(5) };
    const MONOTONIC: ReplayProtection = ReplayProtection::Monotonic;

    fn wall(seconds: u64) -> Wall {
        Wall(Duration::from_secs(1_800_000_000 + seconds))
    }

    fn peer(n: u8) -> IpAddr {
        [10, 0, 1, n].into()
    }

    fn signed(at: Wall, counter: u64) -> Signature {
        Signature { key_id: KeyId::new(1).unwrap(), sequence: Sequence(Sequence::at(at).0 + counter) }
    }

    #[test]
    fn each_sequence_is_taken_once_and_none_before_it() {
        for protection in [TIME, MONOTONIC] {
            let mut replay = Replay::default();
            let mut take =
                |n, at, counter| replay.take(peer(n), signed(wall(at), counter), protection, wall(10));
            assert!(take(2, 10, 0));
            assert!(!take(2, 10, 0), "again");
            assert!(!take(2, 9, 0), "before");
            assert!(take(3, 9, 0), "each sender has a sequence of its own");
            assert!(take(2, 10, 1), "the counter counts");
            assert!(take(2, 12, 0));
        }
    }

    #[test]
    fn a_mark_outside_the_window_counts_by_order_alone() {
        let ahead = signed(wall(1000), 0);
        for (protection, taken) in [(TIME, true), (MONOTONIC, false)] {
            let mut replay = Replay::default();
            assert!(replay.take(peer(2), ahead, protection, wall(1000)));
            assert_eq!(
                replay.take(peer(2), signed(wall(10), 0), protection, wall(10)),
                taken,
                "{protection:?}"
            );
        }
    }

    #[test]
    fn marks_outlive_a_restart() {
        let mut before = Replay::default();
        assert!(before.take(peer(2), signed(wall(10), 0), TIME, wall(10)));
        let file = serde_json::to_string(&before).unwrap();
        let mut after = serde_json::from_str::<Replay>(&file).unwrap().resumed();
        assert!(!after.take(peer(2), signed(wall(10), 0), TIME, wall(11)));
        assert!(after.take(peer(2), signed(wall(11), 0), TIME, wall(11)));
    }

    #[test]
    fn restarts_drive_the_sequence_nowhere() {
        let mut ours = Replay::default();
        ours.next(peer(1), TIME, wall(100));
        for _ in 0..100 {
            ours = ours.resumed();
            let next = ours.next(peer(1), TIME, wall(100));
            assert_eq!(next.ahead_of(wall(100)), 0);
        }
    }

    #[test]
    fn our_own_adverts_are_no_news_from_an_address_that_was_ours() {
        for protection in [TIME, MONOTONIC] {
            let mut replay = Replay::default();
            let old = replay.next(peer(1), protection, wall(10));
            replay.next(peer(2), protection, wall(11));
            let signature = Signature { key_id: KeyId::new(1).unwrap(), sequence: old };
            assert!(!replay.take(peer(1), signature, protection, wall(12)), "{protection:?}");
            assert!(replay.take(peer(1), signed(wall(12), 0), protection, wall(12)), "another router's now");
        }
    }

    #[test]
    fn a_clock_that_steps_back_does_not_take_our_sequence_along() {
        for (protection, restarts) in [(TIME, true), (MONOTONIC, false)] {
            let mut replay = Replay::default();
            let first = replay.next(peer(1), protection, wall(1000));
            let second = replay.next(peer(1), protection, wall(999));
            assert_eq!(second, first.next());
            let back = replay.next(peer(1), protection, wall(10));
            assert_eq!(back == Sequence::at(wall(10)), restarts, "{protection:?}");
            assert_eq!(back.is_after(second), !restarts);
        }
    }

    #[test]
    fn a_flood_of_senders_is_bounded() {
        let mut replay = Replay::default();
        for n in 0..=255 {
            assert!(replay.take(peer(n), signed(wall(u64::from(n)), 0), MONOTONIC, wall(0)));
        }
        assert_eq!(replay.heard.len(), SENDERS_MAX);
    }

    proptest! {
        #[test]
        fn what_we_send_is_taken_by_others(steps in prop::collection::vec((0..3u64, any::<bool>()), 1..50)) {
            let (mut ours, mut theirs, mut now) = (Replay::default(), Replay::default(), 100);
            for (step, restart) in steps {
                now += step;
                if restart {
                    ours = ours.resumed();
                }
                let sequence = ours.next(peer(1), MONOTONIC, wall(now));
                let signature = Signature { key_id: KeyId::new(1).unwrap(), sequence };
                prop_assert!(theirs.take(peer(2), signature, MONOTONIC, wall(now)));
            }
        }
    }
}
