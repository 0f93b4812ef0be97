//! What goes wrong with HTTP, in words of operators. Must not judge more than who is to blame.

use std::io::ErrorKind;

use super::super::{tls, words};
use super::io_error;
use crate::verdict::Outcome;

/// The part of an answer that was waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Header,
    Body,
}

/// Whether the connection ended, where TLS should have ended first.
pub fn is_end(error: &hyper::Error) -> bool {
    io_error(error).is_some_and(|error| error.kind() == ErrorKind::UnexpectedEof)
}

/// Who is to blame for an error after this was heard.
pub fn blame(error: &hyper::Error, part: Part, heard: &[u8]) -> Outcome {
    let closed = match part {
        Part::Header => "closed before the answer",
        Part::Body => "closed in the middle of the answer",
    };
    match io_error(error) {
        _ if is_end(error) || error.is_incomplete_message() => Outcome::failed(closed),
        // The kernel's, or of TLS; others are hyper's, of what it read.
        Some(error) if error.raw_os_error().is_some() || tls::is_tls(error) => tls::blame(error),
        _ if !heard.starts_with(b"HTTP/") => {
            Outcome::failed(format_args!("no HTTP: answered {:?}", words::line(heard)))
        }
        own => {
            let text = own.map_or_else(|| error.to_string(), ToString::to_string);
            Outcome::failed(format_args!("no valid HTTP: {}", words::line(text.as_bytes())))
        }
    }
}
