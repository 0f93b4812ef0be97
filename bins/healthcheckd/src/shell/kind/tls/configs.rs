//! What TLS connections are made with, made once for equal settings: the certificates of authorities, and our own. Files are
//! read by helper threads, one for each of them at most. Must not connect.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nix::fcntl::OFlag;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::watch;
use tokio::task;
use tokio::time::Instant;
use vipkit_config::TlsSettings;

use super::certificate::Verifier;
use crate::verdict::Outcome;

/// How long what was made is used: the system's certificates are renewed without a word.
const KEPT: Duration = Duration::from_secs(10 * 60);
/// How long it is not tried again where something was in the way.
const KEPT_FAILED: Duration = Duration::from_secs(1);
/// Most that are kept.
const CONFIGS_MAX: usize = 256;
/// Most bytes of a file.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

type Made = Result<Arc<ClientConfig>, Outcome>;

/// What TLS connections are made with, made once for equal settings.
#[derive(Debug, Default)]
pub struct TlsConfigs(RefCell<BTreeMap<Files, Kept>>);

/// What differs from one to another; names of servers do not matter here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Files {
    verify: bool,
    ca: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
}

#[derive(Debug)]
struct Kept {
    begun: Instant,
    made: watch::Receiver<Option<Made>>,
}

impl Kept {
    fn is_of_use(&self) -> bool {
        let age = self.begun.elapsed();
        match &*self.made.borrow() {
            Some(Ok(_)) => age < KEPT,
            Some(Err(_)) => age < KEPT_FAILED,
            // Nobody is to read the same file twice at a time, however slow it is.
            None => self.made.has_changed().is_ok(),
        }
    }
}

impl TlsConfigs {
    /// That of some settings; made if need be.
    ///
    /// # Errors
    /// [`Outcome::CouldNotRun`]: files are this host's.
    pub async fn get(&self, settings: &TlsSettings) -> Made {
        let mut made = self.begin(Files {
            verify: settings.verify,
            ca: settings.ca_file.clone().filter(|_| settings.verify),
            certificate: settings.certificate_file.clone(),
            key: settings.key_file.clone(),
        });
        match made.wait_for(Option::is_some).await {
            Ok(made) => made.clone().unwrap_or_else(|| Err(late(settings))),
            Err(_) => Err(late(settings)),
        }
    }

    /// Makes all of them anew when they are needed.
    pub fn forget(&self) {
        self.0.borrow_mut().clear();
    }

    fn begin(&self, files: Files) -> watch::Receiver<Option<Made>> {
        let mut all = self.0.borrow_mut();
        if let Some(kept) = all.get(&files).filter(|kept| kept.is_of_use()) {
            return kept.made.clone();
        }
        if all.len() >= CONFIGS_MAX {
            let oldest = all.iter().min_by_key(|(_, kept)| kept.begun).map(|(files, _)| files.clone());
            oldest.map(|oldest| all.remove(&oldest));
        }
        let (tell, made) = watch::channel(None);
        let making = files.clone();
        task::spawn_blocking(move || tell.send_replace(Some(make(&making).map(Arc::new))));
        all.insert(files, Kept { begun: Instant::now(), made: made.clone() });
        made
    }
}

/// What comes of a check while files are read.
pub fn late(settings: &TlsSettings) -> Outcome {
    let file = settings.ca_file.as_deref().unwrap_or(Path::new("the system's certificates"));
    Outcome::hindered(format_args!("{} cannot be read in time", file.display()), "see the disk that it is on")
}

fn make(files: &Files) -> Result<ClientConfig, Outcome> {
    let provider = Arc::new(ring::default_provider());
    let unsupported = |error: rustls::Error| Outcome::hindered(error, "tell the authors of healthcheckd");
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(unsupported)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier(files, provider)?));
    let mut config = match (&files.certificate, &files.key) {
        (Some(certificate), Some(key)) => {
            let chain = certificates("certificate_file", certificate)?;
            let wrong = |why: &dyn std::fmt::Display| {
                Outcome::hindered(format_args!("key_file {}: {why}", key.display()), "write its key (PEM)")
            };
            let private = PrivateKeyDer::from_pem_slice(&read("key_file", key)?)
                .map_err(|_| wrong(&"has no private key"))?;
            builder.with_client_auth_cert(chain, private).map_err(|error| match error {
                rustls::Error::InconsistentKeys(_) => wrong(&"is not the key of certificate_file"),
                error => wrong(&error),
            })?
        }
        _ => builder.with_no_client_auth(),
    };
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn verifier(files: &Files, provider: Arc<CryptoProvider>) -> Result<Verifier, Outcome> {
    let algorithms = provider.signature_verification_algorithms;
    if !files.verify {
        return Ok(Verifier { authorities: None, known: Vec::new(), algorithms });
    }
    let (found, known, nobody) = match &files.ca {
        Some(file) => {
            let found = certificates("ca_file", file)?;
            (found.clone(), found, format!("ca_file {} has no certificate", file.display()))
        }
        None => {
            let found = rustls_native_certs::load_native_certs().certs;
            (found, Vec::new(), "this host trusts no authority".to_owned())
        }
    };
    let mut authorities = RootCertStore::empty();
    authorities.add_parsable_certificates(found);
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(authorities), provider).build();
    let authorities =
        verifier.map_err(|_| Outcome::hindered(nobody, "install ca-certificates, or set `ca_file`"))?;
    Ok(Verifier { authorities: Some(authorities), known, algorithms })
}

