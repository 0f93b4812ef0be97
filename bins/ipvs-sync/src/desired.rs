//! The table that should be: a function of the configuration and the verdicts, and of nothing else. A server without any
//! verdict is in it, as with keepalived, and nothing waits for the first verdicts: after a restart those that are kept
//! make the table right, and at boot waiting would be an outage.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use vipkit_config::{Forward, OnFailure, Protocol, Server, Service};
use vipkit_control::health::{Weight, WeightUnit};
use vipkit_core::ipvs::{
    self, Destination, DestinationId, Forwarding, Netmask, ServiceFlags, ServiceId, Tunnel,
};

use crate::table::{Entry, Table};
use crate::verdicts::Verdicts;

/// The services of a configuration by name.
pub type Services = BTreeMap<String, Service>;

/// The table for these services.
#[must_use]
pub fn desired(services: &Services, verdicts: &Verdicts) -> Table {
    Table(services.values().map(|service| (id(service), entry(service, verdicts))).collect())
}

/// What tells a service from others in the kernel.
#[must_use]
pub const fn id(service: &Service) -> ServiceId {
    let protocol = match service.protocol {
        Protocol::Tcp => ipvs::Protocol::Tcp,
        Protocol::Udp => ipvs::Protocol::Udp,
    };
    ServiceId::Address { protocol, address: service.address.ip(), port: service.address.port() }
}

/// What tells a server from others of its service in the kernel.
#[must_use]
pub const fn destination_id(server: &Server) -> DestinationId {
    DestinationId { address: server.address.ip(), port: server.address.port() }
}

/// Whether a server is to be taken for down.
#[must_use]
pub fn is_down(server: &Server, verdicts: &Verdicts) -> bool {
    server.check.as_deref().is_some_and(|check| verdicts.is_down(check))
}

/// The weight of a server that is up: the configured one, or what its check makes of it. A share of some weight is never
/// nothing, unless the check asks for nothing.
#[must_use]
pub fn weight(server: &Server, verdicts: &Verdicts) -> u32 {
    let verdict = server.check.as_deref().and_then(|check| verdicts.get(check));
    let Some(Weight { unit, number }) = verdict.and_then(|verdict| verdict.weight) else {
        return server.weight;
    };
    let most = i64::from(u16::MAX);
    let number = number.clamp(0, most);
    let weight = match unit {
        WeightUnit::Absolute => number,
        WeightUnit::Percent => (i64::from(server.weight) * number + 99) / 100,
    };
    u32::try_from(weight.min(most)).unwrap_or(server.weight)
}

/// Whether a verdict of this name, SERVICE/ADDRESS, is one on a server of these services.
#[must_use]
pub fn is_asked_for(services: &Services, check: &str) -> bool {
    let service = check.rsplit_once('/').and_then(|(service, _)| services.get(service));
    service.is_some_and(|service| service.servers.iter().any(|server| server.check.as_deref() == Some(check)))
}

/// What new services call a check that none of the old ones do, each with what the old ones call the checks of that
/// server: it may have moved, or its service have another name or address.
#[must_use]
pub fn heirs<'a>(old: &'a Services, new: &'a Services) -> Vec<(Vec<&'a str>, &'a str)> {
    let checked = |services: &'a Services| {
        let servers = services.values().flat_map(|service| service.servers.iter().map(move |s| (service, s)));
        servers.filter_map(|(service, s)| Some(((service.protocol, s.address), s.check.as_deref()?)))
    };
    let mut known = BTreeMap::<_, Vec<&str>>::new();
    checked(old).for_each(|(server, check)| known.entry(server).or_default().push(check));
    let renamed = checked(new).filter(|(_, check)| !is_asked_for(old, check));
    renamed.filter_map(|(server, check)| Some((known.get(&server)?.clone(), check))).collect()
}

/// The servers that are out, or silent, on account of a verdict: service and address.
#[must_use]
pub fn down(services: &Services, verdicts: &Verdicts) -> BTreeSet<(String, SocketAddr)> {
    let servers = services.iter().flat_map(|(name, service)| service.servers.iter().map(move |s| (name, s)));
    let down = servers.filter(|(_, server)| is_down(server, verdicts));
    down.map(|(name, server)| (name.clone(), server.address)).collect()
}

