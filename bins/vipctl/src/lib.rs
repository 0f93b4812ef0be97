//! vipctl: the hand and the eye of whoever runs vipkit.
//!
//! A command (`command`, one file each) asks the daemons (`daemons`; which of them: `fleet`) over their sockets
//! (`link`), judges what they say (`health`) and hands it to a pure function that makes text of it (`render`). It keeps
//! no state and knows no protocol but that of the sockets: what is not told there is not shown.
//! Some commands have no daemon to ask: `realserver` prepares the host itself, `import` reads a keepalived.conf.
#![forbid(unsafe_code)]

pub mod cli;
pub mod command;
pub mod daemons;
pub mod digests;
pub mod failure;
pub mod fleet;
pub mod health;
pub mod import;
pub mod link;
pub mod realserver;
pub mod render;

#[cfg(test)]
mod testing;
