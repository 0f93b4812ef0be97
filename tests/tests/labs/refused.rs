//! Two nodes that refuse each other's adverts are both Active, whatever VRRP does: each says whose adverts it refuses,
//! why, and what to do.

use vipkit_control::vrrp::State;
use vipkit_tests::lab::vrrpd::{Privilege, Vrrpd};

use crate::fixture::{Pair, SOON, VIP, config, takeover};

as_root_and_with_two_capabilities!(another_password);

fn password(key: &str) -> String {
    format!("version = 2\nauthentication = {{ type = 'pass', key = '{key}' }}")
}

fn another_password(privilege: Privilege) {
    let pair = Pair::new();
    let web1 = Vrrpd::started(&pair.web1, privilege, &config(100, &password("1111")));
    let web2 = Vrrpd::started(&pair.web2, privilege, &config(50, &password("2222")));
    pair.lab.wait("both hold", takeover(50), || pair.lab.holders(VIP) == ["web1", "web2"]);
    for (vrrpd, other) in [(&web1, &pair.web2), (&web2, &pair.web1)] {
        let refused = format!("adverts from {} are refused: wrong password", other.address());
        pair.lab.wait("it is said", SOON, || vrrpd.vipctl(&["status"]).stdout.contains(&refused));
        let status = vrrpd.vipctl(&["status"]);
        assert_eq!(status.code, 1);
        let said = status.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(!said.contains("protocol 112"), "no firewall is to blame:\n{}", status.stdout);
        assert!(!status.stdout.contains("1111") && !vrrpd.log().contains("2222"), "keys are not shown");
    }

    web2.configure(&config(50, &password("1111")));
    assert_eq!(web2.vipctl(&["reload"]).code, 0);
    pair.wait_for_holder(&pair.web1, SOON);
    pair.wait_for_state(&web2, State::Backup, SOON);
    pair.lab.wait("all is well", takeover(50) * 2, || web2.vipctl(&["status"]).code == 0);
}
