//! Frames: one JSON value ended by a NUL byte, in both directions.
//! Pure: bytes in, messages out, total on any bytes. Must not read or write a socket.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use serde_json::{Map, Value};

use crate::error::Error;

/// Longest message in bytes, without its NUL, both ways.
pub const MAX_MESSAGE: usize = 256 * 1024;

/// Why bytes are not a message, or a value cannot be one.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// More than [`MAX_MESSAGE`] bytes.
    #[error("a message of more than {MAX_MESSAGE} bytes")]
    TooLarge,
    /// The frame is not one JSON value.
    #[error("not JSON: {0}")]
    NotJson(#[source] serde_json::Error),
    /// JSON, but not a call.
    #[error("not a call: {0}")]
    NotACall(#[source] serde_json::Error),
    /// JSON, but not a reply.
    #[error("not a reply: {0}")]
    NotAReply(#[source] serde_json::Error),
    /// A value that JSON cannot hold.
    #[error("cannot be sent as JSON: {0}")]
    NotSerializable(#[source] serde_json::Error),
}

/// A message that is an object, as `T`; `other` is what it is called if it is something else.
pub(crate) fn parse<T: DeserializeOwned>(
    message: &[u8],
    other: fn(serde_json::Error) -> MessageError,
) -> Result<T, MessageError> {
    // By way of a map, because serde takes an array for a struct too.
    let fields: Result<Map<String, Value>, _> = serde_json::from_slice(message);
    fields.and_then(|fields| serde_json::from_value(Value::Object(fields))).map_err(|error| {
        match error.classify() {
            Category::Data => other(error),
            Category::Io | Category::Syntax | Category::Eof => MessageError::NotJson(error),
        }
    })
}

/// Cuts a byte stream into messages. Holds one unfinished message and what was pushed behind it: a reader
/// that pushes only when [`Decoder::message`] gave none keeps it below [`MAX_MESSAGE`] and one push.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    /// Bytes at the front known to hold no NUL.
    scanned: usize,
}

impl Decoder {
    /// Takes bytes as they came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message, without its NUL.
    ///
    /// # Errors
    /// [`MessageError::TooLarge`]: the stream has no further message, close it.
    pub fn message(&mut self) -> Result<Option<Vec<u8>>, MessageError> {
        let unseen = self.buffer.iter().skip(self.scanned);
        let end = unseen.copied().position(|byte| byte == 0).map(|at| self.scanned.saturating_add(at));
        self.scanned = end.unwrap_or(self.buffer.len());
        if self.scanned > MAX_MESSAGE {
            return Err(MessageError::TooLarge);
        }
        Ok(end.map(|end| {
            let message = self.buffer.drain(..end).collect();
            self.buffer.drain(..1);
            self.scanned = 0;
            message
        }))
    }

    /// True if nothing is left over.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }
}

/// An encoded message with its NUL, within [`MAX_MESSAGE`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame(Vec<u8>);

impl Frame {
    /// A call; `parameters` must serialise as an object.
    ///
    /// # Errors
    /// As [`Frame::reply`].
    pub fn call<P: Serialize + ?Sized>(
        method: &str,
        parameters: &P,
        more: bool,
    ) -> Result<Self, MessageError> {
        #[derive(Serialize)]
        struct Call<'a, P: ?Sized> {
            method: &'a str,
            parameters: &'a P,
            #[serde(skip_serializing_if = "is_false")]
            more: bool,
        }
        Self::encode(&Call { method, parameters, more })
    }

    /// A reply; `parameters` must serialise as an object. `continues`: more replies follow.
    ///
    /// # Errors
    /// [`MessageError::TooLarge`] and [`MessageError::NotSerializable`].
    pub fn reply<P: Serialize + ?Sized>(parameters: &P, continues: bool) -> Result<Self, MessageError> {
        #[derive(Serialize)]
        struct Reply<'a, P: ?Sized> {
            parameters: &'a P,
            #[serde(skip_serializing_if = "is_false")]
            continues: bool,
        }
        Self::encode(&Reply { parameters, continues })
    }

    /// An error reply.
    ///
    /// # Errors
    /// As [`Frame::reply`].
    pub fn error(error: &Error) -> Result<Self, MessageError> {
        Self::encode(error)
    }

    /// The bytes to write.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn encode<T: Serialize>(message: &T) -> Result<Self, MessageError> {
        let mut bytes = serde_json::to_vec(message).map_err(MessageError::NotSerializable)?;
        if bytes.len() > MAX_MESSAGE {
            return Err(MessageError::TooLarge);
        }
        bytes.push(0);
        Ok(Self(bytes))
    }
}

