//! The mouth of a daemon: what the server asks of it, and what it may answer.
//! A handler runs on the loop that also runs a protocol with deadlines: it must not block, and must not
//! build more than one reply a turn. Rights, `more` and the standard errors are checked before it is asked.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use serde::Serialize;

use crate::call::Call;
use crate::codec::{Frame, MessageError};
use crate::error::Error;
use crate::rights::Peer;
use crate::service::Service;

/// An encoded reply, or why it cannot be sent, which costs the caller its connection.
pub type Reply = Result<Frame, MessageError>;

/// A daemon as the server sees it.
pub trait Handler {
    /// What it serves.
    fn service(&self) -> &Service;

    /// Answers a call to one of the methods in [`Handler::service`].
    fn call(&self, call: &Call, caller: &Peer) -> Outcome;

    /// Something for the log.
    fn event(&self, event: Event<'_>);
}

/// What a call comes to.
pub enum Outcome {
    /// Answered.
    Now(Reply),
    /// Will be answered; the future is polled on the loop until it is done, whatever the caller does.
    Later(Pin<Box<dyn Future<Output = Reply>>>),
    /// Answered again and again until the caller leaves.
    Stream(Box<dyn Stream>),
}

impl Outcome {
    /// Answered, with a reply or an error.
    pub fn reply<T: Serialize>(result: Result<T, Error>) -> Self {
        Self::Now(encode(&result))
    }

    /// Will be answered, with a reply or an error.
    pub fn later<T: Serialize>(result: impl Future<Output = Result<T, Error>> + 'static) -> Self {
        Self::Later(Box::pin(async move { encode(&result.await) }))
    }
}

/// A source of replies that does not end by itself.
pub trait Stream {
    /// Ready when there is something to send.
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()>;

    /// The next reply, built now. Called once after each time that it was ready.
    fn reply(&mut self) -> Reply;
}

/// Something that happened on a socket.
#[derive(Debug)]
pub enum Event<'a> {
    /// A changing method is about to run.
    Changing {
        /// Its name.
        method: &'a str,
        /// Who called it.
        caller: &'a Peer,
    },
    /// A changing method was refused.
    Denied {
        /// Its name.
        method: &'a str,
        /// Who called it.
        caller: &'a Peer,
    },
    /// A connection was closed from here.
    Dropped {
        /// Whose it was.
        caller: &'a Peer,
        /// Why.
        reason: &'a Dropped,
    },
    /// A connection was closed at once: there are as many as may be.
    Full,
    /// A connection was closed at once: the kernel does not say whose it is.
    Unidentified(&'a io::Error),
    /// No connection can be accepted; tried again after [`crate::server::ACCEPT_PAUSE`].
    NotAccepting(&'a io::Error),
}

/// Why a connection was closed from here.
#[derive(Debug, thiserror::Error)]
pub enum Dropped {
    /// It sent something that is not a call.
    #[error("bad message: {0}")]
    BadMessage(#[source] MessageError),
    /// The reply cannot be sent.
    #[error("unsendable reply: {0}")]
    BadReply(#[source] MessageError),
    /// No call for too long.
    #[error("idle")]
    Idle,
    /// It does not read what it asked for.
    #[error("does not read its replies")]
    Stalled,
    /// It sent something on a connection that streams.
    #[error("sent data while a stream was running")]
    BusyStreaming,
    /// The connection broke.
    #[error(transparent)]
    Io(#[from] io::Error),
}

fn encode<T: Serialize>(result: &Result<T, Error>) -> Reply {
    match result {
        Ok(parameters) => Frame::reply(parameters, false),
        Err(error) => Frame::error(error),
    }
}
