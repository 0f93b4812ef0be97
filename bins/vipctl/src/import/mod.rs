//! A keepalived.conf to a vipkit.toml that does what keepalived does with it today: pairs are moved one node at a time.
//!
//! `include` and `lexer` make words and braces of files, `block` reads them by tables of keywords, which stand in
//! `global`, `vrrp`, `service`, `server` and `check` beside what they mean; a keyword is a row there, and `said` what its
//! line says. `toml` writes the result, `note` holds what there is to say about it, `compare` what several nodes disagree
//! on. Opens no file.

mod address;
mod addresses;
mod authentication;
mod block;
mod check;
mod command;
pub mod compare;
mod forward;
mod garp;
mod global;
mod hmac;
pub mod include;
pub mod keys;
mod lexer;
mod mac;
pub mod note;
mod root;
mod route;
mod rule;
mod said;
mod server;
mod service;
mod shell;
mod ssl;
mod toml;
mod track;
mod tracker;
mod unicast;
mod vrrp;
mod words;

use vipkit_config::{Fault, Source};

use block::Cursor;
use check::Check;
use include::{File, Files};
use keys::KeyFile;
use note::{Note, Notes, Place, Refusal};
use root::Root;
use service::Service;
use vrrp::Instance;

/// What was imported from a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The file, as it was named.
    pub file: String,
    /// The name of the node, if the file has one.
    pub node: Option<(String, Place)>,
    /// In the order in which they stand.
    pub instances: Vec<Named<Instance>>,
    /// What instances track, in the order in which it stands.
    pub checks: Vec<Named<(Check, Place)>>,
    /// In the order in which they stand.
    pub services: Vec<Named<Service>>,
    /// The vipkit.toml.
    pub toml: String,
    /// The secrets that it names files for.
    pub keys: Vec<KeyFile>,
    /// What there is to say about it, in the order of the file.
    pub notes: Vec<Note>,
}

/// Something with its name in vipkit.toml.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named<T> {
    /// The name.
    pub name: String,
    /// What has it.
    pub item: T,
}

/// Imports a file with what it includes; `intended` is what the author probably meant instead of what runs.
///
/// # Errors
/// It cannot be understood, or keepalived does something with it that vipkit cannot do.
pub fn import(file: &File, files: &dyn Files, intended: bool) -> Result<Imported, Refusal> {
    let at = Place { file: file.name().into(), line: 1 };
    let mut notes = Notes::new(intended);
    let pieces = include::pieces(file, files, &mut notes)?;
    // As in keepalived at its start, these count wherever they stand.
    let mut first = Root::default();
    Cursor::new(&pieces, at.clone()).root(root::KEYWORDS, &mut first, &mut Notes::new(intended))?;
    let Root { globals, ssl, delays, groups, .. } = first;
    let mut root = Root { globals, ssl, delays, groups, ..Root::default() };
    Cursor::new(&pieces, at.clone()).root(root::KEYWORDS, &mut root, &mut notes)?;
    if root.instances.is_empty() && root.services.is_empty() {
        let remedy = "see that it is a keepalived.conf, and what of it is supported";
        let nothing = "nothing in it that vipkit runs";
        return Err(match notes.left_out {
            Some(note) => Refusal::new(&note.at, format!("{nothing}: {}", note.now), remedy),
            None => Refusal::new(&at, nothing, remedy),
        });
    }
    let mut imported = Imported {
        file: at.file.to_string(),
        node: root.globals.router_id,
        instances: named(root.instances, |instance| name_of(instance, &mut notes)),
        checks: root
            .trackers
            .tracked(&mut notes)
            .map(|tracker| Named { name: tracker.label, item: (tracker.check, tracker.at) })
            .collect(),
        services: named(root.services, |service| {
            let udp = if service.protocol.0 == "udp" { "-udp" } else { "" };
            format!("{}-{}{udp}", service.address.ip(), service.address.port())
        }),
        toml: String::new(),
        keys: Vec::new(),
        notes: Vec::new(),
    };
    imported.keys = keys::files(&imported.instances, &mut notes);
    imported.toml = checked(&imported, &at, &mut notes)?;
    notes.all.sort_by(|a, b| a.at.cmp(&b.at));
    imported.notes = notes.all;
    Ok(imported)
}

fn named<T>(items: Vec<T>, mut name: impl FnMut(&T) -> String) -> Vec<Named<T>> {
    items.into_iter().map(|item| Named { name: name(&item), item }).collect()
}

/// The name of an instance, of letters that vipkit.toml has for it.
fn name_of(instance: &Instance, notes: &mut Notes) -> String {
    const MOST: usize = 64;
    let allowed = |c: char| if c.is_ascii_alphanumeric() || "_.-".contains(c) { c } else { '-' };
    let mut name: String = instance.name.chars().map(allowed).take(MOST).collect();
    if name.is_empty() {
        name.push('-');
    }
    if name != instance.name {
        notes.say(&instance.at, format!("the name {:?} becomes {name}", instance.name));
    }
    name
}

