//! The configuration and nothing else, for `--check` and at the start; whether this host has what it speaks of is not
//! its question.

use std::path::{Path, PathBuf};

use thiserror::Error;
use tracing::warn;
use vipkit_config::{Config, Credentials, Faults};

/// A daemon's way to read its configuration and to look whether this host can go over to it. May wait.
pub type Load = fn(&Path) -> Result<Config, Faults>;

/// The way of those that need no credentials.
///
/// # Errors
/// All of its faults.
pub fn without_credentials(path: &Path) -> Result<Config, Faults> {
    vipkit_config::load(path, Credentials::Unread)
}

/// The configuration has faults; they are on standard error already.
#[derive(Debug, Error)]
#[error("{}: {count} fault{}", path.display(), if *count == 1 { "" } else { "s" })]
pub struct Refused {
    path: PathBuf,
    count: usize,
}

/// Says what is wrong with the configuration, or that nothing is, and how many of `things` a daemon has in it.
///
/// # Errors
/// The configuration has faults.
pub fn run(path: &Path, things: &str, count: impl FnOnce(&Config) -> usize) -> Result<(), Refused> {
    let config = load(path, without_credentials)?;
    for warning in &config.warnings {
        eprintln!("warning: {warning}");
    }
    println!("{}: good; {things}: {}, digest: {}", path.display(), count(&config), config.digest);
    Ok(())
}

/// Reads the configuration in a daemon's own way; its faults go to standard error, a line each.
///
/// # Errors
/// The configuration has faults.
pub fn load(path: &Path, load: Load) -> Result<Config, Refused> {
    load(path).map_err(|faults| {
        for fault in &faults {
            eprintln!("{fault}");
        }
        Refused { path: path.to_owned(), count: faults.iter().count() }
    })
}

/// Puts what is allowed but hardly meant into the log.
pub fn log_warnings(config: &Config) {
    config.warnings.iter().for_each(|warning| warn!("{warning}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vipkit.toml");
        for (text, ending) in [("a = 1", "vipkit.toml: 1 fault"), ("a = 1\nb = 1", "vipkit.toml: 2 faults")] {
            std::fs::write(&path, text).unwrap();
            let refused = load(&path, without_credentials).unwrap_err().to_string();
            assert!(refused.ends_with(ending), "{refused}");
        }
        std::fs::write(&path, "[node]\nname = \"lvs1\"").unwrap();
        assert_eq!(load(&path, without_credentials).unwrap().node.name.as_deref(), Some("lvs1"));
    }
}
