//! Against a real kernel, with ipvsadm as the second opinion.

use std::net::IpAddr;
use std::process;

use vipkit_core::ipvs::{
    DestinationId, Family, Forwarding, Name, Netmask, Protocol, ServiceFlags, ServiceId, Statistics, Tunnel,
    TunnelKind, Version,
};

use super::*;
use crate::namespace::{in_namespace_async, ip};

fn tcp(address: &str, port: u16) -> ServiceId {
    ServiceId::Address { protocol: Protocol::Tcp, address: address.parse().unwrap(), port }
}

fn at(address: &str, port: u16) -> DestinationId {
    DestinationId { address: address.parse().unwrap(), port }
}

fn service(id: ServiceId, scheduler: &str) -> Service {
    Service::new(id, scheduler.parse().unwrap())
}

fn droute(id: DestinationId, weight: u32) -> Destination {
    Destination::new(id, Forwarding::DirectRoute, weight)
}

/// As [`in_namespace_async`], with a connection. Where no address was ever up, the kernel takes every destination for a
/// broadcast address and refuses it.
fn with_ipvs(test: impl AsyncFnOnce(Ipvs) + Send + 'static) {
    in_namespace_async(async || {
        ip("link set dev lo up");
        test(Ipvs::open().unwrap()).await;
    });
}

/// What the kernel says of an entry as one would have told it.
fn told(entry: &Entry) -> Entry {
    let mut entry = entry.clone();
    assert!(entry.service.flags.contains(ServiceFlags::HASHED));
    entry.service.flags = entry.service.flags.without(ServiceFlags::HASHED);
    assert_eq!(entry.service.statistics.take(), Some(Statistics::default()));
    for destination in &mut entry.destinations {
        assert_eq!(destination.statistics.take(), Some(Statistics::default()));
    }
    entry
}

async fn apply_all(ipvs: &mut Ipvs, commands: &[Command]) {
    for (command, result) in commands.iter().zip(ipvs.apply(commands).await) {
        assert_eq!(result, Ok(()), "{command:?}");
    }
}

/// What ipvsadm(8) prints, in order, spaces made one.
fn ipvsadm() -> Vec<String> {
    let output = process::Command::new("ipvsadm").arg("-Sn").output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().lines().map(|line| line.trim().to_owned()).collect()
}

#[test]
#[ignore = "needs root and a kernel with IPVS"]
fn a_service_and_its_destinations_are_made_changed_and_ended() {
    with_ipvs(async |mut ipvs| {
        assert_eq!(ipvs.info().unwrap().version, Version(0x01_02_01));
        assert_eq!(ipvs.read().await, Ok(Table::default()));

        let web = service(tcp("192.0.2.1", 80), "rr");
        let (first, second) = (droute(at("10.9.1.1", 80), 5), droute(at("10.9.1.2", 80), 6));
        apply_all(
            &mut ipvs,
            &[
                Command::NewService(web.clone()),
                Command::NewDestination(web.id, first.clone()),
                Command::NewDestination(web.id, second.clone()),
            ],
        )
        .await;
        assert_eq!(
            ipvsadm(),
            [
                "-A -t 192.0.2.1:80 -s rr",
                "-a -t 192.0.2.1:80 -r 10.9.1.1:80 -g -w 5",
                "-a -t 192.0.2.1:80 -r 10.9.1.2:80 -g -w 6",
            ]
        );

        let persistent = Service {
            flags: ServiceFlags::PERSISTENT,
            timeout: 50,
            netmask: Netmask::Inet([255, 255, 255, 0].into()),
            ..service(web.id, "wrr")
        };
        let drained = Destination { weight: 0, ..first };
        apply_all(
            &mut ipvs,
            &[
                Command::SetService(persistent.clone()),
                Command::SetDestination(web.id, drained.clone()),
                Command::DeleteDestination(web.id, second.id),
            ],
        )
        .await;
        let table = ipvs.read().await.unwrap();
        assert_eq!(
            table.services.iter().map(told).collect::<Vec<_>>(),
            [Entry { service: persistent, destinations: vec![drained] }]
        );
        assert_eq!(
            ipvsadm(),
            ["-A -t 192.0.2.1:80 -s wrr -p 50 -M 255.255.255.0", "-a -t 192.0.2.1:80 -r 10.9.1.1:80 -g -w 0",]
        );

        apply_all(&mut ipvs, &[Command::DeleteService(web.id)]).await;
        assert_eq!(ipvs.read().await, Ok(Table::default()));
        assert_eq!(ipvsadm(), [""; 0]);
    });
}

