//! Requests of rtnetlink (rtnetlink(7)), whose payloads neli writes.

use neli::ToBytes;
use neli::consts::nl::NlmF;
use neli::consts::rtnl::Rtm;

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
