//! `SSL` outside all blocks: what every `SSL_GET` shows to servers.

use super::block::{Keyword, lost, value};

/// What was said of it.
#[derive(Clone, Debug, Default)]
pub struct Ssl {
    /// `certificate`.
    pub certificate: Option<String>,
    /// `key`.
    pub key: Option<String>,
}

/// Its keywords.
pub const KEYWORDS: &[Keyword<Ssl>] = &[
    value(&["certificate"], |ssl, said, _| {
        ssl.certificate = Some(said.value().to_owned());
        Ok(())
    }),
    value(&["key"], |ssl, said, _| {
        ssl.key = Some(said.value().to_owned());
        Ok(())
    }),
    lost(
        &["ca"],
        "keepalived reads it and verifies no certificate; with verify = true it would be the ca_file",
    ),
    lost(&["password"], "vipkit takes keys without a passphrase"),
];
