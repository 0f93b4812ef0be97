//! `tls` against `openssl s_server`, with every certificate that there is.

use vipkit_tests::lab::certificates::Identity;
use vipkit_tests::lab::hostile::{Behaviour, Hostile};
use vipkit_tests::lab::openssl::{self, Wants};

use crate::fixture::{Network, down, steps, up};

#[test]
#[ignore = "needs root and network namespaces: scripts/test checks"]
fn certificates() {
    let network = Network::new();
    let authority = &network.authority;
    let own = authority.self_signed("own");
    let _servers = [
        (4430, &authority.issue("valid", 90)),
        (4431, &authority.issue("expired", 0)),
        (4432, &own),
        (4433, &authority.issue_for("other", 90, "DNS:other.example.net")),
        (4434, &authority.issue("soon", 5)),
    ]
    .map(|(port, identity)| openssl::server(&network.server, port, identity, Wants::Anybody));
    let trusting = |keys: &str| {
        let ca_file = authority.certificate().display();
        format!("type = 'tls'\nca_file = '{ca_file}'\n{keys}")
    };
    let anybody = "type = 'tls'\nverify = false";
    let known = format!("type = 'tls'\nca_file = '{}'", own.certificate.display());
    let web = "server_name = 'web.example.net'";
    let well = "handshake succeeded";
    let cases = [
        up("by-address", 4430, trusting(""), well),
        up("by-name", 4430, trusting(web), well),
        up("known", 4432, known, well),
        up("other", 4433, trusting("server_name = 'other.example.net'"), well),
        up("anybody-expired", 4431, anybody, well).warned("certificate has expired"),
        up("anybody-self-signed", 4432, anybody, well),
        up("anybody-other", 4433, anybody, well),
        up("soon", 4434, trusting(""), well).warned("certificate expires within 5 days"),
        up("soon-enough", 4434, trusting("expiry_warning = '3d'"), well),
        up("never-too-soon", 4434, trusting("expiry_warning = '0s'"), well),
        down("expired", 4431, trusting(""), "certificate has expired"),
        down("self-signed", 4432, trusting(""), "certificate signed by itself, or an authority's own"),
        down("wrong-name", 4433, trusting(web), "certificate is for other.example.net, not web.example.net"),
        down("wrong-address", 4433, trusting(""), "certificate is for other.example.net, not *"),
        down("stranger", 4430, "type = 'tls'", "certificate issued by somebody who is not trusted"),
    ];
    let healthcheckd = network.judge(&cases);
    let [report] = &healthcheckd.run("by-name-v4")[..] else { panic!("one part, one report") };
    assert_eq!(steps(report), ["connect", "tls"]);
}

#[test]
#[ignore = "needs root and network namespaces: scripts/test checks"]
fn what_servers_want_of_us() {
    let network = Network::new();
    let authority = &network.authority;
    let valid = authority.issue("valid", 90);
    let server = |port, wants| openssl::server(&network.server, port, &valid, wants);
    let mut servers =
        [server(4430, Wants::KnownTo(authority)), server(4431, Wants::Tls12), server(4432, Wants::Tls11)];
    let _silent = Hostile::on(&network.server, 4433, Behaviour::Waits(b""));
    let _mail = Hostile::on(&network.server, 25, Behaviour::Waits(b"220 mail.example.net\r\n"));
    let trusting = |keys: &str| {
        let ca_file = authority.certificate().display();
        format!("type = 'tls'\nca_file = '{ca_file}'\n{keys}")
    };
    let as_this = |Identity { certificate, key }: Identity| {
        trusting(&format!("certificate_file = '{}'\nkey_file = '{}'", certificate.display(), key.display()))
    };
    let well = "handshake succeeded";
    let cases = [
        up("known", 4430, as_this(authority.issue_for("client", 90, "DNS:client.example.net")), well),
        up("tls12", 4431, trusting(""), well),
    ];
    let others = [
        down("unknown", 4430, trusting(""), "TLS alert: certificate required"),
        down("stranger", 4430, as_this(authority.self_signed("client2")), "TLS alert: *"),
        down(
            "tls11",
            4432,
            trusting(""),
            "TLS alert: protocol version (the target may speak TLS 1.1 or older only, which is not supported)",
        ),
        down("silent", 4433, trusting(""), "no answer within 1s"),
        down("no-tls", 25, trusting(""), "no TLS: answered \"220 mail.example.net\""),
    ];
    let healthcheckd = network.judge(&[&cases[..], &others].concat());
    for server in &mut servers {
        server.stop();
    }
    network.wait_for(&healthcheckd, &Network::all_down(&cases, "refused"));
}
