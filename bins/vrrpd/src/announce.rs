//! When and how often the addresses of a virtual router are announced, by gratuitous ARP or unsolicited neighbour
//! advertisements (RFC 9568 §6.4.1, bursts and their defaults as keepalived's). Must not send: it names the next
//! addresses to announce.

use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use vipkit_config::Garp;
use vipkit_core::units::Mono;

/// Addresses announced in one turn, so that adverts of other instances are not kept waiting.
pub const TURN: usize = 64;

/// Between a burst and the next one against somebody else who speaks for the addresses.
const QUIET: Duration = Duration::from_secs(1);

/// A later burst, for these addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Again {
    at: Mono,
    repeat: u32,
    addresses: BTreeSet<IpAddr>,
}

/// The announcements of one virtual router; silent unless it holds its addresses.
#[derive(Clone, Debug)]
pub struct Announcer {
    garp: Garp,
    held: Vec<IpAddr>,
    queue: VecDeque<IpAddr>,
    again: Option<Again>,
    refresh: Option<Mono>,
    /// No burst against others before this moment.
    quiet_until: Mono,
}

impl Announcer {
    /// Silent.
    #[must_use]
    pub const fn new(garp: Garp) -> Self {
        Self {
            garp,
            held: Vec::new(),
            queue: VecDeque::new(),
            again: None,
            refresh: None,
            quiet_until: Mono(0),
        }
    }

    /// New settings, for the bursts to come.
    pub fn change_settings(&mut self, garp: Garp, now: Mono) {
        self.garp = garp;
        self.refresh = if self.held.is_empty() { None } else { self.next_refresh(now) };
    }

    /// These addresses are on the interface now: what was not announced before gets a burst, and a later one.
    pub fn hold(&mut self, addresses: Vec<IpAddr>, now: Mono) {
        let before: BTreeSet<_> = self.held.iter().copied().collect();
        let now_held: BTreeSet<_> = addresses.iter().copied().collect();
        let fresh: Vec<_> = addresses.iter().copied().filter(|a| !before.contains(a)).collect();
        if self.held.is_empty() {
            self.refresh = self.next_refresh(now + self.garp.delay);
        }
        self.queue.retain(|a| now_held.contains(a));
        self.held = addresses;
        if !fresh.is_empty() {
            self.quiet_until = now + QUIET;
        }
        self.burst(fresh, self.garp.repeat, self.garp.delay, now);
    }

    /// The addresses are gone, or somebody else's: nothing more is announced.
    pub fn withdraw(&mut self) {
        *self = Self::new(self.garp.clone());
    }

    /// Somebody else spoke for the addresses. However often that happens, bursts against it are spaced.
    pub fn reassert(&mut self, now: Mono) {
        if self.quiet_until <= now {
            self.quiet_until = now + QUIET;
            self.burst(
                self.held.clone(),
                self.garp.lower_priority_repeat,
                self.garp.lower_priority_delay,
                now,
            );
        }
    }

    /// When it wants [`Announcer::turn`].
    #[must_use]
    pub fn deadline(&self, now: Mono) -> Option<Mono> {
        if !self.queue.is_empty() {
            return Some(now);
        }
        [self.again.as_ref().map(|again| again.at), self.refresh].into_iter().flatten().min()
    }

    /// The addresses to announce now, at most [`TURN`].
    pub fn turn(&mut self, now: Mono) -> Vec<IpAddr> {
        if let Some(again) = self.again.take_if(|again| again.at <= now) {
            let addresses = self.held.iter().copied().filter(|a| again.addresses.contains(a)).collect();
            self.enqueue(addresses, again.repeat);
        }
        if self.refresh.is_some_and(|at| at <= now) {
            self.enqueue(self.held.clone(), u32::from(self.garp.refresh_repeat));
            self.refresh = self.next_refresh(now);
        }
        let turn = self.queue.len().min(TURN);
        self.queue.drain(..turn).collect()
    }

    fn burst(&mut self, addresses: Vec<IpAddr>, repeat: u8, delay: Duration, now: Mono) {
        if addresses.is_empty() || repeat == 0 {
            return;
        }
        let repeat = u32::from(repeat);
        if !delay.is_zero() {
            let mut again = Again { at: now + delay, repeat, addresses: addresses.iter().copied().collect() };
            if let Some(before) = self.again.take() {
                again.repeat = again.repeat.max(before.repeat);
                again.addresses.extend(before.addresses);
            }
            self.again = Some(again);
        }
        self.enqueue(addresses, repeat);
    }

    /// Every address once, then every address again: as far apart as possible. Never more than one burst waits.
    fn enqueue(&mut self, addresses: Vec<IpAddr>, repeat: u32) {
        let bound = self.held.len() * usize::from(u8::MAX);
        for _ in 0..repeat {
            self.queue.extend(&addresses);
        }
        self.queue.truncate(bound);
    }

