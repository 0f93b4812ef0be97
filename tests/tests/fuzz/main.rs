//! Smoke fuzzing of a whole router: bytes, events and configurations that nobody thought of. PROPTEST_CASES is the
//! number of cases of each test.

mod life;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use vipkit_core::units::Mono;
use vipkit_core::vrrp::{self, Reject};
use vipkit_tests::conformance::arrival::Arrival;
use vipkit_tests::conformance::packet::Packet;
use vipkit_tests::conformance::trailer::Trailer;
use vipkit_tests::host::{Host, Seen, instance};
use vrrpd::fsm::State;

use life::{Life, happening};

const VERSION_2: &str = "version = 2\nauthentication = { type = 'pass', key = '1111' }";
/// All adverts that are made up are within this window, if the clock does not step.
const HMAC: &str = "authentication = { type = 'hmac', active_key = 1, time_window = '300s', \
                    keys = [{ id = 1, credential = 'a' }, { id = 2, credential = 'b' }] }";
const MONOTONIC: &str = "authentication = { type = 'hmac', replay_protection = 'monotonic', \
                         keys = [{ id = 1, credential = 'a' }] }";
const UNICAST: &str = "unicast_peers = ['10.0.1.2', { address = '10.0.1.3', min_ttl = 255 }]";
const UNICAST_V6: &str = "unicast_peers = ['fe80::2', { address = 'fe80::3', min_ttl = 255 }]";

/// A kind of router: its keys, and whether it is one of IPv6.
#[derive(Clone, Debug)]
struct Kind {
    keys: String,
    v6: bool,
}

impl Kind {
    fn source(&self) -> IpAddr {
        neighbour(self.v6, 1)
    }

    fn is_unicast(&self) -> bool {
        self.keys.contains("unicast_peers")
    }

    /// Copies of each advert.
    fn copies(&self) -> usize {
        if self.is_unicast() { 2 } else { 1 }
    }

    /// A packet, on its way to this router.
    fn to_it(&self, packet: &Packet) -> Arrival {
        let to = self.is_unicast().then(|| self.source()).filter(|_| packet.to.is_none()).or(packet.to);
        Packet { to, ..packet.clone() }.arrival().unwrap()
    }
}

fn neighbour(v6: bool, last: u8) -> IpAddr {
    if v6 {
        Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last.into()).into()
    } else {
        Ipv4Addr::new(10, 0, 1, last).into()
    }
}

fn any_kind() -> impl Strategy<Value = Kind> {
    let keys = vec![
        "",
        VERSION_2,
        "checksum = 'rfc9568'\npreempt = false",
        "priority = 255",
        "strict = true",
        HMAC,
        MONOTONIC,
    ];
    (prop::sample::select(keys), any::<bool>(), any::<bool>()).prop_map(|(keys, v6, unicast)| {
        // Neither version 2 nor a choice of checksums is there over IPv6.
        let v6 = v6 && !keys.contains("version") && !keys.contains("checksum");
        let peers = if v6 { UNICAST_V6 } else { UNICAST };
        let keys = if unicast { format!("{peers}\n{keys}") } else { keys.to_owned() };
        Kind { keys, v6 }
    })
}

/// A host in each state, and the moment it is in it.
fn in_state(kind: &Kind, state: State) -> (Host, Mono) {
    let mut now = Mono(1_000_000);
    let mut host = Host::new(&kind.keys, kind.source(), now).unwrap();
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
            let owner = Packet { from: neighbour(kind.v6, 2), priority: 255, ..Packet::default() };
            drop(host.packet(&kind.to_it(&owner).received(), now));
        }
        State::Initialize | State::Backup => {}
    }
    assert_eq!(host.state(), state);
    (host, now)
}

fn refusals(host: &Host) -> u64 {
    Reject::NAMES.iter().map(|name| host.router().counters().of(name)).sum()
}

fn believed(host: &Host) -> u64 {
    host.router().counters().of("advertisements_received")
}

/// The messages sent.
fn sent(seen: &[Seen]) -> impl Iterator<Item = &[u8]> {
    seen.iter().filter_map(|seen| match seen {
        Seen::Advert(vrrp::Packet::V4 { bytes, .. }) => Some(&bytes[20..]),
        Seen::Advert(vrrp::Packet::V6 { message, .. }) => Some(&message[..]),
        _ => None,
    })
}

/// Either it is believed, or it is refused, counted, and changes nothing else.
fn assert_refused_or_believed(host: &mut Host, packet: &Arrival, now: Mono) {
    let of = |host: &Host| (refusals(host), believed(host));
    let (before, state, timer) = (of(host), host.state(), host.router().fsm().deadline());
    let seen = host.packet(&packet.received(), now);
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

/// Bytes from anywhere to anywhere.
fn any_arrival() -> impl Strategy<Value = Arrival> {
    let near = |last: u16| Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last);
    let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);
    let source = prop_oneof![3 => (0..4u16).prop_map(near), 1 => any::<Ipv6Addr>()];
    let destination = prop_oneof![3 => Just(group), 3 => Just(near(1)), 1 => any::<Ipv6Addr>()];
    let hop_limit = prop_oneof![3 => Just(Some(255)), 1 => any::<Option<u8>>()];
    let bytes = prop::collection::vec(any::<u8>(), 0..1500);
    (any::<bool>(), source, destination, hop_limit, bytes).prop_map(
        |(v6, source, destination, hop_limit, message)| match v6 {
            true => Arrival::V6 { source, destination, hop_limit, message },
            false => Arrival::V4(message),
        },
    )
}

