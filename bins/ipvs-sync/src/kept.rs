//! What ipvs-sync must remember beyond its own life: which services in the kernel are its own, and the verdicts that it
//! acts on. Values and JSON only: writing the file is the shell's work.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use vipkit_core::ipvs::{Protocol, ServiceId};

use crate::verdicts::Verdict;

/// Longest file that is read back.
pub const BYTES_MAX: usize = 64 << 20;

/// What is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Services that ipvs-sync has made, or taken over since they are in the configuration, or is about to.
    pub services: BTreeSet<ServiceId>,
    /// Verdicts by the name of the check.
    pub verdicts: BTreeMap<String, Verdict>,
}

/// The file. What a later version adds is ignored: going back to this one is no reason to forget.
#[derive(Serialize, Deserialize)]
struct File {
    /// The kernel's boot id: with another boot, the table was another.
    boot: String,
    services: Vec<Identity>,
    verdicts: BTreeMap<String, Verdict>,
}

/// A service as the file names it.
#[derive(Serialize, Deserialize)]
struct Identity {
    /// Its number (IANA).
    protocol: u16,
    address: SocketAddr,
}

impl Kept {
    /// From a file's bytes. Of what another boot left, the verdicts hold.
    ///
    /// # Errors
    /// The file is damaged.
    pub fn parse(bytes: &[u8], boot: &str) -> Result<Self, serde_json::Error> {
        let file: File = serde_json::from_slice(bytes)?;
        let services = if file.boot == boot { file.services } else { Vec::new() };
        Ok(Self { services: services.iter().map(Identity::service).collect(), verdicts: file.verdicts })
    }

    /// The file's bytes.
    #[must_use]
    pub fn emit(&self, boot: &str) -> Vec<u8> {
        let file = File {
            boot: boot.to_owned(),
            services: self.services.iter().filter_map(Identity::of).collect(),
            verdicts: self.verdicts.clone(),
        };
        serde_json::to_vec(&file).unwrap_or_default()
    }
}

impl Identity {
    const fn service(&self) -> ServiceId {
        let protocol = Protocol::from_number(self.protocol);
        ServiceId::Address { protocol, address: self.address.ip(), port: self.address.port() }
    }

    /// None for services by firewall mark, of which none is ever ours.
    const fn of(id: &ServiceId) -> Option<Self> {
        match id {
            ServiceId::Address { protocol, address, port } => {
                Some(Self { protocol: protocol.number(), address: SocketAddr::new(*address, *port) })
            }
            ServiceId::Fwmark { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::service;
    use proptest::prelude::*;
    use vipkit_control::health::Judgement;

    fn verdict(reason: String) -> Verdict {
        Verdict { judged: Some(Judgement::Down), weight: None, since: String::new(), reason, generation: 3 }
    }

    #[test]
    fn after_another_boot_no_service_is_ours_and_the_dead_are_still_dead() {
        let verdicts = BTreeMap::from([("web/10.0.0.1:80".to_owned(), verdict("refused".to_owned()))]);
        let kept = Kept { services: BTreeSet::from([service(1, "rr").id]), verdicts };
        assert_eq!(Kept::parse(&kept.emit("boot-1"), "boot-1").unwrap(), kept);
        let after = Kept { services: BTreeSet::new(), ..kept.clone() };
        assert_eq!(Kept::parse(&kept.emit("boot-1"), "boot-2").unwrap(), after);
    }

    #[test]
    fn what_a_later_version_added_is_ignored() {
        let services = BTreeSet::from([service(1, "rr").id]);
        let verdicts = [("a".to_owned(), verdict(String::new()))].into();
        let kept = Kept { services, verdicts };
        let text = String::from_utf8(kept.emit("boot")).unwrap();
        let mut later = text.clone();
        for key in ["\"boot\":", "\"protocol\":", "\"judged\":"] {
            later = later.replace(key, &format!("\"later\":1,{key}"));
        }
        assert_eq!(later.len(), text.len() + 3 * "\"later\":1,".len());
        assert_eq!(Kept::parse(later.as_bytes(), "boot").unwrap(), kept);
    }

    #[test]
    fn a_damaged_file_is_an_error() {
        let bytes = Kept::default().emit("boot");
        assert!(Kept::parse(&bytes[..bytes.len() - 1], "boot").is_err());
        assert!(Kept::parse(b"", "boot").is_err());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Kept::parse(&bytes, "boot");
        }

        #[test]
        fn what_is_written_is_read_back(
            numbers in prop::collection::btree_set(any::<u8>(), 0..9),
            reasons in prop::collection::btree_map(".{0,9}", ".{0,9}", 0..9),
        ) {
            let services = numbers.iter().map(|number| service(*number, "rr").id).collect();
            let verdicts = reasons.into_iter().map(|(name, reason)| (name, verdict(reason))).collect();
            let kept = Kept { services, verdicts };
            prop_assert_eq!(Kept::parse(&kept.emit("boot"), "boot").unwrap(), kept);
        }
    }
}
