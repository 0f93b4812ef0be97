//! Requests to a family of generic netlink (linux/genetlink.h), found by its name. Payloads begin with the generic
//! header. Must not know what they say.

use libc::GENL_ID_CTRL;
use neli::consts::genl::{CtrlAttr, CtrlCmd};
use neli::consts::nl::NlmF;
use neli::genl::{AttrTypeBuilder, Genlmsghdr, GenlmsghdrBuilder, NlattrBuilder};
use neli::types::GenlBuffer;
use nix::sys::socket::SockProtocol;

use crate::netlink::{Answers, Connection, NetlinkError, frame, payload};

/// A connection to one family.
pub(crate) struct GenericFamily {
    connection: Connection,
    id: u16,
}

impl GenericFamily {
    /// Finds the family in the network namespace of the calling thread. The kernel loads the module that has it, if it
    /// can, and this waits for it. `Refused(ENOENT)` if there is none.
    pub(crate) fn open(name: &str) -> Result<Self, NetlinkError> {
        let mut connection = Connection::open(SockProtocol::NetlinkGeneric)?;
        let query = query(name).ok_or(NetlinkError::Refused(libc::EINVAL))?;
        let ids = connection.ask(GENL_ID_CTRL as u16, NlmF::ACK.bits(), &query, |f| family_id(f.payload))?;
        let id = ids.first().copied().ok_or(NetlinkError::NoReply)?;
        Ok(Self { connection, id })
    }

    /// Everything `query` stands for.
    pub(crate) fn dump<T>(
        &mut self,
        query: &[u8],
        parse: impl Fn(&[u8]) -> T,
    ) -> Result<Vec<T>, NetlinkError> {
        self.ask(NlmF::DUMP, query, parse)
    }

    /// The answer to `query`.
    pub(crate) fn get<T>(&mut self, query: &[u8], parse: impl Fn(&[u8]) -> T) -> Result<T, NetlinkError> {
        self.ask(NlmF::ACK, query, parse)?.into_iter().next().ok_or(NetlinkError::NoReply)
    }

    fn ask<T>(
        &mut self,
        flags: NlmF,
        query: &[u8],
        parse: impl Fn(&[u8]) -> T,
    ) -> Result<Vec<T>, NetlinkError> {
        let id = self.id;
        self.connection.ask(id, flags.bits(), query, |f| (f.kind == id).then(|| parse(f.payload)))
    }

    /// Has a batch of requests carried out in one system call. Each that fails is answered; of the others only the last,
    /// so that the answers fit: without an error, no answer means success.
    pub(crate) fn carry_out(&mut self, batch: &[Vec<u8>]) -> (Answers, Result<(), NetlinkError>) {
        let first = self.connection.take_sequences(batch.len());
        let mut bytes = Vec::new();
        for (place, (request, sequence)) in batch.iter().zip(first..).enumerate() {
            let last = place + 1 == batch.len();
            let flags = if last { NlmF::ACK } else { NlmF::empty() };
            bytes.extend(frame::encode(self.id, flags.bits(), sequence, request));
        }
        let mut answers = vec![None; batch.len()];
        let outcome = self.connection.exchange(&bytes, first, &mut answers);
        (answers, outcome)
    }
}

/// The payload that asks for a family by its name.
fn query(name: &str) -> Option<Vec<u8>> {
    let kind = AttrTypeBuilder::default().nla_type(CtrlAttr::FamilyName).build().ok()?;
    let attribute = NlattrBuilder::default().nla_type(kind).nla_payload(name).build().ok()?;
    let message = GenlmsghdrBuilder::default()
        .cmd(CtrlCmd::Getfamily)
        .version(CONTROLLER_VERSION)
        .attrs(GenlBuffer::from_iter([attribute]))
        .build()
        .ok()?;
    payload::encode(&message)
}

/// The number of the family in the answer.
fn family_id(bytes: &[u8]) -> Option<u16> {
    let message: Genlmsghdr<CtrlCmd, CtrlAttr> = payload::decode(bytes)?;
    let attributes = message.attrs().get_attr_handle();
    let value = attributes.get_attribute(CtrlAttr::FamilyId)?.nla_payload().as_ref();
    value.try_into().ok().map(u16::from_ne_bytes)
}

/// The version of the controller's own messages (net/netlink/genetlink.c).
const CONTROLLER_VERSION: u8 = 2;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_controller_itself_is_found() {
        assert_eq!(GenericFamily::open("nlctrl").unwrap().id, GENL_ID_CTRL as u16);
    }

    #[test]
    fn a_family_that_is_not_there_is_refused() {
        let refusal = GenericFamily::open("vipkit-no-such").err();
        assert_eq!(refusal, Some(NetlinkError::Refused(libc::ENOENT)));
    }

    fn capture(hex: &str) -> Vec<u8> {
        let digits: Vec<_> =
            hex.lines().next().unwrap().chars().map(|c| c.to_digit(16).unwrap() as u8).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    macro_rules! capture {
        ($name:literal) => {
            capture(include_str!(concat!("../../core/fixtures/ipvs/", $name, ".hex")))
        };
    }

    #[test]
    fn the_answer_of_the_controller_is_read() {
        let bytes = capture!("family-reply");
        let frame = frame::frames(&bytes).next().unwrap();
        assert_eq!((frame.kind, family_id(frame.payload)), (GENL_ID_CTRL as u16, Some(32)));
    }

    #[test]
    fn answers_of_ipvs_are_read() {
        for (bytes, expected) in [
            (capture!("ack"), Ok(())),
            (capture!("error-no-service"), Err(libc::ESRCH)),
            (capture!("error-service-exists"), Err(libc::EEXIST)),
            (capture!("error-dest-exists"), Err(libc::EEXIST)),
            (capture!("error-no-dest"), Err(libc::ENOENT)),
            (capture!("error-no-scheduler"), Err(libc::ENOENT)),
        ] {
            let answers: Vec<_> = frame::frames(&bytes).map(|frame| frame.answer()).collect();
            assert_eq!(answers, [Some(expected.map_err(NetlinkError::Refused))]);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes: Vec<u8>) {
            let _ = family_id(&bytes);
        }

        #[test]
        fn an_answer_with_bytes_changed_is_read(at in 0_usize..372, byte: u8, cut in 0_usize..=372) {
            let mut bytes = capture!("family-reply").split_off(16);
            bytes[at] = byte;
            bytes.truncate(cut);
            let _ = family_id(&bytes);
        }
    }
}
