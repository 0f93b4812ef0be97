//! Plays a row on a host, on a clock of its own. Must not know any requirement.

use std::collections::BTreeMap;
use std::time::Duration;

use vipkit_core::units::{Mono, Wall};
use vrrpd::fsm::State;

use super::arrival::Arrival;
use super::compare::{self, check, same};
use super::row::{Event, Row, Start, Step};
use super::trailer::CLOCK;
use crate::host::{Host, Seen, instance};

/// When a row's host is made: any other moment would do.
const EPOCH: Mono = Mono(1_000_000_000);
/// Turns of the timer that no row needs: the router asks to be woken without end.
const TURNS_MAX: usize = 100_000;
/// When a refused packet comes, and when the valid one.
const REFUSED_MS: f64 = 500.0;
const VALID_MS: f64 = 600.0;

/// Plays all cases of a row.
///
/// # Errors
/// What was seen and what was expected, of the first case that fails.
pub fn run(row: &Row) -> Result<(), String> {
    if let Some(expected) = &row.refused {
        let found = instance(&row.config, row.source).err().unwrap_or_default();
        return check("refused", found.contains(expected), expected, &found);
    }
    check("start", !row.start.is_empty(), "a state", "none")?;
    for &start in &row.start {
        let explain = |error| format!("from {start:?}: {error}");
        if !row.steps.is_empty() {
            row.steps.iter().try_fold(Bench::new(row, start)?, Bench::step).map_err(explain)?;
        }
        for refuse in &row.refuse {
            let explain = |error| explain(format!("{}: {error}", refuse.packet));
            let valid = row.valid.as_ref().ok_or("refuse without valid")?;
            let bench = Bench::new(row, start)?;
            let packet = Some(refuse.packet.clone());
            let hold = Some(refuse.counter.clone());
            let bench = bench.step(&Step { at_ms: REFUSED_MS, packet, hold, ..Step::default() });
            bench.and_then(|bench| bench.believes(&valid.packet)).map_err(explain)?;
        }
    }
    Ok(())
}

/// A host with a clock.
struct Bench {
    host: Host,
    start: Mono,
    now: Mono,
    late: Duration,
    seen: Vec<(Mono, Seen)>,
}

impl Bench {
    fn new(row: &Row, start: Start) -> Result<Self, String> {
        let host = Host::new(&row.config, row.source, EPOCH)?;
        let late = milliseconds(row.late_ms);
        let mut bench = Self { host, start: EPOCH, now: EPOCH, late, seen: Vec::new() };
        bench.set_clock(0.0);
        if start == Start::Initialize {
            return Ok(bench);
        }
        bench.take(|host, now| host.start(now));
        if start == Start::Active && bench.host.state() != State::Active {
            bench.now = bench.host.deadline(EPOCH).ok_or("no timer after the start")?;
            bench.start = bench.now;
            bench.set_clock(0.0);
            bench.take(Host::timer);
        }
        bench.serve_timers(bench.now + Duration::from_micros(1))?;
        bench.seen.clear();
        Ok(bench)
    }

    fn at(&self, ms: f64) -> Mono {
        self.start + milliseconds(ms)
    }

    /// The clock shows this moment of the row now.
    fn set_clock(&mut self, ms: f64) {
        let start = Duration::from_secs(CLOCK.into());
        let span = milliseconds(ms.abs());
        let wall = if ms < 0.0 { start - span } else { start + span };
        self.host.set_clock(Wall(wall), self.now);
    }

    fn take(&mut self, turn: impl FnOnce(&mut Host, Mono) -> Vec<Seen>) {
        let seen = turn(&mut self.host, self.now);
        self.seen.extend(seen.into_iter().map(|seen| (self.now, seen)));
    }

    /// Serves every timer that is due before this moment.
    fn serve_timers(&mut self, until: Mono) -> Result<(), String> {
        for _ in 0..TURNS_MAX {
            let due = self.host.deadline(self.now).map(|deadline| self.now.max(deadline + self.late));
            let Some(due) = due.filter(|&due| due < until) else { return Ok(()) };
            self.now = due;
            self.take(Host::timer);
        }
        Err(format!("{TURNS_MAX} timers, and no end"))
    }

