//! Smoke fuzzing of a whole router: bytes, events and configurations that nobody thought of. PROPTEST_CASES is the
//! number of cases of each test.

use std::net::Ipv4Addr;
use std::time::Duration;

use proptest::prelude::*;
use vipkit_core::units::Mono;
use vipkit_core::vrrp::Reject;
use vipkit_tests::conformance::packet::Packet;
use vipkit_tests::host::{Host, Seen, instance};
use vrrpd::fsm::State;

const SOURCE: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 1);
const VERSION_2: &str = "version = 2\nauthentication = { type = 'pass', key = '1111' }";
/// No two answers to others are closer together: 100 ms, or the interval.
const ANSWER_GAP: Duration = Duration::from_millis(100);

/// A host in each state, and the moment it is in it.
fn in_state(keys: &str, state: State) -> (Host, Mono) {
    let mut now = Mono(1_000_000);
    let mut host = Host::new(keys, SOURCE, now).unwrap();
    if state == State::Initialize {
        return (host, now);
    }
    host.start(now);
    match state {
        State::Active => {
            now = host.deadline(now).unwrap();
            host.timer(now);
        }
        State::Fault => drop(host.set_carrier(false, now)),
        // Only another owner makes an owner a Backup.
        State::Backup if host.state() == State::Active => {
            drop(host.packet(&Packet { priority: 255, ..Packet::default() }.bytes().unwrap(), now));
        }
        State::Initialize | State::Backup => {}
    }
    assert_eq!(host.state(), state);
    (host, now)
}

fn refusals(host: &Host) -> u64 {
    Reject::NAMES.iter().map(|name| host.router().counters().of(name)).sum()
}

fn sent(seen: &[Seen]) -> impl Iterator<Item = u8> {
    seen.iter().filter_map(|seen| if let Seen::Advert(packet) = seen { Some(packet[22]) } else { None })
}

/// Either it is believed, or it is refused, counted, and changes nothing else.
fn assert_refused_or_believed(host: &mut Host, packet: &[u8], now: Mono) {
    let of = |host: &Host| (refusals(host), host.router().counters().of("advertisements_received"));
    let (before, state, timer) = (of(host), host.state(), host.router().fsm().deadline());
    let seen = host.packet(packet, now);
    let after = of(host);
    if after.0 > before.0 {
        assert_eq!(after, (before.0 + 1, before.1));
        assert_eq!((host.state(), host.router().fsm().deadline()), (state, timer));
        assert!(seen.iter().all(|seen| matches!(seen, Seen::Log(_))), "{seen:?}");
    } else if host.router().local().source.is_some() {
        assert_eq!(after, (before.0, before.1 + 1));
    }
}

fn any_state() -> impl Strategy<Value = State> {
    prop::sample::select(&State::ALL[..])
}

fn any_keys() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["", VERSION_2, "checksum = 'rfc9568'\npreempt = false", "priority = 255"])
}

/// An advert that is often valid, for one version or the other.
fn any_packet() -> impl Strategy<Value = Packet> {
    let mostly = |usual: u8, other: u8| prop_oneof![15 => Just(usual), 1 => Just(other)];
    let header = (prop::sample::select(vec![0u8, 1, 2, 3, 255]), mostly(255, 254), 2..=3u8, mostly(51, 52));
    let interval = prop_oneof![3 => Just(None), 1 => (0..4096u16).prop_map(Some)];
    let fields = (any::<u8>(), interval, mostly(1, 0), any::<bool>(), mostly(1, 0));
    (header, fields).prop_map(
        |((from, ttl, version, vrid), (priority, interval, auth_type, pseudo_header, count))| {
            let auth_data = "3131313100000000".to_owned();
            let from = Ipv4Addr::new(10, 0, 1, from);
            let addresses = vec![Ipv4Addr::new(10, 0, 1, 5); usize::from(count)];
            let valid = Packet::default();
            Packet {
                from,
                ttl,
                version,
                vrid,
                priority,
                interval,
                auth_type,
                auth_data,
                pseudo_header,
                addresses,
                ..valid
            }
        },
    )
}

