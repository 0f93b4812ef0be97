//! Bodies of answers: kept where something is expected of them, and judged. Must not read them, nor wait for them.

use sha2::{Digest as _, Sha256};
use tokio::sync::OwnedSemaphorePermit;
use vipkit_config::{Body, pattern};

use super::super::attempt::Attempt;
use super::super::words;
use crate::verdict::Outcome;

/// Most bytes of a body that are read.
const BYTES_MAX: usize = 1024 * 1024;
/// Most bytes that these take as they are sent: chunks may be as small as somebody likes.
pub const ON_WIRE_MAX: usize = 2 * BYTES_MAX;
/// Above so many bytes, a body is large: few of them are kept at once.
const BYTES_SMALL: usize = 16 * 1024;

/// As much of a body as is needed: all of it where something is expected of it, and none where nothing is.
#[derive(Debug)]
pub struct Kept<'a> {
    expected: &'a [Body],
    read: usize,
    bytes: Vec<u8>,
    is_large: Option<OwnedSemaphorePermit>,
}

impl<'a> Kept<'a> {
    /// Of which all this is expected.
    pub const fn expecting(expected: &'a [Body]) -> Self {
        Self { expected, read: 0, bytes: Vec::new(), is_large: None }
    }

    /// Takes in more of it: false if that is enough.
    ///
    /// # Errors
    /// There is more of it than can be judged.
    pub async fn take(&mut self, attempt: &Attempt, data: &[u8]) -> Result<bool, Outcome> {
        self.read += data.len();
        let is_enough = self.read > BYTES_MAX;
        if self.expected.is_empty() {
            return Ok(!is_enough);
        }
        if is_enough {
            return Err(Outcome::failed(format_args!("body longer than {} KiB", BYTES_MAX / 1024)));
        }
        if self.read > BYTES_SMALL && self.is_large.is_none() {
            let remedy = "expect less of large bodies, or less often";
            let late = Outcome::hindered("too many large bodies at once", remedy);
            self.is_large = attempt.here(late, attempt.means.large_bodies.clone().acquire_owned()).await.ok();
        }
        self.bytes.extend_from_slice(data);
        Ok(true)
    }

    /// Judges the whole of it.
    ///
    /// # Errors
    /// It is not as expected.
    pub async fn judge(self, attempt: &Attempt) -> Result<(), Outcome> {
        if self.expected.is_empty() {
            return Ok(());
        }
        let Self { bytes, is_large, .. } = self;
        let expected = self.expected.to_vec();
        let judge = move || {
            let _is_large = is_large;
            expected.iter().try_for_each(|expected| holds(&bytes, expected))
        };
        attempt.judge(judge).await
    }
}

fn holds(body: &[u8], expected: &Body) -> Result<(), Outcome> {
    let has = |text: &str| matches(body, &regex::escape(text));
    let (holds, fails) = match expected {
        Body::Contains(text) => (has(text)?, format!("lacks {text:?}")),
        Body::Lacks(text) => (!has(text)?, format!("has {text:?}")),
        Body::Matches(pattern) => (matches(body, pattern)?, format!("does not match {pattern:?}")),
        Body::Sha256(hash) => (Sha256::digest(body).as_slice() == hash, "has another SHA-256".to_owned()),
    };
    let failed = || Outcome::failed(words::line(format!("body {fails}").as_bytes()));
    holds.then_some(()).ok_or_else(failed)
}

fn matches(body: &[u8], text: &str) -> Result<bool, Outcome> {
    let pattern = pattern(text).map_err(|error| {
        Outcome::hindered(words::line(error.to_string().as_bytes()), "see `body_matches`")
    })?;
    Ok(pattern.is_match(body))
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;
    use std::time::Duration;

    use super::super::super::attempt::{found, within};
    use super::super::super::testing::{PATIENCE, means};
    use super::super::super::{Means, Steps};
    use super::*;

    /// What comes of a body of so many bytes, of which this is expected.
    async fn of_size(means: &Rc<Means>, size: usize, expected: &[Body], timeout: Duration) -> Outcome {
        let expected = expected.to_vec();
        within(means, &Steps::default(), timeout, async move |attempt| {
            let mut kept = Kept::expecting(&expected);
            let mut left = size;
            while left > 0 && kept.take(attempt, &[b'x'; 1024][..left.min(1024)]).await? {
                left -= left.min(1024);
            }
            let read = format!("{} bytes kept", kept.bytes.len());
            kept.judge(attempt).await?;
            Ok(found(read))
        })
        .await
    }

    #[tokio::test]
    async fn bodies_are_kept_only_where_something_is_expected_of_them() {
        let means = means();
        let expected = [Body::Contains("x".to_owned())];
        for (size, expected, outcome) in [
            (BYTES_MAX, &[][..], Outcome::passed("0 bytes kept")),
            (BYTES_MAX + 1, &[], Outcome::passed("0 bytes kept")),
            (0, &expected, Outcome::failed("body lacks \"x\"")),
            (BYTES_MAX, &expected, Outcome::passed("1048576 bytes kept")),
            (BYTES_MAX + 1, &expected, Outcome::failed("body longer than 1024 KiB")),
        ] {
            assert_eq!(of_size(&means, size, expected, PATIENCE).await, outcome, "{size} {expected:?}");
        }
    }

    #[tokio::test]
    async fn few_large_bodies_are_kept_at_once_and_small_ones_always() {
        let means = means();
        let expected = [Body::Contains("x".to_owned())];
        let all = means.large_bodies.available_permits();
        let others =
            means.large_bodies.clone().acquire_many_owned(u32::try_from(all).unwrap()).await.unwrap();
        let small = of_size(&means, BYTES_SMALL, &expected, PATIENCE).await;
        assert_eq!(small, Outcome::passed("16384 bytes kept"));
        let large = of_size(&means, BYTES_SMALL + 1, &expected, Duration::from_millis(20)).await;
        let remedy = "expect less of large bodies, or less often";
        assert_eq!(large, Outcome::hindered("too many large bodies at once", remedy));
        let large = of_size(&means, BYTES_SMALL + 1, &[], PATIENCE).await;
        assert_eq!(large, Outcome::passed("0 bytes kept"));
        drop(others);
        let large = of_size(&means, BYTES_SMALL + 1, &expected, PATIENCE).await;
        assert_eq!(large, Outcome::passed("16385 bytes kept"));
        assert_eq!(means.large_bodies.available_permits(), all, "given back");
    }

    #[test]
    fn the_longest_texts_can_be_looked_for() {
        let text = "\u{20ac}".repeat(4096 / 3);
        holds(text.as_bytes(), &Body::Contains(text.clone())).unwrap();
        holds(b"", &Body::Lacks(text)).unwrap();
    }
}
