//! The settings of an interface, /proc/sys/net/ipv4/conf/INTERFACE/NAME and the same below ipv6, in the network
//! namespace of the calling thread. Must not know what any of them means.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;
use vipkit_core::units::Family;

/// Why a setting was not read or written.
#[derive(Debug, Error)]
pub enum SysctlError {
    /// A name that would be no file below the folder of settings.
    #[error("no name of an interface or a setting: {0:?}")]
    Name(String),
    /// The kernel's answer.
    #[error("{}: {source}", path.display())]
    File {
        /// The setting's file.
        path: PathBuf,
        /// What went wrong with it; `NotFound` when the interface or the setting does not exist.
        source: io::Error,
    },
}

/// The value of a setting.
///
/// # Errors
/// A bad name, no such interface or setting, a value that is no integer.
pub fn read(family: Family, interface: &str, name: &str) -> Result<i32, SysctlError> {
    let path = path(family, interface, name)?;
    let value = fs::read_to_string(&path).and_then(|text| {
        text.trim_end().parse().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    });
    value.map_err(|source| SysctlError::File { path, source })
}

/// Gives a setting a value.
///
/// # Errors
/// A bad name, no such interface or setting, CAP_NET_ADMIN missing, /proc/sys mounted read-only, a value the kernel
/// refuses.
pub fn write(family: Family, interface: &str, name: &str, value: i32) -> Result<(), SysctlError> {
    let path = path(family, interface, name)?;
    // Not `fs::write`, which would create a file if /proc/sys were none of the kernel's.
    let written = fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .and_then(|mut file| io::Write::write_all(&mut file, value.to_string().as_bytes()));
    written.map_err(|source| SysctlError::File { path, source })
}

fn path(family: Family, interface: &str, name: &str) -> Result<PathBuf, SysctlError> {
    let is_setting =
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    for (part, valid) in [(interface, is_interface(interface)), (name, is_setting)] {
        if !valid {
            return Err(SysctlError::Name(part.to_owned()));
        }
    }
    let folder = match family {
        Family::V4 => "/proc/sys/net/ipv4/conf",
        Family::V6 => "/proc/sys/net/ipv6/conf",
    };
    Ok(Path::new(folder).join(interface).join(name))
}

/// The kernel's own rule (dev_valid_name in net/core/dev.c). A dot is allowed, as in `eth0.5`.
pub(crate) fn is_interface(name: &str) -> bool {
    !matches!(name, "" | "." | "..")
        && name.len() < libc::IFNAMSIZ
        && !name.contains(|c: char| c == '/' || c == ':' || c.is_whitespace() || c == '\0')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::namespace::{in_namespace, ip};

    #[test]
    fn names_that_leave_the_folder_are_refused() {
        for (interface, name) in [
            ("", "forwarding"),
            (".", "forwarding"),
            ("..", "forwarding"),
            ("a/b", "forwarding"),
            ("sixteen-letters-", "forwarding"),
            ("lo", ""),
            ("lo", ".."),
            ("lo", "../lo/forwarding"),
        ] {
            assert!(
                matches!(read(Family::V4, interface, name), Err(SysctlError::Name(_))),
                "{interface:?} {name:?}"
            );
        }
    }

    #[test]
    fn an_error_names_the_file() {
        let error = read(Family::V4, "no-such-one", "forwarding").unwrap_err();
        assert!(error.to_string().starts_with("/proc/sys/net/ipv4/conf/no-such-one/forwarding: "), "{error}");
        assert!(
            matches!(error, SysctlError::File { source, .. } if source.kind() == io::ErrorKind::NotFound)
        );
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn a_setting_of_an_interface_with_a_dot_is_written_and_read_back() {
        in_namespace(|| {
            ip("link add name eth0.5 type veth peer name other");
            assert_eq!(read(Family::V4, "eth0.5", "promote_secondaries").unwrap(), 0);
            write(Family::V4, "eth0.5", "promote_secondaries", 1).unwrap();
            assert_eq!(read(Family::V4, "eth0.5", "promote_secondaries").unwrap(), 1);
            assert_eq!(read(Family::V4, "lo", "promote_secondaries").unwrap(), 0);
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn the_families_are_apart() {
        in_namespace(|| {
            ip("link add name veth0 type veth peer name veth1");
            write(Family::V6, "veth0", "forwarding", 1).unwrap();
            assert_eq!(read(Family::V6, "veth0", "forwarding").unwrap(), 1);
            assert_eq!(read(Family::V4, "veth0", "forwarding").unwrap(), 0);
        });
    }

    proptest! {
        #[test]
        fn every_accepted_name_is_a_file_in_the_folder(v6: bool, interface: String, name: String) {
            let family = if v6 { Family::V6 } else { Family::V4 };
            if let Ok(path) = path(family, &interface, &name) {
                prop_assert_eq!(path.components().count(), 8);
            }
        }
    }
}
