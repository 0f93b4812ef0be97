//! `ping`: what the kernel of the target answers, and what that of this host permits.

use vipkit_tests::lab::host::Host;

use crate::fixture::{Case, Network, down, hindered, up};

/// Lets every group ping.
fn permit(host: &Host) {
    host.set("ipv4/ping_group_range", "0 2147483647");
}

fn ping(keys: &str) -> String {
    format!("type = 'ping'\ngap = '20ms'\n{keys}")
}

#[test]
#[ignore = "needs root and network namespaces: scripts/test checks"]
fn what_the_kernel_does_not_permit_is_not_the_targets_fault() {
    let network = Network::new();
    let why = "ICMP sockets are not permitted to this group: run `sysctl net.ipv4.ping_group_range=*";
    let healthcheckd = network.judge(&[hindered("server", 0, ping(""), why)]);
    permit(&network.director);
    let answered: [Case; 1] = [up("server", 0, ping(""), "3 of 3 answered")];
    network.wait_for(&healthcheckd, &answered);
    for family in ["ipv4/icmp_echo_ignore_all", "ipv6/icmp/echo_ignore_all"] {
        network.server.set(family, "1");
    }
    network.wait_for(&healthcheckd, &Network::all_down(&answered, "no answer within 1s"));
}

#[test]
#[ignore = "needs root and network namespaces: scripts/test checks"]
fn losses() {
    let network = Network::new();
    permit(&network.director);
    // Of five requests, one is always lost.
    for rule in [
        "add table inet lossy",
        "add chain inet lossy input { type filter hook input priority 0 ; }",
        "add rule inet lossy input icmp type echo-request icmp sequence 2 drop",
        "add rule inet lossy input icmpv6 type echo-request icmpv6 sequence 2 drop",
    ] {
        let ran = network.server.run(&["nft", rule]);
        assert_eq!(ran.code, 0, "{rule}: {}", ran.stderr);
    }
    network.judge(&[
        up("some", 0, ping("count = 5\nloss = 20"), "4 of 5 answered"),
        up("one", 0, ping("count = 1"), "1 of 1 answered"),
        up("large", 0, ping("count = 1\nsize = 9000"), "1 of 1 answered"),
        down("none", 0, ping("count = 5"), "4 of 5 answered"),
        down("fewer", 0, ping("count = 5\nloss = 19"), "4 of 5 answered"),
    ]);
}

#[test]
#[ignore = "needs root and network namespaces: scripts/test checks"]
fn nobody_is_there() {
    let network = Network::new();
    permit(&network.director);
    let patient = ping("timeout = '5s'\ninterval = '5s'");
    let cases = [up("server", 0, patient, "3 of 3 answered")];
    let healthcheckd = network.judge(&cases);
    network.server.detach();
    network.director.ip("neighbour flush dev eth0");
    network.wait_for(&healthcheckd, &Network::all_down(&cases, "no route to host"));
}
