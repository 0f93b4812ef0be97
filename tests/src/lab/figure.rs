//! Figures of a run: how long something took, for people to read and compare. Kept only where `VIPKIT_FIGURES` names a
//! file; nothing is decided by them.

use std::fs::OpenOptions;
use std::io::Write;
use std::thread;
use std::time::Duration;

/// Notes how long something took, under the name of the running test.
///
/// # Panics
/// If the file cannot be written.
pub fn figure(what: &str, took: Duration) {
    let Some(path) = std::env::var_os("VIPKIT_FIGURES") else { return };
    let test = thread::current().name().unwrap_or_default().to_owned();
    let line = format!("{:8.3} s  {what}  [{test}]\n", took.as_secs_f64());
    OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(line.as_bytes()).unwrap();
}