fn entry(service: &Service, verdicts: &Verdicts) -> Entry {
    let mut wanted = ipvs::Service::new(id(service), service.scheduler);
    if let Some(persistence) = &service.persistence {
        wanted.flags = ServiceFlags::PERSISTENT;
        wanted.timeout = u32::try_from(persistence.timeout.as_secs()).unwrap_or(u32::MAX);
        wanted.netmask = Netmask::Inet(persistence.netmask);
    }
    let destination = |server: &Server| {
        let weight = match (is_down(server, verdicts), service.on_failure) {
            (false, _) => weight(server, verdicts),
            (true, OnFailure::Quiesce) => 0,
            (true, OnFailure::Remove) => return None,
        };
        Some(Destination::new(destination_id(server), forwarding(server.forward), weight))
    };
    let destinations = service.servers.iter().filter_map(destination);
    Entry { service: wanted, destinations: destinations.map(|d| (d.id, d)).collect() }
}

const fn forwarding(forward: Forward) -> Forwarding {
    match forward {
        Forward::Nat => Forwarding::Masquerade,
        Forward::Dr => Forwarding::DirectRoute,
        Forward::Tunnel => Forwarding::Tunnel(Tunnel { kind: ipvs::TunnelKind::Ipip, port: 0, flags: 0 }),
    }
}

#[cfg(test)]
mod tests {
    use vipkit_control::health::Judgement;

    use super::*;
    use crate::kept::Kept;
    use crate::testing::{config, down as verdicts};
    use crate::verdicts::Verdict;

    const VERDICT: Verdict =
        Verdict { judged: None, weight: None, since: String::new(), reason: String::new(), generation: 1 };

    const TEXT: &str = "
        [[service]]
        name = 'web'
        address = '192.0.2.15:80'
        scheduler = 'wrr'
        forward = 'dr'
        persistence = { timeout = '5m', netmask = '255.255.255.0' }
        server = [{ address = '192.0.2.81:80', weight = 1 }, { address = '192.0.2.82:80', weight = 2 }]
        check = { type = 'tcp' }

        [[service]]
        name = 'dns'
        address = '192.0.2.15:53'
        protocol = 'udp'
        scheduler = 'rr'
        forward = 'nat'
        on_failure = 'quiesce'
        server = [{ address = '192.0.2.91:5353', weight = 3 }]
        check = { type = 'tcp' }
    ";

    fn weights(table: &Table) -> Vec<(String, u32)> {
        let all = table.0.values().flat_map(|entry| entry.destinations.values());
        all.map(|d| (d.id.to_string(), d.weight)).collect()
    }

    #[test]
    fn a_service_becomes_what_the_kernel_calls_it() {
        let services = config(TEXT).services;
        let table = desired(&services, &Verdicts::default());
        let web = &table.0[&id(&services["web"])];
        assert_eq!(web.service.id.to_string(), "TCP 192.0.2.15:80");
        assert_eq!((web.service.scheduler.as_str(), web.service.timeout), ("wrr", 300));
        assert_eq!(web.service.flags, ServiceFlags::PERSISTENT);
        assert_eq!(web.service.netmask, Netmask::Inet([255, 255, 255, 0].into()));
        let dns = &table.0[&id(&services["dns"])];
        assert_eq!((dns.service.id.to_string(), dns.service.flags.0), ("UDP 192.0.2.15:53".to_owned(), 0));
        assert!(dns.destinations.values().all(|d| d.forwarding == Forwarding::Masquerade));
        assert!(web.destinations.values().all(|d| d.forwarding == Forwarding::DirectRoute));
    }

