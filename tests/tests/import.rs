//! keepalived.conf files through the real `vipctl import`: what runs of them, what is said about them, which of them are
//! refused. BLESS=1 makes what is expected anew; whoever does so compares it with what keepalived does.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use vipkit_config::{Credentials, Source};
use vipkit_tests::lab::binary;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("import").join(name)
}

/// The files of a folder by name.
fn files(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.ends_with(".conf")).collect();
    names.sort();
    names
}

fn import(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(binary("vipctl")).current_dir(folder).arg("import").args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn expect(path: &Path, found: &str) {
    if std::env::var_os("BLESS").is_some() {
        fs::write(path, found).unwrap();
    }
    let expected = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(found, expected, "{}", path.display());
}

/// The result is what a daemon takes, whose warnings the import gave too; the keys that it names are elsewhere.
fn good(path: &Path, said: &str) {
    let source = Source { name: "vipkit.toml".to_owned(), text: fs::read_to_string(path).unwrap() };
    let config = vipkit_config::parse(&[source]).unwrap_or_else(|faults| panic!("{faults}"));
    for warning in config.warnings {
        assert!(said.contains(&warning.what), "{}: {warning}", path.display());
    }
}

#[test]
fn each_file_becomes_what_keepalived_runs() {
    let mut count = 0;
    for folder in ["tutorial", "features"].map(folder) {
        for name in files(&folder) {
            let output = import(&folder, &[&name]);
            assert_eq!(output.status.code(), Some(0), "{name}: {}", text(&output.stderr));
            let toml = folder.join(&name).with_extension("toml");
            expect(&toml, &text(&output.stdout));
            expect(&toml.with_extension("warnings"), &text(&output.stderr));
            good(&toml, &text(&output.stderr));
            count += 1;
        }
    }
    assert!(count >= 30, "{count} files");
}

#[test]
fn the_tutorial_is_imported_as_it_was_meant() {
    let folder = folder("tutorial");
    for name in files(&folder) {
        let output = import(&folder, &["--intended", &name]);
        let toml = folder.join(&name).with_extension("intended.toml");
        expect(&toml, &text(&output.stdout));
        good(&toml, "");
        assert!(!text(&output.stderr).contains("when both nodes are moved"));
    }
}

#[test]
fn what_cannot_be_carried_over_is_refused_without_output() {
    let folder = folder("refused");
    for name in files(&folder) {
        let output = import(&folder, &[&name]);
        assert_eq!(output.status.code(), Some(1), "{name}");
        assert_eq!(text(&output.stdout), "", "{name}");
        expect(&folder.join(&name).with_extension("refusal"), &text(&output.stderr));
    }
}

#[test]
fn nodes_that_disagree_are_told() {
    for (first, second, expected) in [
        ("lab1-web1", "lab1-web2", ""),
        (
            "lab2-lvs1",
            "lab2-lvs2",
            "lab2-lvs2.keepalived.conf:37: nodes disagree: weight of real_server 192.168.4.200:80 of virtual_server \
             192.168.4.15:80 is 1, but 2 at lab2-lvs1.keepalived.conf:36: it must be the same on all nodes\n",
        ),
    ] {
        let [first, second] = [first, second].map(|name| format!("{name}.keepalived.conf"));
        let output = import(&folder("tutorial"), &[&first, &second]);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), String::new()));
        let said = text(&output.stderr);
        let disagreements: Vec<_> = said.lines().filter(|line| line.contains(": nodes disagree: ")).collect();
        assert_eq!(disagreements.join("\n"), expected.trim_end());
    }
}