fn certificates(what: &str, file: &Path) -> Result<Vec<CertificateDer<'static>>, Outcome> {
    let bytes = read(what, file)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    found.ok().filter(|found| !found.is_empty()).ok_or_else(|| {
        Outcome::hindered(format_args!("{what} {} has no certificate", file.display()), "write it as PEM")
    })
}

fn read(what: &str, file: &Path) -> Result<Vec<u8>, Outcome> {
    let read = || -> io::Result<Vec<u8>> {
        // A pipe would be waited for.
        let opened = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(file)?;
        if !opened.metadata()?.is_file() {
            return Err(io::Error::other("not a file"));
        }
        let mut bytes = Vec::new();
        opened.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|error| {
        let remedy = "healthcheckd's user must be able to read it";
        Outcome::hindered(format_args!("cannot read {what} {}: {error}", file.display()), remedy)
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::super::testing::{Authority, file, settings};
    use super::*;

    #[tokio::test]
    async fn equal_settings_share_one_until_it_is_forgotten() {
        let configs = TlsConfigs::default();
        let first = Authority::fresh().settings();
        let authority = Authority::fresh();
        let settings = authority.settings();
        let one = configs.get(&settings).await.unwrap();
        let of_another_name = TlsSettings { server_name: None, ..settings.clone() };
        assert!(Arc::ptr_eq(&one, &configs.get(&of_another_name).await.unwrap()));
        let of_another_file = TlsSettings { ca_file: first.ca_file, verify: false, ..settings.clone() };
        assert!(!Arc::ptr_eq(&one, &configs.get(&of_another_file).await.unwrap()));
        configs.forget();
        assert!(!Arc::ptr_eq(&one, &configs.get(&settings).await.unwrap()));
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_made_anew_after_a_time_and_soon_where_something_was_in_the_way() {
        let configs = TlsConfigs::default();
        let ca = file("");
        let settings = settings(Some(&ca));
        configs.get(&settings).await.unwrap_err();
        let identity = Authority::fresh().issue("a.example", 1);
        fs::write(ca.path(), identity.certificate).unwrap();
        tokio::time::advance(KEPT_FAILED).await;
        let one = configs.get(&settings).await.unwrap();
        tokio::time::advance(KEPT - Duration::from_secs(1)).await;
        assert!(Arc::ptr_eq(&one, &configs.get(&settings).await.unwrap()));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!Arc::ptr_eq(&one, &configs.get(&settings).await.unwrap()));
    }

    #[tokio::test]
    async fn no_more_are_kept_than_may_be() {
        let configs = TlsConfigs::default();
        for number in 0..CONFIGS_MAX + 5 {
            let ca_file = Some(format!("/nowhere/{number}").into());
            configs.get(&TlsSettings { ca_file, ..settings(None) }).await.unwrap_err();
        }
        assert_eq!(configs.0.borrow().len(), CONFIGS_MAX);
    }

    #[tokio::test]
    async fn files_are_this_hosts_and_never_the_targets_fault() {
        let configs = TlsConfigs::default();
        let authority = Authority::fresh();
        let identities = [authority.issue("a.example", 1), authority.issue("a.example", 1)];
        let (empty, certificate) = (file("# nothing\n"), file(&identities[0].certificate));
        let (key, other) = (file(&identities[0].key), file(&identities[1].key));
        let path = |file: &tempfile::NamedTempFile| Some(file.path().to_owned());
        let with =
            |certificate_file, key_file| TlsSettings { certificate_file, key_file, ..authority.settings() };
        let ca = |ca_file: &str| TlsSettings { ca_file: Some(ca_file.into()), ..authority.settings() };
        for (settings, why) in [
            (ca("/nowhere/ca.pem"), "cannot read ca_file /nowhere/ca.pem: No such file or directory"),
            (ca("/dev/zero"), "cannot read ca_file /dev/zero: not a file"),
            (ca(empty.path().to_str().unwrap()), "has no certificate"),
            (with(path(&empty), path(&key)), "has no certificate"),
            (with(path(&certificate), path(&empty)), "has no private key"),
            (with(path(&certificate), path(&other)), "is not the key of certificate_file"),
        ] {
            let outcome = configs.get(&settings).await.unwrap_err();
            let Outcome::CouldNotRun { reason, .. } = outcome else { panic!("{outcome:?}") };
            assert!(reason.contains(why), "{reason}");
        }
        configs.get(&with(path(&certificate), path(&key))).await.unwrap();
    }
}
