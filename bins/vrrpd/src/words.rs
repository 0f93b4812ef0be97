//! Routes and rules in the words of ip(8), as people read and type them. Must not look at the kernel.

use ipnet::IpNet;
use vipkit_config::{Route, Rule};

/// The table that a route is in if nothing else is said (RT_TABLE_MAIN).
const MAIN: u32 = 254;

/// What `ip route add` takes.
#[must_use]
pub fn route(route: &Route) -> String {
    let mut words = vec![destination(route.to)];
    let mut add = |word: &str, value: Option<String>| {
        words.extend(value.map(|value| format!("{word} {value}")));
    };
    add("via", route.via.map(|via| via.to_string()));
    add("dev", route.interface.clone());
    add("table", (route.table != MAIN).then(|| route.table.to_string()));
    add("metric", route.metric.map(|metric| metric.to_string()));
    add("src", route.source.map(|source| source.to_string()));
    add("scope", route.scope.map(|scope| scope.name().to_owned()));
    words.join(" ")
}

/// What `ip rule add` takes.
#[must_use]
pub fn rule(rule: &Rule) -> String {
    let mut words =
        vec![format!("from {}", rule.from.map_or_else(|| "all".to_owned(), |net| net.to_string()))];
    words.extend(rule.to.map(|to| format!("to {to}")));
    words.extend(rule.fwmark.map(|mark| format!("fwmark {:#x}/{:#x}", mark.value, mark.mask)));
    words.push(format!("lookup {} priority {}", rule.table, rule.priority));
    words.join(" ")
}

fn destination(to: IpNet) -> String {
    if to.prefix_len() == 0 { "default".to_owned() } else { to.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vipkit_config::Source;

    #[test]
    fn as_ip_takes_them() {
        let text = "[vrrp.a]\ninterface = 'eth0'\nvirtual_router_id = 1\naddresses = ['192.0.2.1/24']\n\
                    routes = [{ to = 'default', via = '192.0.2.254', table = 100, metric = 5, source = '192.0.2.1' }, \
                    { to = '10.0.0.0/8', interface = 'eth1', scope = 'link' }]\n\
                    rules = [{ from = '192.0.2.1/32', table = 100, priority = 1000 }, \
                    { to = '10.0.0.0/8', fwmark = '0x7/0xff', table = 100, priority = 1001 }]";
        let source = Source { name: "vipkit.toml".to_owned(), text: text.to_owned() };
        let config = vipkit_config::parse(&[source]).unwrap().vrrp["a"].clone();
        let routes: Vec<_> = config.routes.iter().map(route).collect();
        let rules: Vec<_> = config.rules.iter().map(rule).collect();
        assert_eq!(
            routes,
            ["default via 192.0.2.254 table 100 metric 5 src 192.0.2.1", "10.0.0.0/8 dev eth1 scope link"]
        );
        assert_eq!(
            rules,
            [
                "from all to 10.0.0.0/8 fwmark 0x7/0xff lookup 100 priority 1001",
                "from 192.0.2.1/32 lookup 100 priority 1000"
            ]
        );
    }
}
