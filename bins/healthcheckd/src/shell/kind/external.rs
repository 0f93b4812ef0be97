//! `external`: somebody else says whether the target is up (`vipctl health set`), for ever or for a while. Must not know who
//! may say it.

use std::future;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use vipkit_config::{External, Told as Expired};
use vipkit_daemon::clock;

use super::{Checker, Means, Running, Steps, Watch};
use crate::told::Told;
use crate::verdict::{Finding, Outcome};
use crate::weight::Weight;

impl Checker for External {
    fn run(&self, means: &Rc<Means>, _steps: &Steps, _timeout: Duration) -> Running {
        let (check, means) = (self.clone(), means.clone());
        Box::pin(async move { judge(&check, means.told.borrow().get(&check.name), now()) })
    }

    fn watch(&self, means: &Rc<Means>) -> Option<Watch> {
        let (name, means) = (self.name.clone(), means.clone());
        let before = means.told.borrow().get(&name).cloned();
        Some(Box::pin(async move {
            loop {
                let told = means.told_news.notified();
                if means.told.borrow().get(&name) != before.as_ref() {
                    return;
                }
                let left = before.as_ref().and_then(|before| before.left(now()).flatten());
                tokio::select! {
                    () = told => {}
                    () = expiry(left) => return,
                }
            }
        }))
    }
}

async fn expiry(left: Option<Duration>) {
    match left {
        Some(left) => tokio::time::sleep(left).await,
        None => future::pending().await,
    }
}

fn now() -> SystemTime {
    UNIX_EPOCH + clock::wall().0
}

fn judge(check: &External, told: Option<&Told>, now: SystemTime) -> Outcome {
    let Some(told) = told else {
        return Outcome::hindered("never set", format_args!("`vipctl health set {} up`", check.name));
    };
    if told.left(now).is_none() {
        return outcome(check.on_expiry, "what was set has run out".to_owned());
    }
    let said = match told.weight {
        _ if !told.up => Expired::Down,
        Some(weight) => Expired::Weight(weight),
        None => Expired::Up,
    };
    outcome(said, format!("set by {}", told.by))
}

fn outcome(told: Expired, reason: String) -> Outcome {
    match told {
        Expired::Up => Outcome::passed(reason),
        Expired::Down => Outcome::failed(reason),
        Expired::Weight(weight) => {
            let weight = Some(Weight::Absolute(i64::from(weight)));
            Outcome::Passed(Finding { reason, weight, warning: None })
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::super::testing::{PATIENCE, means};
    use super::*;

    fn check(on_expiry: Expired) -> External {
        External { name: "app".to_owned(), on_expiry, allow: Vec::new() }
    }

    fn told(up: bool, weight: Option<u32>, left: Option<Duration>) -> Told {
        Told { up, weight, by: "uid 0".to_owned(), at: now(), until: left.map(|left| now() + left) }
    }

    #[test]
    fn what_was_said_holds_until_it_runs_out() {
        let check = check(Expired::Down);
        assert!(matches!(judge(&check, None, now()), Outcome::CouldNotRun { .. }));
        let passed = |weight: u32, reason: &str| {
            let weight = Some(Weight::Absolute(weight.into()));
            Outcome::Passed(Finding { reason: reason.to_owned(), weight, warning: None })
        };
        for (said, outcome) in [
            (told(true, None, None), Outcome::passed("set by uid 0")),
            (told(false, None, None), Outcome::failed("set by uid 0")),
            (told(false, Some(5), None), Outcome::failed("set by uid 0")),
            (told(true, Some(5), None), passed(5, "set by uid 0")),
            (told(true, None, Some(PATIENCE)), Outcome::passed("set by uid 0")),
            (told(true, None, Some(Duration::ZERO)), Outcome::failed("what was set has run out")),
        ] {
            assert_eq!(judge(&check, Some(&said), now()), outcome);
        }
        let over = told(false, None, Some(Duration::ZERO));
        let check = External { on_expiry: Expired::Weight(7), ..check };
        assert_eq!(judge(&check, Some(&over), now()), passed(7, "what was set has run out"));
    }

    #[tokio::test]
    async fn it_is_run_again_when_something_is_said_or_runs_out() {
        let (means, check) = (means(), check(Expired::Up));
        let watch = check.watch(&means).unwrap();
        means.tell("app", told(true, None, None));
        timeout(PATIENCE, watch).await.unwrap();
        let mut watch = check.watch(&means).unwrap();
        means.tell("other", told(true, None, None));
        timeout(Duration::from_millis(20), &mut watch).await.unwrap_err();
        means.tell("app", told(true, None, Some(Duration::from_millis(50))));
        timeout(PATIENCE, watch).await.unwrap();
        timeout(PATIENCE, check.watch(&means).unwrap()).await.unwrap();
        let outcome = check.run(&means, &Steps::default(), PATIENCE).await;
        assert_eq!(outcome, Outcome::passed("what was set has run out"));
        // It has run out, so there is nothing to wait for but what is said.
        timeout(Duration::from_millis(20), check.watch(&means).unwrap()).await.unwrap_err();
    }
}
