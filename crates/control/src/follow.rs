//! Follows a stream from inside a loop: the client of a daemon that acts on what another daemon streams.
//! Begins no second connection and keeps nothing of the stream: both are the caller's.

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::call::NoParameters;
use crate::client::{ClientError, decode, parse};
use crate::codec::{Decoder, Frame};

/// Read at a time.
const CHUNK: usize = 16 * 1024;

/// The replies of a method that streams.
#[derive(Debug)]
pub struct Follower<T> {
    stream: UnixStream,
    decoder: Decoder,
    /// Until the first reply is there; later ones take as long as they take.
    patience: Option<Duration>,
    of: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Follower<T> {
    /// Connects to a socket and calls a method without parameters that streams. `patience` bounds that, and the wait
    /// for the first reply; `check` may refuse the server by what the kernel says of it.
    ///
    /// # Errors
    /// [`ClientError::Connect`], [`ClientError::Untrusted`], [`ClientError::TimedOut`] and those of sending.
    pub async fn connect(
        path: &Path,
        method: &str,
        patience: Duration,
        check: impl FnOnce(BorrowedFd<'_>) -> io::Result<()>,
    ) -> Result<Self, ClientError> {
        let call = Frame::call(method, &NoParameters {}, true)?;
        let connected = async {
            let refused = |source| ClientError::Connect { path: path.to_owned(), source };
            let mut stream = UnixStream::connect(path).await.map_err(refused)?;
            check(stream.as_fd())
                .map_err(|source| ClientError::Untrusted { path: path.to_owned(), source })?;
            stream.write_all(call.bytes()).await.map_err(failed)?;
            Ok(stream)
        };
        let stream = timeout(patience, connected).await.unwrap_or(Err(ClientError::TimedOut(patience)))?;
        Ok(Self { stream, decoder: Decoder::default(), patience: Some(patience), of: PhantomData })
    }

    /// The next reply. May be dropped while it waits: nothing is lost.
    ///
    /// # Errors
    /// The stream is over, in one way or another: connect anew.
    pub async fn next(&mut self) -> Result<T, ClientError> {
        let message = match self.patience {
            Some(patience) => {
                timeout(patience, self.message()).await.unwrap_or(Err(ClientError::TimedOut(patience)))?
            }
            None => self.message().await?,
        };
        self.patience = None;
        match parse(&message)?? {
            (parameters, true) => decode(parameters),
            (_, false) => Err(ClientError::Closed),
        }
    }

    async fn message(&mut self) -> Result<Vec<u8>, ClientError> {
        let mut chunk = [0; CHUNK];
        loop {
            if let Some(message) = self.decoder.message()? {
                return Ok(message);
            }
            match self.stream.read(&mut chunk).await.map_err(failed)? {
                0 => return Err(ClientError::Closed),
                read => self.decoder.push(chunk.get(..read).unwrap_or_default()),
            }
        }
    }
}

fn failed(error: io::Error) -> ClientError {
    match error.kind() {
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => ClientError::Closed,
        _ => ClientError::Io(error),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use tokio::net::UnixListener;

    use super::*;

    /// What a follower says that is answered with `answers`, by a server that then waits or leaves.
    async fn followed(answers: &str, leaves: bool) -> Vec<Result<Value, ClientError>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut call = vec![0; "{\"method\":\"a.B\",\"parameters\":{},\"more\":true}\0".len()];
            stream.read_exact(&mut call).await.unwrap();
            assert_eq!(call.last(), Some(&0), "{}", String::from_utf8_lossy(&call));
            stream.write_all(answers.as_bytes()).await.unwrap();
            (!leaves).then_some(stream)
        };
        let follower = async {
            let patience = Duration::from_millis(if leaves { 10_000 } else { 50 });
            let mut follower = Follower::connect(&path, "a.B", patience, |_| Ok(())).await.unwrap();
            let mut seen = Vec::new();
            while seen.last().is_none_or(Result::is_ok) {
                seen.push(follower.next().await);
            }
            seen
        };
        let (_stream, seen) = tokio::join!(server, follower);
        seen
    }

    #[tokio::test]
    async fn replies_come_one_by_one_until_the_server_leaves() {
        let reply = |n| format!("{{\"parameters\":{{\"n\":{n}}},\"continues\":true}}\0");
        let seen = followed(&(reply(1) + &reply(2)), true).await;
        assert_eq!(seen.len(), 3);
        assert_eq!(seen[0].as_ref().unwrap()["n"], 1);
        assert_eq!(seen[1].as_ref().unwrap()["n"], 2);
        assert!(matches!(seen[2], Err(ClientError::Closed)));
    }

    #[tokio::test]
    async fn what_is_no_stream_ends_it() {
        let seen = followed("{\"parameters\":{}}\0", true).await;
        assert!(matches!(seen[..], [Err(ClientError::Closed)]));
        let seen = followed("{\"error\":\"a.Bad\"}\0", true).await;
        assert!(matches!(&seen[..], [Err(ClientError::Refused(error))] if error.name == "a.Bad"));
        let seen = followed("nonsense\0", true).await;
        assert!(matches!(seen[..], [Err(ClientError::Message(_))]));
    }

    #[tokio::test]
    async fn a_server_that_never_answers_is_given_up() {
        let seen = followed("", false).await;
        assert!(matches!(seen[..], [Err(ClientError::TimedOut(_))]));
    }

    #[tokio::test]
    async fn a_server_not_to_trust_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.sock");
        let connect = |trusted: bool| {
            Follower::<Value>::connect(&path, "a.B", Duration::from_secs(10), move |_| {
                if trusted { Ok(()) } else { Err(io::Error::other("uid 1000")) }
            })
        };
        assert!(matches!(connect(true).await.map(drop), Err(ClientError::Connect { .. })));
        let _listener = UnixListener::bind(&path).unwrap();
        assert!(matches!(connect(false).await.map(drop), Err(ClientError::Untrusted { .. })));
    }
}
