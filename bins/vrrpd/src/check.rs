//! The configuration and nothing else, for `vrrpd --check` and at the start; whether this host has the interfaces is
//! not its question.

use std::path::Path;

use anyhow::bail;
use vipkit_config::Config;

/// Says what is wrong with the configuration, or that nothing is.
///
/// # Errors
/// The configuration has faults.
pub fn run(path: &Path) -> anyhow::Result<()> {
    let config = load(path)?;
    for warning in &config.warnings {
        eprintln!("warning: {warning}");
    }
    println!("{}: good; instances: {}, digest: {}", path.display(), config.vrrp.len(), config.digest);
    Ok(())
}

/// Reads the configuration; its faults go to standard error, a line each.
///
/// # Errors
/// The configuration has faults.
pub fn load(path: &Path) -> anyhow::Result<Config> {
    match vipkit_config::load(path) {
        Ok(config) => Ok(config),
        Err(faults) => {
            for fault in &faults {
                eprintln!("{fault}");
            }
            let count = faults.iter().count();
            bail!("{}: {count} fault{}", path.display(), if count == 1 { "" } else { "s" })
        }
    }
}
