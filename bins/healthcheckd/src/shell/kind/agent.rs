//! `agent`: what an agent of the target says of it, in the words of HAProxy's agent-check: one line of words, with spaces,
//! tabs or commas between them. Here, a number without `%`, alone or as `weight:N`, is an absolute weight.

use std::rc::Rc;
use std::time::Duration;

use vipkit_config::Agent;

use super::attempt::within;
use super::line::Lines;
use super::{Checker, Means, Running, Steps, connect, words};
use crate::verdict::{Finding, Outcome};
use crate::weight::Weight;

/// Greatest weight, as of a server of IPVS.
const WEIGHT_MAX: u32 = 65_535;

impl Checker for Agent {
    fn run(&self, means: &Rc<Means>, steps: &Steps, timeout: Duration) -> Running {
        let Self { target, path, close, send } = self.clone();
        within(means, steps, timeout, async move |attempt| {
            let address = attempt.address(&target, &path).await?;
            let stream = connect::tcp(address, &path, close, &attempt.steps).await?;
            let mut lines = Lines::new(stream);
            if let Some(text) = send {
                lines.say(&text).await?;
            }
            let line = lines.next().await?;
            attempt.steps.done("answer");
            judge(&line)
        })
    }
}

/// What the words of a line come to.
#[derive(Debug, Default)]
struct Said<'a> {
    /// Up or down.
    up: Option<bool>,
    /// What the administrator wants.
    admin: Option<Admin>,
    weight: Option<Weight>,
    /// The word that says that it is not well.
    down: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Admin {
    Ready,
    Drain,
    Maintenance,
}

/// What an agent's line says.
///
/// # Errors
/// It says that the target is not well, or is none of an agent.
pub fn judge(line: &[u8]) -> Result<Finding, Outcome> {
    let shown = words::line(line);
    let no_agent = || match shown.as_str() {
        "" => Outcome::failed("no agent: answered nothing"),
        shown => Outcome::failed(format_args!("no agent: answered {shown:?}")),
    };
    let text = std::str::from_utf8(line).map_err(|_| no_agent())?.to_ascii_lowercase();
    let said = text.split('#').next().unwrap_or_default();
    let said = Said::of(said).ok_or_else(no_agent)?;
    // As it wrote it: "disk full" may be "Disk full".
    let why = shown.split_once('#').map(|(_, why)| why.trim()).filter(|why| !why.is_empty());
    let with_why = |word: &str| match why {
        Some(why) => format!("{word}: {why}"),
        None => word.to_owned(),
    };
    match said {
        Said { up: Some(false), down, .. } => Err(Outcome::failed(with_why(down))),
        Said { admin: Some(Admin::Maintenance), .. } => Err(Outcome::failed(with_why("in maintenance"))),
        Said { admin: Some(Admin::Drain), .. } => {
            let none = Some(Weight::Absolute(0));
            Ok(Finding { reason: with_why("drains"), weight: none, ..Finding::default() })
        }
        Said { weight, .. } => Ok(Finding { reason: with_why("up"), weight, ..Finding::default() }),
    }
}

impl<'a> Said<'a> {
    /// None: there is no word, one that is unknown, or one that says the contrary of another.
    fn of(text: &'a str) -> Option<Self> {
        let mut said = Self::default();
        let mut words = text.split([' ', '\t', ',']).filter(|word| !word.is_empty()).peekable();
        words.peek()?;
        words.all(|word| said.take(word)).then_some(said)
    }

    fn take(&mut self, word: &'a str) -> bool {
        match word {
            "up" => once(&mut self.up, true),
            "down" | "fail" | "failed" | "stopped" => {
                self.down = word;
                once(&mut self.up, false)
            }
            "ready" => once(&mut self.admin, Admin::Ready),
            "drain" => once(&mut self.admin, Admin::Drain),
            "maint" => once(&mut self.admin, Admin::Maintenance),
            // Connections are not limited here.
            _ if word.strip_prefix("maxconn:").is_some_and(|most| number(most).is_some()) => true,
            _ => weight(word).is_some_and(|weight| once(&mut self.weight, weight)),
        }
    }
}

/// Whether it is not said otherwise.
fn once<T: Copy + PartialEq>(said: &mut Option<T>, value: T) -> bool {
    *said.get_or_insert_with(|| value) == value
}

fn weight(word: &str) -> Option<Weight> {
    let within = |digits: &str| number(digits).filter(|number| *number <= WEIGHT_MAX);
    match word.strip_suffix('%') {
        Some(digits) => within(digits).map(Weight::Percent),
        None => {
            let digits = word.strip_prefix("weight:").unwrap_or(word);
            within(digits).map(|number| Weight::Absolute(number.into()))
        }
    }
}

