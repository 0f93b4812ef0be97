//! vipctl: the hand and the eye of whoever runs vipkit.
//!
//! A command (`command`, one file each) asks the daemons (`daemons`) over their sockets (`link`), judges what they say
//! (`health`) and hands it to a pure function that makes text of it (`render`). It keeps no state and knows no
//! protocol but that of the sockets: what is not told there is not shown.
#![forbid(unsafe_code)]

pub mod cli;
pub mod command;
pub mod daemons;
pub mod failure;
pub mod health;
pub mod link;
pub mod render;

#[cfg(test)]
mod testing;