#[test]
fn each_node_gets_a_file_of_its_own_name_and_none_is_replaced() {
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("new");
    let (tutorial, out) = (folder("tutorial"), path.to_str().unwrap());
    let names = files(&tutorial);
    let mut arguments = vec!["--out", out];
    arguments.extend(names.iter().map(String::as_str));
    assert_eq!(import(&tutorial, &arguments).status.code(), Some(0));
    for (node, file) in [("web1", "lab1-web1"), ("lvs2", "lab2-lvs2")] {
        let written = fs::read_to_string(path.join(format!("{node}.toml"))).unwrap();
        let expected = tutorial.join(format!("{file}.keepalived.toml"));
        assert_eq!(written, fs::read_to_string(expected).unwrap());
    }
    let again = import(&tutorial, &arguments);
    assert_eq!(again.status.code(), Some(1));
    assert!(
        text(&again.stderr).contains("web1.toml:1: the file is there already"),
        "{}",
        text(&again.stderr)
    );
    let first_is_there = import(&tutorial, &["--out", out, "lab1-web1.keepalived.conf"]);
    assert_eq!(first_is_there.status.code(), Some(1));
}

/// The keys that stand in `hmac.conf`, by the names of their files.
const KEYS: [(&str, &str); 2] = [
    ("VI_1-1.key", "hex:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"),
    ("VI_1-2.key", "what is in quotes is one key, #1"),
];

#[test]
fn keys_become_files_that_not_everyone_reads_and_vipkit_takes() {
    let out = tempfile::tempdir().unwrap();
    let arguments = ["--out", out.path().to_str().unwrap(), "hmac.conf"];
    let features = folder("features");
    assert_eq!(import(&features, &arguments).status.code(), Some(0));
    let keys = out.path().join("gw1.keys");
    assert_eq!(fs::read_dir(&keys).unwrap().count(), KEYS.len());
    let mut listed = Vec::new();
    for (id, (name, expected)) in KEYS.iter().enumerate() {
        let path = keys.join(name);
        assert_eq!(fs::read_to_string(&path).unwrap(), *expected);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o137, 0, "{name}");
        listed.push(format!("{{ id = {}, key_file = {path:?} }}", id + 1));
    }
    let config = out.path().join("with-keys.toml");
    let text = format!(
        "[vrrp.a]\ninterface = \"eth0\"\nvirtual_router_id = 1\naddresses = [\"192.0.2.1/24\"]\n\
         authentication = {{ type = \"hmac\", active_key = 1, keys = [{}] }}\n",
        listed.join(", ")
    );
    fs::write(&config, text).unwrap();
    vipkit_config::load(&config, Credentials::Unread).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(import(&features, &arguments).status.code(), Some(1), "none is replaced");
}

#[test]
fn keys_are_shown_nowhere() {
    let features = folder("features");
    let json = import(&features, &["--json", "hmac.conf"]);
    let both = import(&features, &["hmac.conf", "groups.conf"]);
    for shown in [&json.stdout, &json.stderr, &both.stdout, &both.stderr] {
        let shown = text(shown);
        for (name, key) in KEYS {
            assert!(!shown.contains(key.trim_start_matches("hex:")), "{name}: {shown}");
        }
        assert!(!shown.contains("too-short"));
    }
}

#[test]
fn a_file_that_is_refused_keeps_all_from_being_written() {
    let out = tempfile::tempdir().unwrap();
    let good = folder("tutorial").join("lab1-web1.keepalived.conf");
    let arguments = ["--out", out.path().to_str().unwrap(), good.to_str().unwrap(), "quote.conf"];
    assert_eq!(import(&folder("refused"), &arguments).status.code(), Some(1));
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 0);
}

#[test]
fn as_json_it_is_one_line() {
    let output = import(&folder("tutorial"), &["--json", "lab2-lvs1.keepalived.conf"]);
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(text(&output.stdout).lines().count(), 1);
    let node = &value["nodes"][0];
    assert_eq!(value["good"], true);
    assert!(node["toml"].as_str().unwrap().contains("[vrrp.VI_1]"));
    let rr = node["warnings"].as_array().unwrap().iter().find(|warning| warning["line"] == 21).unwrap();
    assert_eq!(rr["meant"]["line"], "scheduler = \"wrr\"");
    let refused = import(&folder("refused"), &["--json", "quote.conf"]);
    let value: serde_json::Value = serde_json::from_slice(&refused.stdout).unwrap();
    assert_eq!((value["good"].as_bool(), value["refused"]["line"].as_u64()), (Some(false), Some(2)));
}
