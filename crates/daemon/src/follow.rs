//! Follows what another daemon streams, and its successor when it is gone. Must not know what is said.

use std::convert::Infallible;
use std::time::Duration;

use serde::de::DeserializeOwned;
use vipkit_control::client::ClientError;
use vipkit_control::follow::Follower;
use vipkit_control::place;
use vipkit_linux::peer;

/// Longest wait for the stream to begin.
const PATIENCE: Duration = Duration::from_secs(5);
/// From the end of a stream to the next attempt.
const PAUSE: Duration = Duration::from_millis(500);

/// Hands over what a daemon streams, message by message, and why there is nothing when it is gone. Does not end, and may
/// be dropped at any time.
pub async fn follow<T: DeserializeOwned>(
    daemon: &str,
    method: &str,
    mut hear: impl FnMut(Result<T, ClientError>),
) -> Infallible {
    loop {
        let Err(why) = follow_one(daemon, method, &mut |message| hear(Ok(message))).await;
        hear(Err(why));
        tokio::time::sleep(PAUSE).await;
    }
}

async fn follow_one<T: DeserializeOwned>(
    daemon: &str,
    method: &str,
    hear: &mut impl FnMut(T),
) -> Result<Infallible, ClientError> {
    let path = place::socket(daemon);
    let trust = |socket: std::os::fd::BorrowedFd<'_>| peer::trust(&path, socket);
    let mut stream = Follower::connect(&path, method, PATIENCE, trust).await?;
    loop {
        hear(stream.next().await?);
        // One message a turn: a flood of them must not hold up what is done about it.
        tokio::task::yield_now().await;
    }
}
