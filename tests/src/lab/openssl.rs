//! A TLS server: `openssl s_server`, which answers HTTP with what it knows of the connection. It takes one at a time.

use super::certificates::{Authority, Identity};
use super::host::Host;
use super::server::Server;

/// What it wants of its clients.
#[derive(Clone, Copy, Debug)]
pub enum Wants<'a> {
    /// Nothing.
    Anybody,
    /// TLS 1.2, and no other.
    Tls12,
    /// TLS 1.1, and no other.
    Tls11,
    /// A certificate of this authority.
    KnownTo(&'a Authority),
}

/// Starts one on a port of a host, with this certificate.
#[must_use]
pub fn server(host: &Host, port: u16, identity: &Identity, wants: Wants<'_>) -> Server {
    let (certificate, key) = (identity.certificate.to_str().unwrap(), identity.key.to_str().unwrap());
    let mut line = format!("openssl s_server -accept {port} -cert {certificate} -key {key} -www -quiet");
    match wants {
        Wants::Anybody => {}
        Wants::Tls12 => line += " -tls1_2",
        Wants::Tls11 => line += " -tls1_1 -cipher DEFAULT@SECLEVEL=0",
        Wants::KnownTo(authority) => {
            let authority = authority.certificate().display();
            line += &format!(" -Verify 1 -verify_return_error -CAfile {authority}");
        }
    }
    let line: Vec<&str> = line.split_whitespace().collect();
    Server::started(host, &format!("s_server-{port}"), port, &line)
}
