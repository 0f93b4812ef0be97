//! `udp` against socat, which answers each datagram with itself, and against dnsmasq.

use std::net::{Ipv6Addr, UdpSocket};

use vipkit_tests::lab::{dns_server, socat};

use crate::fixture::{Network, down, steps, up};

/// A query for the address of www.example.net, with the identifier 7.
const QUERY: &str =
    "00 07 01 00 00 01 00 00 00 00 00 00 03 77 77 77 07 65 78 61 6d 70 6c 65 03 6e 65 74 00 00 01 00 01";
/// An answer to it without an error; whether it is authoritative is not looked at.
const ANSWER: &str = "00 07 8x 8x 00 01 00 01";

#[test]
#[ignore = "needs root and network namespaces: scripts/test checks"]
fn answers_refusals_and_silence() {
    let network = Network::new();
    network.refuses_all();
    let (mut echo, _dnsmasq) = (socat::echo(&network.server, 7), dns_server::server(&network.server));
    let _silent = network.server.namespace().within(|| UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 8)).unwrap());
    let sends = |keys: &str| format!("type = 'udp'\npayload = 'are you well?'\n{keys}");
    let cases = [
        up("any", 7, sends("reply = true"), "answered"),
        up("no-reply", 7, sends("wait = '300ms'"), "answered"),
        up("matches", 7, sends("reply_matches = '^are .* well'"), "answered"),
        up("bytes", 7, sends("reply_hex = '61 7x 65'"), "answered"),
    ];
    let others = [
        up("dns", 53, format!("type = 'udp'\npayload_hex = '{QUERY}'\nreply_hex = '{ANSWER}'"), "answered"),
        up("no-refusal", 8, sends("wait = '300ms'"), "no refusal within 300ms"),
        down("matches-not", 7, sends("reply_matches = '^well'"), "answered otherwise, 13 bytes"),
        down("bytes-not", 7, sends("reply_hex = '61 8x'"), "answered otherwise, 13 bytes"),
        down("silent", 8, sends("reply = true"), "no answer within 1s"),
        down("closed", 9, sends(""), "refused"),
        down("closed-reply", 9, sends("reply = true"), "refused"),
    ];
    let healthcheckd = network.judge(&[&cases[..], &others].concat());
    let [report] = &healthcheckd.run("dns-v6")[..] else { panic!("one part, one report") };
    assert_eq!(steps(report), ["send", "answer"]);
    echo.stop();
    network.wait_for(&healthcheckd, &Network::all_down(&cases, "refused"));
}