/// The text, which vipkit takes; what it does not take is refused at the place that it comes from.
fn checked(imported: &Imported, whole: &Place, notes: &mut Notes) -> Result<String, Refusal> {
    let page = toml::page(imported);
    let origin = |line: usize| {
        page.places.range(..=line).next_back().map_or_else(|| whole.clone(), |(_, at)| at.clone())
    };
    let place = |fault: &Fault| origin(fault.place.position.map_or(0, |position| position.line));
    let source = Source { name: RESULT.to_owned(), text: page.text.clone() };
    match vipkit_config::parse(&[source]) {
        Ok(config) => {
            for warning in &config.warnings {
                let hint = warning.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
                notes.say(&place(warning), format!("{}{hint}", warning.what));
            }
            Ok(page.text)
        }
        Err(faults) => {
            let Some(fault) = faults.iter().next() else { return Ok(page.text) };
            let what = format!("vipkit cannot do this: {}", fault.what);
            let hint = fault.hint.as_deref().unwrap_or("change it");
            Err(Refusal::new(&place(fault), in_its_file(&what, origin), in_its_file(hint, origin)))
        }
    }
}

/// What the result is called while it is checked.
const RESULT: &str = "vipkit.toml";

/// What says a place of the result, with the place that this comes from.
fn in_its_file(text: &str, origin: impl Fn(usize) -> Place) -> String {
    let Some((before, after)) = text.split_once(&format!("{RESULT}:")) else { return text.to_owned() };
    let mut parts = after.splitn(3, ':');
    let line = parts.next().and_then(|line| line.parse().ok()).unwrap_or(0);
    let rest = parts.nth(1).map(|rest| format!(":{rest}")).unwrap_or_default();
    format!("{before}{}{rest}", origin(line))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::import::authentication::Authentication;
    use crate::import::include::tests::NoFiles;

    fn read(text: &str, intended: bool) -> Result<Imported, Refusal> {
        import(&File { path: "x.conf".into(), text: text.to_owned() }, &NoFiles, intended)
    }

    const INSTANCE: &str =
        "vrrp_instance A {\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {\n192.0.2.1/24\n}\n";

    /// An instance with these lines, as it is imported.
    fn instance(lines: &str) -> Instance {
        let imported =
            read(&format!("{INSTANCE}{lines}\n}}"), false).unwrap_or_else(|refusal| panic!("{refusal}"));
        imported.instances.into_iter().next().unwrap().item
    }

    #[test]
    fn a_password_needs_its_type_in_capital_letters_and_version_2() {
        let auth = |kind: &str| format!("authentication {{\nauth_type {kind}\nauth_pass 123456789\n}}");
        let password = |lines: &str| instance(lines).authentication;
        assert_eq!(password(&auth("PASS")), Authentication::Password("12345678".to_owned()));
        assert_eq!(password(&auth("pass")), Authentication::None);
        assert_eq!(password(&format!("version 3\n{}", auth("PASS"))), Authentication::None);
        let later = instance(&auth("pass")).later;
        assert_eq!(later[0].line, "authentication = { type = \"pass\", key = \"12345678\" }");
    }

    #[test]
    fn what_was_meant_is_applied_when_it_is_asked_for() {
        let text = format!("{INSTANCE}state MASTER\nnopreempt\n}}");
        let [plain, meant] = [false, true].map(|intended| read(&text, intended).unwrap());
        let of = |imported: &Imported| {
            let instance = &imported.instances[0].item;
            (instance.priority.0, instance.preempt, instance.later.len())
        };
        assert_eq!((of(&plain), of(&meant)), ((255, true, 1), (254, false, 0)));
    }

    #[test]
    fn what_is_said_again_counts() {
        assert_eq!(instance("priority 7\npriority 9").priority.0, 9);
        assert!(instance("priority 7\nnopreempt\npreempt").preempt);
    }

    /// Words that there are, and some that there are not, so that much of what is made up is accepted.
    fn words() -> impl Strategy<Value = String> {
        let keyword = prop::sample::select(vec![
            "global_defs",
            "router_id",
            "vrrp_instance",
            "interface",
            "virtual_router_id",
            "priority",
            "state",
            "MASTER",
            "advert_int",
            "nopreempt",
            "authentication",
            "auth_type",
            "PASS",
            "auth_pass",
            "virtual_ipaddress",
            "192.0.2.1/24",
            "192.0.2.2",
            "virtual_server",
            "real_server",
            "80",
            "weight",
            "lb_algo",
            "rr",
            "lb_kind",
            "DR",
            "protocol",
            "TCP",
            "TCP_CHECK",
            "connect_timeout",
            "nb_get_retry",
            "retry",
            "delay_loop",
            "persistence_timeout",
            "garp_master_repeat",
            "version",
            "vrrp_strict",
            "include",
            "track_script {\ns\n}\n",
            "HTTP_GET {\nurl {\npath /\nregex a.b\n}\n",
            "SSL_GET",
            "UDP_CHECK",
            "require_reply",
            "DNS_CHECK",
            "SMTP_CHECK",
            "PING_CHECK",
            "MISC_CHECK {\nmisc_path \"a | b\"\n",
            "fwmark",
            "vrrp_script s {\nscript \"killall -0 x\"\n}\n",
            "track_file s {\nfile /x\n}\n",
            "vrrp_track_process s {\nprocess x y\n}\n",
            "track_interface {\neth1 weight 3\n}\n",
            "track_file {\ns reverse\n}\n",
            "track_process",
            "quorum_max",
            "virtual_ipaddress_excluded",
            "fe80::1/64",
            "2001:db8::1",
            "dev",
            "peer",
            "scope",
            "label",
            "use_vmac",
            "unicast_peer",
            "unicast_src_ip",
            "min_ttl",
            "no_accept",
            "virtual_routes",
            "via",
            "table",
            "virtual_rules",
            "from",
            "fwmark",
            "auth_hmac",
            "key",
            "active_key",
            "file:/k",
            "x\"y\"",
            "\"a\\b\"",
            "7",
            "0",
            "300",
            "1.5",
            "-1",
            "é",
            "{",
            "}",
            "{\n",
            "}\n",
            "\n",
            "\n",
            "#",
            "!",
        ]);
        prop::collection::vec(keyword, 0..60).prop_map(|words| words.join(" "))
    }

    /// A block of an instance with an entry whose words are made up.
    fn entry() -> impl Strategy<Value = String> {
        let word = prop::sample::select(vec![
            "10.1.0.0/16",
            "192.0.2.7",
            "fe80::7/64",
            "2001:db8::7/48",
            "default",
            "via",
            "dev",
            "eth0",
            "eth1",
            "table",
            "100",
            "main",
            "metric",
            "scope",
            "link",
            "src",
            "to",
            "from",
            "priority",
            "7",
            "0",
            "fwmark",
            "7/0xff",
            "peer",
            "label",
            "min_ttl",
            "nexthop",
            "inet6",
            "no_track",
            "tos",
            "use_vmac",
            "name",
            "a5",
        ]);
        let block = prop::sample::select(vec![
            "virtual_ipaddress",
            "virtual_ipaddress_excluded",
            "virtual_routes",
            "virtual_rules",
            "unicast_peer",
        ]);
        (block, prop::collection::vec(word, 1..8))
            .prop_map(|(block, words)| format!("{block} {{\n{}\n}}\n", words.join(" ")))
    }

    /// An instance and a service whose values are made up.
    fn likely() -> impl Strategy<Value = String> {
        let value = || {
            prop::sample::select(vec![
                "0", "1", "2", "3", "50", "255", "300", "0.3", "40.96", "99999", "x\\\"y",
            ])
        };
        let line = (
            prop::sample::select(vec![
                "priority",
                "advert_int",
                "version",
                "state",
                "garp_master_delay",
                "garp_master_refresh",
                "auth_pass",
            ]),
            value(),
        );
        let check = (
            prop::sample::select(vec![
                "retry",
                "connect_timeout",
                "delay_loop",
                "nb_get_retry",
                "weight",
                "connect_port",
            ]),
            value(),
        );
        let lines = |pairs: Vec<(&'static str, &'static str)>| -> String {
            pairs.into_iter().map(|(name, value)| format!("{name} {value}\n")).collect()
        };
        let many = 0..4_usize;
        (
            prop::collection::vec(line, many.clone()),
            prop::collection::vec(check, many.clone()),
            "[ -~é]{0,70}",
            prop::collection::vec(entry(), many),
        )
            .prop_map(move |(instance, check, name, entries)| {
                let name = name.replace(['"', '$', '~'], "");
                format!(
                    "global_defs {{\nrouter_id \"{name}\"\n}}\n{}{}}}\nvirtual_server 192.0.2.1 80 {{\n\
                     real_server 192.0.2.3 80 {{\nTCP_CHECK {{\n{}}}\n}}\n}}\n",
                    INSTANCE.replace(" A ", &format!(" \"{name}\" ")),
                    lines(instance) + &entries.concat(),
                    lines(check)
                )
            })
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(text in any::<String>(), intended: bool) {
            let _ = read(&text, intended);
        }

        /// `import` reads its result itself; here it is read once more, to see that nothing else comes out.
        #[test]
        fn what_is_accepted_is_a_configuration(text in prop_oneof![words(), likely()], intended: bool) {
            if let Ok(imported) = read(&text, intended) {
                let source = Source { name: "vipkit.toml".to_owned(), text: imported.toml };
                prop_assert!(vipkit_config::parse(&[source]).is_ok());
            }
        }

        #[test]
        fn the_result_is_the_same_each_time(text in likely()) {
            prop_assert_eq!(read(&text, false), read(&text, false));
        }
    }
}
