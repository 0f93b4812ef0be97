//! Follows healthcheckd's stream, and its successor's when it is gone. Must not judge what it hears.

use std::time::Duration;

use vipkit_control::client::ClientError;
use vipkit_control::follow::Follower;
use vipkit_control::health::{MONITOR, Monitor};
use vipkit_control::place;
use vipkit_linux::peer;

use super::Shared;

/// Longest wait for the stream to begin.
const PATIENCE: Duration = Duration::from_secs(5);
/// From the end of a stream to the next attempt.
const PAUSE: Duration = Duration::from_millis(500);

/// A task that hands over what healthcheckd says, and when it is gone.
///
/// # Errors
/// None: it does not end.
pub async fn follow(daemon: Shared) -> anyhow::Result<()> {
    loop {
        let Err(why) = follow_one(&daemon).await;
        daemon.borrow_mut().lost_health(&why);
        tokio::time::sleep(PAUSE).await;
    }
}

async fn follow_one(daemon: &Shared) -> Result<std::convert::Infallible, ClientError> {
    let path = place::socket("healthcheckd");
    let trust = |socket: std::os::fd::BorrowedFd<'_>| peer::trust(&path, socket);
    let mut stream = Follower::<Monitor>::connect(&path, MONITOR, PATIENCE, trust).await?;
    loop {
        let message = stream.next().await?;
        daemon.borrow_mut().hear(message);
        // One message a turn: a flood of them must not hold up what is done about it.
        tokio::task::yield_now().await;
    }
}
