//! A faulty configuration: every fault is named with its line, by whoever is asked, and nothing changes.

use vipkit_control::client::ClientError;
use vipkit_control::vrrp::CONFIG_REFUSED;
use vipkit_tests::lab::Lab;
use vipkit_tests::lab::process::{Ran, run};
use vipkit_tests::lab::vrrpd::{Privilege, Vrrpd};

use crate::fixture::{INTERVAL, Pair, SOON, VIP, config, takeover};

as_root_and_with_two_capabilities!(faulty_at_reload, faulty_at_start);

const FAULTY: &str = "\
[vrrp.one]
interface = 'eth0'
virtual_router_id = 0
prioritty = 100
addresses = ['192.168.4.80']

[vrrp.two]
interface = 'eth0'
virtual_router_id = 52
addresses = ['192.168.4.81/24']

[vrrp.three]
interface = 'eth0'
virtual_router_id = 52
addresses = ['192.168.4.82/24']
";
/// Lines, and what is said of them.
const FAULTS: [(u32, &str); 4] =
    [(3, "virtual_router_id"), (4, "prioritty"), (5, "192.168.4.80"), (14, "virtual_router_id")];

fn assert_names_all(ran: &Ran, file: &str) {
    assert_eq!(ran.code, 1, "{ran:?}");
    let said = format!("{}{}", ran.stdout, ran.stderr);
    for (line, what) in FAULTS {
        let place = format!("{file}:{line}:");
        assert!(
            said.lines().any(|l| l.contains(&place) && l.contains(what)),
            "no {place} {what} in:\n{said}"
        );
    }
}

fn faulty_at_start(privilege: Privilege) {
    let lab = Lab::new();
    let mut vrrpd = Vrrpd::new(&lab.host("alone", 100), privilege, FAULTY);
    let path = vrrpd.config_path();
    let file = path.to_str().unwrap();

    assert_names_all(&run(vrrpd.command(&[]).arg("--check")), file);
    assert_names_all(&vrrpd.vipctl(&["check", file]), file);
    vrrpd.launch();
    let code = vrrpd.wait();
    assert_names_all(&Ran { code, stdout: String::new(), stderr: vrrpd.log() }, file);

    vrrpd.configure(&config(100, ""));
    assert_eq!(run(vrrpd.command(&[]).arg("--check")).code, 0);
    assert_eq!(vrrpd.vipctl(&["check", file]).code, 0);
    vrrpd.start();
}

fn faulty_at_reload(privilege: Privilege) {
    let pair = Pair::new();
    let vrrpd = Vrrpd::started(&pair.web1, privilege, &config(100, ""));
    pair.wait_for_holder(&pair.web1, takeover(100));
    let (path, before) = (vrrpd.config_path(), vrrpd.instance());
    vrrpd.configure(FAULTY);

    assert_names_all(&vrrpd.vipctl(&["reload"]), path.to_str().unwrap());
    let Err(ClientError::Refused(refused)) = vrrpd.reload() else { panic!("not refused") };
    assert_eq!(refused.name, CONFIG_REFUSED);
    let faults = refused.parameters["faults"].as_array().unwrap();
    let lines: Vec<_> = faults.iter().filter_map(|fault| fault["line"].as_u64()).collect();
    assert_eq!(lines, FAULTS.map(|(line, _)| u64::from(line)));
    let refusals = || vrrpd.log().matches("refused, nothing changed").count();
    pair.lab.wait("the refusal is in the log", SOON, || refusals() > 0);
    let before_signal = refusals();
    vrrpd.hang_up();
    pair.lab.wait("SIGHUP is answered in the log", SOON, || refusals() > before_signal);

    pair.lab.stays("it holds", INTERVAL, || pair.web1.has(VIP));
    let after = vrrpd.instance();
    assert_eq!((after.virtual_router_id, after.state, after.since), (51, before.state, before.since));
    assert_eq!(vrrpd.instances().unwrap().len(), 1);

    vrrpd.configure(&config(100, ""));
    let ran = vrrpd.vipctl(&["reload"]);
    assert_eq!(ran.code, 0, "{ran:?}");
}
