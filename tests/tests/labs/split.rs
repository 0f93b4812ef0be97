//! The network splits without anybody's carrier going, and heals: two holders that can hear each other never outlive
//! one advert, and those who were told the wrong place are told the right one.

use std::time::Instant;

use vipkit_control::vrrp::State;
use vipkit_tests::lab::figure::figure;
use vipkit_tests::lab::sniffer::Sniffer;
use vipkit_tests::lab::vrrpd::{Privilege, Vrrpd};

use crate::fixture::{INTERVAL, Pair, SLACK, SOON, VIP, config, takeover};

as_root_and_with_two_capabilities!(
    healed_when_the_lower_was_just_heard,
    healed_when_the_higher_was_just_heard
);

/// The two speak half a second apart: that is the lower one's Skew_Time.
const LOWER: u8 = 128;

fn healed_when_the_lower_was_just_heard(privilege: Privilege) {
    split_and_heal(privilege, |pair| &pair.web2);
}

fn healed_when_the_higher_was_just_heard(privilege: Privilege) {
    split_and_heal(privilege, |pair| &pair.web1);
}

/// Heals right after this host's advert, so that the other one's is the first to get through.
fn split_and_heal(privilege: Privilege, just_heard: fn(&Pair) -> &vipkit_tests::lab::host::Host) {
    let pair = Pair::new();
    let web1 = Vrrpd::started(&pair.web1, privilege, &config(200, "garp = { delay = '0s' }"));
    let web2 = Vrrpd::started(&pair.web2, privilege, &config(LOWER, "garp = { delay = '0s' }"));
    pair.wait_for_holder(&pair.web1, takeover(200));
    pair.wait_for_answer(&pair.web1, SOON);

    pair.web1.isolate();
    pair.lab.wait("both hold", takeover(LOWER), || pair.lab.holders(VIP) == ["web1", "web2"]);
    pair.wait_for_answer(&pair.web2, SOON);
    assert_eq!((web1.state(), web2.state()), (Some(State::Active), Some(State::Active)));

    let host = just_heard(&pair);
    let (near, far) = (Sniffer::on(host), Sniffer::on(&pair.client));
    let listening = Instant::now();
    pair.lab.wait("an advert", INTERVAL + SLACK, || !near.adverts_of(host, listening).is_empty());
    let healed = Instant::now();
    pair.web1.rejoin();

    let took = pair.wait_for_holder(&pair.web1, INTERVAL + SLACK);
    figure("split healed, one holder (at most one interval)", took);
    pair.wait_for_answer(&pair.web1, SOON);
    figure("split healed, the client is answered by the holder", healed.elapsed());
    let mac = pair.web1.mac();
    pair.lab.wait("the holder announces", SOON, || far.announcements(healed).iter().any(|a| a.mac == mac));
    pair.lab.stays("only web1 holds", INTERVAL * 3, || pair.lab.holders(VIP) == ["web1"]);
    assert_eq!(web1.state(), Some(State::Active));
}
