//! The configuration as a whole: its top level, and the way from text to values. Opens no file.

use std::collections::BTreeMap;

use crate::check;
use crate::checked::{self, Checked};
use crate::context::Context;
use crate::digest::Digest;
use crate::fault::{Fault, Faults};
use crate::health::{self, Health};
use crate::instance::Instance;
use crate::ipvs::{self, Ipvs};
use crate::node::{self, Node};
use crate::secret::SecretReader;
use crate::section::{About, Absent, Key, Section};
use crate::service::{self, Service, Services};
use crate::source::{Source, Sources};
use crate::syntax;
use crate::tree::{Table, merge};
use crate::vrrp::{self, Instances};

/// A valid configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `[node]`.
    pub node: Node,
    /// `[vrrp.NAME]` by name, at most [`INSTANCES_MAX`](crate::INSTANCES_MAX).
    pub vrrp: BTreeMap<String, Instance>,
    /// Everything that is checked, by the name of its verdict: NAME of each `[check.NAME]` with a target of its
    /// own, or that needs none, SERVICE/ADDRESS of each server with a check (`web/192.0.2.81:80`).
    pub checks: BTreeMap<String, Checked>,
    /// `[health]`.
    pub health: Health,
    /// `[[service]]` by name, at most [`SERVICES_MAX`](crate::SERVICES_MAX).
    pub services: BTreeMap<String, Service>,
    /// `[ipvs]`.
    pub ipvs: Ipvs,
    /// Of all values.
    pub digest: Digest,
    /// What is allowed, but hardly meant.
    pub warnings: Vec<Fault>,
}

pub(crate) const KEYS: &[About] =
    &[NODE.about, VRRP.about, CHECK.about, HEALTH.about, SERVICE.about, IPVS.about];

const NODE: Key<Node> = Key {
    about: About { name: "node", kind: "a table", absent: Absent::Default("{}"), doc: "This machine." },
    read: node::read,
};

const VRRP: Key<Instances> = Key {
    about: About {
        name: "vrrp",
        kind: "a table",
        absent: Absent::Default("{}"),
        doc: "VRRP instances, each a table with a name: `[vrrp.web]`.",
    },
    read: vrrp::read,
};

const CHECK: Key<BTreeMap<String, Option<check::Draft>>> = Key {
    about: About {
        name: "check",
        kind: "a table",
        absent: Absent::Default("{}"),
        doc: "Checks, each a table with a name: `[check.web]`.",
    },
    read: check::read,
};

const HEALTH: Key<Health> = Key {
    about: About {
        name: "health",
        kind: "a table",
        absent: Absent::Default("{}"),
        doc: "How much healthcheckd does at once.",
    },
    read: health::read,
};

const SERVICE: Key<Services> = Key {
    about: About {
        name: "service",
        kind: "a list of tables",
        absent: Absent::Default("[]"),
        doc: "Services of IPVS, each `[[service]]`.",
    },
    read: service::read,
};

const IPVS: Key<Ipvs> = Key {
    about: About {
        name: "ipvs",
        kind: "a table",
        absent: Absent::Default("{}"),
        doc: "How the kernel's IPVS table is kept.",
    },
    read: ipvs::read,
};

/// Reads a configuration from text; the tables of all sources merge, and their order does not matter.
///
/// It opens nothing: the keys of HMACs are left out, and a password in a file is a fault. [`load`](crate::load) reads
/// them.
///
/// # Errors
/// All faults that can be seen at once.
pub fn parse(sources: &[Source]) -> Result<Config, Faults> {
    parse_with(sources, Vec::new(), &mut |_| Ok(None))
}

