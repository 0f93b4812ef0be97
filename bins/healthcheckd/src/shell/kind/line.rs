//! Lines of text from a target, of a bounded length. Must not know a protocol.

use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};

use super::tls;
use crate::verdict::Outcome;

/// Most bytes of a line, with its end.
pub const LINE_BYTES_MAX: u64 = 4096;

/// A connection on which both sides speak in lines.
#[derive(Debug)]
pub struct Lines<S>(BufReader<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> Lines<S> {
    /// Lines of a connection.
    pub fn new(stream: S) -> Self {
        Self(BufReader::new(stream))
    }

    /// Says something.
    ///
    /// # Errors
    /// The outcome of a check that needs it.
    pub async fn say(&mut self, text: &str) -> Result<(), Outcome> {
        let said = async {
            self.0.write_all(text.as_bytes()).await?;
            self.0.flush().await
        };
        said.await.map_err(|error| tls::blame(&error))
    }

    /// The next line, without its end. A last one may have none.
    ///
    /// # Errors
    /// The outcome of a check that needs it: there is none, or it is too long.
    pub async fn next(&mut self) -> Result<Vec<u8>, Outcome> {
        let mut line = Vec::new();
        let read = (&mut self.0).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await;
        let read = read.map_err(|error| tls::blame(&error))?;
        match line.last() {
            None => Err(Outcome::failed("closed before the answer")),
            Some(b'\n') => {
                line.pop();
                line.pop_if(|last| *last == b'\r');
                Ok(line)
            }
            Some(_) if read as u64 == LINE_BYTES_MAX => {
                Err(Outcome::failed(format_args!("line longer than {LINE_BYTES_MAX} bytes")))
            }
            Some(_) => Ok(line),
        }
    }

    /// The connection, for something else than lines from here. None: there was more than was asked for.
    pub fn into_inner(self) -> Option<S> {
        self.0.buffer().is_empty().then(|| self.0.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::duplex;

    use super::*;

    async fn lines(bytes: &[u8]) -> (Vec<Vec<u8>>, Outcome) {
        let (ours, mut theirs) = duplex(bytes.len() + 1);
        theirs.write_all(bytes).await.unwrap();
        drop(theirs);
        let (mut lines, mut all) = (Lines::new(ours), Vec::new());
        loop {
            match lines.next().await {
                Ok(line) => all.push(line),
                Err(outcome) => return (all, outcome),
            }
        }
    }

    #[tokio::test]
    async fn lines_end_as_they_will() {
        let (lines, end) = lines(b"a\r\n\nb\n\rc").await;
        assert_eq!(lines, [&b"a"[..], b"", b"b", b"\rc"]);
        assert_eq!(end, Outcome::failed("closed before the answer"));
    }

    #[tokio::test]
    async fn a_line_is_not_longer_than_it_may_be() {
        let most = vec![b'x'; LINE_BYTES_MAX as usize - 1];
        let longest = [&most[..], b"\n"].concat();
        assert_eq!(lines(&longest).await.0, [most]);
        let (none, end) = lines(&[b'x'; LINE_BYTES_MAX as usize]).await;
        assert_eq!((none.len(), end), (0, Outcome::failed("line longer than 4096 bytes")));
    }

    #[tokio::test]
    async fn what_came_early_is_noticed() {
        for (bytes, is_early) in [(&b"a\n"[..], false), (b"a\nb", true)] {
            let (ours, mut theirs) = duplex(64);
            theirs.write_all(bytes).await.unwrap();
            let mut lines = Lines::new(ours);
            lines.next().await.unwrap();
            assert_eq!(lines.into_inner().is_none(), is_early);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_lines(bytes in any::<Vec<u8>>()) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let (lines, _) = runtime.block_on(lines(&bytes));
            let without_ends = |bytes: &[u8]| -> Vec<u8> {
                bytes.iter().copied().filter(|byte| !b"\r\n".contains(byte)).collect()
            };
            prop_assert_eq!(without_ends(&lines.concat()), without_ends(&bytes));
        }
    }
}
