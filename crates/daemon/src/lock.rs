//! One daemon of a kind in a network namespace. Must not know which.

use std::rc::Rc;
use std::time::Duration;

use vipkit_linux::namespace_lock::{Claim, LockError, NamespaceLock};

/// Others who asked for the lock are turned away this often.
const ROUND: Duration = Duration::from_secs(5);

/// The right to run, as long as it lives.
#[derive(Debug)]
pub struct Lock(Claim);

impl Lock {
    /// Makes sure that no other daemon of this name runs in this network namespace. Whoever only has the lock's name
    /// keeps nobody from running; that is said on standard error, for this comes before the log. Takes up to 100 ms.
    ///
    /// # Errors
    /// One does.
    pub fn take(daemon: &str) -> Result<Self, LockError> {
        let claim = NamespaceLock::acquire(&format!("vipkit/{daemon}"))?;
        if let Claim::Squatted(holder) = &claim {
            let who = holder.as_ref().map_or_else(|| "somebody".to_owned(), ToString::to_string);
            eprintln!("{daemon}: {who} has the lock's name, but cannot be one: going on without the lock");
        }
        Ok(Self(claim))
    }

    /// A task that turns away those who asked for the lock, so that it can be asked again.
    ///
    /// # Errors
    /// None: it does not end.
    pub async fn keep<E>(self: Rc<Self>) -> Result<(), E> {
        let mut ticks = tokio::time::interval(ROUND);
        loop {
            ticks.tick().await;
            if let Claim::Held(lock) = &self.0 {
                lock.turn_away();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_has_one_of_a_kind() {
        let [one, other] = ["one", "other"].map(|kind| format!("test-{}-{kind}", std::process::id()));
        let _lock = Lock::take(&one).unwrap();
        assert!(matches!(Lock::take(&other), Ok(Lock(Claim::Held(_)))));
        // Without CAP_NET_ADMIN, as who runs the tests may be, nobody keeps anybody from running.
        assert!(!matches!(Lock::take(&one), Ok(Lock(Claim::Held(_)))));
    }
}