#[test]
#[ignore = "needs root and a kernel with IPVS"]
fn every_kind_of_service_and_destination_is_read_as_it_was_told() {
    with_ipvs(async |mut ipvs| {
        let dns = ServiceId::Address { protocol: Protocol::Udp, address: [192, 0, 2, 1].into(), port: 53 };
        let sip = ServiceId::Address { protocol: Protocol::Udp, address: [192, 0, 2, 1].into(), port: 5060 };
        let sctp =
            ServiceId::Address { protocol: Protocol::Sctp, address: [192, 0, 2, 1].into(), port: 2905 };
        let one_packet = Service { flags: ServiceFlags::ONE_PACKET, ..service(dns, "wlc") };
        let by_call = Service {
            flags: ServiceFlags::PERSISTENT,
            timeout: 60,
            persistence_engine: Name::new("sip"),
            ..service(sip, "rr")
        };
        let hashed = Service {
            flags: ServiceFlags::SCHEDULER_1 | ServiceFlags::SCHEDULER_2,
            ..service(tcp("192.0.2.2", 443), "sh")
        };
        let six = Service {
            flags: ServiceFlags::PERSISTENT,
            timeout: 360,
            netmask: Netmask::Inet6(64),
            ..service(tcp("2001:db8::1", 80), "mh")
        };
        let mark = service(ServiceId::Fwmark { mark: 7, family: Family::Inet }, "lc");
        let mark6 = service(ServiceId::Fwmark { mark: 7, family: Family::Inet6 }, "sed");

        let tunnel = |kind, port, flags| Forwarding::Tunnel(Tunnel { kind, port, flags });
        let limited = Destination {
            upper_threshold: 100,
            lower_threshold: 80,
            ..Destination::new(at("10.9.1.1", 8080), Forwarding::Masquerade, 3)
        };
        let gue = Destination::new(at("10.9.1.2", 53), tunnel(TunnelKind::Gue, 6080, 1), 1);
        let gre = Destination::new(at("10.9.1.3", 53), tunnel(TunnelKind::Gre, 0, 0), 1);
        let ipip = Destination::new(at("10.9.1.4", 53), tunnel(TunnelKind::Ipip, 0, 0), 1);
        let far = droute(at("2001:db8::9", 80), 65535);
        let mut expected = [
            (one_packet, vec![limited, gue, gre, ipip]),
            (by_call, vec![]),
            (hashed, vec![]),
            (six, vec![far]),
            (mark, vec![droute(at("10.9.1.5", 0), 1)]),
            (mark6, vec![]),
            (service(sctp, "nq"), vec![]),
        ]
        .map(|(service, destinations)| Entry { service, destinations });
        for Entry { service, destinations } in &expected {
            apply_all(&mut ipvs, &[Command::NewService(service.clone())]).await;
            let new = |d: &Destination| Command::NewDestination(service.id, d.clone());
            apply_all(&mut ipvs, &destinations.iter().map(new).collect::<Vec<_>>()).await;
        }
        let mut read: Vec<_> = ipvs.read().await.unwrap().services.iter().map(told).collect();
        for table in [&mut expected[..], &mut read[..]] {
            table.sort_by_key(|entry| entry.service.id);
            table.iter_mut().for_each(|entry| entry.destinations.sort_by_key(|d| d.id));
        }
        assert_eq!(read, expected);
        // Nothing this kernel says is unknown.
        assert!(read.iter().all(|e| e.service.other.is_empty()));
    });
}

#[test]
#[ignore = "needs root and a kernel with IPVS"]
fn thousands_of_destinations_are_made_and_read_whole() {
    with_ipvs(async |mut ipvs| {
        let ids: Vec<_> = (0..300).map(|i| tcp("192.0.2.1", 1000 + i)).collect();
        let destination = |i: u8| droute(at(&format!("10.9.1.{i}"), 80), u32::from(i));
        let commands: Vec<_> = ids
            .iter()
            .flat_map(|id| {
                let made = (1..=10).map(|i| Command::NewDestination(*id, destination(i)));
                std::iter::once(Command::NewService(service(*id, "rr"))).chain(made)
            })
            .collect();
        apply_all(&mut ipvs, &commands).await;
        let table = ipvs.read().await.unwrap();
        let mut found: Vec<_> = table.services.iter().map(|e| e.service.id).collect();
        found.sort();
        assert_eq!(found, ids);
        for entry in &table.services {
            let mut weights: Vec<_> = entry.destinations.iter().map(|d| (d.id.address, d.weight)).collect();
            weights.sort();
            let expected: Vec<_> = (1..=10).map(|i| (IpAddr::from([10, 9, 1, i]), u32::from(i))).collect();
            assert_eq!(weights, expected);
        }
        assert_eq!(ipvsadm().len(), commands.len());
        // The other way round every one fails, in batches that are answered whole.
        let failures = ipvs.apply(&commands).await;
        assert_eq!(failures, vec![Err(CommandError::Exists); commands.len()]);
    });
}

