//! What ipvsadm and the kernel said to each other (fixtures/ipvs, each with its origin) is understood and written again.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::*;

macro_rules! fixture {
    ($name:literal) => {
        payloads(include_str!(concat!("../../fixtures/ipvs/", $name, ".hex")))
    };
}

/// Size of `struct nlmsghdr` (linux/netlink.h).
const NETLINK_HEADER: usize = 16;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap()).collect()
}

/// The payloads of all messages but the end of a dump and acknowledgements.
fn payloads(datagrams: &str) -> Vec<Vec<u8>> {
    let mut payloads = Vec::new();
    for datagram in datagrams.lines().map(hex) {
        let mut rest = &datagram[..];
        while !rest.is_empty() {
            let length = u32::from_ne_bytes(rest[..4].try_into().unwrap()) as usize;
            if u16::from_ne_bytes([rest[4], rest[5]]) >= 16 {
                payloads.push(rest[NETLINK_HEADER..length].to_vec());
            }
            rest = &rest[length.next_multiple_of(4)..];
        }
    }
    payloads
}

fn id(protocol: Protocol, address: &str, port: u16) -> ServiceId {
    ServiceId::Address { protocol, address: address.parse().unwrap(), port }
}

fn web() -> ServiceId {
    id(Protocol::Tcp, "198.51.100.1", 80)
}

fn six() -> ServiceId {
    id(Protocol::Tcp, "2001:db8::1", 443)
}

const fn mark(mark: u32, family: Family) -> ServiceId {
    ServiceId::Fwmark { mark, family }
}

fn service(id: ServiceId, scheduler: &str, flags: ServiceFlags) -> Service {
    Service { flags, ..Service::new(id, scheduler.parse().unwrap()) }
}

fn persistent(id: ServiceId, scheduler: &str, timeout: u32, netmask: Netmask) -> Service {
    Service { timeout, netmask, ..service(id, scheduler, ServiceFlags::PERSISTENT) }
}

fn destination(address: &str, port: u16, forwarding: Forwarding, weight: u32) -> Destination {
    Destination::new(DestinationId { address: address.parse().unwrap(), port }, forwarding, weight)
}

const fn tunnel(kind: TunnelKind, port: u16, flags: u16) -> Forwarding {
    Forwarding::Tunnel(Tunnel { kind, port, flags })
}

const NONE: ServiceFlags = ServiceFlags(0);
const BOTH: ServiceFlags = ServiceFlags(ServiceFlags::SCHEDULER_1.0 | ServiceFlags::SCHEDULER_2.0);
const NETWORK: Netmask = Netmask::Inet(std::net::Ipv4Addr::new(255, 255, 255, 0));

/// The services that ipvsadm makes, and that the kernel holds in the end but for the last.
fn services() -> Vec<(Vec<Vec<u8>>, Service)> {
    vec![
        (fixture!("new-service"), service(web(), "wrr", NONE)),
        (
            fixture!("new-service-udp-ops"),
            service(id(Protocol::Udp, "198.51.100.1", 53), "rr", ServiceFlags::ONE_PACKET),
        ),
        (fixture!("new-service-fwmark"), persistent(mark(7, Family::Inet), "wlc", 50, NETWORK)),
        (fixture!("new-service-ipv6"), persistent(six(), "wlc", 360, Netmask::Inet6(64))),
        (fixture!("new-service-fwmark-ipv6"), service(mark(8, Family::Inet6), "rr", NONE)),
        (
            fixture!("new-service-persistent"),
            persistent(id(Protocol::Tcp, "198.51.100.2", 443), "wrr", 50, NETWORK),
        ),
        (fixture!("new-service-sh"), service(id(Protocol::Tcp, "198.51.100.3", 80), "sh", BOTH)),
        (fixture!("new-service-mh"), service(id(Protocol::Tcp, "198.51.100.4", 80), "mh", BOTH)),
        (fixture!("new-service-sctp"), service(id(Protocol::Sctp, "198.51.100.5", 2905), "lc", NONE)),
    ]
}

#[test]
fn new_services_are_understood_and_written_byte_for_byte() {
    for (messages, service) in services() {
        let command = Command::NewService(service);
        assert_eq!(Command::parse(&messages[0]), Ok(command.clone()));
        assert_eq!(command.emit(), messages[0], "{command:?}");
    }
}

#[test]
fn destinations_are_understood_and_those_of_tunnels_written_byte_for_byte() {
    let nat = Destination {
        upper_threshold: 1000,
        lower_threshold: 800,
        ..destination("10.9.2.2", 8080, Forwarding::Masquerade, 3)
    };
    for (messages, service, destination) in [
        (fixture!("new-dest-nat"), web(), nat),
        (fixture!("new-dest-dr"), web(), destination("192.0.2.100", 80, Forwarding::DirectRoute, 1)),
        (fixture!("new-dest-ipip"), web(), destination("192.0.2.101", 80, tunnel(TunnelKind::Ipip, 0, 0), 2)),
        (
            fixture!("new-dest-gue"),
            web(),
            destination("192.0.2.102", 80, tunnel(TunnelKind::Gue, 6080, 1), 4),
        ),
        (fixture!("new-dest-gre"), web(), destination("192.0.2.103", 80, tunnel(TunnelKind::Gre, 0, 0), 0)),
        (fixture!("new-dest-ipv6"), six(), destination("2001:db8::100", 443, Forwarding::DirectRoute, 1)),
        (
            fixture!("new-dest-fwmark"),
            mark(7, Family::Inet),
            destination("192.0.2.100", 0, Forwarding::DirectRoute, 1),
        ),
    ] {
        let command = Command::NewDestination(service, destination.clone());
        assert_eq!(Command::parse(&messages[0]), Ok(command.clone()));
        assert_eq!(Command::parse(&command.emit()), Ok(command));
        if matches!(destination.forwarding, Forwarding::Tunnel(_)) {
            let mut writer = Writer::default();
            writer.nest(DESTINATION, |inner| destination.emit(inner));
            assert!(messages[0].ends_with(&writer.finish()), "{destination:?}");
        }
    }
}

