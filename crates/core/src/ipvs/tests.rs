//! What is written is read again; arbitrary bytes and damaged messages give a value or an error.

use std::net::IpAddr;

use proptest::prelude::*;

use super::attribute::Writer;
use super::*;

/// Attributes of a kernel to come.
fn others() -> impl Strategy<Value = Vec<Other>> {
    let other = (100_u16..1000, any::<bool>(), prop::collection::vec(any::<u8>(), 0..20));
    let other = other.prop_map(|(kind, nested, value)| Other { kind: kind | u16::from(nested) << 15, value });
    prop::collection::vec(other, 0..3)
}

fn addresses() -> impl Strategy<Value = IpAddr> {
    prop_oneof![any::<[u8; 4]>().prop_map(IpAddr::from), any::<[u8; 16]>().prop_map(IpAddr::from)]
}

fn families() -> impl Strategy<Value = Family> {
    prop_oneof![Just(Family::Inet), Just(Family::Inet6)]
}

fn service_ids() -> impl Strategy<Value = ServiceId> {
    prop_oneof![
        (any::<u16>(), addresses(), any::<u16>()).prop_map(|(number, address, port)| ServiceId::Address {
            protocol: Protocol::from_number(number),
            address,
            port
        }),
        (any::<u32>(), families()).prop_map(|(mark, family)| ServiceId::Fwmark { mark, family }),
    ]
}

fn statistics() -> impl Strategy<Value = Option<Statistics>> {
    let counts = any::<[u64; 10]>().prop_map(|[c, pi, po, bi, bo, cr, pri, pro, bri, bro]| Statistics {
        connections: c,
        packets_in: pi,
        packets_out: po,
        bytes_in: bi,
        bytes_out: bo,
        connection_rate: cr,
        packet_rate_in: pri,
        packet_rate_out: pro,
        byte_rate_in: bri,
        byte_rate_out: bro,
    });
    prop::option::of(counts)
}

fn names() -> impl Strategy<Value = Name> {
    "[!-~]{1,15}".prop_map(|text| Name::new(&text).unwrap())
}

fn services() -> impl Strategy<Value = Service> {
    let settings = (names(), any::<u32>(), any::<u32>(), any::<[u8; 4]>(), any::<u32>());
    (service_ids(), settings, prop::option::of(names()), statistics(), others()).prop_map(
        |(id, (scheduler, flags, timeout, mask, prefix), persistence_engine, statistics, other)| Service {
            id,
            scheduler: Scheduler::named(scheduler),
            flags: ServiceFlags(flags),
            timeout,
            netmask: match id.family() {
                Family::Inet => Netmask::Inet(mask.into()),
                Family::Inet6 => Netmask::Inet6(prefix),
            },
            persistence_engine,
            statistics,
            other,
        },
    )
}

fn destination_ids() -> impl Strategy<Value = DestinationId> {
    (addresses(), any::<u16>()).prop_map(|(address, port)| DestinationId { address, port })
}

fn destinations() -> impl Strategy<Value = Destination> {
    let tunnel = (any::<u8>(), any::<u16>(), any::<u16>());
    let forwarding = prop_oneof![
        tunnel.prop_map(|(kind, port, flags)| Forwarding::Tunnel(Tunnel {
            kind: TunnelKind::from_number(kind),
            port,
            flags
        })),
        (0_u32..8, any::<u32>()).prop_map(|(low, high)| match low {
            0 => Forwarding::Masquerade,
            1 => Forwarding::Local,
            3 => Forwarding::DirectRoute,
            4 => Forwarding::Bypass,
            _ => Forwarding::Other(high | 8),
        }),
    ];
    (destination_ids(), forwarding, any::<[u32; 6]>(), statistics(), others()).prop_map(
        |(id, forwarding, [weight, upper, lower, active, inactive, persistent], statistics, other)| {
            Destination {
                id,
                forwarding,
                weight,
                upper_threshold: upper,
                lower_threshold: lower,
                active_connections: active,
                inactive_connections: inactive,
                persistent_connections: persistent,
                statistics,
                other,
            }
        },
    )
}

fn commands() -> impl Strategy<Value = Command> {
    prop_oneof![
        services().prop_map(Command::NewService),
        services().prop_map(Command::SetService),
        service_ids().prop_map(Command::DeleteService),
        (service_ids(), destinations()).prop_map(|(s, d)| Command::NewDestination(s, d)),
        (service_ids(), destinations()).prop_map(|(s, d)| Command::SetDestination(s, d)),
        (service_ids(), destination_ids()).prop_map(|(s, d)| Command::DeleteDestination(s, d)),
    ]
}

fn queries() -> impl Strategy<Value = Query> {
    prop_oneof![Just(Query::Services), service_ids().prop_map(Query::Destinations), Just(Query::Info)]
}

fn replies() -> impl Strategy<Value = Reply> {
    let info = (any::<u32>(), any::<u32>(), others());
    prop_oneof![
        services().prop_map(Reply::Service),
        destinations().prop_map(Reply::Destination),
        info.prop_map(|(version, table_size, other)| Reply::Info(Info {
            version: Version(version),
            table_size,
            other
        })),
    ]
}