#[test]
#[ignore = "needs root and a kernel with IPVS"]
fn a_failure_is_told_of_its_own_command_and_stops_no_other() {
    with_ipvs(async |mut ipvs| {
        let (web, absent) = (tcp("192.0.2.1", 80), tcp("192.0.2.9", 80));
        let made = droute(at("10.9.1.1", 80), 1);
        let unknown = Service::new(absent, vipkit_core::ipvs::Scheduler::named(Name::new("nosuch").unwrap()));
        let heavy = droute(at("10.9.1.2", 80), u32::MAX);
        let commands = [
            (Command::NewService(service(web, "rr")), Ok(())),
            (Command::NewDestination(web, made.clone()), Ok(())),
            (Command::NewDestination(web, made.clone()), Err(CommandError::Exists)),
            (Command::NewService(service(web, "rr")), Err(CommandError::Exists)),
            (Command::SetService(service(absent, "rr")), Err(CommandError::NoSuchService)),
            (Command::DeleteService(absent), Err(CommandError::NoSuchService)),
            (Command::NewDestination(absent, made.clone()), Err(CommandError::NoSuchService)),
            (Command::NewService(unknown), Err(CommandError::NoSuchModule)),
            (Command::DeleteDestination(web, heavy.id), Err(CommandError::NoSuchDestination)),
            (
                Command::NewDestination(web, heavy),
                Err(CommandError::Netlink(NetlinkError::Refused(libc::ERANGE))),
            ),
            (Command::SetDestination(web, Destination { weight: 2, ..made.clone() }), Ok(())),
        ];
        let (commands, expected): (Vec<_>, Vec<_>) = commands.into_iter().unzip();
        assert_eq!(ipvs.apply(&commands).await, expected);
        assert_eq!(ipvs.apply(&commands[2..3]).await, expected[2..3]);
        assert_eq!(ipvs.apply(&[]).await, []);
        assert_eq!(ipvs.read().await.unwrap().services[0].destinations[0].weight, 2);
    });
}

#[test]
#[ignore = "needs root and a kernel with IPVS"]
fn tables_of_two_namespaces_are_apart() {
    with_ipvs(async |mut ipvs| {
        apply_all(&mut ipvs, &[Command::NewService(service(tcp("192.0.2.1", 80), "rr"))]).await;
        in_namespace_async(async || {
            assert_eq!(Ipvs::open().unwrap().read().await, Ok(Table::default()));
        });
        assert_eq!(ipvs.read().await.unwrap().services.len(), 1);
    });
}

#[test]
fn a_missing_family_is_said_to_be_a_missing_module() {
    let error = GenericFamily::open("vipkit-no-such").map(drop).map_err(unavailable).unwrap_err();
    assert_eq!(error, IpvsError::NotAvailable);
    assert!(error.to_string().contains("ip_vs"));
    assert_eq!(
        unavailable(NetlinkError::Refused(libc::EPERM)).to_string(),
        "IPVS: the kernel refused: Operation not permitted (os error 1)"
    );
}

#[test]
fn a_batch_is_bounded_in_commands_and_in_bytes() {
    let small = vec![Command::DeleteService(tcp("192.0.2.1", 80)); BATCH + 1];
    assert_eq!(batch(&small).len(), BATCH);
    assert_eq!(batch(&small[..3]).len(), 3);
    let other = vec![vipkit_core::ipvs::Other { kind: 200, value: vec![0; 30 * 1024] }];
    let large = Command::NewService(Service { other, ..service(tcp("192.0.2.1", 80), "rr") });
    assert_eq!(batch(&vec![large; 5]).len(), 2);
}

#[test]
fn what_was_lost_is_not_known_and_what_was_refused_is() {
    let command = Command::DeleteService(tcp("192.0.2.1", 80));
    let of = |error| CommandError::of(&command, error);
    assert_eq!(of(NetlinkError::Socket(libc::ENOBUFS)), CommandError::Overrun);
    for (error, unknown) in [
        (NetlinkError::Socket(libc::ENOBUFS), true),
        (NetlinkError::NoReply, true),
        (NetlinkError::Refused(libc::EPERM), false),
        (NetlinkError::Refused(libc::ESRCH), false),
    ] {
        assert_eq!(of(error).is_unknown(), unknown, "{error:?}");
    }
}
