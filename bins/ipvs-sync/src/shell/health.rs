//! Follows healthcheckd's stream. Must not judge what it hears.

use vipkit_control::health::MONITOR;
use vipkit_daemon::follow::follow as follow_daemon;

use super::Shared;

/// A task that hands over what healthcheckd says, and when it is gone.
///
/// # Errors
/// None: it does not end.
pub async fn follow(daemon: Shared) -> anyhow::Result<()> {
    let hear = |said| match said {
        Ok(message) => daemon.borrow_mut().hear(message),
        Err(why) => daemon.borrow_mut().lost_health(&why),
    };
    match follow_daemon("healthcheckd", MONITOR, hear).await {}
}
