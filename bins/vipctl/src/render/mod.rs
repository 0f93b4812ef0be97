//! What was seen, as text and as JSON. Pure functions of what they are given, the moment and the colour included;
//! must not ask, read or print.

pub mod check;
pub mod checks;
pub mod digests;
pub mod import;
pub mod introspect;
pub mod json;
pub mod notice;
pub mod realserver;
pub mod reload;
pub mod services;
pub mod status;
pub mod text;
pub mod time;
pub mod vrrp;
pub mod watch;

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use serde_json::json;
    use vipkit_control::common::{Fault, Notice};
    use vipkit_control::health::{self, Check, Part, Weight, WeightUnit};
    use vipkit_control::ipvs::{self, Server, Service};
    use vipkit_control::service::Info;
    use vipkit_control::vrrp::{self, Instance};

    use super::checks::Choice;
    use super::text::{Places, Style};
    use super::vrrp::Extent;
    use crate::daemons::{DAEMONS, Reloaded};
    use crate::import::note::{Meant, Note, Place, Refusal};
    use crate::realserver::judge::{InForce, Verdict, Vip};
    use crate::realserver::report::Report;
    use crate::testing::{
        active, address, backup, check, daemon, disabled, down, fault, health_report, ipvs_daemon,
        ipvs_report, notice, now, part, passed, peer, removed, report, server, service, too_wide,
        unreachable, with_part,
    };

    /// As long as names usually get.
    const NAME: &str = "production-web-front";
    const LONG: &str =
        "the answer to the request had no line with the word that it should have, but a great many others";
    const ADDRESS: &str = "192.168.100.100:8080";
    const V6: &str = "2001:db8:1111:2222:3333:4444:5555:6666";

    fn assert_fits(text: &str) {
        assert_eq!(too_wide(text), Vec::<&str>::new(), "\n{text}");
    }

    fn instances() -> Vec<Instance> {
        let addresses =
            vec![address("192.168.100.100/24", true, false), address("192.168.100.101/24", false, false)];
        let one = Instance {
            interface: "enp129s0f0.1001".to_owned(),
            virtual_router_id: 251,
            reason: LONG.to_owned(),
            since: "2026-02-02T02:01:48.000Z".to_owned(),
            addresses,
            peers: vec![peer("192.168.100.100", 200), peer("192.168.100.101", 100)],
            warnings: vec![notice(LONG, LONG)],
            hints: vec![notice(LONG, "`iptables -I INPUT -p 112 -j ACCEPT`")],
            ..active(NAME)
        };
        let v6 = Instance {
            addresses: vec![address(&format!("{V6}/128"), true, false)],
            peers: vec![peer(V6, 200)],
            hints: vec![notice(&format!("{V6} is odd"), &format!("look at {V6}"))],
            ..active(NAME)
        };
        let state = vrrp::State::Initialize;
        vec![one.clone(), fault("VI_1"), backup("mail"), v6, Instance { state, ..one }]
    }

    fn services() -> Vec<Service> {
        let odd = |address: &str| Server { reason: LONG.to_owned(), stale: true, ..removed(address, 100) };
        let state = ipvs::State::Unchecked;
        let one = Service {
            address: ADDRESS.to_owned(),
            persistence: Some(86_399.0),
            persistence_netmask: Some("255.255.255.0".to_owned()),
            present: false,
            faults: vec![notice(LONG, LONG)],
            incoming_bytes: 1 << 42,
            servers: vec![odd(ADDRESS), server(ADDRESS, 100), Server { state, ..server(ADDRESS, 1) }],
            ..service(NAME)
        };
        vec![
            one,
            service("web"),
            Service { servers: (0..30).map(|_| odd(ADDRESS)).collect(), ..service("many") },
        ]
    }

    fn checks() -> Vec<Check> {
        let name = format!("{NAME}/{ADDRESS}");
        let stuck = health::State::CouldNotRun;
        let latency = Some(health::Latency { p50: 0.9, p90: 0.9, p99: 0.9, samples: 64 });
        let slow = || Part {
            latency,
            reason: LONG.to_owned(),
            warning: Some(LONG.to_owned()),
            weight: Some(Weight { unit: WeightUnit::Absolute, number: 65_535 }),
            ..part(NAME)
        };
        let long = || Check {
            reason: LONG.to_owned(),
            target: ADDRESS.to_owned(),
            warning: Some(LONG.to_owned()),
            used_by: vec![format!("service {NAME}"); 9],
            runs: vec![slow(); 8],
            ..down(&name)
        };
        let shaky = with_part(Part { failures: 1, ..part("tcp") }, check(NAME));
        let held = Check { judged: Some(health::Judgement::Down), ..check(&name) };
        let stuck = Check { state: stuck, ..long() };
        vec![long(), stuck, held, disabled(&name), shaky, check(&name), down("dns")]
    }

    #[test]
    fn what_the_daemons_say_fits() {
        let style = Style::Plain;
        let (instances, services, checks) = (instances(), services(), checks());
        let reports =
            [health_report(checks.clone()), ipvs_report(services.clone()), report(instances.clone())];
        assert_fits(&super::status::status(&reports, now(), style));
        assert_fits(&super::status::status(&[unreachable()], now(), style));
        assert_fits(&super::vrrp::instances(&daemon(), &instances, Extent::All, now(), style));
        assert_fits(&super::services::services(&ipvs_daemon(), &services, now(), style));
        let all = Choice { all: true, ..Choice::default() };
        assert_fits(&super::checks::checks(&checks, all, now(), style));
        assert_fits(&super::checks::checks(&checks, Choice { slow: true, ..all }, now(), style));
        for service in &services {
            assert_fits(&super::services::service(&ipvs_daemon(), service, now(), style));
        }
        for check in &checks {
            assert_fits(&super::checks::check(check, now(), style));
            assert_fits(&super::checks::told(check, Some(Duration::from_secs(10)), style));
            assert_fits(&super::checks::enabling(check, style));
        }
        let long = || Some(LONG.to_owned());
        let run = health::Report { reason: LONG.to_owned(), warning: long(), ..passed(NAME) };
        assert_fits(&super::checks::reports(&[run], style));
    }

    #[test]
    fn what_the_daemons_tell_fits() {
        let begin = json!({"step": "begin", "sequence": 1, "removed": []});
        for (daemon, kind, before, after) in [
            ("healthcheckd", "checks", json!([check("dns")]), json!(checks())),
            ("ipvs-sync", "services", json!([service(NAME)]), json!(services())),
            ("vrrpd", "instances", json!([backup(NAME)]), json!(instances())),
        ] {
            let row = DAEMONS.iter().find(|row| row.name == daemon).unwrap();
            let mut story = (row.story)();
            for (step, objects) in
                [("begin", json!([])), ("page", before), ("level", json!([])), ("change", after)]
            {
                let mut reply = begin.clone();
                (reply["step"], reply[kind]) = (json!(step), objects);
                assert_fits(&story.tell(reply, now(), Style::Plain).unwrap());
            }
        }
        assert_fits(&super::watch::remark("healthcheckd", super::text::Tone::Bad, LONG, now(), Style::Plain));
    }

    #[test]
    fn what_is_said_of_files_fits_a_terminal() {
        let (places, style) = (Places::on(true), Style::Plain);
        let file = "/etc/vipkit/conf.d/production.toml".to_owned();
        let what =
            Fault { file: file.clone(), line: 120, column: 40, what: LONG.to_owned(), hint: LONG.to_owned() };
        let checked = super::check::Checked {
            file: file.clone(),
            good: true,
            contents: Some(super::check::Contents { instances: 1000, services: 1000, checks: 10_000 }),
            digest: Some("0a1b2c3d4e5f".to_owned()),
            faults: vec![what.clone()],
            warnings: vec![what],
        };
        assert_fits(&super::check::check(&checked, places, style));
        let told = vrrp::Reloaded { added: vec![NAME.to_owned(); 9], ..vrrp::Reloaded::default() };
        let told = Reloaded::Vrrp(vrrp::ReloadReply { digest: "111111111111".to_owned(), instances: told });
        let outcome = super::reload::Outcome::Reloaded(told);
        let daemons = vec![super::reload::Told { name: "vrrpd", outcome }];
        let reload = super::reload::Reload { checked: vec![checked], daemons };
        assert_fits(&super::reload::reload(&reload, places, style));

        let at = Place { file: "keepalived.conf".into(), line: 120 };
        let meant =
            Some(Meant { what: LONG.to_owned(), line: "scheduler = \"wrr\"".to_owned(), applied: false });
        let note = Note { at: at.clone(), now: LONG.to_owned(), meant };
        let warnings = vec![note.clone()];
        let node = super::import::Node { file, written: Some(PathBuf::from(NAME)), toml: None, warnings };
        let refused = Some(Refusal::new(&at, LONG, LONG));
        let imports =
            super::import::Imports { good: false, nodes: vec![node], disagreements: vec![note], refused };
        assert_fits(&super::import::report(&imports, places, style));
    }

    #[test]
    fn what_is_said_of_this_host_and_of_sockets_fits() {
        let faults = || vec![Notice { what: LONG.to_owned(), remedy: LONG.to_owned() }];
        let vip = Vip { address: [192, 168, 100, 100].into(), present: true, faults: faults() };
        let interface = InForce { interface: "enp129s0f0.1001".to_owned(), arp_ignore: 0, arp_announce: 2 };
        let mut host = Report::of(Verdict { vips: vec![vip], interfaces: vec![interface], faults: faults() });
        host.notes.push(LONG.to_owned());
        assert_fits(&super::realserver::realserver(&host, Style::Plain));
        let interfaces = vec!["io.vipkit.Interface".to_owned(); 9];
        let name = || NAME.to_owned();
        let info = Info { vendor: name(), product: name(), version: name(), url: name(), interfaces };
        assert_fits(&super::introspect::introspect(Some(&info), &[], Style::Plain));
    }
}
