//! One run of a check: it ends in time, and what takes too long on this host is not the target's fault. Names are looked up
//! here. Must not know a kind of check.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::{self, JoinError};
use tokio::time::{self, Instant};
use vipkit_config::{Host, Path, Target};

use super::{Means, Running, Steps};
use crate::verdict::{Finding, Outcome};

/// How much later than its time a run is broken off where this host did not get round to it.
const STALL: Duration = Duration::from_millis(500);

/// One run of a check.
#[derive(Debug)]
pub struct Attempt {
    /// What it may use.
    pub means: Rc<Means>,
    /// Told how far it has come.
    pub steps: Steps,
    /// What comes of it should the time be over now, where that is not the target's failure.
    late: RefCell<Option<Outcome>>,
}

/// Runs something for `timeout` at most: longer is the target's failure, unless it was something [`Attempt::here`], or this
/// host was too busy to look. It passes with a finding; an error is any other outcome.
pub fn within<F>(means: &Rc<Means>, steps: &Steps, timeout: Duration, run: F) -> Running
where
    F: AsyncFnOnce(&Attempt) -> Result<Finding, Outcome> + 'static,
{
    let attempt = Attempt { means: means.clone(), steps: steps.clone(), late: RefCell::default() };
    Box::pin(async move {
        let began = Instant::now();
        match time::timeout(timeout, run(&attempt)).await {
            Ok(Ok(finding)) => Outcome::Passed(finding),
            Ok(Err(outcome)) => outcome,
            // The answer may be there, unread.
            Err(_) if began.elapsed() >= timeout + STALL => {
                Outcome::hindered("this host was too busy to run it", "see what keeps its processors busy")
            }
            Err(_) => attempt.late.take().unwrap_or_else(|| Outcome::late(timeout)),
        }
    })
}

/// A target that is well, and why.
pub fn found(reason: impl fmt::Display) -> Finding {
    Finding { reason: reason.to_string(), ..Finding::default() }
}

impl Attempt {
    /// Does something on this host; should that take too long, `late` comes of it.
    pub async fn here<T>(&self, late: Outcome, doing: impl Future<Output = T>) -> T {
        self.late.replace(Some(late));
        let done = doing.await;
        self.late.replace(None);
        done
    }

    /// The address of a target: of a name the first one, of the source's family if there is one.
    ///
    /// # Errors
    /// [`Outcome::CouldNotRun`]: a name without an address says nothing about who has the name.
    pub async fn address(&self, target: &Target, path: &Path) -> Result<SocketAddr, Outcome> {
        self.host(&target.host, path).await.map(|address| SocketAddr::new(address, target.port))
    }

    /// The same, of a host.
    ///
    /// # Errors
    /// As of [`Self::address`].
    pub async fn host(&self, host: &Host, path: &Path) -> Result<IpAddr, Outcome> {
        let name = match host {
            Host::Address(address) => return Ok(*address),
            Host::Name(name) => name.clone(),
        };
        let look_up = helped(&self.means.resolving, move || {
            let found = (name.as_str(), 0).to_socket_addrs();
            found.map(|found| found.map(|address| address.ip()).collect::<Vec<_>>())
        });
        let found = self.here(unresolved(host, "nobody answered in time"), look_up).await;
        self.steps.done("resolve");
        let found = found.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(|error| {
            let text = error.to_string();
            unresolved(host, text.rsplit(": ").next().unwrap_or(&text))
        })?;
        let of_family =
            |address: &IpAddr| path.source.is_none_or(|source| source.is_ipv4() == address.is_ipv4());
        let none = || unresolved(host, "no address of the family of `source`");
        found.into_iter().find(of_family).ok_or_else(none)
    }

    /// Judges what was answered on a helper thread: regular expressions can take longer than the loop can wait.
    ///
    /// # Errors
    /// That of `judge`; [`Outcome::CouldNotRun`]: it took too long.
    pub async fn judge<T: Send + 'static>(
        &self,
        judge: impl FnOnce() -> Result<T, Outcome> + Send + 'static,
    ) -> Result<T, Outcome> {
        let late = Outcome::hindered(
            "the answer cannot be judged in time",
            "write a simpler regular expression, or a longer `timeout`",
        );
        let judged = self.here(late, helped(&self.means.judging, judge)).await;
        judged.unwrap_or_else(|error| Err(Outcome::hindered(error, "see the log")))
    }
}

/// Does something on a helper thread, of which there are so many. It cannot be broken off: while it goes on, it counts.
async fn helped<T: Send + 'static>(
    permits: &Arc<Semaphore>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, JoinError> {
    let permit = permits.clone().acquire_owned().await;
    let working = task::spawn_blocking(move || {
        let _permit = permit;
        work()
    });
    working.await
}