    fn next_refresh(&self, from: Mono) -> Option<Mono> {
        (!self.garp.refresh.is_zero()).then(|| from + self.garp.refresh)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    use vipkit_config::Source;

    const A: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    const B: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

    fn defaults() -> Garp {
        let text = "[vrrp.a]\ninterface = 'eth0'\nvirtual_router_id = 1\naddresses = ['192.0.2.1/24']";
        let source = Source { name: "vipkit.toml".to_owned(), text: text.to_owned() };
        vipkit_config::parse(&[source]).unwrap().vrrp["a"].garp.clone()
    }

    fn at(seconds: u64) -> Mono {
        Mono::at(Duration::from_secs(seconds))
    }

    /// (second, how many frames) until nothing is due before `end`.
    fn timeline(announcer: &mut Announcer, start: Mono, end: Mono) -> Vec<(u64, usize)> {
        let mut now = start;
        let mut seen = Vec::new();
        while let Some(deadline) = announcer.deadline(now).filter(|&d| d <= end) {
            now = now.max(deadline);
            let frames = announcer.turn(now).len();
            if frames > 0 {
                seen.push((now.since_start().as_secs(), frames));
            }
        }
        seen
    }

    #[test]
    fn five_at_once_and_five_again_after_five_seconds() {
        let mut announcer = Announcer::new(defaults());
        assert_eq!(announcer.deadline(at(0)), None);
        announcer.hold(vec![A], at(10));
        assert_eq!(timeline(&mut announcer, at(10), at(1000)), [(10, 5), (15, 5)]);
    }

    #[test]
    fn bursts_go_round_the_addresses() {
        let mut announcer = Announcer::new(Garp { repeat: 2, delay: Duration::ZERO, ..defaults() });
        announcer.hold(vec![A, B], at(0));
        assert_eq!(announcer.turn(at(0)), [A, B, A, B]);
        assert_eq!(announcer.deadline(at(0)), None);
    }

    #[test]
    fn nothing_is_announced_after_withdrawing() {
        let mut announcer = Announcer::new(Garp { refresh: Duration::from_secs(1), ..defaults() });
        announcer.hold(vec![A], at(0));
        announcer.withdraw();
        announcer.reassert(at(1));
        assert_eq!(timeline(&mut announcer, at(1), at(1000)), []);
    }

    #[test]
    fn the_refresh_rate_is_the_same_after_ten_flaps() {
        let garp = Garp { refresh: Duration::from_secs(10), ..defaults() };
        let mut announcer = Announcer::new(garp);
        for second in 0..10 {
            announcer.hold(vec![A], at(second));
            announcer.withdraw();
        }
        announcer.hold(vec![A], at(10));
        assert_eq!(timeline(&mut announcer, at(10), at(45)), [(10, 5), (15, 5), (25, 1), (35, 1), (45, 1)]);
    }

    #[test]
    fn a_new_address_is_announced_alone() {
        let mut announcer = Announcer::new(Garp { delay: Duration::ZERO, ..defaults() });
        announcer.hold(vec![A], at(0));
        announcer.turn(at(0));
        announcer.hold(vec![A, B], at(1));
        assert_eq!(announcer.turn(at(1)), [B; 5]);
    }

    #[test]
    fn conflicts_make_one_burst_a_second_and_one_after_the_last() {
        let mut announcer = Announcer::new(defaults());
        announcer.hold(vec![A], at(0));
        timeline(&mut announcer, at(0), at(9));
        let mut frames = 0;
        for millis in 10_000..13_000 {
            let now = Mono::at(Duration::from_millis(millis));
            announcer.reassert(now);
            frames += announcer.turn(now).len();
        }
        assert_eq!(frames, 3 * 5);
        assert_eq!(timeline(&mut announcer, at(13), at(1000)), [(17, 5)]);
    }

    #[test]
    fn a_conflict_takes_nothing_from_the_later_burst_of_a_takeover() {
        for lower_priority_repeat in [0, 1] {
            let mut announcer = Announcer::new(Garp { lower_priority_repeat, ..defaults() });
            announcer.hold(vec![A], at(0));
            announcer.turn(at(0));
            announcer.reassert(at(2));
            assert_eq!(announcer.turn(at(2)).len(), usize::from(lower_priority_repeat));
            let later: usize = timeline(&mut announcer, at(3), at(1000)).iter().map(|(_, n)| n).sum();
            assert_eq!(later, 5, "{lower_priority_repeat}");
        }
    }

    #[test]
    fn a_conflict_right_after_the_takeover_is_answered_by_its_burst() {
        let mut announcer = Announcer::new(defaults());
        announcer.hold(vec![A], at(0));
        announcer.reassert(at(0));
        announcer.hold(vec![A], at(1));
        announcer.reassert(at(1));
        assert_eq!(announcer.turn(at(1)).len(), 2 * 5);
    }

    #[test]
    fn many_addresses_are_announced_in_turns() {
        let mut announcer = Announcer::new(Garp { delay: Duration::ZERO, ..defaults() });
        announcer.hold((0..=254).map(|n| [10, 0, 0, n].into()).collect(), at(0));
        let turns: Vec<_> =
            std::iter::from_fn(|| Some(announcer.turn(at(0)).len()).filter(|&n| n > 0)).collect();
        assert_eq!(turns.iter().sum::<usize>(), 5 * 255);
        assert!(turns.iter().all(|&n| n <= TURN));
    }
}
