//! What tests of several modules need.

use vipkit_config::{Config, Source, parse};

/// A configuration.
pub(crate) fn config(text: &str) -> Config {
    let source = Source { name: "vipkit.toml".to_owned(), text: text.to_owned() };
    parse(&[source]).unwrap_or_else(|faults| panic!("{faults}"))
}
