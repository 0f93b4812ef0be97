//! Plays the conformance rows, and joins them with the ledger in docs/conformance.md. Must not know a requirement.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use vipkit_tests::conformance::{row, run};

/// Rows of the state table of the ledger.
const TABLE_ROWS: u8 = 16;

#[test]
fn every_row_holds() {
    let rows = row::load().unwrap();
    let explain = |row: &row::Row, error| format!("{} ({}, {}): {error}", row.id, row.rfc, row.name);
    let failed: Vec<_> = rows.iter().filter_map(|row| run::run(row).err().map(|e| explain(row, e))).collect();
    assert!(failed.is_empty(), "{} of {} rows fail:\n{}", failed.len(), rows.len(), failed.join("\n"));
}

/// BLESS=1 makes the bytes anew.
#[test]
fn every_packet_is_what_its_description_says() {
    for file in row::files().unwrap() {
        let text = fs::read_to_string(&file).unwrap();
        let blessed = row::bless(&text).unwrap();
        if std::env::var_os("BLESS").is_some() {
            fs::write(&file, blessed).unwrap();
        } else {
            assert_eq!(text, blessed, "{}", file.display());
        }
    }
}

#[test]
fn every_row_of_the_state_table_is_played() {
    let played: BTreeSet<u8> = row::load().unwrap().iter().filter_map(|row| row.table).collect();
    assert_eq!(played, (1..=TABLE_ROWS).collect());
}

#[test]
fn rows_have_names_of_their_own() {
    let rows = row::load().unwrap();
    let ids: BTreeSet<_> = rows.iter().map(|row| &row.id).collect();
    assert_eq!(ids.len(), rows.len());
    assert!(rows.iter().all(|row| row.refused.is_some() || !row.refuse.is_empty() || !row.steps.is_empty()));
}

/// In the ledger a row stands as `C51`, a test as `fuzz::name` or `labs::ipv6::name`, with the file that has it.
#[test]
fn ledger_and_rows_name_each_other() {
    let ledger = read("docs/conformance.md");
    let quoted: BTreeSet<&str> = ledger.split('`').skip(1).step_by(2).collect();
    let rows = row::load().unwrap();
    for row in &rows {
        assert!(quoted.contains(row.id.as_str()), "the ledger does not name row {}", row.id);
    }
    for name in quoted.iter().filter(|name| is_id(name)) {
        assert!(rows.iter().any(|row| row.id == **name), "the ledger names row {name}, which is none");
    }
    for (module, test) in quoted.iter().filter_map(|name| name.rsplit_once("::")) {
        let path = format!("tests/tests/{}", module.replace("::", "/"));
        let files = [format!("{path}.rs"), format!("{path}/main.rs")];
        let file = files.iter().find(|file| place(file).exists());
        let found = file.is_some_and(|file| read(file).contains(&format!("fn {test}(")));
        assert!(found, "the ledger names test {module}::{test}, which is none");
    }
}

/// No requirement without a row, a test or a reason in each of its last two columns.
#[test]
fn no_requirement_of_the_ledger_is_left_open() {
    const RFCS: [&str; 2] = ["V2", "V3"];
    const OTHERS: [&str; 2] = ["H", "U"];
    const LEVELS: [&str; 5] = ["MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY"];
    let ledger = read("docs/conformance.md");
    let mut ids = BTreeSet::new();
    for line in ledger.lines() {
        let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let Some((kind, _)) = cells[0].split_once('-').filter(|(kind, _)| is_kind(kind)) else { continue };
        assert!(ids.insert(cells[0].to_owned()), "two of {}", cells[0]);
        let answers = match cells[..] {
            [_, section, level, _, positive, negative] if RFCS.contains(&kind) => {
                assert!(section.starts_with('§') && LEVELS.contains(&level), "{line}");
                [positive, negative]
            }
            [_, _, positive, negative] if OTHERS.contains(&kind) => [positive, negative],
            _ => panic!("other columns: {line}"),
        };
        let is_answer = |cell: &str| cell.contains('`') || cell.split(' ').count() > 1;
        assert!(answers.into_iter().all(is_answer), "{line}");
    }
    for (kind, least) in [("V3", 70), ("V2", 24), ("U", 7), ("H", 16)] {
        let count = ids.iter().filter(|id| id.split('-').next() == Some(kind)).count();
        assert!(count >= least, "{count} of {kind}");
    }

    fn is_kind(word: &str) -> bool {
        RFCS.contains(&word) || OTHERS.contains(&word)
    }
}

fn is_id(name: &str) -> bool {
    let number = name.trim_start_matches(['C', 'T', 'X']);
    number.len() + 1 == name.len() && number.starts_with(|c: char| c.is_ascii_digit())
}

fn place(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn read(path: &str) -> String {
    let path = place(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