/// Something that happens to a router.
#[derive(Clone, Debug)]
enum Happening {
    Start,
    Stop,
    Carrier(bool),
    Address(bool),
    Advert(Packet),
    /// So many adverts of one kind, 10 ms apart.
    Flood(Packet, u8),
    Bytes(Vec<u8>),
    Reload(u8, bool, u8),
    /// Its timers are served on time until so many milliseconds passed.
    Pass(u16),
    /// Nothing of it runs for so many milliseconds.
    Sleep(u16),
    /// Its timer is called though nothing is due.
    Spurious,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        4 => Just(Happening::Start),
        1 => Just(Happening::Stop),
        1 => prop::bool::weighted(0.8).prop_map(Happening::Carrier),
        1 => prop::bool::weighted(0.8).prop_map(Happening::Address),
        8 => any_packet().prop_map(Happening::Advert),
        1 => (any_packet(), 2..40u8).prop_map(|(packet, times)| Happening::Flood(packet, times)),
        1 => prop::collection::vec(any::<u8>(), 0..80).prop_map(Happening::Bytes),
        1 => (1..=255u8, any::<bool>(), 1..4u8).prop_map(|(p, preempt, n)| Happening::Reload(p, preempt, n)),
        4 => (0..3000u16).prop_map(Happening::Pass),
        4 => (0..150u16).prop_map(Happening::Pass),
        1 => (0..6000u16).prop_map(Happening::Sleep),
        1 => Just(Happening::Spurious),
    ]
}

/// A host, its clock, and what it has sent.
struct Life {
    host: Host,
    now: Mono,
    started: bool,
    /// Times it left the election while Active.
    left: usize,
    /// Adverts of priority 0 sent.
    said_goodbye: usize,
    /// When it last answered somebody.
    answered: Option<Mono>,
}

impl Life {
    fn live(&mut self, happening: &Happening, version: &str) {
        match happening {
            Happening::Start if !self.started => {
                self.started = true;
                self.turn(Host::start);
            }
            Happening::Start => {}
            Happening::Stop => {
                self.started = false;
                self.turn(Host::stop);
            }
            Happening::Carrier(carrier) => self.turn(|host, now| host.set_carrier(*carrier, now)),
            Happening::Address(present) => self.turn(|host, now| host.set_address(*present, now)),
            Happening::Advert(packet) => self.hear(&packet.bytes().unwrap()),
            Happening::Flood(packet, times) => {
                for _ in 0..*times {
                    self.hear(&packet.bytes().unwrap());
                    self.pass(Duration::from_millis(10));
                }
            }
            Happening::Bytes(bytes) => self.hear(bytes),
            Happening::Reload(priority, preempt, addresses) => {
                let preempt = *preempt || *priority == 255;
                let list: Vec<_> = (0..*addresses).map(|n| format!("'10.0.1.{}/24'", 5 + n)).collect();
                let list = list.join(", ");
                let keys =
                    format!("addresses = [{list}]\npriority = {priority}\npreempt = {preempt}\n{version}");
                self.turn(|host, now| host.reload(&keys, now).unwrap());
            }
            Happening::Pass(ms) => self.pass(Duration::from_millis(u64::from(*ms))),
            Happening::Sleep(ms) => {
                self.now = self.now + Duration::from_millis(u64::from(*ms));
                self.turn(Host::timer);
            }
            Happening::Spurious => self.turn(Host::timer),
        }
    }

    fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(due) = self.host.deadline(self.now).filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.turn(Host::timer);
        }
        self.now = end;
    }

    /// Answers to what others send are bounded, however often they do.
    fn hear(&mut self, packet: &[u8]) {
        let was_active = self.host.state() == State::Active;
        let mut answers = 0;
        self.turn(|host, now| {
            let seen = host.packet(packet, now);
            answers = sent(&seen).count();
            seen
        });
        if answers > 0 {
            assert!(was_active && answers == 1, "{answers} answers");
            assert!(self.answered.is_none_or(|at| self.now - at >= ANSWER_GAP), "answers too close together");
            self.answered = Some(self.now);
        }
    }

    fn turn(&mut self, take: impl FnOnce(&mut Host, Mono) -> Vec<Seen>) {
        let before = self.host.state();
        let seen = take(&mut self.host, self.now);
        let after = self.host.state();
        let goodbyes = sent(&seen).filter(|priority| *priority == 0).count();
        self.said_goodbye += goodbyes;
        self.left +=
            usize::from(before == State::Active && matches!(after, State::Initialize | State::Fault));
        if after != State::Active {
            self.answered = None;
        }
        let fsm = self.host.router().fsm();
        assert_eq!(fsm.deadline().is_some(), matches!(after, State::Backup | State::Active), "{after}");
        assert_eq!(!self.host.held().is_empty(), after == State::Active, "{after}");
        assert!(self.said_goodbye <= self.left, "priority 0 from who does not leave");
        let speaks = before == State::Active || after == State::Active;
        assert!(speaks || sent(&seen).next().is_none(), "{before} -> {after}: an advert");
        assert!(self.started || after == State::Initialize, "{after} without a start");
        let announced = seen.iter().any(|seen| matches!(seen, Seen::Announce(_)));
        assert!(!announced || after == State::Active, "{after}: announced what it does not hold");
    }
}

