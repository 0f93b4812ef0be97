//! What was seen, as text and as JSON. Pure functions of what they are given, the moment and the colour included;
//! must not ask, read or print.

pub mod check;
pub mod checks;
pub mod digests;
pub mod import;
pub mod introspect;
pub mod json;
pub mod notice;
pub mod realserver;
pub mod reload;
pub mod services;
pub mod status;
pub mod text;
pub mod time;
pub mod vrrp;
pub mod watch;
