//! Requests of rtnetlink (rtnetlink(7)) and their attributes, whose payloads neli writes.

use neli::consts::nl::NlmF;
use neli::consts::rtnl::{RtaType, Rtm};
use neli::rtnl::{Rtattr, RtattrBuilder};
use neli::types::Buffer;
use neli::{Size, ToBytes};

use super::RouteError;
use crate::netlink::{frame, payload};

/// A request as bytes; `flags` on top of those every request has.
pub(super) fn encode(
    kind: Rtm,
    flags: NlmF,
    sequence: u32,
    body: &impl ToBytes,
) -> Result<Vec<u8>, RouteError> {
    let body = payload::encode(body).ok_or(RouteError::Encoding)?;
    Ok(frame::encode(kind.into(), flags.bits(), sequence, &body))
}

/// An attribute with this value, at most [`VALUE_MAX`] bytes.
pub(super) fn attribute<T: RtaType + Size>(kind: T, value: &[u8]) -> Result<Rtattr<T, Buffer>, RouteError> {
    if value.len() > VALUE_MAX {
        return Err(RouteError::Encoding);
    }
    let builder = RtattrBuilder::default().rta_type(kind).rta_payload(Buffer::from(value));
    builder.build().map_err(|_| RouteError::Encoding)
}

/// The text of an attribute, up to the NUL that ends it.
pub(super) fn text(bytes: &[u8]) -> String {
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

/// The longest value of an attribute: the length counts its own header and has 16 bits. Nobody needs as much.
const VALUE_MAX: usize = 4096;
