//! The tutorial's first lab, with the files that the documentation gives: the address follows what happens to web1, and
//! to its web server.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use vipkit_control::vrrp::State;
use vipkit_tests::lab::figure::figure;
use vipkit_tests::lab::httpd::Httpd;
use vipkit_tests::lab::sniffer::Sniffer;
use vipkit_tests::lab::vrrpd::Privilege;

use crate::fixture::{INTERVAL, Node, Pair, SLACK, SOON, VIP, skew, takeover};

as_root_and_with_two_capabilities!(without_its_web_server_cut_off_and_stopped);

/// Until a check has found that the web server is gone: its interval, and the time to the one retry.
const FOUND: Duration = Duration::from_millis(2500);

fn without_its_web_server_cut_off_and_stopped(privilege: Privilege) {
    let pair = Pair::without_web_servers();
    let (mut httpd1, _httpd2) = (Httpd::started(&pair.web1), Httpd::started(&pair.web2));
    let mut node1 = Node::started(&pair.web1, privilege, &example("lab1-web1.toml"));
    let node2 = Node::started(&pair.web2, privilege, &example("lab1-web2.toml"));
    let (web1, web2) = (&mut node1.vrrpd, &node2.vrrpd);

    pair.wait_for_holder(&pair.web1, takeover(100));
    pair.wait_for_answer(&pair.web1, SOON);
    pair.lab.wait("vipctl finds all well", SOON, || web1.vipctl(&["status"]).code == 0);
    assert!(web1.vipctl(&["status"]).stdout.contains(VIP));
    assert_eq!(web2.instance().peers[0].address, pair.web1.address().to_string());

    httpd1.stop();
    let took = pair.wait_for_answer(&pair.web2, FOUND + takeover(50));
    figure("web server of web1 stopped, web2 answers (by the formula at most 2.5 s + 3.805 s)", took);
    pair.wait_for_holder(&pair.web2, SOON);
    assert!(web1.vipctl(&["vrrp"]).stdout.contains("100, effective 40, preempts"));
    assert_eq!(web1.vipctl(&["status"]).code, 1);
    httpd1.start();
    let took = pair.wait_for_answer(&pair.web1, FOUND + takeover(100));
    figure("web server of web1 started, web1 answers (by the formula at most 2 s + 3.609 s)", took);
    pair.wait_for_holder(&pair.web1, INTERVAL + SLACK);
    pair.lab.wait("vipctl finds all well", SOON, || web1.vipctl(&["status"]).code == 0);

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
