//! Tables of nftables, family inet, by the program `nft` (nft(8)). What is here waits for it, up to [`LIMIT`], and so is
//! for helper threads; [`NftablesWatch`] waits for nothing. Must not know what stands in a table.

mod watch;

use std::env;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use thiserror::Error;

pub use watch::NftablesWatch;

use crate::program::{Ran, RunError, run};

/// Why `nft` did not do what it was to.
#[derive(Debug, Error)]
pub enum NftError {
    /// It is neither in a folder of PATH nor in /usr/sbin or /sbin.
    #[error("nft is not installed: install the package nftables")]
    Missing,
    /// It cannot be run, or what it says cannot be read.
    #[error("nft: {0}")]
    Io(io::Error),
    /// It was killed. Whether the change was made is not known.
    #[error("nft takes longer than {} s", LIMIT.as_secs())]
    TimedOut,
    /// A table so large is none of ours.
    #[error("nft prints too much")]
    TooMuch,
    /// It ended with a failure, and nothing was changed. The first line of what it said.
    #[error("nft: {0}")]
    Refused(String),
}

impl From<RunError> for NftError {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Io(error) => Self::Io(error),
            RunError::TimedOut => Self::TimedOut,
            RunError::TooMuch => Self::TooMuch,
        }
    }
}

/// Where `nft` is. Asks the file system alone.
///
/// # Errors
/// [`NftError::Missing`].
pub fn find() -> Result<PathBuf, NftError> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(FOLDERS.map(PathBuf::from));
    let mut files = folders.filter(|folder| folder.is_absolute()).map(|folder| folder.join("nft"));
    files.find(|file| is_program(file)).ok_or(NftError::Missing)
}

/// Runs a script, all of it or nothing: one transaction. What it deletes of a table and what it puts in its place are one
/// change. In the network namespace of the calling thread; waits.
///
/// # Errors
/// See [`NftError`]. CAP_NET_ADMIN missing is [`NftError::Refused`].
pub fn replace_table(script: &str) -> Result<(), NftError> {
    nft(&["-f", "-"], script)?;
    Ok(())
}

/// A table as `nft` prints it, without what counts; `None` if there is none of this name. Waits.
///
/// # Errors
/// See [`NftError`].
pub fn list_table(name: &'static str) -> Result<Option<String>, NftError> {
    match nft(&["-s", "list", "table", "inet", name], "") {
        Err(NftError::Refused(text)) if text.contains(NO_SUCH_TABLE) => Ok(None),
        listed => listed.map(|output| Some(String::from_utf8_lossy(&output).into_owned())),
    }
}

/// Deletes a table, if there is one of this name. Waits.
///
/// # Errors
/// See [`NftError`].
pub fn delete_table(name: &'static str) -> Result<(), NftError> {
    // To delete what is not there would be an error, to add what is there is none.
    replace_table(&format!("add table inet {name}\ndelete table inet {name}\n"))
}

/// Runs `nft`; returns what it prints.
fn nft(arguments: &[&str], input: &str) -> Result<Vec<u8>, NftError> {
    let mut command = Command::new(find()?);
    // What it says is in English, and nothing of what this process was told is told to it.
    let command = command.args(arguments).env_clear().env("LC_ALL", "C");
    let Ran { status, output, complaint } = run(command, input.as_bytes(), LIMIT)?;
    if status.success() {
        return Ok(output);
    }
    let complaint = String::from_utf8_lossy(&complaint);
    let line = complaint.lines().find(|line| !line.trim().is_empty()).map(str::to_owned);
    Err(NftError::Refused(line.unwrap_or_else(|| status.to_string())))
}