    #[test]
    fn a_server_that_is_down_leaves_or_is_silent() {
        let services = config(TEXT).services;
        let up = [("192.0.2.81:80", 1), ("192.0.2.82:80", 2), ("192.0.2.91:5353", 3)];
        let own = |list: &[(&str, u32)]| list.iter().map(|(a, w)| ((*a).to_owned(), *w)).collect::<Vec<_>>();
        assert_eq!(weights(&desired(&services, &Verdicts::default())), own(&up));
        let verdicts = verdicts(&["web/192.0.2.81:80", "dns/192.0.2.91:5353", "gone/1.2.3.4:5"]);
        let after = [("192.0.2.82:80", 2), ("192.0.2.91:5353", 0)];
        assert_eq!(weights(&desired(&services, &verdicts)), own(&after));
        let out: Vec<String> =
            down(&services, &verdicts).iter().map(|(name, a)| format!("{name} {a}")).collect();
        assert_eq!(out, ["dns 192.0.2.91:5353", "web 192.0.2.81:80"]);
    }

    #[test]
    fn the_weight_is_what_the_check_makes_of_it() {
        let services = config(TEXT).services;
        let [first, second] = services["web"].servers.as_slice() else { panic!() };
        for (unit, number, weights) in [
            (WeightUnit::Percent, 50, [1, 1]),
            (WeightUnit::Percent, 0, [0, 0]),
            (WeightUnit::Percent, 1000, [10, 20]),
            (WeightUnit::Absolute, 7, [7, 7]),
            (WeightUnit::Absolute, -7, [0, 0]),
            (WeightUnit::Absolute, i64::MAX, [65535, 65535]),
        ] {
            let verdict = |name: &&str| {
                let weight = Some(Weight { unit, number });
                let verdict = Verdict { judged: Some(Judgement::Up), weight, ..VERDICT };
                ((*name).to_owned(), verdict)
            };
            let verdicts = Verdicts::remembered(
                ["web/192.0.2.81:80", "web/192.0.2.82:80"].iter().map(verdict).collect(),
            );
            assert_eq!([first, second].map(|server| weight(server, &verdicts)), weights, "{unit:?} {number}");
            let table = desired(&services, &verdicts);
            let web = &table.0[&id(&services["web"])];
            assert_eq!(web.destinations.values().map(|d| d.weight).collect::<Vec<_>>(), weights);
        }
    }

    #[test]
    fn a_check_is_asked_for_by_the_name_of_its_server() {
        let services = config(TEXT).services;
        for (name, asked_for) in [
            ("web/192.0.2.81:80", true),
            ("web/192.0.2.81:81", false),
            ("dns/192.0.2.81:80", false),
            ("web", false),
            ("", false),
        ] {
            assert_eq!(is_asked_for(&services, name), asked_for, "{name}");
        }
    }

    #[test]
    fn a_server_is_known_by_its_address_wherever_it_moves() {
        let old = config(TEXT).services;
        assert_eq!(heirs(&old, &old), []);
        let renamed = config(&TEXT.replace("'web'", "'www'")).services;
        let (first, second) = ("web/192.0.2.81:80", "web/192.0.2.82:80");
        let expected = [(vec![first], "www/192.0.2.81:80"), (vec![second], "www/192.0.2.82:80")];
        assert_eq!(heirs(&old, &renamed), expected);
        // Two services swap all but their names: over another protocol it is another server.
        let tcp = TEXT.replace("'udp'", "'tcp'").replace("192.0.2.91:5353", "192.0.2.91:80");
        let swapped = tcp.replace("'web'", "'x'").replace("'dns'", "'web'").replace("'x'", "'dns'");
        let (tcp, swapped) = (config(&tcp).services, config(&swapped).services);
        assert_eq!(
            heirs(&tcp, &swapped),
            [
                (vec![first], "dns/192.0.2.81:80"),
                (vec![second], "dns/192.0.2.82:80"),
                (vec!["dns/192.0.2.91:80"], "web/192.0.2.91:80"),
            ]
        );
        assert_eq!(heirs(&old, &config(&TEXT.replace("'udp'", "'tcp'")).services).len(), 0);
    }

    #[test]
    fn after_a_restart_the_table_is_the_same_before_anything_is_heard() {
        let services = config(TEXT).services;
        let verdicts = verdicts(&["web/192.0.2.81:80"]);
        let kept = Kept { verdicts: verdicts.wanted(|_| true), ..Kept::default() };
        let again = Verdicts::remembered(Kept::parse(&kept.emit("b"), "b").unwrap().verdicts);
        assert_eq!(desired(&services, &again), desired(&services, &verdicts));
    }
}