fn unresolved(host: &Host, why: &str) -> Outcome {
    let remedy = format!("see `getent ahosts {host}`, or write an address");
    Outcome::hindered(format_args!("cannot resolve {host}: {why}"), remedy)
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::super::testing::{PATIENCE, means};
    use super::*;

    fn path(source: Option<&str>) -> Path {
        Path { source: source.map(|source| source.parse().unwrap()), ..Path::default() }
    }

    #[tokio::test]
    async fn whose_fault_it_is_when_the_time_is_over() {
        let hindered = || Outcome::hindered("no paper", "buy some");
        let run = async |on_this_host| {
            within(&means(), &Steps::default(), Duration::from_millis(20), async move |attempt| {
                attempt.here(hindered(), async {}).await;
                if on_this_host {
                    attempt.here(hindered(), pending::<()>()).await;
                }
                pending().await
            })
            .await
        };
        assert_eq!(run(true).await, hindered());
        assert_eq!(run(false).await, Outcome::failed("no answer within 20ms"));
    }

    #[tokio::test]
    async fn who_could_not_be_heard_because_this_host_was_busy_is_not_blamed() {
        let busy = within(&means(), &Steps::default(), Duration::from_millis(1), async |_| {
            std::thread::sleep(STALL * 2);
            pending().await
        });
        let expected = ("this host was too busy to run it", "see what keeps its processors busy");
        assert_eq!(busy.await, Outcome::hindered(expected.0, expected.1));
    }

    #[tokio::test]
    async fn few_answers_are_judged_at_once_and_who_waits_is_not_blamed() {
        let means = means();
        let judged = async |timeout, judge: fn() -> Result<&'static str, Outcome>| {
            within(&means, &Steps::default(), timeout, async move |attempt| {
                attempt.judge(judge).await.map(found)
            })
            .await
        };
        assert_eq!(judged(PATIENCE, || Ok("well")).await, Outcome::passed("well"));
        assert_eq!(judged(PATIENCE, || Err(Outcome::failed("ill"))).await, Outcome::failed("ill"));
        let all = u32::try_from(means.judging.available_permits()).unwrap();
        let _others = means.judging.clone().acquire_many_owned(all).await.unwrap();
        let late = judged(Duration::from_millis(20), || Ok("well")).await;
        assert!(
            matches!(&late, Outcome::CouldNotRun { reason, .. } if reason.contains("in time")),
            "{late:?}"
        );
    }

    #[tokio::test]
    async fn a_judgement_that_nobody_waits_for_counts_until_it_is_over() {
        let means = means();
        let all = means.judging.available_permits();
        let (end, ended) = std::sync::mpsc::channel();
        let late = within(&means, &Steps::default(), Duration::from_millis(20), async move |attempt| {
            attempt.judge(move || ended.recv().map_err(Outcome::failed)).await.map(found)
        });
        assert!(matches!(late.await, Outcome::CouldNotRun { .. }));
        assert_eq!(means.judging.available_permits(), all - 1);
        end.send("well").unwrap();
        let every = means.judging.acquire_many(u32::try_from(all).unwrap());
        let _given_back = time::timeout(PATIENCE, every).await.unwrap().unwrap();
    }

    async fn of_name(
        name: &str,
        path: &Path,
        timeout: Duration,
        means: &Rc<Means>,
        steps: &Steps,
    ) -> Outcome {
        let target = Target { host: Host::Name(name.to_owned()), port: 80 };
        let path = path.clone();
        within(means, steps, timeout, async move |attempt| attempt.address(&target, &path).await.map(found))
            .await
    }

    #[tokio::test]
    async fn names_are_looked_up_in_the_family_of_the_source() {
        let (means, steps) = (means(), Steps::watched());
        let source = path(Some("127.0.0.9"));
        let found = of_name("localhost", &source, PATIENCE, &means, &steps).await;
        assert_eq!(found, Outcome::passed("127.0.0.1:80"));
        assert_eq!(steps.timings().first().unwrap().0, "resolve");
        // An address is taken as such.
        let other = of_name("127.0.0.1", &path(Some("::1")), PATIENCE, &means, &steps).await;
        let why = "cannot resolve 127.0.0.1: no address of the family of `source`";
        assert_eq!(other, Outcome::hindered(why, "see `getent ahosts 127.0.0.1`, or write an address"));
    }

    #[tokio::test]
    async fn a_name_that_is_not_found_or_not_in_time_says_nothing_about_the_target() {
        let (means, steps) = (means(), Steps::default());
        let missing = of_name("nobody.invalid", &Path::default(), PATIENCE, &means, &steps).await;
        assert!(
            matches!(&missing, Outcome::CouldNotRun { reason, .. } if reason.starts_with("cannot resolve nobody.invalid: ")),
            "{missing:?}"
        );
        let all = means.resolving.available_permits();
        let _others = means.resolving.clone().acquire_many_owned(u32::try_from(all).unwrap()).await.unwrap();
        let late = of_name("localhost", &Path::default(), Duration::from_millis(20), &means, &steps).await;
        let why = "cannot resolve localhost: nobody answered in time";
        assert_eq!(late, Outcome::hindered(why, "see `getent ahosts localhost`, or write an address"));
    }
}
