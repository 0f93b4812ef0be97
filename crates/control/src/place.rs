//! Where the sockets are, for those who serve them and those who connect.
//! Must not create anything.

use std::path::PathBuf;

/// Folder of the sockets.
pub const RUNTIME_DIR: &str = "/run/vipkit";

/// Environment variable that names another folder: tests, starts by hand.
pub const RUNTIME_DIR_VARIABLE: &str = "VIPKIT_RUNTIME_DIR";

/// Path of a daemon's socket: `<folder>/<daemon>.sock`.
#[must_use]
pub fn socket(daemon: &str) -> PathBuf {
    let folder = std::env::var_os(RUNTIME_DIR_VARIABLE).unwrap_or_else(|| RUNTIME_DIR.into());
    PathBuf::from(folder).join(format!("{daemon}.sock"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_named_after_its_daemon() {
        let path = socket("vrrpd");
        assert_eq!(path.file_name().unwrap(), "vrrpd.sock");
        assert_ne!(path.parent().unwrap(), std::path::Path::new(""));
    }
}
