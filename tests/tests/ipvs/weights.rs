//! What checks say beyond up and down, in the kernel's table: the share that an agent asks for, that of a server which
//! has just come back, and the floor under a service.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use vipkit_tests::lab::agent::{Agent, PORT};
use vipkit_tests::lab::director::Director;
use vipkit_tests::lab::table_watch::TableWatch;

use crate::farm::{Farm, SLACK, TAKEOVER, VIP};

/// Over which a server that is back gets all of its weight.
const SLOW_START: Duration = Duration::from_secs(5);

/// The service with these keys, of servers with weight 10, and 20; the first has an agent, which counts with these keys.
fn config(service: &str, server1: &str) -> String {
    format!(
        "[vrrp.web]
interface = 'eth0'
virtual_router_id = 51
addresses = ['{VIP}/24']

[check.agent]
type = 'agent'
target = '192.168.4.100:{PORT}'
interval = '500ms'

[check.open]
type = 'tcp'
interval = '500ms'
timeout = '1s'
retries = 1
retry_delay = '100ms'

[[service]]
name = 'web'
address = '{VIP}:80'
scheduler = 'wrr'
forward = 'dr'
check = 'open'
{service}
server = [
    {{ address = '192.168.4.100:80', weight = 10{server1} }},
    {{ address = '192.168.4.200:80', weight = 20 }},
]
"
    )
}

#[test]
#[ignore = "needs root and IPVS: scripts/test vm"]
fn an_agent_says_how_much_work_it_wants() {
    let mut farm = Farm::new();
    let agent = Agent::on(&farm.web1, "up");
    let keys = ", check = { all = ['agent', 'open'] }";
    let lvs1 = Director::started(&farm.lvs1, &config("", keys));
    let whole = farm.table_with(&[(&farm.web1, 10), (&farm.web2, 20)]);
    farm.wait_for_table(&farm.lvs1, &whole, SLACK);
    farm.wait_for_answer(TAKEOVER + SLACK);

    for (line, weight, answers) in [
        ("50%", 5, farm.shares(1, 4)),
        ("75% # a backup is being made", 8, BTreeMap::new()),
        ("weight:40", 40, farm.shares(2, 1)),
        ("drain", 0, farm.shares(0, 3)),
        ("up", 10, farm.shares(1, 2)),
    ] {
        agent.says(line);
        let table = farm.table_with(&[(&farm.web1, weight), (&farm.web2, 20)]);
        farm.wait_for_table(&farm.lvs1, &table, SLACK);
        assert_eq!(farm.answers(answers.values().sum()), answers, "{line}");
    }
    let without = farm.table_with(&[(&farm.web2, 20)]);
    agent.says("down # the disk is full");
    farm.wait_for_table(&farm.lvs1, &without, SLACK);
    assert!(lvs1.vipctl(&["services"]).stdout.contains("the disk is full"), "its reason is shown");
    agent.says("up");
    farm.wait_for_table(&farm.lvs1, &whole, SLACK);
    farm.httpd1.stop();
    farm.wait_for_table(&farm.lvs1, &without, SLACK);
    assert_eq!(farm.answers(3), farm.shares(0, 3), "what the agent says does not help");
}

#[test]
#[ignore = "needs root and IPVS: scripts/test vm"]
fn a_server_comes_back_little_by_little_and_the_last_one_stays() {
    let mut farm = Farm::new();
    let lvs1 = Director::started(&farm.lvs1, &config("slow_start = '5s'\nmax_out = 1", ""));
    let (server1, watch) = (farm.server1(), TableWatch::on(&farm.lvs1));
    let whole = farm.table_with(&[(&farm.web1, 10), (&farm.web2, 20)]);
    farm.wait_for_table(&farm.lvs1, &whole, SLACK);
    farm.wait_for_answer(TAKEOVER + SLACK);
    farm.httpd1.stop();
    let without1 = farm.table_with(&[(&farm.web2, 20)]);
    farm.wait_for_table(&farm.lvs1, &without1, SLACK);

    watch.forget();
    farm.httpd1.start();
    let is_back = || watch.seen().iter().any(|table| table.contains_key(&server1));
    farm.lab.wait("it is back", SLACK, is_back);
    let began = Instant::now();
    farm.wait_for_table(&farm.lvs1, &whole, SLOW_START + SLACK);
    assert!(began.elapsed() > SLOW_START * 4 / 5, "{:?}", began.elapsed());
    let weights: Vec<u32> = watch.seen().iter().filter_map(|table| table.get(&server1).copied()).collect();
    assert!(weights.is_sorted() && weights.len() > 5, "{weights:?}");
    assert_eq!((weights.first(), weights.last()), (Some(&1), Some(&10)), "{weights:?}");

    farm.httpd1.stop();
    farm.wait_for_table(&farm.lvs1, &without1, SLACK);
    farm.httpd2.stop();
    let kept = || lvs1.vipctl(&["health", "web/192.168.4.200:80"]).stdout;
    farm.lab
        .wait("vipctl shows why it stays", SLACK, || kept().contains("at most 1 of 2 servers may be out"));
    farm.lab.stays("the last one stays", SLACK, || lvs1.table() == without1);
    farm.httpd1.start();
    farm.wait_for_table(&farm.lvs1, &farm.table_with(&[(&farm.web1, 10)]), SLOW_START + SLACK);
    assert_eq!(farm.answers(3), farm.shares(3, 0));
}
