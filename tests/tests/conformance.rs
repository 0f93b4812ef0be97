//! Plays the conformance rows, and joins them with the ledger in docs/conformance.md. Must not know a requirement.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

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

/// In the ledger a row stands as `C51`, a test as `virtual_lan::name`, with the file that has it.
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
    for (file, test) in quoted.iter().filter_map(|name| name.split_once("::")) {
        let found = read(&format!("tests/tests/{file}.rs")).contains(&format!("fn {test}("));
        assert!(found, "the ledger names test {file}::{test}, which is none");
    }
}

/// No requirement without a row, a test or a reason in each of its last two columns.
#[test]
fn no_requirement_of_the_ledger_is_left_open() {
    let ledger = read("docs/conformance.md");
    let requirements: Vec<_> =
        ledger.lines().filter(|line| line.starts_with("| V2-") || line.starts_with("| V3-")).collect();
    let ids: BTreeSet<_> = requirements.iter().map(|line| line.split('|').nth(1)).collect();
    assert!(requirements.len() > 50 && ids.len() == requirements.len());
    for line in requirements {
        let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [_, section, level, _, positive, negative] = cells[..] else { panic!("six columns: {line}") };
        assert!(
            section.starts_with('§') && ["MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY"].contains(&level)
        );
        let is_answer = |cell: &str| cell.contains('`') || cell.split(' ').count() > 1;
        assert!(is_answer(positive) && is_answer(negative), "{line}");
    }
}

fn is_id(name: &str) -> bool {
    let number = name.trim_start_matches(['C', 'T', 'X']);
    number.len() + 1 == name.len() && number.starts_with(|c: char| c.is_ascii_digit())
}

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
