//! A connection that remembers how what it received began: to show what answered instead of who was expected. What is made of
//! all that somebody sends must not hold up the loop: its reader pauses, and what is received may be bounded.
//! Must not change what is received.

use std::cell::Cell;
use std::io;
use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Most bytes that are remembered.
const HEARD_MAX: usize = 512;

/// A connection and how what it received began.
#[derive(Debug)]
pub struct Witness<S> {
    stream: S,
    heard: Vec<u8>,
    /// Something was received since others had their turn.
    is_fed: bool,
    bound: Bound,
}

/// How much may be received; cloned, it is the same.
#[derive(Clone, Debug)]
pub struct Bound(Rc<Cell<Left>>);

#[derive(Clone, Copy, Debug)]
struct Left {
    bytes: usize,
    most: usize,
}

impl Bound {
    /// So many bytes.
    pub fn of(most: usize) -> Self {
        Self(Rc::new(Cell::new(Left { bytes: most, most })))
    }

    /// So many bytes from now.
    pub fn renew(&self, most: usize) {
        self.0.set(Left { bytes: most, most });
    }

    fn take(&self, bytes: usize) -> io::Result<()> {
        let Left { bytes: left, most } = self.0.get();
        let longer = || io::Error::other(format!("longer than {} KiB", most / 1024));
        self.0.set(Left { bytes: left.checked_sub(bytes).ok_or_else(longer)?, most });
        Ok(())
    }
}

impl<S> Witness<S> {
    /// Listens from now.
    pub fn new(stream: S) -> Self {
        Self::bounded(stream, Bound::of(usize::MAX))
    }

    /// The same; to receive more than the bound is an error.
    pub const fn bounded(stream: S, bound: Bound) -> Self {
        Self { stream, heard: Vec::new(), is_fed: false, bound }
    }

    /// How it began.
    pub fn heard(&self) -> &[u8] {
        &self.heard
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Witness<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if mem::take(&mut self.is_fed) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let new = buf.filled().get(before..).unwrap_or_default();
        self.bound.take(new.len())?;
        let room = HEARD_MAX - self.heard.len();
        self.heard.extend(new.iter().take(room));
        self.is_fed = true;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Witness<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    #[tokio::test]
    async fn others_have_their_turn_after_each_read() {
        let (ours, mut theirs) = duplex(64);
        let mut witness = Witness::new(ours);
        theirs.write_all(b"abcd").await.unwrap();
        let pauses = poll_fn(|cx| {
            let mut is_ready = || {
                let mut space = [0; 2];
                let mut buffer = ReadBuf::new(&mut space);
                Pin::new(&mut witness).poll_read(cx, &mut buffer).is_ready()
            };
            Poll::Ready([is_ready(), is_ready(), is_ready()])
        });
        assert_eq!(pauses.await, [true, false, true]);
        assert_eq!(witness.heard(), b"abcd");
    }

    #[tokio::test]
    async fn more_than_the_bound_is_an_error() {
        let (ours, mut theirs) = duplex(4096);
        let bound = Bound::of(1024);
        let mut witness = Witness::bounded(ours, bound.clone());
        for _ in 0..2 {
            theirs.write_all(&[b'x'; 1024]).await.unwrap();
            witness.read_exact(&mut [0; 1024]).await.unwrap();
            bound.renew(1024);
        }
        theirs.write_all(&[b'x'; 1025]).await.unwrap();
        let error = witness.read_exact(&mut [0; 1025]).await.unwrap_err();
        assert_eq!(error.to_string(), "longer than 1 KiB");
    }
}
