//! `smtp` against exim.

use vipkit_tests::lab::hostile::{Behaviour, Hostile};
use vipkit_tests::lab::mail_server;

use crate::fixture::{Network, down, steps, up};

#[test]
#[ignore = "needs root and network namespaces: scripts/test checks"]
fn dialogues() {
    let network = Network::new();
    let mut exim = mail_server::server(&network.server, &network.authority.issue("mail", 5));
    let _silent = Hostile::on(&network.server, 27, Behaviour::Waits(b""));
    let _shell = Hostile::on(&network.server, 22, Behaviour::Waits(b"SSH-2.0-x\r\n"));
    let ca_file = network.authority.certificate().display();
    let secured =
        |keys: &str| format!("type = 'smtp'\nstarttls = true\nca_file = '{ca_file}'\n{keys}\ntimeout = '2s'");
    let plain = "type = 'smtp'\ntimeout = '2s'";
    let soon = "certificate expires within 5 days";
    let cases = [
        up("plain", 25, plain, "speaks SMTP"),
        up("hello", 25, format!("{plain}\nhello = 'lb1.example.net'"), "speaks SMTP"),
        up("by-address", 25, secured(""), "speaks SMTP over TLS").warned(soon),
        up("by-name", 25, secured("server_name = 'web.example.net'"), "speaks SMTP over TLS").warned(soon),
        up("anybody", 25, format!("{plain}\nstarttls = true\nverify = false"), "speaks SMTP over TLS")
            .warned(soon),
    ];
    let others = [
        down("busy", 26, plain, "greeting: 451 too busy"),
        down(
            "stranger",
            25,
            format!("{plain}\nstarttls = true"),
            "certificate issued by somebody who is not trusted",
        ),
        down(
            "wrong-name",
            25,
            secured("server_name = 'mx.example.net'"),
            "certificate is for web.example.net and others, not mx.example.net",
        ),
        down("silent", 27, plain, "no answer within 2s"),
        down("no-smtp", 22, plain, "no SMTP: answered \"SSH-2.0-x\""),
    ];
    let healthcheckd = network.judge(&[&cases[..], &others].concat());
    let [report] = &healthcheckd.run("by-name-v6")[..] else { panic!("one part, one report") };
    assert_eq!(steps(report), ["connect", "greeting", "ehlo", "starttls", "tls", "ehlo", "quit"]);
    exim.stop();
    network.wait_for(&healthcheckd, &Network::all_down(&cases, "refused"));
}
