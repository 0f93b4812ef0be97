//! A keepalived.conf to a vipkit.toml that does what keepalived does with it today: pairs are moved one node at a time.
//!
//! `include` and `lexer` make words and braces of files, `block` reads them by tables of keywords, which stand in
//! `global`, `vrrp`, `service`, `server` and `check` beside what they mean; a keyword is a row there. `toml` writes the
//! result, `note` holds what there is to say about it, `compare` what several nodes disagree on. Opens no file.

mod address;
mod block;
mod check;
pub mod compare;
mod forward;
mod garp;
mod global;
pub mod include;
mod lexer;
pub mod note;
mod root;
mod server;
mod service;
mod toml;
mod vrrp;

use vipkit_config::{Fault, Source};

use block::Cursor;
use include::{File, Files};
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
    /// In the order in which they stand.
    pub services: Vec<Named<Service>>,
    /// The vipkit.toml.
    pub toml: String,
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
    // As in keepalived at its start, global_defs counts wherever it stands.
    let mut first = Root::default();
    Cursor::new(&pieces, at.clone()).root(root::KEYWORDS, &mut first, &mut Notes::new(intended))?;
    let mut root = Root { globals: first.globals, ..Root::default() };
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
        services: named(root.services, |service| {
            let udp = if service.protocol.0 == "udp" { "-udp" } else { "" };
            format!("{}-{}{udp}", service.address.ip(), service.address.port())
        }),
        toml: String::new(),
        notes: Vec::new(),
    };
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
    let place = |fault: &Fault| {
        let line = fault.place.position.map_or(0, |position| position.line);
        page.places.range(..=line).next_back().map_or_else(|| whole.clone(), |(_, at)| at.clone())
    };
    let source = Source { name: "vipkit.toml".to_owned(), text: page.text.clone() };
    match vipkit_config::parse(&[source]) {
        Ok(config) => {
            for warning in &config.warnings {
                notes.say(&place(warning), warning.what.clone());
            }
            Ok(page.text)
        }
        Err(faults) => {
            let Some(fault) = faults.iter().next() else { return Ok(page.text) };
            let what = format!("vipkit cannot do this: {}", fault.what);
            Err(Refusal::new(
                &place(fault),
                what,
                fault.hint.clone().unwrap_or_else(|| "change it".to_owned()),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
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
        assert_eq!(instance(&auth("PASS")).password.as_deref(), Some("12345678"));
        assert_eq!(instance(&auth("pass")).password, None);
        assert_eq!(instance(&format!("version 3\n{}", auth("PASS"))).password, None);
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
            "track_script",
            "HTTP_GET",
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
        (prop::collection::vec(line, many.clone()), prop::collection::vec(check, many), "[ -~é]{0,70}")
            .prop_map(move |(instance, check, name)| {
                let name = name.replace(['"', '$', '~'], "");
                format!(
                    "global_defs {{\nrouter_id \"{name}\"\n}}\n{}{}}}\nvirtual_server 192.0.2.1 80 {{\n\
                     real_server 192.0.2.3 80 {{\nTCP_CHECK {{\n{}}}\n}}\n}}\n",
                    INSTANCE.replace(" A ", &format!(" \"{name}\" ")),
                    lines(instance),
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
