//! What tests of several kinds need: patience, means, and servers of a few lines, good and hostile ones.

use std::io::Write as _;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ServerConfig, SupportedProtocolVersion};
use socket2::{Domain, Socket, Type};
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use vipkit_config::{Health, TlsSettings};

use super::{Checker, Means, Steps};
use crate::told::ToldTable;
use crate::verdict::Outcome;

/// How long what should happen may take.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// A time that is over soon.
pub const SHORT: Duration = Duration::from_millis(300);
/// The name of the servers.
pub const NAME: &str = "web.example";

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Means of a test's own.
pub fn means() -> Rc<Means> {
    let bounds = Health { in_flight: 1, in_flight_per_target: 1, scripts: 1 };
    Rc::new(Means::new(&bounds, ToldTable::default()))
}

/// Runs a check once.
pub async fn run(check: &impl Checker) -> Outcome {
    check.run(&means(), &Steps::default(), PATIENCE).await
}

/// Runs a check once, and says which steps it had.
pub async fn steps(check: &impl Checker) -> Vec<&'static str> {
    let steps = Steps::watched();
    check.run(&means(), &steps, PATIENCE).await;
    steps.timings().into_iter().map(|(step, _)| step).collect()
}

/// A server: it ends with this.
#[derive(Debug)]
pub struct Server {
    /// Where it is.
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A server that treats each connection as `talk` says.
pub async fn serve<F, Talk>(on: &str, talk: F) -> Server
where
    F: Fn(TcpStream) -> Talk + Send + 'static,
    Talk: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind((on, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(talk(stream));
        }
    });
    Server { address, task }
}

/// An address where nobody listens, as long as the socket is there: nobody else can get the port, nor is it held open by a
/// child that another test just forks.
pub fn nobody(on: &str, kind: Type) -> (Socket, SocketAddr) {
    let address = SocketAddr::new(on.parse().unwrap(), 0);
    let socket = Socket::new(Domain::for_address(address), kind, None).unwrap();
    socket.bind(&address.into()).unwrap();
    let address = socket.local_addr().unwrap();
    if kind == Type::DGRAM {
        // It hears nobody but itself.
        socket.connect(&address).unwrap();
    }
    (socket, address.as_socket().unwrap())
}

/// How a server breaks off.
#[derive(Clone, Copy, Debug)]
pub enum End {
    /// The ordinary way, and goes on listening.
    Half,
    /// With a reset.
    Reset,
    /// Not at all, and says nothing more.
    Never,
}

/// A server that waits for a question if there should be one, says this, and ends.
pub async fn says(bytes: &[u8], asked: bool, end: End) -> Server {
    let bytes = Arc::<[u8]>::from(bytes);
    serve("127.0.0.1", move |mut stream| {
        let bytes = bytes.clone();
        async move {
            if asked {
                let _ = stream.read(&mut [0; 4096]).await;
            }
            let _ = stream.write_all(&bytes).await;
            match end {
                End::Half => {
                    let _ = stream.shutdown().await;
                    let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
                }
                End::Reset => socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap(),
                End::Never => std::future::pending().await,
            }
        }
    })
    .await
}

/// A server that says a byte every 50 ms, again and again.
pub async fn drips(bytes: &'static [u8]) -> Server {
    serve("127.0.0.1", move |mut stream| async move {
        for byte in bytes.iter().cycle() {
            time::sleep(Duration::from_millis(50)).await;
            if stream.write_all(&[*byte]).await.is_err() {
                return;
            }
        }
    })
    .await
}

/// A server that says a beginning, and then the same for ever, as fast as it can.
pub async fn floods(beginning: &'static [u8], again: &'static [u8]) -> Server {
    serve("127.0.0.1", move |mut stream| async move {
        let _ = stream.write_all(beginning).await;
        let again = again.repeat(64 * 1024 / again.len());
        while stream.write_all(&again).await.is_ok() {}
    })
    .await
}

