//! `file`: a file has a number, which is a weight: `echo 50 > /run/weight`.

use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Duration;

use tokio::time;
use vipkit_config::File;

use super::{Checker, Means, Running, Steps, Watch};
use crate::verdict::{Finding, Outcome};
use crate::weight::Weight;

/// The most that a file with a number may have, in bytes.
const BYTES_MAX: u64 = 64;
/// The least and the greatest number.
const LIMIT: i64 = 65_535;

impl Checker for File {
    fn run(&self, means: &Rc<Means>, steps: &Steps, timeout: Duration) -> Running {
        let (path, means, steps) = (self.file.clone(), means.clone(), steps.clone());
        Box::pin(async move {
            let Ok(bytes) = time::timeout(timeout, means.files.read(&path, BYTES_MAX + 1)).await else {
                return Outcome::late(timeout);
            };
            steps.done("read");
            match bytes {
                Ok(bytes) => judge(&bytes),
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    Outcome::hindered("there is no such file", "write a number into it")
                }
                Err(error) => Outcome::hindered(
                    format_args!("cannot be read: {error}"),
                    "let healthcheckd's user read it",
                ),
            }
        })
    }

    fn watch(&self, means: &Rc<Means>) -> Option<Watch> {
        Some(means.watches.name(&self.file))
    }
}

/// What is in the file.
pub fn judge(bytes: &[u8]) -> Outcome {
    let is_long = bytes.len() as u64 > BYTES_MAX;
    let number =
        str::from_utf8(bytes).ok().filter(|_| !is_long).and_then(|text| text.trim().parse::<i64>().ok());
    match number.filter(|number| number.abs_diff(0) <= LIMIT.unsigned_abs()) {
        Some(number) => Outcome::Passed(Finding {
            reason: number.to_string(),
            weight: Some(Weight::Absolute(number)),
            warning: None,
        }),
        None if bytes.trim_ascii().is_empty() => Outcome::hindered("it is empty", "write a number into it"),
        None => {
            Outcome::hindered("it is no number", format_args!("write one from -{LIMIT} to {LIMIT} into it"))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;
    use tokio::task::{LocalSet, spawn_local};

    use super::super::testing::{PATIENCE, means};
    use super::*;

    #[test]
    fn a_number_is_a_weight_and_nothing_else_is() {
        for (text, number) in
            [("0", 0), ("-7\n", -7), (" +50 \n\n", 50), ("65535", 65_535), ("-65535", -65_535)]
        {
            let Outcome::Passed(finding) = judge(text.as_bytes()) else { panic!("{text}") };
            assert_eq!(
                (finding.weight, finding.reason),
                (Some(Weight::Absolute(number)), number.to_string())
            );
        }
        let long = format!("{}1", " ".repeat(64));
        for text in
            ["", "\n", "x", "1 2", "65536", "-65536", "99999999999999999999", "1.5", "\0", long.as_str()]
        {
            assert!(matches!(judge(text.as_bytes()), Outcome::CouldNotRun { .. }), "{text:?}");
        }
    }

    #[tokio::test]
    async fn changes_are_told_and_read() {
        let test = async {
            let folder = tempfile::tempdir().unwrap();
            let check = File { file: folder.path().join("weight") };
            let means = means();
            let read = async || check.run(&means, &Steps::default(), PATIENCE).await;
            assert!(matches!(read().await, Outcome::CouldNotRun { .. }));
            for number in ["10", "-20"] {
                let told = spawn_local(check.watch(&means).unwrap());
                // As an editor does it; again until the watch stands.
                time::timeout(PATIENCE, async {
                    while !told.is_finished() {
                        let new = folder.path().join("weight~");
                        fs::write(&new, number).unwrap();
                        fs::rename(&new, &check.file).unwrap();
                        time::sleep(Duration::from_millis(5)).await;
                    }
                })
                .await
                .unwrap();
                let Outcome::Passed(finding) = read().await else { panic!() };
                assert_eq!(finding.reason, number);
            }
        };
        LocalSet::new().run_until(test).await;
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged(bytes: Vec<u8>, number: i64) {
            let _ = judge(&bytes);
            let passed = matches!(judge(number.to_string().as_bytes()), Outcome::Passed(_));
            prop_assert_eq!(passed, (-LIMIT..=LIMIT).contains(&number));
        }
    }
}
