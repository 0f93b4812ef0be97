//! The tree keeps its own rules: who may import whom, what is pure, how files open and how long they are, and that
//! what documents point at is there. Looks at files only.

use std::fs;
use std::path::{Path, PathBuf};

const LINES_MAX: usize = 600;
const MAIN_LINES_MAX: usize = 80;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Files below the folders, by ending.
fn files(folders: &[&str], ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty(), "no {ending} files below {folders:?}");
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn code() -> Vec<PathBuf> {
    files(&["crates", "bins", "tests"], ".rs")
}

/// Places where `text` stands outside comments and tests.
fn uses(path: &Path, text: &str) -> bool {
    let all = read(path);
    let lines: Vec<&str> = all.lines().collect();
    // Tests stand at the end; a module of helpers for them is a line among others.
    let is_end = |pair: &[&str]| pair[0] == "#[cfg(test)]" && pair[1].ends_with('{');
    let end = lines.windows(2).position(is_end).unwrap_or(lines.len());
    lines[..end].iter().any(|line| !line.trim_start().starts_with("//") && line.contains(text))
}

#[test]
fn every_file_says_first_what_it_is() {
    for path in code() {
        assert!(read(&path).starts_with("//!"), "{} does not open with //!", path.display());
    }
}

#[test]
fn files_hold_one_concept_and_main_only_joins() {
    for path in code() {
        let most = if path.ends_with("src/main.rs") { MAIN_LINES_MAX } else { LINES_MAX };
        let lines = read(&path).lines().count();
        assert!(lines <= most, "{} has {lines} lines, {most} are the most", path.display());
    }
}

#[test]
fn only_crates_linux_has_unsafe_code() {
    for path in files(&["crates", "bins"], "src/lib.rs") {
        let forbids = read(&path).contains("#![forbid(unsafe_code)]");
        assert_eq!(forbids, !path.ends_with("linux/src/lib.rs"), "{}", path.display());
    }
}

/// The programs, by the names of their folders.
fn bins() -> Vec<String> {
    let folders = fs::read_dir(root().join("bins")).unwrap();
    folders.map(|folder| folder.unwrap().file_name().into_string().unwrap()).collect()
}

/// In a daemon, whatever is not its shell is pure.
#[test]
fn pure_modules_know_no_kernel_no_loop_and_no_clock() {
    let edges = ["src/main.rs", "src/lib.rs", "src/cli.rs"];
    let mut pure = files(&["crates/core/src"], ".rs");
    for bin in bins() {
        let source = format!("bins/{bin}/src");
        let shell = root().join(&source).join("shell");
        if shell.is_dir() {
            let is_edge =
                |path: &PathBuf| path.starts_with(&shell) || edges.iter().any(|edge| path.ends_with(edge));
            pure.extend(files(&[&source], ".rs").into_iter().filter(|path| !is_edge(path)));
        }
    }
    for path in pure {
        for word in [
            "tokio",
            "vipkit_linux",
            "vipkit_daemon",
            "std::fs",
            "std::io",
            "std::thread",
            "Instant",
            "SystemTime::now",
            "UdpSocket",
            "UnixStream",
            "TcpStream",
            "socket2",
            "nix::",
            "libc",
            "std::env",
            "std::process",
            "tracing",
        ] {
            assert!(!uses(&path, word), "{} is pure, but knows {word}", path.display());
        }
    }
}

#[test]
fn the_arrows_between_crates_point_one_way() {
    let crates: &[&str] =
        &["vipkit-core", "vipkit-config", "vipkit-control", "vipkit-linux", "vipkit-daemon"];
    let bins = bins();
    let mut arrows = vec![
        ("crates/core".to_owned(), &[][..]),
        ("crates/control".to_owned(), &[]),
        ("crates/linux".to_owned(), &["vipkit-core"]),
        ("crates/config".to_owned(), &["vipkit-core"]),
        ("crates/daemon".to_owned(), &["vipkit-core", "vipkit-config", "vipkit-control", "vipkit-linux"]),
    ];
    arrows.extend(bins.iter().map(|bin| (format!("bins/{bin}"), crates)));
    for (folder, allowed) in arrows {
        let manifest = read(&root().join(&folder).join("Cargo.toml"));
        let dependencies = manifest.split_once("[dependencies]").unwrap().1;
        let shipped = dependencies.split("[dev-dependencies]").next().unwrap();
        for name in crates.iter().copied().chain(bins.iter().map(String::as_str)) {
            let imports = shipped
                .lines()
                .any(|line| line.starts_with(&format!("{name}.")) || line.starts_with(&format!("{name} ")));
            assert!(!imports || allowed.contains(&name), "{folder} must not import {name}");
        }
    }
}

#[test]
fn links_in_documents_lead_somewhere() {
    let mut documents = files(&["docs"], ".md");
    documents.extend(["README.md", "README.zh-CN.md"].map(|name| root().join(name)));
    for document in documents {
        let text = read(&document);
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.contains("://") && !target.starts_with('#')) {
            let path = document.parent().unwrap().join(target.split('#').next().unwrap());
            assert!(path.exists(), "{} points at {target}, which is not there", document.display());
        }
    }
}

#[test]
fn ci_runs_the_test_command_of_the_readme() {
    let ci = read(&root().join(".ci/run"));
    let command = ci.lines().rfind(|line| !line.is_empty()).unwrap().trim_start_matches("exec ");
    assert!(read(&root().join("README.md")).contains(command), "README.md does not say {command}");
}

#[test]
fn nothing_is_left_open() {
    for path in code().into_iter().chain(files(&["scripts"], "")) {
        if path.ends_with("tests/tree.rs") {
            continue;
        }
        for word in ["TODO", "FIXME", "XXX", "todo!(", "unimplemented!("] {
            assert!(!read(&path).contains(word), "{} has a {word}", path.display());
        }
    }
}