fn any_trailer() -> impl Strategy<Value = Trailer> {
    let mostly = |usual: u8, other: u8| prop_oneof![15 => Just(usual), 1 => Just(other)];
    let at_ms = prop_oneof![9 => 0..100_000i32, 1 => -400_000..400_000i32];
    (mostly(1, 2), mostly(1, 0), at_ms, any::<u16>()).prop_map(|(key, ext_type, at_ms, counter)| Trailer {
        key,
        ext_type,
        at_ms: at_ms.into(),
        counter,
        ..Trailer::default()
    })
}

/// An advert that is often valid, for a router of this family and one version or the other.
fn any_packet(v6: bool) -> impl Strategy<Value = Packet> {
    let mostly = |usual: u8, other: u8| prop_oneof![15 => Just(usual), 1 => Just(other)];
    let header = (prop::sample::select(vec![0u8, 1, 2, 3, 255]), mostly(255, 254), 2..=3u8, mostly(51, 52));
    let interval = prop_oneof![3 => Just(None), 1 => (0..4096u16).prop_map(Some)];
    let fields = (any::<u8>(), interval, mostly(1, 0), any::<bool>(), mostly(1, 0));
    (header, fields, prop::option::of(any_trailer())).prop_map(
        move |((from, ttl, version, vrid), (priority, interval, auth_type, pseudo_header, count), hmac)| {
            Packet {
                from: neighbour(v6, from),
                ttl,
                hop_limit: Some(ttl),
                version: if v6 { 3 } else { version },
                vrid,
                priority,
                interval,
                auth_type: if hmac.is_some() { 0 } else { auth_type },
                auth_data: "3131313100000000".to_owned(),
                pseudo_header: pseudo_header || v6,
                addresses: Some(vec![neighbour(v6, 5); usize::from(count)]),
                hmac,
                ..Packet::default()
            }
        },
    )
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
addresses = ['192.0.2.80/24', { address = '192.0.2.81/32', scope = 'link', advertise = false }]
source_address = '192.0.2.1'
unicast_peers = ['192.0.2.2', { address = '192.0.2.3', min_ttl = 254 }]
virtual_mac = { interface = 'vrrp.web', adverts_from = 'interface' }
accept = false
strict = true
routes = [{ to = 'default', via = '192.0.2.254', table = 100 }]
rules = [{ from = '192.0.2.80/32', table = 100, priority = 1000 }]

[vrrp.web.garp]
repeat = 3
delay = '1m 30s'

[vrrp.six]
interface = 'eth0'
virtual_router_id = 51
addresses = ['fe80::51/64', '2001:db8::80/64']
authentication = { type = 'hmac', active_key = 1, keys = [{ id = 1, credential = 'a' }, { id = 2, credential = 'b' }] }
";

proptest! {
    #[test]
    fn arbitrary_bytes_change_nothing(
        kind in any_kind(),
        packet in any_arrival(),
        state in any_state(),
    ) {
        let (mut host, now) = in_state(&kind, state);
        let refused = refusals(&host);
        assert_refused_or_believed(&mut host, &packet, now);
        prop_assert_eq!(refusals(&host), refused + 1);
    }

    #[test]
    fn a_changed_advert_is_refused_or_believed(
        (kind, packet) in any_kind().prop_flat_map(|kind| { let v6 = kind.v6; (Just(kind), any_packet(v6)) }),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        length in prop::option::weighted(0.1, any::<prop::sample::Index>()),
        state in any_state(),
    ) {
        let packet = kind.to_it(&packet);
        let mut bytes = packet.bytes().to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(length) = length {
            bytes.truncate(length.index(bytes.len()));
        }
        let (mut host, now) = in_state(&kind, state);
        assert_refused_or_believed(&mut host, &packet.with_bytes(bytes), now);
    }

    #[test]
    fn whatever_happens_a_router_keeps_its_word(
        (kind, happenings) in any_kind().prop_flat_map(|kind| {
            let v6 = kind.v6;
            (Just(kind), prop::collection::vec(happening(v6), 0..60))
        }),
    ) {
        let now = Mono(1_000_000);
        let host = Host::new(&kind.keys, kind.source(), now).unwrap();
        let mut life = Life::new(kind, host, now);
        for happening in &happenings {
            life.live(happening);
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
        v6 in prop::bool::weighted(0.3),
    ) {
        let list = addresses.iter().map(|(b, c, d, p)| match v6 {
            true => format!("'fe80::{b:x}:{c:x}:{d:x}/{}'", p * 4),
            false => format!("'10.{b}.{c}.{d}/{p}'"),
        });
        let list: Vec<_> = list.collect();
        let keys = format!(
            "priority = {priority}\nvirtual_router_id = {vrid}\nversion = {version}\n\
             advertisement_interval = '{millis}ms'\naddresses = [{}]", list.join(", ")
        );
        let kind = Kind { keys, v6 };
        if instance(&kind.keys, kind.source()).is_ok() {
            let (host, _) = in_state(&kind, State::Active);
            prop_assert_eq!(host.held().len(), addresses.len());
        }
    }
}