fn is_program(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// How long `nft` may take.
pub const LIMIT: Duration = Duration::from_secs(10);
/// Where it is, besides PATH, which need not have the administrator's programs.
const FOLDERS: [&str; 2] = ["/usr/sbin", "/sbin"];
/// What it says of a table that is not there (ENOENT).
const NO_SUCH_TABLE: &str = "No such file or directory";

#[cfg(test)]
mod tests {
    use std::env;

    use super::*;
    use crate::namespace::in_namespace;

    const TABLE: &str = "ours";
    const SCRIPT: &str = "
        table inet ours
        delete table inet ours
        table inet ours {
            set v4 { type ifname . ipv4_addr; elements = { \"lo\" . 192.0.2.1, \"lo\" . 192.0.2.2 } }
            chain input {
                type filter hook input priority filter - 1; policy accept;
                iifname . ip daddr @v4 counter drop
            }
        }";

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn a_table_is_written_read_replaced_and_deleted() {
        in_namespace(|| {
            assert_eq!(list_table(TABLE).unwrap(), None);
            replace_table(SCRIPT).unwrap();
            let listed = list_table(TABLE).unwrap().unwrap();
            assert!(listed.starts_with("table inet ours {") && listed.contains("192.0.2.2"), "{listed}");
            assert!(!listed.contains("packets"), "what counts changes by itself: {listed}");

            replace_table(SCRIPT).unwrap();
            assert_eq!(list_table(TABLE).unwrap(), Some(listed.clone()), "the same again is the same");
            replace_table(&SCRIPT.replace("192.0.2.2", "192.0.2.3")).unwrap();
            assert_ne!(list_table(TABLE).unwrap(), Some(listed));

            delete_table(TABLE).unwrap();
            assert_eq!(list_table(TABLE).unwrap(), None);
            delete_table(TABLE).unwrap();
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn a_script_with_a_fault_changes_nothing_and_says_why() {
        in_namespace(|| {
            replace_table(SCRIPT).unwrap();
            let before = list_table(TABLE).unwrap();
            for (line, why) in [
                ("add rule inet ours nowhere drop", "No such file or directory"),
                ("nonsense", "syntax error"),
            ] {
                let error = replace_table(&format!("delete table inet ours\n{line}\n")).unwrap_err();
                let text = error.to_string();
                assert!(matches!(error, NftError::Refused(_)) && text.contains(why), "{text}");
                assert_eq!(text.lines().count(), 1);
                assert_eq!(list_table(TABLE).unwrap(), before);
            }
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn thousands_of_addresses_are_written_and_read() {
        in_namespace(|| {
            let elements = (0..8000).map(|i| format!("\"lo\" . 10.0.{}.{}, ", i / 250, i % 250));
            let all: String = elements.collect();
            replace_table(&SCRIPT.replace("elements = { ", &format!("elements = {{ {all}"))).unwrap();
            let listed = list_table(TABLE).unwrap().unwrap();
            assert_eq!(listed.matches("\"lo\" . ").count(), 8002);
        });
    }

    /// Runs this test anew as a user who may change the network and nothing else, as daemons are.
    #[test]
    #[ignore = "needs root and network namespaces"]
    fn a_user_with_the_ambient_capability_may_and_one_without_may_not() {
        match env::var("CAPABILITIES").as_deref() {
            Ok("-all") => {
                let error = replace_table(SCRIPT).unwrap_err();
                assert!(error.to_string().contains("Operation not permitted"), "{error}");
                assert!(list_table(TABLE).is_err());
            }
            Ok(_) => {
                replace_table(SCRIPT).unwrap();
                assert!(list_table(TABLE).unwrap().is_some());
                delete_table(TABLE).unwrap();
            }
            Err(_) => in_namespace(|| {
                for capabilities in ["+net_admin,+net_raw", "-all"] {
                    let name =
                        "nftables::tests::a_user_with_the_ambient_capability_may_and_one_without_may_not";
                    let line = format!(
                        "--reuid 65534 --regid 65534 --clear-groups --no-new-privs --inh-caps {capabilities} \
                         --ambient-caps {capabilities} {} --ignored --exact {name}",
                        env::current_exe().unwrap().display()
                    );
                    let mut command = Command::new("setpriv");
                    command.args(line.split_whitespace()).env("CAPABILITIES", capabilities);
                    let output = command.output().unwrap();
                    let text = String::from_utf8_lossy(&output.stdout);
                    assert!(output.status.success() && text.contains("1 passed"), "{capabilities}: {text}");
                }
            }),
        }
    }

    #[test]
    fn what_is_missing_names_the_package() {
        let text = NftError::Missing.to_string();
        assert_eq!(text, "nft is not installed: install the package nftables");
        assert!(!is_program(Path::new("/nonexistent")) && !is_program(Path::new("/etc/passwd")));
        assert!(!is_program(Path::new("/")) && is_program(Path::new("/bin/sh")));
    }
}