const CONFIGURATION: &str = "\
[node]
name = 'lvs1'

[vrrp.web]
interface = 'eth0'
virtual_router_id = 51
priority = 150
version = 2
advertisement_interval = '2s'
preempt = false
authentication = { type = 'pass', key = '1111' }
addresses = ['192.0.2.80/24', '192.0.2.81/32']

[vrrp.web.garp]
repeat = 3
delay = '1m 30s'
";

proptest! {
    #[test]
    fn arbitrary_bytes_change_nothing(
        bytes in prop::collection::vec(any::<u8>(), 0..1500),
        keys in any_keys(),
        state in any_state(),
    ) {
        let (mut host, now) = in_state(keys, state);
        let refused = refusals(&host);
        assert_refused_or_believed(&mut host, &bytes, now);
        prop_assert_eq!(refusals(&host), refused + 1);
    }

    #[test]
    fn a_changed_advert_is_refused_or_believed(
        packet in any_packet(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        length in prop::option::weighted(0.1, any::<prop::sample::Index>()),
        keys in any_keys(),
        state in any_state(),
    ) {
        let mut bytes = packet.bytes().unwrap();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(length) = length {
            bytes.truncate(length.index(bytes.len()));
        }
        let (mut host, now) = in_state(keys, state);
        assert_refused_or_believed(&mut host, &bytes, now);
    }

    #[test]
    fn whatever_happens_a_router_keeps_its_word(
        version in prop::sample::select(vec!["", VERSION_2]),
        happenings in prop::collection::vec(happening(), 0..60),
    ) {
        let now = Mono(1_000_000);
        let host = Host::new(version, SOURCE, now).unwrap();
        let mut life = Life { host, now, started: false, left: 0, said_goodbye: 0, answered: None };
        for happening in &happenings {
            life.live(happening, version);
        }
    }

    #[test]
    fn a_changed_configuration_is_refused_or_runs(
        changes in prop::collection::vec((any::<prop::sample::Index>(), "[ -~\n]{0,3}"), 0..4),
    ) {
        let mut text = CONFIGURATION.to_owned();
        for (at, with) in changes {
            let at = at.index(text.len());
            text.replace_range(at..=at, &with);
        }
        let source = vipkit_config::Source { name: "vipkit.toml".to_owned(), text };
        if let Ok(config) = vipkit_config::parse(&[source]) {
            for instance in config.vrrp.values() {
                prop_assert!(!instance.addresses.is_empty());
                prop_assert!(instance.priority.0 > 0);
                let skew = instance.advertisement_interval.skew_time(instance.priority);
                prop_assert!(!skew.is_zero() && !instance.advertisement_interval.length().is_zero());
            }
        }
    }

    #[test]
    fn arbitrary_values_of_an_instance_are_refused_or_run(
        priority in -1..257i32,
        vrid in -1..257i32,
        version in 1..=4u8,
        millis in prop_oneof![0..300_000u32, (0..5000u32).prop_map(|n| n * 10), (0..300u32).prop_map(|n| n * 1000)],
        addresses in prop::collection::vec((0..4u8, any::<u8>(), any::<u8>(), 20..34u8), 0..4),
    ) {
        let list: Vec<_> = addresses.iter().map(|(b, c, d, p)| format!("'10.{b}.{c}.{d}/{p}'")).collect();
        let keys = format!(
            "priority = {priority}\nvirtual_router_id = {vrid}\nversion = {version}\n\
             advertisement_interval = '{millis}ms'\naddresses = [{}]", list.join(", ")
        );
        if instance(&keys).is_ok() {
            let (host, _) = in_state(&keys, State::Active);
            prop_assert_eq!(host.held().len(), addresses.len());
        }
    }
}