#[test]
fn changes_removals_and_queries_are_understood() {
    let heavy = destination("192.0.2.100", 80, Forwarding::DirectRoute, 0);
    let gone = DestinationId { address: IpAddr::from([192, 0, 2, 103]), port: 80 };
    for (messages, command) in [
        (
            fixture!("set-service"),
            Command::SetService(service(id(Protocol::Udp, "198.51.100.1", 53), "wlc", NONE)),
        ),
        (fixture!("set-dest"), Command::SetDestination(web(), heavy)),
        (fixture!("del-dest"), Command::DeleteDestination(web(), gone)),
        (fixture!("del-service"), Command::DeleteService(id(Protocol::Sctp, "198.51.100.5", 2905))),
    ] {
        assert_eq!(Command::parse(&messages[0]), Ok(command));
    }
    for (messages, query) in [
        (fixture!("get-services"), Query::Services),
        (fixture!("get-dests"), Query::Destinations(web())),
        (fixture!("get-info"), Query::Info),
    ] {
        assert_eq!(Query::parse(&messages[0]), Ok(query));
    }
    let flush = Err(ParseError::Value { what: "command", found: 17 });
    assert_eq!(Command::parse(&fixture!("flush")[0]), flush);
}

/// Three connections were made to the one service and destination with `traffic`.
fn assert_counted(found: Statistics, traffic: bool) {
    let Statistics { connections, packets_in, packets_out, bytes_in, bytes_out, .. } = found;
    if traffic {
        assert_eq!(connections, 3);
        // A connection opens, asks and closes: at least five packets to the server and four back, of 52 bytes or more.
        assert!((15..30).contains(&packets_in) && (12..30).contains(&packets_out), "{found:?}");
        assert!(bytes_in > 52 * packets_in && bytes_out > 52 * packets_out, "{found:?}");
    } else {
        assert_eq!(found, Statistics::default());
    }
}

#[test]
fn the_services_of_the_kernel_are_those_that_were_made() {
    let dns = id(Protocol::Udp, "198.51.100.1", 53);
    let mut expected: BTreeMap<_, _> = services().into_iter().map(|(_, s)| (s.id, s)).collect();
    expected.remove(&id(Protocol::Sctp, "198.51.100.5", 2905));
    expected.insert(dns, service(dns, "wlc", NONE));
    let mut found = BTreeMap::new();
    for message in fixture!("services-reply") {
        let reply = Reply::parse(&message).unwrap();
        assert_eq!(Reply::parse(&reply.emit()), Ok(reply.clone()));
        let Reply::Service(mut service) = reply else { panic!("{reply:?}") };
        assert!(service.flags.contains(ServiceFlags::HASHED));
        service.flags = service.flags.without(ServiceFlags::HASHED);
        assert_counted(service.statistics.take().unwrap(), service.id == web());
        found.insert(service.id, service);
    }
    assert_eq!(found, expected);
}

#[test]
fn the_destinations_of_the_kernel_count_what_they_carried() {
    let mut found = Vec::new();
    for message in fixture!("dests-reply") {
        let reply = Reply::parse(&message).unwrap();
        assert_eq!(Reply::parse(&reply.emit()), Ok(reply.clone()));
        let Reply::Destination(destination) = reply else { panic!("{reply:?}") };
        assert_eq!(destination.other, []);
        let connections = destination.active_connections + destination.inactive_connections;
        assert_counted(destination.statistics.unwrap(), connections > 0);
        found.push((destination.id.to_string(), destination.forwarding, connections));
    }
    found.sort();
    let of = |id: &str, forwarding, connections| (id.to_owned(), forwarding, connections);
    assert_eq!(
        found,
        [
            of("10.9.2.2:8080", Forwarding::Masquerade, 3),
            of("192.0.2.100:80", Forwarding::DirectRoute, 0),
            of("192.0.2.101:80", tunnel(TunnelKind::Ipip, 0, 0), 0),
            of("192.0.2.102:80", tunnel(TunnelKind::Gue, 6080, 1), 0),
        ]
    );
}

#[test]
fn the_kernel_tells_its_version() {
    let reply = Reply::parse(&fixture!("info-reply")[0]).unwrap();
    let Reply::Info(info) = &reply else { panic!("{reply:?}") };
    assert_eq!(
        (info.version.to_string().as_str(), info.table_size, &info.other[..]),
        ("1.2.1", 4096, &[][..])
    );
    assert_eq!(Reply::parse(&reply.emit()), Ok(reply));
}
