//! `tls`: whether a TLS handshake with the target succeeds; and the handshake for all kinds that speak TLS.
//!
//! Sessions are never resumed: each run must see the certificate. With TLS 1.3, a target refuses our certificate after the
//! handshake only, so the end of the connection is waited for where it comes soon.

pub mod certificate;
mod configs;
mod words;

use std::rc::Rc;
use std::time::{Duration, SystemTime};

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use vipkit_config::{Host, Target, Tls, TlsSettings};

use super::attempt::{Attempt, found, within};
use super::witness::Witness;
use super::{Checker, Means, Running, Steps, connect};
use crate::verdict::{Finding, Outcome};

pub use configs::TlsConfigs;
pub use words::{blame, is_tls};

/// How long the target may take to close the connection: what it sends later meets a reset.
const FAREWELL_MAX: Duration = Duration::from_millis(250);
/// Most bytes that it may send until then.
const FAREWELL_BYTES_MAX: u64 = 64 * 1024;

impl Checker for Tls {
    fn run(&self, means: &Rc<Means>, steps: &Steps, timeout: Duration) -> Running {
        let Self { target, path, close, tls } = self.clone();
        within(means, steps, timeout, async move |attempt| {
            let address = attempt.address(&target, &path).await?;
            let stream = connect::tcp(address, &path, close, &attempt.steps).await?;
            let mut secured = secure(attempt, stream, &target, None, &tls).await?;
            let finding = Finding { warning: secured.warning.take(), ..found("handshake succeeded") };
            // What was found stands, however long this takes.
            attempt.here(Outcome::Passed(finding.clone()), secured.farewell()).await?;
            Ok(finding)
        })
    }
}

/// A connection that is secured.
#[derive(Debug)]
pub struct Secured<S> {
    /// The connection.
    pub stream: TlsStream<Witness<S>>,
    /// What is about the target's certificate.
    pub warning: Option<String>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Secured<S> {
    /// Closes the connection the ordinary way; an alert that comes after all is the target's failure.
    async fn farewell(&mut self) -> Result<(), Outcome> {
        let stream = &mut self.stream;
        let farewell = async {
            stream.shutdown().await?;
            let mut rest = stream.take(FAREWELL_BYTES_MAX);
            tokio::io::copy(&mut rest, &mut tokio::io::sink()).await
        };
        match time::timeout(FAREWELL_MAX, farewell).await {
            Ok(Err(error)) if words::is_alert(&error) => Err(blame(&error)),
            _ => Ok(()),
        }
    }
}

/// Secures a connection to a target. The name that is asked for is that of the settings, else `named` (a Host header, with or
/// without a port), else the target's.
///
/// # Errors
/// The outcome of a check that needs it.
pub async fn secure<S>(
    attempt: &Attempt,
    stream: S,
    target: &Target,
    named: Option<&str>,
    settings: &TlsSettings,
) -> Result<Secured<S>, Outcome>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let config = attempt.here(configs::late(settings), attempt.means.tls.get(settings)).await?;
    let name = server_name(target, named, settings)?;
    let connecting = TlsConnector::from(config).connect(name, Witness::new(stream)).into_fallible();
    let stream = connecting.await.map_err(|(error, stream)| words::in_handshake(&error, stream.heard()))?;
    attempt.steps.done("tls");
    let leaf = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let warning =
        leaf.and_then(|leaf| certificate::warning(leaf, settings.expiry_warning, SystemTime::now()));
    Ok(Secured { stream, warning })
}

fn server_name(
    target: &Target,
    named: Option<&str>,
    settings: &TlsSettings,
) -> Result<ServerName<'static>, Outcome> {
    let name = match (settings.server_name.as_deref().or(named.map(without_port)), &target.host) {
        (Some(name), _) => name,
        (None, Host::Name(name)) => name,
        (None, Host::Address(address)) => return Ok(ServerName::from(*address)),
    };
    ServerName::try_from(name.to_owned())
        .map_err(|_| Outcome::hindered(format_args!("{name:?} is no name of a server"), "set `server_name`"))
}

