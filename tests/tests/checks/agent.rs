//! `agent` against one that says what stands in a file.

use vipkit_control::health::{Weight, WeightUnit};
use vipkit_tests::lab::hostile::{Behaviour, Hostile};
use vipkit_tests::lab::socat::Agent;

use crate::fixture::{Case, Network, down, steps, up};

fn agent(name: &'static str, port: u16, reason: &'static str) -> Case {
    up(name, port, "type = 'agent'", reason)
}

#[test]
#[ignore = "needs root and network namespaces: scripts/test checks"]
fn what_agents_say() {
    let network = Network::new();
    let started = |port, line| Agent::started(&network.server, port, line);
    let mut changing = started(9000, "up 75% # warm\n");
    let _others =
        [started(9001, "weight:120\n"), started(9002, "drain\n"), started(9003, "maint # until noon\n")];
    let _empty = [started(9004, ""), started(9005, "good morning\n")];
    let _silent = Hostile::on(&network.server, 9006, Behaviour::Waits(b""));
    let _asked = Hostile::on(&network.server, 9007, Behaviour::Waits(b"up 50%\n"));
    let cases = [agent("changing", 9000, "up: warm")];
    let others = [
        agent("absolute", 9001, "up"),
        agent("drain", 9002, "drains"),
        up("asking", 9007, "type = 'agent'\nsend = \"how?\\n\"", "up"),
        down("maintenance", 9003, "type = 'agent'", "in maintenance: until noon"),
        down("empty", 9004, "type = 'agent'", "closed before the answer"),
        down("polite", 9005, "type = 'agent'", "no agent: answered \"good morning\""),
        down("silent", 9006, "type = 'agent'", "no answer within 1s"),
    ];
    let healthcheckd = network.judge(&[&cases[..], &others].concat());
    let weight = |unit, number| Some(Weight { unit, number });
    for (name, expected) in [
        ("changing-v4", weight(WeightUnit::Percent, 75)),
        ("absolute-v6", weight(WeightUnit::Absolute, 120)),
        ("drain-v4", weight(WeightUnit::Absolute, 0)),
        ("asking-v6", weight(WeightUnit::Percent, 50)),
    ] {
        assert_eq!(healthcheckd.check(name).weight, expected, "{name}");
    }
    changing.says("down # disk full\n");
    network.wait_for(&healthcheckd, &Network::all_down(&cases, "down: disk full"));
    changing.server.stop();
    network.wait_for(&healthcheckd, &Network::all_down(&cases, "refused"));
}

#[test]
#[ignore = "needs root and network namespaces: scripts/test checks"]
fn of_a_name_the_address_is_looked_up() {
    let network = Network::new();
    let _agent = Agent::started(&network.director, 9000, "up\n");
    let config = "[check.local]\ntype = 'agent'\ntarget = 'localhost:9000'\ninterval = '500ms'\n\
        [check.nowhere]\ntype = 'agent'\ntarget = 'nobody.invalid:9000'\ninterval = '500ms'\nretries = 0\n";
    let healthcheckd = vipkit_tests::lab::healthcheckd::Healthcheckd::started(&network.director, config);
    let reports = healthcheckd.run("local");
    assert_eq!(
        (reports[0].reason.as_str(), steps(&reports[0])),
        ("up", vec!["resolve", "connect", "answer"])
    );
    let is_hindered = || {
        let check = healthcheckd.check("nowhere");
        check.reason.starts_with("cannot resolve nobody.invalid: ") && check.judged.is_none()
    };
    network.lab.wait(
        "a name without an address says nothing of the target",
        std::time::Duration::from_secs(10),
        is_hindered,
    );
}