proptest! {
    #[test]
    fn a_command_is_read_as_it_was_written(command in commands()) {
        prop_assert_eq!(Command::parse(&command.emit()), Ok(command));
    }

    #[test]
    fn a_query_is_read_as_it_was_written(query in queries()) {
        prop_assert_eq!(Query::parse(&query.emit()), Ok(query));
    }

    #[test]
    fn a_reply_is_read_as_it_was_written(reply in replies()) {
        prop_assert_eq!(Reply::parse(&reply.emit()), Ok(reply));
    }

    #[test]
    fn arbitrary_bytes_are_read(command in 0_u8..20, bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for bytes in [&bytes[..], &[&[command, 1, 0, 0], &bytes[..]].concat()] {
            let _ = (Command::parse(bytes), Query::parse(bytes), Reply::parse(bytes));
        }
    }

    #[test]
    fn a_damaged_message_is_read(
        command in commands(), reply in replies(),
        at in any::<prop::sample::Index>(), byte: u8, cut in any::<prop::sample::Index>(),
    ) {
        for mut bytes in [command.emit(), reply.emit()] {
            let (at, cut) = (at.index(bytes.len()), cut.index(bytes.len()));
            bytes[at] = byte;
            let _ = (Command::parse(&bytes), Query::parse(&bytes), Reply::parse(&bytes));
            let _ = (Command::parse(&bytes[..cut]), Query::parse(&bytes[..cut]), Reply::parse(&bytes[..cut]));
        }
    }
}

fn web() -> Service {
    let id = ServiceId::Address { protocol: Protocol::Tcp, address: IpAddr::from([192, 0, 2, 1]), port: 80 };
    Service::new(id, "wrr".parse().unwrap())
}

/// A service's message of which the attribute `kind` was replaced, or left out with `None`.
fn altered(kind: u16, value: Option<&[u8]>) -> Vec<u8> {
    let mut writer = message(NEW_SERVICE);
    let mut whole = Writer::default();
    web().emit(&mut whole);
    writer.nest(SERVICE, |inner| {
        for attribute in attributes("service", &whole.finish()).map(Result::unwrap) {
            match value {
                _ if attribute.kind() != kind => inner.put(attribute.kind(), attribute.bytes()),
                Some(value) => inner.put(kind, value),
                None => {}
            }
        }
    });
    writer.finish()
}

#[test]
fn refuse_a_service_that_lacks_something() {
    for (kind, what) in [
        (1, "service address family"),
        (2, "protocol"),
        (3, "service address"),
        (4, "service port"),
        (6, "scheduler"),
        (7, "service flags"),
        (8, "persistence timeout"),
        (9, "netmask"),
    ] {
        assert_eq!(Command::parse(&altered(kind, None)), Err(ParseError::Missing { what }));
    }
}

#[test]
fn refuse_what_has_a_wrong_length_or_value() {
    let family = ParseError::Value { what: "service address family", found: 7 };
    assert_eq!(Command::parse(&altered(1, Some(&7_u16.to_ne_bytes()))), Err(family));
    let port = ParseError::Length { what: "service port", expected: 2, found: 1 };
    assert_eq!(Command::parse(&altered(4, Some(&[80]))), Err(port));
    let address = ParseError::Length { what: "service address", expected: 4, found: 3 };
    assert_eq!(Command::parse(&altered(3, Some(&[192, 0, 2]))), Err(address));
}

#[test]
fn refuse_a_false_length_and_an_unknown_command() {
    let mut bytes = Command::NewService(web()).emit();
    let command = ParseError::Value { what: "command", found: 99 };
    let cut = ParseError::Malformed { what: "message", offset: 0, found: bytes.len() - 5 };
    assert_eq!(Command::parse(&bytes[..bytes.len() - 1]), Err(cut));
    assert!(matches!(Command::parse(&bytes[..3]), Err(ParseError::Malformed { offset: 0, found: 3, .. })));
    bytes[0] = 99;
    for refusal in [Command::parse(&bytes).err(), Query::parse(&bytes).err(), Reply::parse(&bytes).err()] {
        assert_eq!(refusal, Some(command.clone()));
    }
}

#[test]
fn only_the_bits_that_the_mask_names_are_flags() {
    let mut value = 0xff_u32.to_ne_bytes().to_vec();
    value.extend(5_u32.to_ne_bytes());
    let Ok(Command::NewService(service)) = Command::parse(&altered(7, Some(&value))) else { panic!() };
    assert_eq!(service.flags, ServiceFlags::PERSISTENT | ServiceFlags::ONE_PACKET);
}

#[test]
fn a_netmask_of_the_other_family_is_not_written() {
    let command = Command::NewService(Service { netmask: Netmask::host(Family::Inet6), ..web() });
    assert_eq!(Command::parse(&command.emit()), Err(ParseError::Missing { what: "netmask" }));
}

#[test]
fn ids_read_as_ipvsadm_shows_them() {
    assert_eq!(web().id.to_string(), "TCP 192.0.2.1:80");
    assert_eq!(ServiceId::Fwmark { mark: 7, family: Family::Inet6 }.to_string(), "FWM 7 IPv6");
    let v6 = DestinationId { address: "2001:db8::1".parse().unwrap(), port: 443 };
    assert_eq!(v6.to_string(), "[2001:db8::1]:443");
}
