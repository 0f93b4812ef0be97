//! `https` against nginx.

use vipkit_tests::lab::hostile::{Behaviour, Hostile};
use vipkit_tests::lab::nginx;

use crate::fixture::{Network, down, steps, up};

#[test]
#[ignore = "needs root and network namespaces: scripts/test checks"]
fn requests_over_tls() {
    let network = Network::new();
    let mut nginx = nginx::server(&network.server, &network.authority.issue("web", 90));
    let _silent = Hostile::on(&network.server, 444, Behaviour::Waits(b""));
    let ca_file = format!("ca_file = '{}'", network.authority.certificate().display());
    let trusting = |keys: &str| format!("type = 'https'\npath = '/whole'\n{ca_file}\n{keys}");
    let shop = "host = 'shop.example.net'\npath = '/'\nbody_contains = 'the shop'";
    let shop = |keys: &str| format!("type = 'https'\n{ca_file}\n{shop}\n{keys}");
    let cases = [
        up("by-address", 443, trusting("body_contains = '17'"), "200 OK"),
        up("by-name", 443, trusting("server_name = 'web.example.net'"), "200 OK"),
        up("by-host", 443, trusting("host = 'web.example.net:443'"), "200 OK"),
        up("old", 443, trusting("version = '1.0'"), "200 OK"),
        up("anybody", 443, "type = 'https'\npath = '/whole'\nverify = false", "200 OK"),
        up("site", 443, shop("server_name = 'web.example.net'"), "200 OK"),
    ];
    let others = [
        down(
            "another-site",
            443,
            shop(""),
            "certificate is for web.example.net and others, not shop.example.net",
        ),
        down("stranger", 443, "type = 'https'", "certificate issued by somebody who is not trusted"),
        down("busy", 443, format!("type = 'https'\npath = '/busy'\n{ca_file}"), "status 503"),
        down("no-tls", 80, trusting(""), "no TLS: answered \"HTTP/1.1 400 Bad Request\""),
        down("silent", 444, trusting(""), "no answer within 1s"),
    ];
    let healthcheckd = network.judge(&[&cases[..], &others].concat());
    let [report] = &healthcheckd.run("by-name-v6")[..] else { panic!("one part, one report") };
    assert_eq!(steps(report), ["connect", "tls", "first byte", "answer"]);
    nginx.stop();
    network.wait_for(&healthcheckd, &Network::all_down(&cases, "refused"));
}
