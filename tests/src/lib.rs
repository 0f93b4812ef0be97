//! What needs more than one crate to be tested.
//!
//! - `host`: one virtual router with the hands that the daemon would give it, made of nothing but memory.
//! - `conformance`: the rows of `conformance/*.jsonl`, packet bytes in, what a wire and a user see out.
//! - `fuzz`: targets of the libraries, and inputs made from a corpus of others.
//! - `lab`: the real programs on a real kernel, in network namespaces, with keepalived as a peer.
//! - `lan`: many hosts on one virtual network and one clock that jumps.
#![forbid(unsafe_code)]

pub mod conformance;
pub mod fuzz;
pub mod host;
pub mod lab;
pub mod lan;
