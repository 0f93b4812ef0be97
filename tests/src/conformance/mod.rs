//! Conformance rows: what comes in as packet bytes and events, what a wire and a user must see go out.
//!
//! `row` is the format, `packet` and `trailer` make a packet from its description, `arrival` is one, `run` plays a row,
//! `compare` says whether what was seen is what was expected.
//! A row names no type of the code: it would be true of another implementation as well.

pub mod arrival;
mod compare;
pub mod hex;
pub mod packet;
pub mod row;
pub mod run;
pub mod trailer;
