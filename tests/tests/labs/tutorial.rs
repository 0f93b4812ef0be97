//! The tutorial's first lab, with the files that the documentation gives: the address follows what happens to web1.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use vipkit_control::vrrp::State;
use vipkit_tests::lab::figure::figure;
use vipkit_tests::lab::sniffer::Sniffer;
use vipkit_tests::lab::vrrpd::{Privilege, Vrrpd};

use crate::fixture::{INTERVAL, Pair, SLACK, SOON, VIP, skew, takeover};

as_root_and_with_two_capabilities!(cut_off_and_stopped);

fn cut_off_and_stopped(privilege: Privilege) {
    let pair = Pair::new();
    let mut web1 = Vrrpd::started(&pair.web1, privilege, &example("lab1-web1.toml"));
    let web2 = Vrrpd::started(&pair.web2, privilege, &example("lab1-web2.toml"));

    pair.wait_for_holder(&pair.web1, takeover(100));
    pair.wait_for_answer(&pair.web1, SOON);
    pair.lab.wait("vipctl finds all well", SOON, || web1.vipctl(&["status"]).code == 0);
    assert!(web1.vipctl(&["status"]).stdout.contains(VIP));
    assert_eq!(web2.instance().peers[0].address, pair.web1.address().to_string());

    pair.web1.cut();
    let took = pair.wait_for_answer(&pair.web2, Duration::from_secs(6));
    figure("web1 cut off, web2 answers (by the formula 3.805 s, at most 6)", took);
    pair.wait_for_holder(&pair.web2, SOON);
    assert_eq!(web1.instance().faults[0].what, "interface eth0 has no carrier");
    assert_eq!(web1.vipctl(&["status"]).code, 1);

    pair.web1.mend();
    let took = pair.wait_for_answer(&pair.web1, takeover(100) + SLACK);
    figure("web1 back, web1 answers (by the formula 3.609 s)", took);
    pair.wait_for_holder(&pair.web1, INTERVAL + SLACK);
    assert!(web1.instance().reason.contains("preempts 192.168.4.200"), "{}", web1.instance().reason);

    let sniffer = Sniffer::on(&pair.client);
    let began = Instant::now();
    web1.terminate();
    assert!(!pair.web1.has(VIP));
    pair.wait_for_answer(&pair.web2, skew(50) + SLACK);
    figure("web1 stopped, web2 answers (by the formula 0.805 s)", began.elapsed());
    pair.lab.stays("only web2 holds", INTERVAL * 2, || pair.lab.holders(VIP) == ["web2"]);
    let last_words: Vec<u8> = sniffer.adverts_of(&pair.web1, began).iter().map(|a| a.priority).collect();
    assert_eq!(last_words.iter().filter(|priority| **priority == 0).count(), 1, "{last_words:?}");
    assert_eq!(last_words.last(), Some(&0));
    assert_eq!(web2.state(), Some(State::Active));
}

fn example(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/examples");
    fs::read_to_string(folder.join(name)).unwrap()
}