/// The host of "host", "host:port", "[address]" and "[address]:port".
fn without_port(host: &str) -> &str {
    match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => host.split(':').next().unwrap_or(host),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use rustls::HandshakeKind;
    use vipkit_config::{Close, Path};

    use super::super::testing::{
        Authority, End, Identity, NAME, PATIENCE, SHORT, Server, acceptor, drips, file, floods, impostor,
        means, run, says, self_signed, serve_tls, settings, steps,
    };
    use super::*;

    fn tls(server: &Server, tls: TlsSettings) -> Tls {
        Tls { target: server.address.into(), path: Path::default(), close: Close::Fin, tls }
    }

    async fn server(identity: &Identity) -> Server {
        server_on("127.0.0.1", identity).await
    }

    async fn server_on(on: &str, identity: &Identity) -> Server {
        serve_tls(on, acceptor(identity, None), |mut stream| async move {
            let _ = stream.read(&mut [0]).await;
        })
        .await
    }

    #[tokio::test]
    async fn a_handshake_with_who_is_believed_succeeds_over_either_family() {
        let authority = Authority::fresh();
        for on in ["127.0.0.1", "::1"] {
            let server = server_on(on, &authority.issue(NAME, 90)).await;
            let check = tls(&server, authority.settings());
            assert_eq!(run(&check).await, Outcome::passed("handshake succeeded"));
            assert_eq!(steps(&check).await, ["connect", "tls"]);
        }
    }

    #[tokio::test]
    async fn an_address_may_be_the_name() {
        let authority = Authority::fresh();
        let server = server(&authority.issue("127.0.0.1", 90)).await;
        let settings = TlsSettings { server_name: None, ..authority.settings() };
        assert_eq!(run(&tls(&server, settings)).await, Outcome::passed("handshake succeeded"));
        let other = run(&tls(&server, authority.settings())).await;
        assert_eq!(other, Outcome::failed("certificate is for 127.0.0.1, not web.example"));
    }

    #[tokio::test]
    async fn each_run_is_shown_the_certificate() {
        let authority = Authority::fresh();
        let kinds = Arc::<Mutex<Vec<_>>>::default();
        let seen = kinds.clone();
        let accepts = acceptor(&authority.issue(NAME, 90), None);
        let server = serve_tls("127.0.0.1", accepts, move |mut stream| {
            seen.lock().unwrap().push(stream.get_ref().1.handshake_kind());
            async move { drop(stream.read(&mut [0]).await) }
        })
        .await;
        let (check, means) = (tls(&server, authority.settings()), means());
        for _ in 0..2 {
            let outcome = check.run(&means, &Steps::default(), PATIENCE).await;
            assert_eq!(outcome, Outcome::passed("handshake succeeded"));
        }
        let both = async {
            while kinds.lock().unwrap().len() < 2 {
                time::sleep(Duration::from_millis(1)).await;
            }
        };
        time::timeout(PATIENCE, both).await.unwrap();
        assert_eq!(*kinds.lock().unwrap(), [Some(HandshakeKind::Full); 2]);
    }

    #[tokio::test]
    async fn a_name_may_end_with_a_dot() {
        let authority = Authority::fresh();
        let server = server(&authority.issue(NAME, 90)).await;
        let settings = TlsSettings { server_name: Some(format!("{NAME}.")), ..authority.settings() };
        assert_eq!(run(&tls(&server, settings)).await, Outcome::passed("handshake succeeded"));
    }

    #[tokio::test]
    async fn certificates_that_are_not_valid_fail_and_verification_can_be_off() {
        let authority = Authority::fresh();
        let untrusted = "certificate issued by somebody who is not trusted";
        for (identity, why) in [
            (authority.issue(NAME, -3), "certificate has expired"),
            (authority.issue("other.example", 90), "certificate is for other.example, not web.example"),
            (Authority::fresh().issue(NAME, 90), untrusted),
            (self_signed(NAME, 90, false), untrusted),
            (self_signed(NAME, 90, true), "certificate signed by itself, or an authority's own"),
        ] {
            let server = server(&identity).await;
            assert_eq!(run(&tls(&server, authority.settings())).await, Outcome::failed(why));
            let settings = TlsSettings { verify: false, ..authority.settings() };
            let passed = run(&tls(&server, settings)).await;
            assert!(matches!(&passed, Outcome::Passed(_)), "{passed:?}");
        }
    }

    #[tokio::test]
    async fn a_certificate_that_is_known_is_believed_as_long_as_it_is_valid() {
        for (as_authority, days, name, expected) in [
            (false, 90, NAME, Outcome::passed("handshake succeeded")),
            (true, 90, NAME, Outcome::passed("handshake succeeded")),
            (true, -3, NAME, Outcome::failed("certificate has expired")),
            (true, 90, "other.example", Outcome::failed("certificate is for other.example, not web.example")),
        ] {
            let identity = self_signed(name, days, as_authority);
            let server = server(&identity).await;
            let known = file(&identity.certificate);
            assert_eq!(run(&tls(&server, settings(Some(&known)))).await, expected);
        }
    }

    #[tokio::test]
    async fn a_certificate_without_its_key_is_not_believed() {
        let authority = Authority::fresh();
        let (shown, other) = (self_signed(NAME, 90, false), self_signed(NAME, 90, false));
        let known = file(&shown.certificate);
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let issued = authority.issue(NAME, 90);
            for (certificate, settings) in
                [(&shown.certificate, settings(Some(&known))), (&issued.certificate, authority.settings())]
            {
                let accepts = impostor(version, certificate, &other.key);
                let server = serve_tls("127.0.0.1", accepts, async |_| {}).await;
                let refused = run(&tls(&server, settings)).await;
                assert_eq!(refused, Outcome::failed("certificate with a wrong signature"), "{version:?}");
            }
        }
    }

    #[tokio::test]
    async fn a_certificate_that_ends_soon_is_warned_of_verified_or_not() {
        let authority = Authority::fresh();
        let server = server(&authority.issue(NAME, 6)).await;
        for verify in [true, false] {
            let settings = TlsSettings { verify, ..authority.settings() };
            let expected = Finding {
                warning: Some("certificate expires within 6 days".to_owned()),
                ..found("handshake succeeded")
            };
            assert_eq!(run(&tls(&server, settings)).await, Outcome::Passed(expected));
        }
    }

    #[tokio::test]
    async fn a_target_may_ask_who_we_are() {
        let authority = Authority::fresh();
        let accepts = acceptor(&authority.issue(NAME, 90), Some(&authority));
        let server = serve_tls("127.0.0.1", accepts, |mut stream| async move {
            let _ = stream.read(&mut [0]).await;
        })
        .await;
        for close in [Close::Fin, Close::Reset] {
            let nobody = run(&Tls { close, ..tls(&server, authority.settings()) }).await;
            assert_eq!(nobody, Outcome::failed("TLS alert: certificate required"), "{close:?}");
        }
        let ours = authority.issue("client.example", 90);
        let (certificate, key) = (file(&ours.certificate), file(&ours.key));
        let settings = TlsSettings {
            certificate_file: Some(certificate.path().to_owned()),
            key_file: Some(key.path().to_owned()),
            ..authority.settings()
        };
        assert_eq!(run(&tls(&server, settings)).await, Outcome::passed("handshake succeeded"));
    }

    #[tokio::test]
    async fn who_speaks_no_tls_is_shown() {
        let too_old = format!("TLS alert: protocol version ({})", words::TOO_OLD);
        for (bytes, why) in [
            (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "no TLS: answered \"HTTP/1.1 400 Bad Request\""),
            (b"\x15\x03\x01\x00\x02\x02\x46", too_old.as_str()),
            (b"", "closed in the TLS handshake"),
        ] {
            let server = says(bytes, true, End::Half).await;
            let settings = TlsSettings { verify: false, ..settings(None) };
            assert_eq!(run(&tls(&server, settings)).await, Outcome::failed(why));
        }
    }

    #[tokio::test]
    async fn hostile_targets_fail_in_time() {
        let settings = TlsSettings { verify: false, ..settings(None) };
        for server in [drips(b"\x16\x03\x03\x40\x00").await, says(b"", true, End::Never).await] {
            let late = tls(&server, settings.clone()).run(&means(), &Steps::default(), SHORT).await;
            assert_eq!(late, Outcome::failed("no answer within 300ms"));
        }
        for server in [
            floods(b"", b"\x16\x03\x03\x40\x00").await,
            floods(b"", b"\x16\x03\x03\x00\x00").await,
            floods(b"", b"\x00").await,
            says(b"\x16\x03\x03", false, End::Reset).await,
            says(b"\x16\x03\x03", true, End::Half).await,
        ] {
            let failed = tls(&server, settings.clone()).run(&means(), &Steps::default(), PATIENCE).await;
            assert!(matches!(&failed, Outcome::Failed { .. }), "{failed:?}");
        }
    }

    #[test]
    fn a_host_may_have_a_port() {
        for (host, name) in
            [("a.example", "a.example"), ("a:443", "a"), ("[::1]:443", "::1"), ("[::1]", "::1")]
        {
            assert_eq!(without_port(host), name);
        }
    }
}
