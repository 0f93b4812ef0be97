//! Certificates of targets: how long they are valid, and who is believed. Must not decode what rustls decodes already.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::time::Validity;

/// What is said of a certificate that ends within a time; zero: nothing.
pub fn warning(certificate: &CertificateDer<'_>, within: Duration, now: SystemTime) -> Option<String> {
    const HOUR: u64 = 60 * 60;
    const DAY: u64 = 24 * HOUR;
    if within.is_zero() {
        return None;
    }
    let end = UNIX_EPOCH + validity(certificate)?.not_after.to_unix_duration();
    let left = match end.duration_since(now) {
        Ok(left) if left > within => return None,
        Ok(left) => left.as_secs(),
        Err(_) => return Some("certificate has expired".to_owned()),
    };
    Some(match left {
        0..HOUR => "certificate expires within an hour".to_owned(),
        // Never "1 hours", and never "1 days".
        HOUR..=DAY => format!("certificate expires within {} hours", left / HOUR + 1),
        _ => format!("certificate expires within {} days", left / DAY + 1),
    })
}

fn validity(certificate: &CertificateDer<'_>) -> Option<Validity> {
    Some(*Certificate::from_der(certificate).ok()?.tbs_certificate().validity())
}

/// Who is believed to be the target.
#[derive(Debug)]
pub struct Verifier {
    /// Whoever authorities vouch for; everybody if there are none.
    pub authorities: Option<Arc<WebPkiServerVerifier>>,
    /// Certificates that are believed as they are: where somebody signed its own, there is no authority to name.
    pub known: Vec<CertificateDer<'static>>,
    /// What signatures are made with.
    pub algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match &self.authorities {
            None => Ok(ServerCertVerified::assertion()),
            Some(_) if self.known.contains(leaf) => {
                let validity = validity(leaf).ok_or(CertificateError::BadEncoding)?;
                if now.as_secs() > validity.not_after.to_unix_duration().as_secs() {
                    return Err(CertificateError::Expired.into());
                }
                if now.as_secs() < validity.not_before.to_unix_duration().as_secs() {
                    return Err(CertificateError::NotValidYet.into());
                }
                verify_server_name(&ParsedCertificate::try_from(leaf)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            Some(authorities) => authorities.verify_server_cert(leaf, intermediates, name, ocsp, now),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rustls::pki_types::pem::PemObject as _;

    use super::super::super::testing::self_signed;
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    #[test]
    fn the_end_is_warned_of_in_words_that_stay() {
        let pem = self_signed("a.example", 30, false).certificate;
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
        let end = UNIX_EPOCH + validity(&certificate).unwrap().not_after.to_unix_duration();
        let minute = Duration::from_secs(60);
        for (before, expected) in [
            (20 * DAY, None),
            (14 * DAY, Some("certificate expires within 15 days")),
            (14 * DAY - minute, Some("certificate expires within 14 days")),
            (DAY + minute, Some("certificate expires within 2 days")),
            (DAY - minute, Some("certificate expires within 24 hours")),
            (61 * minute, Some("certificate expires within 2 hours")),
            (59 * minute, Some("certificate expires within an hour")),
        ] {
            assert_eq!(warning(&certificate, 14 * DAY, end - before).as_deref(), expected);
        }
        let expired = warning(&certificate, DAY, end + minute);
        assert_eq!(expired.as_deref(), Some("certificate has expired"));
        assert_eq!(warning(&certificate, Duration::ZERO, end), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_no_reason_to_panic(bytes in any::<Vec<u8>>(), cut in 0_usize..400, flip in any::<u8>()) {
            let pem = self_signed("a.example", 30, false).certificate;
            let mut changed = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec();
            let place = cut % changed.len();
            changed[place] ^= flip;
            for bytes in [bytes, changed] {
                let _ = warning(&CertificateDer::from(bytes), DAY, UNIX_EPOCH);
            }
        }
    }
}
