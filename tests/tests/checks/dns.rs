//! `dns` against dnsmasq.

use std::net::{Ipv6Addr, UdpSocket};

use vipkit_tests::lab::dns_server;
use vipkit_tests::lab::hostile::{Behaviour, Hostile};

use crate::fixture::{Case, Network, down, steps, up};

/// Asks for a record of a name, with these keys more.
fn query(name: &str, record: &str, keys: &str) -> String {
    format!("type = 'dns'\nname = '{name}'\nrecord = '{record}'\n{keys}")
}

#[test]
#[ignore = "needs root and network namespaces: scripts/test checks"]
fn answers_over_udp_and_tcp() {
    let network = Network::new();
    network.refuses_all();
    let mut dnsmasq = dns_server::server(&network.server);
    let _silent = network.server.namespace().within(|| UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 54)).unwrap());
    let _silent_too = Hostile::on(&network.server, 54, Behaviour::Waits(b""));
    let answers = |data: &str| format!("answers = ['{data}']");
    let tcp = |keys: &str| format!("transport = 'tcp'\n{keys}");
    let one = "NOERROR, 1 answer";
    let cases: [Case; 11] = [
        up("a", 53, query("www.example.net", "A", &answers("192.0.2.80")), one),
        up("a-tcp", 53, query("www.example.net.", "A", &tcp(&answers("192.0.2.80"))), one),
        up("aaaa", 53, query("www.example.net", "AAAA", &answers("2001:db8::80")), one),
        up("aaaa-tcp", 53, query("www.example.net", "AAAA", &tcp(&answers("2001:db8::80"))), one),
        up("alias", 53, query("alias.example.net", "A", &answers("192.0.2.80")), one),
        up("mx", 53, query("example.net", "MX", &answers("10 mail.example.net.")), one),
        up("txt", 53, query("example.net", "TXT", &answers("v=spf1")), one),
        up("many", 53, query("many.example.net", "A", &answers("192.0.2.60")), "NOERROR, 60 answers"),
        up(
            "many-tcp",
            53,
            query("many.example.net", "A", &tcp(&answers("192.0.2.1"))),
            "NOERROR, 60 answers",
        ),
        up("none", 53, query("none.example.net", "A", "rcode = 'NXDOMAIN'"), "NXDOMAIN"),
        up("none-tcp", 53, query("none.example.net", "A", &tcp("rcode = 'NXDOMAIN'")), "NXDOMAIN"),
    ];
    let others = [
        down(
            "other",
            53,
            query("www.example.net", "A", &answers("192.0.2.81")),
            "no answer 192.0.2.81 (got 192.0.2.80)",
        ),
        down(
            "other-tcp",
            53,
            query("www.example.net", "A", &tcp(&answers("192.0.2.81"))),
            "no answer 192.0.2.81 (got 192.0.2.80)",
        ),
        down("missing", 53, query("none.example.net", "A", ""), "NXDOMAIN"),
        down("there", 53, query("www.example.net", "A", "rcode = 'NXDOMAIN'"), "NOERROR"),
        down("nobody-to-ask", 53, "type = 'dns'", "REFUSED"),
        down("silent", 54, query("www.example.net", "A", ""), "no answer within 1s"),
        down("silent-tcp", 54, query("www.example.net", "A", &tcp("")), "no answer within 1s"),
    ];
    let healthcheckd = network.judge(&[&cases[..], &others].concat());
    let [report] = &healthcheckd.run("many-v6")[..] else { panic!("one part, one report") };
    assert_eq!(steps(report), ["send", "truncated answer", "connect", "first byte", "answer"]);
    dnsmasq.stop();
    network.wait_for(&healthcheckd, &Network::all_down(&cases, "refused"));
    dnsmasq.start();
    network.wait_for(&healthcheckd, &cases);
}