pub(crate) fn is_false(flag: &bool) -> bool {
    !flag
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::call::{Call, NoParameters};

    /// Everything that comes out when a reader pushes pieces and takes messages as they are whole.
    fn cut<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Vec<u8>>, bool) {
        let mut decoder = Decoder::default();
        let mut messages = Vec::new();
        for piece in pieces {
            decoder.push(piece);
            loop {
                match decoder.message() {
                    Ok(Some(message)) => messages.push(message),
                    Ok(None) => break,
                    Err(_) => return (messages, false),
                }
            }
        }
        (messages, true)
    }

    #[test]
    fn messages_end_at_nul() {
        let (messages, fine) = cut([b"one\0t".as_slice(), b"wo\0\0thr", b"", b"ee"]);
        assert!(fine);
        assert_eq!(messages, [b"one".to_vec(), b"two".to_vec(), Vec::new()]);
    }

    #[test]
    fn what_is_left_over_shows() {
        let mut decoder = Decoder::default();
        assert!(decoder.is_empty());
        decoder.push(b"one\0t");
        assert_eq!(decoder.message().unwrap().unwrap(), b"one");
        assert!(!decoder.is_empty());
    }

    #[test]
    fn the_longest_message_passes_and_one_byte_more_does_not() {
        let mut longest = vec![b' '; MAX_MESSAGE];
        longest.push(0);
        assert_eq!(cut(longest.chunks(8192)).0, [vec![b' '; MAX_MESSAGE]]);

        let mut longer = vec![b' '; MAX_MESSAGE + 1];
        assert!(!cut(longer.chunks(8192)).1, "refused before its end is seen");
        longer.push(0);
        assert!(!cut([longer.as_slice()]).1, "refused when it comes in one piece");
    }

    #[test]
    fn frames_are_bounded_too() {
        let fits = "x".repeat(MAX_MESSAGE - r#"{"parameters":""}"#.len());
        assert_eq!(Frame::reply(&fits, false).unwrap().bytes().len(), MAX_MESSAGE + 1);
        assert!(matches!(Frame::reply(&format!("{fits}x"), false), Err(MessageError::TooLarge)));
    }

    #[test]
    fn frames_are_spelt_as_varlink_wants_them() {
        let call = |more| String::from_utf8(Frame::call("a.B", &NoParameters {}, more).unwrap().0).unwrap();
        assert_eq!(call(false), "{\"method\":\"a.B\",\"parameters\":{}}\0");
        assert_eq!(call(true), "{\"method\":\"a.B\",\"parameters\":{},\"more\":true}\0");
        let reply = |on| String::from_utf8(Frame::reply(&NoParameters {}, on).unwrap().0).unwrap();
        assert_eq!(reply(false), "{\"parameters\":{}}\0");
        assert_eq!(reply(true), "{\"parameters\":{},\"continues\":true}\0");
        let error = Frame::error(&Error::invalid_parameter("x")).unwrap();
        assert_eq!(
            error.bytes(),
            b"{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":{\"parameter\":\"x\"}}\0"
        );
    }

    #[test]
    fn a_value_that_json_cannot_hold_is_an_error() {
        let keys_of_bytes = std::collections::BTreeMap::from([(vec![1_u8], 1)]);
        assert!(matches!(Frame::reply(&keys_of_bytes, false), Err(MessageError::NotSerializable(_))));
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces_give_the_same_messages(
            bytes in proptest::collection::vec(prop_oneof![Just(0_u8), any::<u8>()], 0..400),
            piece in 1_usize..50,
        ) {
            let whole = cut([bytes.as_slice()]);
            prop_assert_eq!(&whole, &cut(bytes.chunks(piece)));
            prop_assert_eq!(whole.0.len(), bytes.iter().filter(|byte| **byte == 0).count());
            for message in whole.0 {
                let _ = Call::parse(&message);
            }
        }
    }
}