/// A certificate with its key.
#[derive(Debug)]
pub struct Identity {
    /// PEM.
    pub certificate: String,
    /// PEM.
    pub key: String,
}

/// An authority that issues certificates.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    file: NamedTempFile,
}

impl Authority {
    /// A new one.
    pub fn fresh() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, key.public_key_pem());
        let issuer = CertifiedIssuer::self_signed(params, key).unwrap();
        let file = file(&issuer.pem());
        Self { issuer, file }
    }

    /// Issues a certificate for a name that is valid from a day ago, for so many days from now.
    pub fn issue(&self, name: &str, days: i32) -> Identity {
        let (key, params) = (KeyPair::generate().unwrap(), params(name, days));
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Identity { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    /// What believes it, and asks for [`NAME`].
    pub fn settings(&self) -> TlsSettings {
        settings(Some(&self.file))
    }
}

/// A certificate that its holder signed, as an authority's or not.
pub fn self_signed(name: &str, days: i32, as_authority: bool) -> Identity {
    let (key, mut params) = (KeyPair::generate().unwrap(), params(name, days));
    if as_authority {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    Identity { certificate: params.self_signed(&key).unwrap().pem(), key: key.serialize_pem() }
}

fn params(name: &str, days: i32) -> CertificateParams {
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    let now = SystemTime::now();
    let span = DAY * days.unsigned_abs();
    params.not_before = (now - 100 * DAY).into();
    params.not_after = if days < 0 { now - span } else { now + span }.into();
    params
}

/// A file with this in it.
pub fn file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

/// Settings that ask for [`NAME`] and believe what is in a file.
pub fn settings(ca: Option<&NamedTempFile>) -> TlsSettings {
    TlsSettings {
        server_name: Some(NAME.to_owned()),
        verify: true,
        ca_file: ca.map(|file| file.path().to_owned()),
        certificate_file: None,
        key_file: None,
        expiry_warning: 14 * DAY,
    }
}

/// What a server accepts TLS with; it wants to know its clients if it knows who issues their certificates.
pub fn acceptor(identity: &Identity, clients: Option<&Authority>) -> TlsAcceptor {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
    let builder = match clients {
        None => builder.unwrap().with_no_client_auth(),
        Some(authority) => {
            let mut store = rustls::RootCertStore::empty();
            store.add(authority.issuer.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(store), provider).build();
            builder.unwrap().with_client_cert_verifier(verifier.unwrap())
        }
    };
    let chain = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
    Arc::new(builder.with_single_cert(vec![chain], key).unwrap()).into()
}

/// What a server accepts TLS with that shows a certificate of somebody else, whose key it has not.
pub fn impostor(version: &'static SupportedProtocolVersion, certificate: &str, key: &str) -> TlsAcceptor {
    let provider = ring::default_provider();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let key = provider.key_provider.load_private_key(key).unwrap();
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
    let shown = SingleCertAndKey::from(CertifiedKey::new(chain, key));
    let builder = ServerConfig::builder_with_provider(provider.into()).with_protocol_versions(&[version]);
    Arc::new(builder.unwrap().with_no_client_auth().with_cert_resolver(Arc::new(shown))).into()
}

/// A server that treats each connection as `talk` says once it is secured.
pub async fn serve_tls<F, Talk>(on: &str, acceptor: TlsAcceptor, talk: F) -> Server
where
    F: Fn(TlsStream<TcpStream>) -> Talk + Clone + Send + 'static,
    Talk: Future<Output = ()> + Send + 'static,
{
    serve(on, move |stream| {
        let (accepting, talk) = (acceptor.accept(stream), talk.clone());
        async move {
            if let Ok(stream) = accepting.await {
                talk(stream).await;
            }
        }
    })
    .await
}

/// What a server says that was asked for something, over TLS.
pub async fn says_secured(mut stream: TlsStream<TcpStream>, bytes: &[u8]) {
    let _ = stream.read(&mut [0; 4096]).await;
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
}
