//! `http` against nginx.

use vipkit_tests::lab::hostile::{Behaviour, Hostile};
use vipkit_tests::lab::nginx;

use crate::fixture::{Case, Network, down, steps, up};

/// `sha256sum` of [`nginx::BODY`].
const SHA256: &str = "dfad02a0e334ebcce1a8383fe07ac11f5ae39e427bdb1ee8c263ea826f41c50c";
const ANOTHER_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// A request for a path, with these keys more.
fn get(path: &str, keys: &str) -> String {
    format!("type = 'http'\npath = '{path}'\n{keys}")
}

#[test]
#[ignore = "needs root and network namespaces: scripts/test checks"]
fn what_is_asked_and_what_is_expected() {
    let network = Network::new();
    let _nginx = nginx::server(&network.server, &network.authority.issue("web", 90));
    let answered = network.director.run(&["curl", "-si", "http://192.168.4.100/chunked"]).stdout;
    assert!(answered.contains("Transfer-Encoding: chunked"), "{answered}");
    let sha256 = |sum: &str| format!("body_sha256 = '{sum}'");
    let several = |paths: [&str; 2]| {
        let requests = paths.map(|path| format!("{{ path = '{path}', status = [200] }}")).join(", ");
        format!("type = 'http'\nrequests = [{requests}]")
    };
    let cases = [
        up("plain", 80, get("/whole", ""), "200 OK"),
        up("moved", 80, get("/moved", ""), "301 Moved Permanently"),
        up("empty", 80, get("/nothing", ""), "204 No Content"),
        up("head", 80, get("/whole", "method = 'HEAD'"), "200 OK"),
        up("old", 80, get("/echo", "version = '1.0'\nbody_contains = 'HTTP/1.0 GET'"), "200 OK"),
        up("new", 80, get("/echo", "body_contains = 'HTTP/1.1 GET'"), "200 OK"),
        up("header", 80, get("/echo", "headers = { X-Token = 'a7' }\nbody_contains = ' a7 '"), "200 OK"),
        up("site", 80, get("/", "host = 'shop.example.net'\nbody_contains = 'the shop'"), "200 OK"),
        up("busy-as-expected", 80, get("/busy", "status = [\"500-599\"]"), "503 Service Unavailable"),
        up("contains", 80, get("/whole", "body_contains = '17 parts'"), "200 OK"),
        up("lacks", 80, get("/whole", "body_lacks = '18 parts'"), "200 OK"),
        up("matches", 80, get("/whole", "body_matches = '^all \\d+ parts'"), "200 OK"),
        up("sha256", 80, get("/whole", &sha256(SHA256)), "200 OK"),
        up("chunked", 80, get("/chunked", &sha256(SHA256)), "200 OK"),
        up("chunked-old", 80, get("/chunked", &format!("version = '1.0'\n{}", sha256(SHA256))), "200 OK"),
        up("several", 80, several(["/whole", "/chunked"]), "2 answers as expected"),
        down("busy", 80, get("/busy", ""), "status 503"),
        down("elsewhere", 80, get("/moved", "status = [200]"), "status 301"),
        down("missing", 80, get("/missing", ""), "status 404"),
        down(
            "another-site",
            80,
            get("/whole", "host = 'shop.example.net'\nbody_contains = 'parts'"),
            "body lacks \"parts\"",
        ),
        down("contains-not", 80, get("/whole", "body_contains = '18 parts'"), "body lacks \"18 parts\""),
        down("lacks-not", 80, get("/whole", "body_lacks = '17'"), "body has \"17\""),
        down("matches-not", 80, get("/whole", "body_matches = '^parts'"), "body does not match \"^parts\""),
        down("sha256-not", 80, get("/chunked", &sha256(ANOTHER_SHA256)), "body has another SHA-256"),
        down("several-not", 80, several(["/whole", "/busy"]), "/busy: status 503"),
        down("no-http", 443, get("/", "status = [200]"), "status 400"),
    ];
    let healthcheckd = network.judge(&cases);
    let [report] = &healthcheckd.run("several-v6")[..] else { panic!("one part, one report") };
    let each = ["connect", "first byte", "answer"];
    assert_eq!(steps(report), [each, each].concat());
}

#[test]
#[ignore = "needs root and network namespaces: scripts/test checks"]
fn a_server_that_stops_and_one_that_is_silent() {
    let network = Network::new();
    let mut nginx = nginx::server(&network.server, &network.authority.issue("web", 90));
    let _silent = Hostile::on(&network.server, 81, Behaviour::Waits(b""));
    let cases: [Case; 1] = [up("web", 80, get("/whole", ""), "200 OK")];
    let silent = [down("silent", 81, get("/", ""), "no answer within 1s")];
    let healthcheckd = network.judge(&[&cases[..], &silent].concat());
    let before = healthcheckd.check("web-v4");
    nginx.stop();
    network.wait_for(&healthcheckd, &Network::all_down(&cases, "refused"));
    nginx.start();
    network.wait_for(&healthcheckd, &cases);
    let after = healthcheckd.check("web-v4");
    assert_eq!(after.generation, before.generation + 2, "down once, up once: {after:?}");
}