    fn step(mut self, step: &Step) -> Result<Self, String> {
        let explain = |error| format!("at {} ms: {error}", step.at_ms);
        let before = self.counters();
        for n in 0..step.times.max(1) {
            let at = self.at(step.at_ms + step.every_ms * f64::from(n));
            if !step.asleep {
                self.serve_timers(at).map_err(explain)?;
            }
            check("time", at >= self.now, "no step back", "one")?;
            self.now = at;
            self.input(step).map_err(explain)?;
        }
        self.serve_timers(self.now + Duration::from_micros(1)).map_err(explain)?;
        let seen = std::mem::take(&mut self.seen);
        compare::seen(step, &seen, |ms| self.at(ms)).map_err(explain)?;
        if let Some(ms) = step.expiry_ms {
            same("expiry", &Some(self.at(ms)), &self.timer()).map_err(explain)?;
        }
        let moved = self.moved(&before);
        for (name, count) in &step.counter {
            same(name, count, moved.get(name.as_str()).unwrap_or(&0)).map_err(explain)?;
        }
        Ok(self)
    }

    /// The packet is believed: an Active router yields to it, a Backup's timer starts again.
    fn believes(mut self, packet: &str) -> Result<(), String> {
        let before = (self.host.state(), self.timer());
        self.now = self.at(VALID_MS);
        self.packet(packet)?;
        same("state after the valid packet", &State::Backup, &self.host.state())?;
        let moved = self.timer() > before.1;
        check("the valid packet", before.0 == State::Active || moved, "a later timer", "the same")
    }

    fn input(&mut self, step: &Step) -> Result<(), String> {
        let before = (self.host.state(), self.timer(), self.seen.len());
        let counters = self.counters();
        if let Some(ms) = step.clock_ms {
            self.set_clock(ms);
        }
        if let Some(mtu) = step.mtu {
            self.take(|host, now| host.set_mtu(mtu, now));
        }
        if let Some(packet) = &step.packet {
            self.packet(packet)?;
        }
        for (check, judged) in &step.say {
            self.take(|host, now| host.say(check, *judged, now));
        }
        if let Some(keys) = &step.reload {
            let seen = self.host.reload(keys, self.now)?;
            self.take(|_, _| seen);
        }
        match step.event {
            Some(Event::Startup) => self.take(Host::start),
            Some(Event::Shutdown) => self.take(Host::stop),
            Some(Event::Restart) => self.take(Host::restart),
            Some(Event::LinkDown) => self.take(|host, now| host.set_carrier(false, now)),
            Some(Event::LinkUp) => self.take(|host, now| host.set_carrier(true, now)),
            Some(Event::AddressGone) => self.take(|host, now| host.set_address(false, now)),
            Some(Event::AddressBack) => self.take(|host, now| host.set_address(true, now)),
            Some(Event::AddressTentative) => self.take(Host::set_tentative),
            None => {}
        }
        let Some(counter) = &step.hold else { return Ok(()) };
        same("counters of a hold", &BTreeMap::from([(counter.as_str(), 1)]), &self.moved(&counters))?;
        same("state of a hold", &before.0, &self.host.state())?;
        same("timer of a hold", &before.1, &self.timer())?;
        let quiet = self.seen[before.2..].iter().all(|(_, seen)| matches!(seen, Seen::Log(_)));
        check("a hold", quiet, "nothing seen", &format!("{:?}", &self.seen[before.2..]))
    }

    fn packet(&mut self, text: &str) -> Result<(), String> {
        let packet: Arrival = text.parse()?;
        self.take(|host, now| host.packet(&packet.received(), now));
        Ok(())
    }

    fn timer(&self) -> Option<Mono> {
        self.host.router().fsm().deadline()
    }

    fn counters(&self) -> BTreeMap<&'static str, u64> {
        self.host.router().counters().iter().collect()
    }

    /// The counters that are greater than before, and by how much: a restart begins anew.
    fn moved(&self, before: &BTreeMap<&'static str, u64>) -> BTreeMap<&'static str, u64> {
        let moved =
            self.counters().into_iter().map(|(name, count)| (name, count.saturating_sub(before[name])));
        moved.filter(|(_, count)| *count > 0).collect()
    }
}

fn milliseconds(ms: f64) -> Duration {
    Duration::from_micros((ms * 1000.0).round() as u64)
}
