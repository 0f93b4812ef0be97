//! The manual against the keys: each is described, and nothing else is.

use crate::section::{About, Absent};
use crate::{
    address, authentication, check, combining, config, garp, health, ipvs, node, persistence, route, rule,
    server, service, track, unicast, virtual_mac, vrrp,
};

const MANUAL: &str = include_str!("../../../docs/configuration.md");
const MAN_PAGE: &str = include_str!("../../../docs/man/vipkit.toml.5");

/// Every table and its keys, in the order of the manual.
pub(crate) const TABLES: &[(&str, &[About])] = &[
    ("[node]", node::KEYS),
    ("[vrrp.NAME]", vrrp::KEYS),
    ("[[vrrp.NAME.addresses]]", address::KEYS),
    ("[vrrp.NAME.authentication]", authentication::KEYS),
    ("[vrrp.NAME.authentication] of type pass", authentication::pass::KEYS),
    ("[vrrp.NAME.authentication] of type hmac", authentication::hmac::KEYS),
    ("[[vrrp.NAME.authentication.keys]]", authentication::key::KEYS),
    ("[[vrrp.NAME.unicast_peers]]", unicast::KEYS),
    ("[vrrp.NAME.virtual_mac]", virtual_mac::KEYS),
    ("[[vrrp.NAME.routes]]", route::KEYS),
    ("[[vrrp.NAME.rules]]", rule::KEYS),
    ("[vrrp.NAME.garp]", garp::KEYS),
    ("[[vrrp.NAME.track]]", track::KEYS),
    ("[check.NAME]", check::KEYS),
    ("[check.NAME] over the network", check::path::KEYS),
    ("[check.NAME] over TLS", check::tls::SETTINGS),
    ("[check.NAME] of type tcp", check::tcp::KEYS),
    ("[check.NAME] of type tls", check::tls::KEYS),
    ("[check.NAME] of type http", check::http::KEYS),
    ("[[check.NAME.requests]]", check::http::request::KEYS),
    ("[check.NAME] of type https", check::https::KEYS),
    ("[check.NAME] of type smtp", check::smtp::KEYS),
    ("[check.NAME] of type dns", check::dns::KEYS),
    ("[check.NAME] of type udp", check::udp::KEYS),
    ("[check.NAME] of type ping", check::ping::KEYS),
    ("[check.NAME] of type script", check::script::KEYS),
    ("[check.NAME] of type process", check::process::KEYS),
    ("[check.NAME] of type systemd", check::systemd::KEYS),
    ("[check.NAME] of type file", check::file::KEYS),
    ("[check.NAME] of type agent", check::agent::KEYS),
    ("[check.NAME] of type external", check::external::KEYS),
    ("[health]", health::KEYS),
    ("[[service]]", service::KEYS),
    ("[service.check]", combining::KEYS),
    ("[service.persistence]", persistence::KEYS),
    ("[[service.server]]", server::KEYS),
    ("[ipvs]", ipvs::KEYS),
];

/// One row of a table of the manual.
fn row(about: &About) -> String {
    let absent = match about.absent {
        Absent::Required => "required".to_owned(),
        Absent::Default(text) => format!("`{text}`"),
        Absent::None(words) => words.to_owned(),
    };
    format!("| `{}` | {} | {absent} | {} |", about.name, about.kind, about.doc)
}

/// The heading of a table in the manual; a type is one of its own.
fn heading(table: &str) -> String {
    match table.split_once("] ") {
        Some((table, of)) => match of.strip_prefix("of type ") {
            Some(kind) => format!("## `{table}]` of type `{kind}`"),
            None => format!("## `{table}]` {of}"),
        },
        None => format!("## `{table}`"),
    }
}

/// What follows a heading, up to the next.
fn under<'t>(text: &'t str, heading: &str, mark: &str) -> &'t str {
    let (_, after) = text.split_once(&format!("{heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
    after.split_once(&format!("\n{mark}")).map_or(after, |(section, _)| section)
}

#[test]
fn the_manual_has_a_row_for_each_key_and_no_other() {
    for (table, keys) in TABLES {
        let section = under(MANUAL, &heading(table), "## ");
        let rows: Vec<_> = section.lines().filter(|line| line.starts_with("| `")).collect();
        let expected: Vec<_> = keys.iter().map(row).collect();
        assert_eq!(rows, expected, "{table}; the rows should be\n{}", expected.join("\n"));
    }
}

#[test]
fn the_man_page_has_an_entry_for_each_key_and_no_other() {
    for (table, keys) in TABLES {
        let section = under(MAN_PAGE, &format!(".SS {table}"), ".S");
        let entries: Vec<_> = section.lines().filter_map(|line| line.strip_prefix(".B ")).collect();
        let expected: Vec<_> = keys.iter().map(|about| about.name).collect();
        assert_eq!(entries, expected, "{table}");
        for about in *keys {
            if let Absent::Default(text) = about.absent {
                let entry = under(section, &format!(".B {}", about.name), ".TP");
                assert!(entry.contains(&format!("Default: {text}.")), "the default of {}", about.name);
            }
        }
    }
}

#[test]
fn no_other_table_is_documented() {
    let documented = |text: &str, mark: &str| -> Vec<String> {
        text.lines().filter_map(|line| line.strip_prefix(mark)).map(|name| name.replace('`', "")).collect()
    };
    let tables: Vec<_> = TABLES.iter().map(|(name, _)| (*name).to_owned()).collect();
    let of_manual =
        documented(MANUAL, "## `[").into_iter().map(|name| format!("[{name}")).collect::<Vec<_>>();
    assert_eq!(of_manual, tables);
    assert_eq!(documented(MAN_PAGE, ".SS "), tables);
    let top: Vec<_> = config::KEYS.iter().map(|about| about.name).collect();
    assert_eq!(
        top,
        ["node", "vrrp", "check", "health", "service", "ipvs"],
        "a new table belongs into TABLES"
    );
}

#[test]
fn every_kind_of_check_is_documented() {
    let documented = TABLES.iter().filter_map(|(table, _)| table.strip_prefix("[check.NAME] of type "));
    assert_eq!(documented.collect::<Vec<_>>(), check::kinds().collect::<Vec<_>>());
}

#[test]
fn every_kind_of_check_has_an_example() {
    for kind in check::kinds() {
        let section = under(MANUAL, &heading(&format!("[check.NAME] of type {kind}")), "## ");
        let example = section.split("```toml\n").nth(1).unwrap_or_else(|| panic!("no example of {kind}"));
        let config = crate::testing::config(example.split("```").next().unwrap());
        let mut parts = config.checks.values().flat_map(|checked| &checked.parts);
        assert!(parts.all(|part| part.check.kind.name() == kind), "{kind}");
        assert!(!config.checks.is_empty() && config.warnings.is_empty(), "{kind}");
    }
}

#[test]
fn every_toml_block_of_the_manual_is_a_configuration() {
    let blocks: Vec<_> = MANUAL.split("```toml\n").skip(1).collect();
    assert!(blocks.len() > 3);
    for block in blocks {
        crate::testing::config(block.split("```").next().unwrap());
    }
}

#[test]
fn the_examples_are_configurations_without_warnings() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/examples");
    let mut examples = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let config =
            crate::load(&path, crate::Credentials::Unread).unwrap_or_else(|faults| panic!("{faults}"));
        assert_eq!(config.warnings, [], "{}", path.display());
        examples += 1;
    }
    assert!(examples >= 7);
}
