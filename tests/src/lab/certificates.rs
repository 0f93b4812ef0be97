//! Certificates as openssl(1) makes them: an authority, and whom it vouches for, or does no more.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::run;

/// Whom certificates are for unless something else is said.
const SUBJECT: &str = "DNS:web.example.net,IP:192.168.4.100,IP:2001:db8:4::64";

/// A certificate and its key.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate (PEM).
    pub certificate: PathBuf,
    /// Its key (PEM), readable by everybody: daemons of the lab have users of their own.
    pub key: PathBuf,
}

/// An authority, with a folder for all that it makes.
#[derive(Debug)]
pub struct Authority {
    folder: PathBuf,
    own: Identity,
}

impl Authority {
    /// A new one, in a new folder.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        fs::create_dir(&folder).unwrap();
        let own = self_signed(&folder, "authority", "DNS:authority.example.net");
        Self { folder, own }
    }

    /// Its own certificate, as it is named by `ca_file`.
    #[must_use]
    pub fn certificate(&self) -> &Path {
        &self.own.certificate
    }

    /// A certificate for web.example.net, 192.168.4.100 and 2001:db8:4::64, and for so many days; 0: it has expired.
    #[must_use]
    pub fn issue(&self, name: &str, days: u32) -> Identity {
        self.issue_for(name, days, SUBJECT)
    }

    /// The same for somebody else.
    #[must_use]
    pub fn issue_for(&self, name: &str, days: u32, subject: &str) -> Identity {
        let identity = identity(&self.folder, name);
        let request = self.folder.join(format!("{name}.csr"));
        let (key, request) = (path(&identity.key), path(&request));
        openssl(&format!(
            "req -new {NEW_KEY} -keyout {key} -out {request} -subj /CN={name} -addext subjectAltName={subject}"
        ));
        let (authority, authority_key) = (path(&self.own.certificate), path(&self.own.key));
        let certificate = path(&identity.certificate);
        openssl(&format!(
            "x509 -req -in {request} -CA {authority} -CAkey {authority_key} -days {days} -copy_extensions copy -out {certificate}"
        ));
        readable(&identity);
        identity
    }

    /// A certificate for the same name that nobody vouches for.
    #[must_use]
    pub fn self_signed(&self, name: &str) -> Identity {
        self_signed(&self.folder, name, SUBJECT)
    }
}

const NEW_KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";

fn self_signed(folder: &Path, name: &str, subject: &str) -> Identity {
    let identity = identity(folder, name);
    let (key, certificate) = (path(&identity.key), path(&identity.certificate));
    openssl(&format!(
        "req -x509 {NEW_KEY} -keyout {key} -out {certificate} -subj /CN={name} -addext subjectAltName={subject} -days 90"
    ));
    readable(&identity);
    identity
}

fn identity(folder: &Path, name: &str) -> Identity {
    let file = |ending| folder.join(format!("{name}.{ending}"));
    Identity { certificate: file("pem"), key: file("key") }
}

fn readable(identity: &Identity) {
    fs::set_permissions(&identity.key, Permissions::from_mode(0o644)).unwrap();
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn openssl(arguments: &str) {
    let ran = run(Command::new("openssl").args(arguments.split_whitespace()));
    assert_eq!(ran.code, 0, "openssl {arguments}: {}", ran.stderr);
}