/// Digits only: Rust would take a sign.
fn number(digits: &str) -> Option<u32> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use vipkit_config::{Close, Path};

    use super::super::testing::{End, SHORT, Server, drips, floods, means, run, says, serve};
    use super::*;

    fn agent(server: &Server) -> Agent {
        Agent { target: server.address.into(), path: Path::default(), close: Close::Fin, send: None }
    }

    #[test]
    fn every_word_and_what_words_come_to() {
        use Weight::{Absolute, Percent};
        for (line, reason, weight) in [
            ("up", "up", None),
            ("UP", "up", None),
            ("ready", "up", None),
            ("up ready 75%", "up", Some(Percent(75))),
            ("75%", "up", Some(Percent(75))),
            ("0%,up", "up", Some(Percent(0))),
            ("120", "up", Some(Absolute(120))),
            ("weight:120\tup", "up", Some(Absolute(120))),
            ("up maxconn:30 # Warm", "up: Warm", None),
            ("drain", "drains", Some(Absolute(0))),
            ("up drain 75% # by hand", "drains: by hand", Some(Absolute(0))),
            ("120 120", "up", Some(Absolute(120))),
        ] {
            let expected = Finding { reason: reason.to_owned(), weight, warning: None };
            assert_eq!(judge(line.as_bytes()), Ok(expected), "{line}");
        }
        for (line, reason) in [
            ("down", "down"),
            ("down 50%", "down"),
            ("fail#Disk full", "fail: Disk full"),
            ("failed # ", "failed"),
            ("stopped ready", "stopped"),
            ("maint # until noon", "in maintenance: until noon"),
            ("up maint", "in maintenance"),
            ("", "no agent: answered nothing"),
            ("# up", "no agent: answered \"# up\""),
            ("up down", "no agent: answered \"up down\""),
            ("75% 80%", "no agent: answered \"75% 80%\""),
            ("ready maint", "no agent: answered \"ready maint\""),
            ("SSH-2.0-x", "no agent: answered \"SSH-2.0-x\""),
            ("-1", "no agent: answered \"-1\""),
            ("+1", "no agent: answered \"+1\""),
            ("%", "no agent: answered \"%\""),
            ("65536", "no agent: answered \"65536\""),
            ("maxconn:", "no agent: answered \"maxconn:\""),
        ] {
            assert_eq!(judge(line.as_bytes()), Err(Outcome::failed(reason)), "{line}");
        }
    }

    #[tokio::test]
    async fn an_agent_may_want_to_be_asked() {
        let server = serve("::1", |mut stream| async move {
            let mut asked = [0; 5];
            stream.read_exact(&mut asked).await.unwrap();
            let answer: &[u8] = if &asked == b"how?\n" { b"up 50%\nmore" } else { b"down\n" };
            stream.write_all(answer).await.unwrap();
        })
        .await;
        let asking = Agent { send: Some("how?\n".to_owned()), ..agent(&server) };
        let weight = Some(Weight::Percent(50));
        let expected = Finding { reason: "up".to_owned(), weight, warning: None };
        assert_eq!(run(&asking).await, Outcome::Passed(expected));
    }

    #[tokio::test]
    async fn hostile_agents_fail_in_time() {
        let closed = "closed before the answer";
        let reset = "reset before the answer";
        for (server, why) in [
            (says(b"", false, End::Half).await, closed),
            (says(b"", false, End::Reset).await, reset),
            (floods(b"", b"up ").await, "line longer than 4096 bytes"),
            (floods(b"", b"\0").await, "line longer than 4096 bytes"),
        ] {
            assert_eq!(run(&agent(&server)).await, Outcome::failed(why));
        }
        for server in [drips(b"u").await, says(b"up", false, End::Never).await] {
            let late = agent(&server).run(&means(), &Steps::default(), SHORT).await;
            assert_eq!(late, Outcome::failed("no answer within 300ms"));
        }
    }

    proptest! {
        #[test]
        fn any_line_is_judged(line in any::<Vec<u8>>()) {
            let _ = judge(&line);
        }

        #[test]
        fn any_words_are_judged(words in "(up|down|maint|drain|ready|[0-9]{1,6}%?|weight:[0-9]{1,3}|#|[ ,]){0,8}") {
            let judged = judge(words.as_bytes());
            let never = matches!(judged, Err(Outcome::CouldNotRun { .. } | Outcome::Passed(_)));
            prop_assert!(!never, "{:?}", judged);
        }
    }
}
