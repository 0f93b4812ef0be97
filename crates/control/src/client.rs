//! A small blocking client: connects, calls, follows a stream. For programs that have nothing else to do
//! while they wait; must not be used inside a daemon's loop.

use std::io::{self, Read, Write};
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::call::{NoParameters, or_default};
use crate::codec::{self, Decoder, Frame, MessageError};
use crate::error::Error;
use crate::service::{Description, GET_INFO, GET_INTERFACE_DESCRIPTION, Info, Wanted};

/// Read at a time.
const CHUNK: usize = 8 * 1024;

/// What can go wrong with a call.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody serves the socket, or it may not be used.
    #[error("cannot connect to {}: {source}", path.display())]
    Connect {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody serves the socket, but not somebody to trust.
    #[error("will not talk to the server of {}: {source}", path.display())]
    Untrusted {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No answer in time.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// The server closed the connection instead of answering.
    #[error("the server closed the connection")]
    Closed,
    /// The connection broke.
    #[error(transparent)]
    Io(io::Error),
    /// The call cannot be sent, or the answer is no reply.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// The answer is one reply of a stream that was not asked for.
    #[error("one reply was asked for, the server streams")]
    Continues,
    /// The reply's parameters are not what the method gives.
    #[error("unexpected parameters in the reply: {0}")]
    Parameters(#[source] serde_json::Error),
    /// The server answered with an error.
    #[error(transparent)]
    Refused(#[from] Error),
}

/// A connection to a service.
#[derive(Debug)]
pub struct Client {
    stream: UnixStream,
    decoder: Decoder,
    timeout: Duration,
}

impl Client {
    /// Connects to a socket. `timeout` bounds the connecting and every wait for the server; `check` may
    /// refuse the server by what the kernel says of it.
    ///
    /// # Errors
    /// [`ClientError::Connect`], [`ClientError::Untrusted`].
    pub fn connect(
        path: &Path,
        timeout: Duration,
        check: impl FnOnce(BorrowedFd<'_>) -> io::Result<()>,
    ) -> Result<Self, ClientError> {
        let stream = connect_within(path, timeout)
            .and_then(|stream| {
                stream.set_read_timeout(Some(timeout))?;
                stream.set_write_timeout(Some(timeout))?;
                Ok(stream)
            })
            .map_err(|source| ClientError::Connect { path: path.to_owned(), source })?;
        check(stream.as_fd()).map_err(|source| ClientError::Untrusted { path: path.to_owned(), source })?;
        Ok(Self { stream, decoder: Decoder::default(), timeout })
    }

    /// Calls a method, full name, and waits for its reply. After an error other than
    /// [`ClientError::Refused`] and [`ClientError::Parameters`] the connection is of no further use.
    ///
    /// # Errors
    /// Any [`ClientError`] but those of connecting.
    pub fn call<P, T>(&mut self, method: &str, parameters: &P) -> Result<T, ClientError>
    where
        P: Serialize + ?Sized,
        T: DeserializeOwned,
    {
        self.send(&Frame::call(method, parameters, false)?)?;
        match self.receive()? {
            (_, true) => Err(self.broken(ClientError::Continues)),
            (parameters, false) => decode(parameters),
        }
    }

    /// Calls a method that streams. The first reply is waited for as in [`Client::call`], the others as
    /// long as it takes.
    ///
    /// # Errors
    /// Those of sending.
    pub fn more<P, T>(mut self, method: &str, parameters: &P) -> Result<Replies<T>, ClientError>
    where
        P: Serialize + ?Sized,
        T: DeserializeOwned,
    {
        self.send(&Frame::call(method, parameters, true)?)?;
        Ok(Replies { client: self, ended: false, of: PhantomData })
    }

    /// What the service is and which interfaces it has.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub fn info(&mut self) -> Result<Info, ClientError> {
        self.call(GET_INFO, &NoParameters {})
    }

    /// The text of an interface file.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub fn interface_description(&mut self, interface: &str) -> Result<String, ClientError> {
        let reply = self.call(GET_INTERFACE_DESCRIPTION, &Wanted { interface: interface.to_owned() });
        reply.map(|Description { description }| description)
    }

    fn send(&mut self, frame: &Frame) -> Result<(), ClientError> {
        let sent = self.stream.write_all(frame.bytes());
        sent.map_err(|error| self.failed(error))
    }

    /// The next reply's parameters, and whether more replies follow.
    fn receive(&mut self) -> Result<(Map<String, Value>, bool), ClientError> {
        let message = loop {
            match self.decoder.message() {
                Ok(Some(message)) => break message,
                Ok(None) => self.read()?,
                Err(error) => return Err(self.broken(error.into())),
            }
        };
        match parse(&message) {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(error)) => Err(error.into()),
            Err(error) => Err(self.broken(error.into())),
        }
    }

    fn read(&mut self) -> Result<(), ClientError> {
        let mut chunk = [0; CHUNK];
        match self.stream.read(&mut chunk) {
            Ok(0) => Err(ClientError::Closed),
            Ok(read) => {
                self.decoder.push(chunk.get(..read).unwrap_or_default());
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(self.failed(error)),
        }
    }

    fn failed(&self, error: io::Error) -> ClientError {
        self.broken(match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ClientError::TimedOut(self.timeout),
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => ClientError::Closed,
            _ => ClientError::Io(error),
        })
    }

    /// Makes sure that a late answer is not taken for that of a later call.
    fn broken(&self, error: ClientError) -> ClientError {
        match self.stream.shutdown(std::net::Shutdown::Both) {
            Ok(()) | Err(_) => error,
        }
    }
}

/// The replies of a stream; after an error there are no more.
#[derive(Debug)]
pub struct Replies<T> {
    client: Client,
    ended: bool,
    of: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Replies<T> {
    fn receive(&mut self) -> Result<T, ClientError> {
        let (parameters, continues) = self.client.receive()?;
        self.client.stream.set_read_timeout(None).map_err(ClientError::Io)?;
        self.ended = !continues;
        decode(parameters)
    }
}

impl<T: DeserializeOwned> Iterator for Replies<T> {
    type Item = Result<T, ClientError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let reply = self.receive();
        self.ended |= reply.is_err();
        Some(reply)
    }
}

/// A reply: its parameters and whether more replies follow, or an error.
pub(crate) type Answer = Result<(Map<String, Value>, bool), Error>;

pub(crate) fn parse(message: &[u8]) -> Result<Answer, MessageError> {
    #[derive(Deserialize)]
    struct Reply {
        #[serde(default)]
        error: Option<String>,
        #[serde(default, deserialize_with = "or_default")]
        parameters: Map<String, Value>,
        #[serde(default, deserialize_with = "or_default")]
        continues: bool,
    }
    let Reply { error, parameters, continues } = codec::parse(message, MessageError::NotAReply)?;
    Ok(match error {
        None => Ok((parameters, continues)),
        Some(name) => Err(Error { name, parameters }),
    })
}

pub(crate) fn decode<T: DeserializeOwned>(parameters: Map<String, Value>) -> Result<T, ClientError> {
    serde_json::from_value(Value::Object(parameters)).map_err(ClientError::Parameters)
}

/// Connecting blocks while a server's queue is full, and the standard library cannot bound that: a thread
/// does it, and is left behind if it takes too long.
fn connect_within(path: &Path, timeout: Duration) -> io::Result<UnixStream> {
    let (sender, receiver) = mpsc::channel();
    let path = path.to_owned();
    thread::Builder::new().spawn(move || sender.send(UnixStream::connect(path)))?;
    receiver.recv_timeout(timeout).unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::codec::MAX_MESSAGE;
    use crate::error::INVALID_PARAMETER;

    /// A client of a server that takes what comes, says `answer` and closes if told to.
    fn client_of(answer: impl Into<Vec<u8>>, close: bool, timeout: Duration) -> Client {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        ours.set_read_timeout(Some(timeout)).unwrap();
        let answer = answer.into();
        thread::spawn(move || {
            let mut decoder = Decoder::default();
            let mut chunk = [0; 1024];
            while decoder.message().unwrap().is_none() {
                let read = theirs.read(&mut chunk).unwrap();
                decoder.push(&chunk[..read]);
            }
            let _ = theirs.write_all(&answer);
            if !close {
                let _ = theirs.read_to_end(&mut Vec::new());
            }
        });
        Client { stream: ours, decoder: Decoder::default(), timeout }
    }

    fn answer(text: impl Into<Vec<u8>>) -> Result<Map<String, Value>, ClientError> {
        client_of(text, true, Duration::from_secs(10)).call("a.B", &NoParameters {})
    }

    #[test]
    fn replies_and_errors_are_told_apart() {
        assert_eq!(answer("{\"parameters\":{\"x\":1}}\0").unwrap()["x"], 1);
        assert!(answer("{}\0").unwrap().is_empty());
        assert!(answer("{\"parameters\":null,\"error\":null}\0").unwrap().is_empty());
        let text = format!("{{\"error\":\"{INVALID_PARAMETER}\",\"parameters\":{{\"parameter\":\"x\"}}}}\0");
        let ClientError::Refused(error) = answer(text).unwrap_err() else { panic!() };
        assert_eq!(error, Error::invalid_parameter("x"));
        let ClientError::Refused(error) = answer("{\"error\":\"a.Bare\"}\0").unwrap_err() else { panic!() };
        assert_eq!((error.name.as_str(), error.parameters.len()), ("a.Bare", 0));
    }

    #[test]
    fn what_is_no_reply_is_an_error() {
        assert!(matches!(answer(""), Err(ClientError::Closed)));
        assert!(matches!(answer("{\"parameters\":"), Err(ClientError::Closed)));
        assert!(matches!(answer("x\0"), Err(ClientError::Message(MessageError::NotJson(_)))));
        assert!(matches!(answer("[]\0"), Err(ClientError::Message(MessageError::NotAReply(_)))));
        assert!(matches!(answer("{\"continues\":true}\0"), Err(ClientError::Continues)));
        let endless = vec![b'x'; MAX_MESSAGE + 1];
        assert!(matches!(answer(endless), Err(ClientError::Message(MessageError::TooLarge))));
    }

    #[test]
    fn a_reply_of_another_shape_is_an_error_and_the_connection_stays() {
        let two = "{\"parameters\":{\"description\":1}}\0{\"parameters\":{\"description\":\"x\"}}\0";
        let mut client = client_of(two, false, Duration::from_secs(10));
        assert!(matches!(client.interface_description("a"), Err(ClientError::Parameters(_))));
        assert_eq!(client.interface_description("a").unwrap(), "x");
    }

    #[test]
    fn a_late_answer_is_not_taken_for_the_next_calls() {
        let mut client = client_of("", false, Duration::from_millis(20));
        let first = client.call::<_, Value>("a.B", &NoParameters {});
        assert!(matches!(first, Err(ClientError::TimedOut(_))));
        let second = client.call::<_, Value>("a.B", &NoParameters {});
        assert!(matches!(second, Err(ClientError::Closed)));
    }

    #[test]
    fn a_stream_gives_its_replies_and_then_ends() {
        let values = |text: &str| -> Vec<_> {
            let client = client_of(text, true, Duration::from_secs(10));
            client.more::<_, Value>("a.B", &NoParameters {}).unwrap().map(|reply| reply.ok()).collect()
        };
        let one = "{\"continues\":true,\"parameters\":{\"x\":1}}\0";
        let x = |number: u8| Some(serde_json::json!({ "x": number }));
        assert_eq!(values(&format!("{one}{{\"parameters\":{{\"x\":2}}}}\0")), [x(1), x(2)]);
        assert_eq!(values(&format!("{one}{one}")), [x(1), x(1), None], "closed in the middle");
        assert_eq!(values(&format!("{one}{{\"error\":\"a.Over\"}}\0{one}")), [x(1), None]);
    }

    #[test]
    fn only_the_first_reply_of_a_stream_is_due() {
        let replies = "{\"continues\":true}\0{}\0";
        let client = client_of(replies, true, Duration::from_secs(10));
        let mut replies = client.more::<_, Value>("a.B", &NoParameters {}).unwrap();
        assert!(replies.client.stream.read_timeout().unwrap().is_some());
        replies.next().unwrap().unwrap();
        assert_eq!(replies.client.stream.read_timeout().unwrap(), None);
    }

    #[test]
    fn a_socket_without_a_server_and_a_server_not_to_trust_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.sock");
        let connect = |check: fn(BorrowedFd<'_>) -> io::Result<()>| {
            Client::connect(&path, Duration::from_secs(10), check).map(drop).unwrap_err()
        };
        let error = connect(|_| Ok(()));
        assert!(matches!(error, ClientError::Connect { .. }));
        assert!(error.to_string().starts_with(&format!("cannot connect to {}: ", path.display())));
        let _listener = UnixListener::bind(&path).unwrap();
        let error = connect(|_| Err(io::Error::other("uid 1000")));
        assert!(matches!(error, ClientError::Untrusted { .. }));
        assert!(error.to_string().ends_with(": uid 1000"));
    }
}