/// [`parse`] with the faults of sources that could not be read, and with a way to read secrets.
pub(crate) fn parse_with(
    sources: &[Source],
    mut unread: Vec<Fault>,
    secret_reader: &mut SecretReader<'_>,
) -> Result<Config, Faults> {
    let mut cx = Context::new(Sources::new(sources), !unread.is_empty(), secret_reader);
    let tables: Vec<_> = sources
        .iter()
        .enumerate()
        .map(|(number, source)| syntax::read(number, &source.text, &mut cx))
        .collect();
    let mut merged = Table::new();
    for table in tables {
        merge(&mut merged, table, &mut cx);
    }
    let mut top = Section::top(&mut cx, &merged, KEYS);
    let node = top.get(&NODE);
    let vrrp = top.get(&VRRP);
    let named = top.get(&CHECK);
    let health = top.get(&HEALTH);
    let services = top.get(&SERVICE);
    let ipvs = top.get(&IPVS);
    top.finish();
    let read = named.zip(services.as_ref()).zip(vrrp.as_ref());
    let checks = read.map(|((named, Services { uses, .. }), Instances { tracked, .. })| {
        checked::all(&named, uses, tracked, &mut cx)
    });
    let (faults, warnings) = cx.finish();
    unread.extend(faults);
    let whole = || {
        let vrrp = vrrp?.instances;
        let digest = Digest::new(&merged, vrrp.values());
        Some(Config {
            node: node?,
            vrrp,
            checks: checks?,
            health: health?,
            services: services?.services,
            ipvs: ipvs?,
            digest,
            warnings,
        })
    };
    unread.is_empty().then(whole).flatten().ok_or_else(|| Faults::new(unread))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::server;
    use crate::testing::{config, faults, faults_of, service as service_line, sources, web};

    #[test]
    fn all_faults_are_reported_at_once() {
        let text = "\
[vrrp.web]
interface = \"eth0\"
virtual_router_id = 51
prioriy = 100
addresses = [\"192.168.4.80/24\"]

[vrrp.zero]
interface = \"eth0\"
virtual_router_id = 0
addresses = [\"192.168.4.81\"]

[vrrp.mail]
interface = \"eth0\"
virtual_router_id = 51
addresses = [\"192.168.4.82/24\"]
";
        assert_eq!(
            faults(text),
            "vipkit.toml:4:1: unknown key \"prioriy\" in [vrrp.web]; did you mean \"priority\"?\n\
             vipkit.toml:9:21: \"virtual_router_id\" in [vrrp.zero] must be an integer from 1 to 255, not 0; \
             use the number that its other routers have\n\
             vipkit.toml:10:14: \"addresses\" in [vrrp.zero] has 192.168.4.81 without a prefix; \
             write \"192.168.4.81/24\" with the prefix of its network, or \"192.168.4.81/32\"\n\
             vipkit.toml:14:21: virtual_router_id 51 is taken on \"eth0\" already, at vipkit.toml:3:21; \
             virtual routers of one interface need different numbers"
        );
    }

    #[test]
    fn refuses_unknown_keys_and_tables() {
        assert_eq!(
            faults("[include.x]\n[vrpp.web]\n[node]\nnodename = 1"),
            "vipkit.toml:1:2: unknown key \"include\" at the top level; \
             known here: node, vrrp, check, health, service, ipvs\n\
             vipkit.toml:2:2: unknown key \"vrpp\" at the top level; did you mean \"vrrp\"?\n\
             vipkit.toml:4:1: unknown key \"nodename\" in [node]; known here: name"
        );
    }

    #[test]
    fn the_files_merge_and_a_key_given_twice_names_both_places() {
        let split = [
            "[vrrp.web]\ninterface = \"eth0\"\nvirtual_router_id = 51",
            "vrrp.web.addresses = [\"192.0.2.80/24\"]",
        ];
        let merged = parse(&sources(&split)).unwrap();
        assert_eq!(merged, config(&web("")));
        assert_eq!(
            faults_of(&[&web("priority = 1"), "[vrrp.web]\npriority = 1"]),
            "conf.d/1.toml:2:1: \"priority\" is given twice; the other is at vipkit.toml:5:1: keep one"
        );
        assert_eq!(
            faults_of(&[&web(""), "vrrp = 1"]),
            "conf.d/1.toml:1:1: \"vrrp\" is given twice; the other is at vipkit.toml:1:2: keep one"
        );
    }

    #[test]
    fn lists_of_tables_join_and_no_others() {
        let second = service_line("address = \"192.0.2.90:80\"").replace("\"web\"", "\"mail\"");
        let joined = parse(&sources(&[&service_line(""), &second])).unwrap();
        assert_eq!(joined, config(&format!("{}\n{second}", service_line(""))));
        assert_eq!(joined.services.len(), 2);
        assert_eq!(
            faults_of(&[&service_line(""), "[[service.server]]\naddress = \"192.0.2.82:80\""]),
            "conf.d/1.toml:1:3: \"service\" is given twice; the other is at vipkit.toml:1:3: keep one"
        );
        for list in ["[\"192.0.2.80/24\"]", "[]"] {
            let second = format!("[vrrp.web]\naddresses = {list}");
            let shown = faults_of(&[&web(&format!("addresses = {list}")), &second]);
            let twice =
                "conf.d/1.toml:2:1: \"addresses\" is given twice; the other is at vipkit.toml:4:1: keep one";
            assert!(shown.ends_with(twice), "{shown}");
        }
    }

    #[test]
    fn the_digest_is_of_the_values() {
        let digest = |text: &str| config(text).digest;
        let plain = digest(&web("garp = { repeat = 2, delay = \"1s\" }"));
        assert_eq!(plain, digest(&web("# comment\n[vrrp.web.garp]\ndelay = '1s'\nrepeat = 0b10")));
        for other in ["garp = { repeat = 3, delay = \"1s\" }", "garp = { repeat = 2 }", "priority = 2"] {
            assert_ne!(plain, digest(&web(other)), "{other}");
        }
        let password =
            |key| digest(&web(&format!("version = 2\nauthentication = {{ type = \"pass\", key = {key} }}")));
        assert_ne!(password("\"1111\""), password("\"1112\""));
        let servers = |list: &str| digest(&service_line(&format!("server = [{list}]")));
        let [one, two] = [81, 82].map(|host| format!("{{ address = \"192.0.2.{host}:80\" }}"));
        assert_eq!(servers(&format!("{one}, {two}")), servers(&format!("{two}, {one}")));
        assert_ne!(servers(&one), servers(&two));
        assert_ne!(
            servers(&one),
            digest(
                &service_line("weight = 1").replace("weight = 1", "check = \"x\"\n[check.x]\ntype = \"tcp\"")
            )
        );
        assert_eq!(digest("").to_string().len(), 12);
        assert!(digest("").to_string().chars().all(|c| c.is_ascii_hexdigit()));
    }

    /// A configuration cut into pieces that may be shuffled and spread over files.
    const PIECES: &[&str] = &[
        "[node]\nname = \"lvs1\"\n",
        "[vrrp.a]\ninterface = \"eth0\"\nvirtual_router_id = 1\naddresses = [\"192.0.2.1/24\", \"192.0.2.2/24\"]\n",
        "[vrrp.a.garp]\nrepeat = 2\n",
        "[vrrp.b]\nversion = 2\ninterface = \"eth1\"\nvirtual_router_id = 1\naddresses = [\"192.0.2.1/24\"]\n",
        "[vrrp.b.authentication]\nkey = \"1111\"\ntype = \"pass\"\n",
        "[vrrp.d]\ninterface = \"eth1\"\nvirtual_router_id = 1\naddresses = [{ address = \"fe80::1/64\" }, { address = \"::2/64\" }]\n\
         unicast_peers = [\"fe80::3\", { min_ttl = 255, address = \"fe80::2\" }]\nvirtual_mac = { interface = \"d\" }\n",
        "[vrrp.d.authentication]\nactive_key = 1\ntype = \"hmac\"\n",
        "[[vrrp.d.authentication.keys]]\nid = 1\ncredential = \"a\"\n",
        "[[vrrp.d.authentication.keys]]\nid = 2\nkey_file = \"/b\"\n",
        "[[vrrp.d.routes]]\nto = \"default\"\nvia = \"fe80::9\"\n",
        "[[vrrp.d.routes]]\nto = \"10.0.0.0/8\"\n",
        "[[vrrp.d.rules]]\nfwmark = 1\npriority = 2\ntable = 3\n",
        "[[vrrp.d.rules]]\nfwmark = 1\npriority = 1\ntable = 3\n",
        "[vrrp.c]\naddresses = [\"198.51.100.1/32\"]\nvirtual_router_id = 2\ninterface = \"eth0\"\npriority = 255\n",
        "[check.nginx]\ntarget = \"127.0.0.1:80\"\ntype = \"tcp\"\n",
        "[check.up]\ntype = \"tcp\"\nretries = 0\n",
        "[health]\nscripts = 2\n",
        "[[vrrp.a.track]]\ncheck = \"nginx\"\nweight = -60\n",
        "[[vrrp.a.track]]\ninterface = \"eth2\"\n",
        "[[service]]\nname = \"web\"\naddress = \"192.0.2.1:80\"\nforward = \"dr\"\n\
         check = { any = [\"up\", { type = \"tcp\" }] }\nmax_out = \"50%\"\nhold_down = \"1s\"\n\
         [[service.server]]\naddress = \"192.0.2.10:80\"\n[[service.server]]\naddress = \"192.0.2.11:80\"\nweight = 2\n",
        "[[service]]\nname = \"dns\"\nprotocol = \"udp\"\naddress = \"192.0.2.1:53\"\n\
         server = [{ forward = \"nat\", address = \"192.0.2.11:5353\", check = { type = \"tcp\" } }]\n",
        "[ipvs]\nresync_interval = \"1m\"\n",
    ];

    /// The servers of a service, and the services of a configuration, in another order.
    fn service_of(servers: &[&str], services: &[&str]) -> String {
        let servers: String =
            servers.iter().map(|server| format!("[[service.server]]\n{server}\n")).collect();
        let service = |name| {
            format!("[[service]]\nname = \"{name}\"\naddress = \"{name}:80\"\nforward = \"nat\"\n{servers}")
        };
        services.iter().map(service).collect()
    }

    proptest! {
        #[test]
        fn order_never_matters(
            pieces in Just(PIECES.to_vec()).prop_shuffle(),
            files in proptest::collection::vec(0..4usize, PIECES.len()),
        ) {
            let mut texts = vec![String::new(); 4];
            for (piece, file) in pieces.iter().zip(files) {
                texts[file].push_str(piece);
            }
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            prop_assert_eq!(parse(&sources(&texts)).unwrap(), config(&PIECES.concat()));
        }

        #[test]
        fn order_of_services_and_servers_never_matters(
            servers in Just(vec!["address = \"192.0.2.10:80\"", "address = \"192.0.2.11:80\"\nweight = 0", "address = \"192.0.2.11:81\""]).prop_shuffle(),
            services in Just(vec!["192.0.2.1", "192.0.2.2", "192.0.2.3"]).prop_shuffle(),
        ) {
            let plain = service_of(
                &["address = \"192.0.2.11:81\"", "address = \"192.0.2.10:80\"", "address = \"192.0.2.11:80\"\nweight = 0"],
                &["192.0.2.1", "192.0.2.2", "192.0.2.3"],
            );
            prop_assert_eq!(config(&service_of(&servers, &services)), config(&plain));
        }

        #[test]
        fn arbitrary_text_never_panics(text in any::<String>(), more in "(?s).{0,200}") {
            let _ = parse(&sources(&[&text, &more])).map_err(|faults| assert!(faults.iter().count() > 0));
        }

        /// Text made of what configurations are made of gets further than arbitrary text.
        #[test]
        fn likely_text_never_panics(
            words in proptest::collection::vec(prop_oneof![
                proptest::sample::select(vec![
                    "[", "]", "{", "}", "=", "\"", "'", "\n", ",", ".", " ", "#", "\u{feff}", "\r\n", "ж",
                    "[vrrp.web]\n", "[vrrp.web.garp]\n", "[[vrrp]]\n", "[node]\n", "vrrp", "name = ", "\"eth0\"",
                    "interface = ", "virtual_router_id = ", "priority = ", "addresses = ", "version = ",
                    "advertisement_interval = ", "authentication = ", "key_file = ", "type = ", "garp = ",
                    "[[vrrp.web.routes]]\n", "[[vrrp.web.rules]]\n", "[[vrrp.web.addresses]]\n", "unicast_peers = ",
                    "virtual_mac = ", "source_address = ", "keys = ", "to = ", "via = ", "\"hmac\"", "\"fe80::1/64\"",
                    "[check.up]\n", "[[service]]\n", "[[service.server]]\n", "[ipvs]\n", "address = ", "forward = ",
                    "check = ", "server = ", "target = ", "interval = ", "persistence = ", "scheduler = ",
                    "\"192.0.2.80:80\"", "\"dr\"", "\"tcp\"", "\"up\"", "{type=\"tcp\"}", "{address=\"192.0.2.81:80\"}",
                    "\"192.0.2.80/24\"", "\"/\"", "\"1s\"", "51", "-1", "0", "1979-05-27", "1e9", "true",
                ]).prop_map(str::to_owned),
                "[0-9.:/a-z\"-]{0,24}",
            ], 0..60),
        ) {
            let text = words.concat();
            let _ = parse(&sources(&[&text])).map_err(|faults| assert!(faults.iter().count() > 0));
        }

        /// The same for one value in a configuration that is valid else.
        #[test]
        fn arbitrary_values_never_panic(
            key in proptest::sample::select(crate::vrrp::KEYS.iter().map(|about| about.name).collect::<Vec<_>>()),
            value in prop_oneof!["\"[0-9a-z./: ]{0,30}\"", "-?[0-9]{1,25}", "\\[\"[0-9./:]{0,20}\"\\]", "\\{[a-z_]{0,9}=.\\}"],
        ) {
            let text = web(&format!("{key} = {value}"));
            let _ = parse(&sources(&[&text])).map_err(|faults| assert!(faults.iter().count() > 0));
        }

        /// And in each table of an instance.
        #[test]
        fn arbitrary_values_of_instances_never_panic(
            (table, key) in proptest::sample::select(
                [
                    ("addresses", crate::address::KEYS),
                    ("unicast_peers", crate::unicast::KEYS),
                    ("virtual_mac", crate::virtual_mac::KEYS),
                    ("authentication", crate::authentication::hmac::KEYS),
                    ("keys", crate::authentication::key::KEYS),
                    ("routes", crate::route::KEYS),
                    ("rules", crate::rule::KEYS),
                    ("track", crate::track::KEYS),
                ]
                .into_iter()
                .flat_map(|(table, keys)| keys.iter().map(move |about| (table, about.name)))
                .collect::<Vec<_>>(),
            ),
            value in prop_oneof![
                "\"[0-9a-fx.:/ ]{0,30}\"", "\"[0-9a-f:]{1,20}/[0-9]{1,3}\"", "\"[0-9]{1,3}(\\.[0-9]{1,3}){3}/[0-9]{1,2}\"",
                "\"[0-9]{1,4}(ms|s|m)\"", "-?[0-9]{1,25}", "true|false", "\\[[0-9\"{}]{0,9}\\]", "\\{[a-z_]{0,9}=.\\}",
            ],
        ) {
            let text = match table {
                "virtual_mac" => format!("virtual_mac = {{ {key} = {value} }}"),
                "authentication" => format!("authentication = {{ type = \"hmac\", {key} = {value} }}"),
                "keys" => format!("authentication = {{ type = \"hmac\", keys = [{{ {key} = {value} }}] }}"),
                _ => format!("{table} = [{{ {key} = {value} }}]"),
            };
            let _ = parse(&sources(&[&web(&text)])).map_err(|faults| assert!(faults.iter().count() > 0));
        }

        /// And in a service, its check, its persistence and its server.
        #[test]
        fn arbitrary_values_of_services_never_panic(
            (table, key) in proptest::sample::select(
                [
                    ("", service::KEYS),
                    ("check.", check::KEYS),
                    ("check.", crate::combining::KEYS),
                    ("persistence.", crate::persistence::KEYS),
                    ("server", server::KEYS),
                ]
                    .into_iter()
                    .flat_map(|(table, keys)| keys.iter().map(move |about| (table, about.name)))
                    .collect::<Vec<_>>(),
            ),
            value in prop_oneof![
                "\"[0-9a-z.:/ ]{0,30}\"", "\"[0-9]{1,4}(ms|s|d|y)\"", "\"[0-9]{1,3}(\\.[0-9]{1,3}){3}(:[0-9]{1,6})?\"",
                "-?[0-9]{1,25}", "\\[[0-9\"{}]{0,9}\\]", "\\{[a-z_]{0,9}=.\\}", "\"[0-9]{1,3}%\"",
                "\\[(\"[a-z]{0,2}\",|\\{type=\"(tcp|file|external)\"\\},){0,9}\\]",
                "\\{(all|any|of|at_least)=(\\[\"a\"\\]|[0-9])\\}",
            ],
        ) {
            let text = match table {
                "server" => service_line(&format!("server = [{{ address = \"192.0.2.81:80\", {key} = {value} }}]")),
                table => service_line(&format!("{table}{key} = {value}")),
            };
            let _ = parse(&sources(&[&text])).map_err(|faults| assert!(faults.iter().count() > 0));
        }

        /// And in each kind of check.
        #[test]
        fn arbitrary_values_of_checks_never_panic(
            (kind, key) in proptest::sample::select(
                crate::documentation::TABLES
                    .iter()
                    .filter_map(|(table, keys)| Some((table.strip_prefix("[check.NAME] of type ")?, keys)))
                    .flat_map(|(kind, keys)| keys.iter().map(move |about| (kind, about.name)))
                    .collect::<Vec<_>>(),
            ),
            target in proptest::sample::select(vec!["", "target = \"[fe80::1]:80\"", "target = \"192.0.2.1\""]),
            value in prop_oneof![
                "\"[0-9a-zA-Z./:%_*+()\\[\\]{}^$? -]{0,30}\"", "\"[0-9]{1,4}(ms|s|d)\"", "-?[0-9]{1,25}", "true|false",
                "\\[(\"[0-9a-z/-]{0,9}\",|[0-9]{0,3}){0,4}\\]", "\\{\"[A-Za-z-]{0,9}\"=\"[ -~]{0,9}\"\\}", "\"([0-9a-fx]{2} ?){0,20}\"",
                "\\[\\{(path|status|method)=(\"[ -~]{0,9}\"|[0-9]{1,4})\\}\\]",
            ],
        ) {
            let text = format!("[check.a]\ntype = \"{kind}\"\n{key} = {value}\n{target}");
            let _ = parse(&sources(&[&text])).map_err(|faults| assert!(faults.iter().count() > 0));
        }

        /// And in the tables that are not of these.
        #[test]
        fn arbitrary_values_of_the_machine_never_panic(
            (table, key) in proptest::sample::select(
                [("node", node::KEYS), ("health", health::KEYS), ("ipvs", ipvs::KEYS)]
                    .into_iter()
                    .flat_map(|(table, keys)| keys.iter().map(move |about| (table, about.name)))
                    .collect::<Vec<_>>(),
            ),
            value in prop_oneof!["\"[ -~&&[^\"\\\\]]{0,70}\"", "-?[0-9]{1,25}", "\\[[0-9\"{}]{0,9}\\]", "\\{[a-z_]{0,9}=.\\}"],
        ) {
            let _ = parse(&sources(&[&format!("[{table}]\n{key} = {value}")]))
                .map_err(|faults| assert!(faults.iter().count() > 0));
        }
    }
}
