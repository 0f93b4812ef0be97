//! Whether a service and its servers are well, and what contradicts itself in what ipvs-sync shows of them.

use vipkit_control::common::Notice;
use vipkit_control::ipvs::{Daemon, Server, Service, State};

use super::Health;

/// Of one service.
#[must_use]
pub fn of_service(service: &Service) -> Health {
    let servers = || service.servers.iter().all(|server| of_server(service, server) == Health::Healthy);
    Health::healthy_if(
        service.present && service.faults.is_empty() && service.warnings.is_empty() && servers(),
    )
}

/// Of a server of the service.
#[must_use]
pub fn of_server(service: &Service, server: &Server) -> Health {
    let is_well = server.state != State::Down && !server.stale && !is_out_of_place(service, server);
    Health::healthy_if(is_well)
}

/// The table has the server otherwise than its verdict asks for. While the service is not there, that says it all.
#[must_use]
pub fn is_out_of_place(service: &Service, server: &Server) -> bool {
    let wanted = match server.state {
        State::Up | State::Unknown | State::Unchecked => Some(server.weight),
        State::Down if service.on_failure == "quiesce" => Some(0),
        State::Down => None,
    };
    service.present && server.table_weight != wanted
}

/// What is wrong with what of a service is in the table, in words; what the daemon says itself is not said again.
#[must_use]
pub fn out_of_place(service: &Service) -> Option<Notice> {
    let wrong = service.servers.iter().filter(|server| is_out_of_place(service, server));
    let wrong: Vec<_> = wrong.map(|server| server.address.as_str()).collect();
    let what = match wrong[..] {
        _ if !service.present => "it is not in the table".to_owned(),
        [] => return None,
        [one] => format!("{one} is not in the table as its state asks for"),
        [first, ..] => {
            format!("{} servers ({first}, ...) are not in the table as their states ask for", wrong.len())
        }
    };
    let remedy =
        "ipvs-sync puts that right at once; if not, `vipctl status` or `journalctl -u ipvs-sync` says why";
    service.faults.is_empty().then(|| Notice { what, remedy: remedy.to_owned() })
}

/// What the daemon shows of itself and should be looked at, if it does not say so as a fault.
#[must_use]
pub fn doubt(daemon: &Daemon, services: &[Service]) -> Option<Notice> {
    let mut servers = services.iter().flat_map(|service| &service.servers);
    let (what, remedy) = if daemon.ipvs.is_none() && !services.is_empty() {
        ("the kernel has no IPVS".to_owned(), "`modprobe ip_vs`")
    } else if !daemon.health_connected && servers.any(|server| server.state != State::Unchecked) {
        let what = format!("no verdicts come in since {}; servers keep their last one", daemon.health_since);
        (what, "`systemctl status healthcheckd` and `journalctl -u ipvs-sync` say why")
    } else {
        return None;
    };
    daemon.faults.is_empty().then(|| Notice { what, remedy: remedy.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ipvs_daemon, notice, service};

    fn with(change: impl Fn(&mut Service)) -> Service {
        let mut service = service("web");
        change(&mut service);
        service
    }

    #[test]
    fn each_thing_that_is_not_as_it_should_be_is_degraded() {
        assert_eq!(of_service(&service("web")), Health::Healthy);
        for (what, change) in [
            ("not in the table", (|s| s.present = false) as fn(&mut Service)),
            ("a fault", |s| s.faults.push(notice("x", "y"))),
            ("a warning", |s| s.warnings.push(notice("x", "y"))),
            ("a server down", |s| {
                s.servers[0].state = State::Down;
                s.servers[0].table_weight = None;
            }),
            ("an old verdict", |s| s.servers[0].stale = true),
            ("up and absent", |s| s.servers[0].table_weight = None),
            ("another weight", |s| s.servers[0].table_weight = Some(7)),
            ("down and there", |s| s.servers[0].state = State::Down),
            ("unchecked and absent", |s| {
                s.servers[0].state = State::Unchecked;
                s.servers[0].table_weight = None;
            }),
        ] {
            assert_eq!(of_service(&with(change)), Health::Degraded, "{what}");
        }
    }

    #[test]
    fn a_server_that_is_down_is_where_on_failure_puts_it() {
        let down = |on_failure: &str, table_weight| {
            let service = with(|service| {
                service.on_failure = on_failure.to_owned();
                service.servers[0].state = State::Down;
                service.servers[0].table_weight = table_weight;
            });
            is_out_of_place(&service, &service.servers[0])
        };
        assert!(!down("remove", None) && down("remove", Some(0)) && down("remove", Some(1)));
        assert!(down("quiesce", None) && !down("quiesce", Some(0)) && down("quiesce", Some(1)));
    }

    #[test]
    fn what_is_out_of_place_is_said_once() {
        let what = |service: &Service| out_of_place(service).map(|notice| notice.what);
        assert_eq!(what(&service("web")), None);
        let absent = with(|service| service.present = false);
        assert_eq!(what(&absent).unwrap(), "it is not in the table");
        let explained = Service { faults: vec![notice("no IPVS", "modprobe")], ..absent };
        assert_eq!(what(&explained), None);
        let one = with(|service| service.servers[0].table_weight = None);
        assert_eq!(what(&one).unwrap(), "192.168.4.100:80 is not in the table as its state asks for");
        let two = with(|service| service.servers.iter_mut().for_each(|server| server.table_weight = None));
        assert!(what(&two).unwrap().starts_with("2 servers (192.168.4.100:80, ...) are not"));
    }

    #[test]
    fn a_daemon_that_hears_no_verdicts_is_in_doubt_only_if_it_needs_some() {
        let deaf = Daemon { health_connected: false, ..ipvs_daemon() };
        let unchecked = with(|s| s.servers.iter_mut().for_each(|server| server.state = State::Unchecked));
        assert!(doubt(&deaf, &[service("web")]).is_some());
        assert_eq!(doubt(&deaf, &[unchecked]), None);
        assert_eq!(doubt(&ipvs_daemon(), &[service("web")]), None);
    }

    #[test]
    fn a_kernel_without_ipvs_is_in_doubt_only_with_services_and_no_fault_that_says_so() {
        let without = Daemon { ipvs: None, ..ipvs_daemon() };
        assert!(doubt(&without, &[service("web")]).is_some());
        assert_eq!(doubt(&without, &[]), None);
        let says_so = Daemon { faults: vec![notice("no IPVS", "modprobe")], ..without };
        assert_eq!(doubt(&says_so, &[service("web")]), None);
    }
}
