//! A pair moves from keepalived one node at a time: vrrpd with what `vipctl import` makes of the tutorial's file beside
//! keepalived with the other node's own. Each is the higher once, and then there is one holder.

use std::fs;
use std::path::Path;
use std::time::Duration;

use vipkit_control::vrrp::State;
use vipkit_tests::lab::address_watch::AddressWatch;
use vipkit_tests::lab::figure::figure;
use vipkit_tests::lab::host::Host;
use vipkit_tests::lab::keepalived::Keepalived;
use vipkit_tests::lab::vrrpd::{Privilege, Vrrpd};

use crate::fixture::{Pair, SLACK, SOON, VIP, skew, takeover};

as_root_and_with_two_capabilities!(ours_higher, theirs_higher);

/// Of the tutorial.
const HIGHER: &str = "priority 100";
const LOWER: &str = "priority 50";
/// How long the holder must have been the only one.
const SETTLED: Duration = Duration::from_secs(8);

fn ours_higher(privilege: Privilege) {
    let pair = Pair::new();
    let keepalived = Keepalived::start(&pair.web2, &tutorial("lab1-web2"));
    pair.wait_for_holder(&pair.web2, takeover(50) + SLACK);
    let mut vrrpd = Vrrpd::started(&pair.web1, privilege, &imported(&pair.web1, &tutorial("lab1-web1")));
    let took = pair.wait_for_holder(&pair.web1, takeover(100) + SLACK);
    figure("moved node started, took over from keepalived (by the formula 3.609 s)", took);
    settled(&pair, &pair.web1);
    assert_eq!((vrrpd.state(), vrrpd.counter("became_active")), (Some(State::Active), 1));

    vrrpd.terminate();
    pair.wait_for_holder(&pair.web2, skew(50) + SLACK);
    settled(&pair, &pair.web2);
    keepalived.terminate();
    assert!(pair.lab.holders(VIP).is_empty());
}

fn theirs_higher(privilege: Privilege) {
    let pair = Pair::new();
    let ours = tutorial("lab1-web1").replace(HIGHER, LOWER);
    let theirs = tutorial("lab1-web2").replace(LOWER, HIGHER);
    let vrrpd = Vrrpd::started(&pair.web1, privilege, &imported(&pair.web1, &ours));
    pair.wait_for_holder(&pair.web1, takeover(50) + SLACK);
    let keepalived = Keepalived::start(&pair.web2, &theirs);
    let took = pair.wait_for_holder(&pair.web2, takeover(100) + SLACK);
    figure("keepalived started, took over from the moved node (by the formula 3.609 s)", took);
    let watch = AddressWatch::on(&pair.web1);
    settled(&pair, &pair.web2);
    assert_eq!((vrrpd.state(), watch.changes_of(VIP)), (Some(State::Backup), 0));
    assert_eq!(vrrpd.instance().peers[0].address, pair.web2.address().to_string());

    keepalived.terminate();
    pair.wait_for_holder(&pair.web1, skew(50) + SLACK);
    settled(&pair, &pair.web1);
}

fn settled(pair: &Pair, host: &Host) {
    pair.wait_for_answer(host, SOON);
    let only = format!("only {} holds", host.name());
    pair.lab.stays(&only, SETTLED, || pair.lab.holders(VIP) == [host.name()]);
}

/// A file of the tutorial, as its readers have it.
fn tutorial(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("import/tutorial");
    fs::read_to_string(folder.join(format!("{name}.keepalived.conf"))).unwrap()
}

/// What `vipctl import` prints of it.
fn imported(host: &Host, config: &str) -> String {
    let path = host.folder().join("given.conf");
    fs::write(&path, config).unwrap();
    let vipctl = vipkit_tests::lab::binary("vipctl");
    let ran = host.run(&[vipctl.to_str().unwrap(), "import", path.to_str().unwrap()]);
    assert!(ran.stderr.contains("keepalived knows PASS in capital letters"), "{}", ran.stderr);
    ran.stdout
}
