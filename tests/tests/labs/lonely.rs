//! One vrrpd in a network namespace: a second one goes, and says why.

use vipkit_tests::lab::vrrpd::{Privilege, Vrrpd};

use crate::fixture::{INTERVAL, Pair, VIP, config, takeover};

as_root_and_with_two_capabilities!(a_second_vrrpd);

fn a_second_vrrpd(privilege: Privilege) {
    let pair = Pair::new();
    let mut first = Vrrpd::started(&pair.web1, privilege, &config(100, ""));
    pair.wait_for_holder(&pair.web1, takeover(100));
    let since = first.instance().since;

    let mut second = Vrrpd::named(&pair.web1, "second", privilege, &config(200, ""));
    second.launch();
    assert_eq!(second.wait(), 1);
    let named = format!("vrrpd with pid {}", first.pid().unwrap());
    assert!(second.log().contains(&named), "{:?} does not name the first, {named}", second.log());

    pair.lab.stays("the first goes on", INTERVAL * 2, || pair.web1.has(VIP));
    assert!(first.is_running());
    assert_eq!(first.instance().since, since);
    first.terminate();
    second.start();
    pair.wait_for_holder(&pair.web1, takeover(200));
}
