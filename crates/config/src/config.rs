//! The configuration as a whole: its top level, and the way from text to values. Opens no file.

use std::collections::BTreeMap;

use crate::authentication::not_read;
use crate::context::{Context, KeyReader};
use crate::digest::Digest;
use crate::fault::{Fault, Faults};
use crate::node::{self, Node};
use crate::section::{About, Absent, Key, Section};
use crate::source::{Source, Sources};
use crate::syntax;
use crate::tree::{Table, merge};
use crate::vrrp::{self, Instance};

/// A valid configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `[node]`.
    pub node: Node,
    /// `[vrrp.NAME]` by name, at most [`INSTANCES_MAX`](crate::INSTANCES_MAX).
    pub vrrp: BTreeMap<String, Instance>,
    /// Of all values.
    pub digest: Digest,
    /// What is allowed, but hardly meant.
    pub warnings: Vec<Fault>,
}

pub(crate) const KEYS: &[About] = &[NODE.about, VRRP.about];

const NODE: Key<Node> = Key {
    about: About { name: "node", kind: "a table", absent: Absent::Default("{}"), doc: "This machine." },
    read: node::read,
};

const VRRP: Key<BTreeMap<String, Instance>> = Key {
    about: About {
        name: "vrrp",
        kind: "a table",
        absent: Absent::Default("{}"),
        doc: "VRRP instances, each a table with a name: `[vrrp.web]`.",
    },
    read: vrrp::read,
};

/// Reads a configuration from text; the tables of all sources merge, and their order does not matter.
///
/// A `key_file` is a fault here: only [`load`](crate::load) opens files.
///
/// # Errors
/// All faults that can be seen at once.
pub fn parse(sources: &[Source]) -> Result<Config, Faults> {
    parse_with(sources, Vec::new(), &mut not_read)
}

/// [`parse`] with the faults of sources that could not be read, and with a way to read key files.
pub(crate) fn parse_with(
    sources: &[Source],
    mut unread: Vec<Fault>,
    key_reader: &mut KeyReader<'_>,
) -> Result<Config, Faults> {
    let mut cx = Context::new(Sources::new(sources), !unread.is_empty(), key_reader);
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
    top.finish();
    let (faults, warnings) = cx.finish();
    unread.extend(faults);
    match (node, vrrp) {
        (Some(node), Some(vrrp)) if unread.is_empty() => {
            let digest = Digest::new(&merged, vrrp.values());
            Ok(Config { node, vrrp, digest, warnings })
        }
        _ => Err(Faults::new(unread)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{config, faults, faults_of, sources, web};

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
            faults("[chekc.nginx]\n[vrpp.web]\n[node]\nnodename = 1"),
            "vipkit.toml:1:2: unknown key \"chekc\" at the top level; known here: node, vrrp\n\
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
        "[vrrp.c]\naddresses = [\"198.51.100.1/32\"]\nvirtual_router_id = 2\ninterface = \"eth0\"\npriority = 255\n",
    ];

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
    }
}
