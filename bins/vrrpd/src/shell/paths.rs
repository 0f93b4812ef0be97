//! Where vrrpd keeps files of its own. `VIPKIT_RUNTIME_DIR` and `VIPKIT_STATE_DIR` move them.

use std::env;
use std::path::PathBuf;

use vipkit_control::place::RUNTIME_DIR_VARIABLE;

const STATE_DIR_VARIABLE: &str = "VIPKIT_STATE_DIR";

/// The ledger's file.
#[must_use]
pub fn ledger() -> PathBuf {
    let base = env::var_os(STATE_DIR_VARIABLE).unwrap_or_else(|| "/var/lib/vipkit".into());
    PathBuf::from(base).join("vrrpd").join("ledger.json")
}

/// The heartbeat file, on tmpfs.
#[must_use]
pub fn heartbeat() -> PathBuf {
    match env::var_os(RUNTIME_DIR_VARIABLE) {
        Some(base) => PathBuf::from(base).join("vrrpd.heartbeat"),
        None => PathBuf::from("/run/vipkit-vrrpd/heartbeat"),
    }
}
