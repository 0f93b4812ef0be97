//! `vipctl watch`: follows the Monitor of every daemon that there should be, or of one. As text it outlives them; as JSON it is
//! their streams, and ends with the first that does. One thread a daemon reads, this one tells.

use std::io;
use std::os::fd::AsFd as _;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, SystemTime};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde_json::{Map, Value};
use vipkit_control::call::NoParameters;
use vipkit_control::client::{ClientError, Replies};

use super::{Context, write};
use crate::cli::Watched;
use crate::daemons::{Daemon, healthcheckd, ipvs_sync, vrrpd};
use crate::failure::{Exit, Failure};
use crate::fleet;
use crate::render::json;
use crate::render::text::Tone;
use crate::render::watch::{Days, Tell, remark};

/// Between two attempts to find a daemon again.
const PAUSE: Duration = Duration::from_secs(1);
/// Replies that wait to be told; beyond them the daemons wait.
const WAITING_MAX: usize = 16;

pub fn run(context: &Context, what: Option<Watched>, reconnect: bool) -> Result<Exit, Failure> {
    leave_with_the_reader();
    let goes_on = reconnect || !context.json;
    let daemons: Vec<_> = match what {
        Some(Watched::Health) => vec![&healthcheckd::ROW],
        Some(Watched::Services) => vec![&ipvs_sync::ROW],
        Some(Watched::Vrrp) => vec![&vrrpd::ROW],
        None => fleet::muster(context.timeout).into_iter().map(|member| member.daemon).collect(),
    };
    let begun: Vec<_> = daemons.iter().map(|daemon| follow(daemon, context.timeout)).collect();
    let is_hopeless = begun.iter().all(Result::is_err) || !goes_on;
    let (sender, events) = sync_channel(WAITING_MAX);
    let mut tellers = Vec::new();
    let mut days = Days::default();
    for (number, (daemon, begun)) in daemons.into_iter().zip(begun).enumerate() {
        let teller = Teller { context, daemon, story: (daemon.story)() };
        let begun = match begun {
            Ok(begun) => Some(begun),
            Err(error) if is_hopeless => return Err(daemon.target().failure(error)),
            Err(error) => {
                teller.remark(
                    &mut days,
                    &format!("cannot be followed: {}; waiting for it", teller.why(&error)),
                )?;
                None
            }
        };
        tellers.push(teller);
        let follower = Follower { number, daemon, timeout: context.timeout, goes_on, sender: sender.clone() };
        thread::spawn(move || follower.run(begun));
    }
    drop(sender);
    tell_all(&mut tellers, events, &mut days, goes_on)
}

/// Until a stream ends that cannot be begun anew.
fn tell_all(
    tellers: &mut [Teller<'_>],
    events: Receiver<Event>,
    days: &mut Days,
    goes_on: bool,
) -> Result<Exit, Failure> {
    for (number, reply) in events {
        let Some(teller) = tellers.get_mut(number) else { continue };
        match reply {
            Ok(reply) => teller.tell(days, reply)?,
            Err(error) if goes_on && is_gone(&error) => {
                teller.remark(days, &format!("lost, {error}; waiting for it"))?;
            }
            Err(error) => return Err(teller.daemon.target().failure(error)),
        }
    }
    Ok(Exit::Unreachable)
}

/// A reply to the daemon of that number, or the end of its stream.
type Event = (usize, Result<Value, ClientError>);

/// A stream that has begun.
struct Begun {
    first: Value,
    rest: Replies<Value>,
}

/// Only a daemon that answers is there: one that accepts and closes is not.
fn follow(daemon: &Daemon, timeout: Duration) -> Result<Begun, ClientError> {
    let client = daemon.target().open(timeout)?;
    let mut rest = client.more(daemon.monitor, &NoParameters {})?;
    let first = rest.next().unwrap_or(Err(ClientError::Closed))?;
    Ok(Begun { first, rest })
}

/// What ends when a daemon does; other errors would come again.
const fn is_gone(error: &ClientError) -> bool {
    matches!(error, ClientError::Closed | ClientError::Io(_) | ClientError::TimedOut(_))
}

/// Reads the streams of one daemon.
struct Follower {
    number: usize,
    daemon: &'static Daemon,
    timeout: Duration,
    goes_on: bool,
    sender: SyncSender<Event>,
}

impl Follower {
    /// Until there is nothing more to read, or nobody to tell it.
    fn run(self, mut begun: Option<Begun>) {
        loop {
            let stream = begun.take().unwrap_or_else(|| self.wait());
            if !self.hand_over(stream) || !self.goes_on {
                return;
            }
        }
    }

    /// Reads a stream to its end; whether there is anybody to tell it.
    fn hand_over(&self, Begun { first, rest }: Begun) -> bool {
        let ended = std::iter::once(Err(ClientError::Closed));
        for reply in std::iter::once(Ok(first)).chain(rest).chain(ended) {
            let is_over = reply.is_err();
            if self.sender.send((self.number, reply)).is_err() {
                return false;
            }
            if is_over {
                break;
            }
        }
        true
    }

    fn wait(&self) -> Begun {
        loop {
            thread::sleep(PAUSE);
            if let Ok(begun) = follow(self.daemon, self.timeout) {
                return begun;
            }
        }
    }
}

/// Tells what one daemon says.
struct Teller<'c> {
    context: &'c Context,
    daemon: &'static Daemon,
    story: Box<dyn Tell>,
}

impl Teller<'_> {
    fn tell(&mut self, days: &mut Days, reply: Value) -> Result<(), Failure> {
        if self.context.json {
            return write(&json::line(&self.signed(reply)).map_err(io::Error::from)?);
        }
        let now = SystemTime::now();
        let told = self.story.tell(reply, now, self.context.style);
        let told = told.map_err(|error| self.daemon.target().failure(ClientError::Parameters(error)))?;
        self.write(days, now, &told)
    }

    /// The reply, and whose it is.
    fn signed(&self, reply: Value) -> Value {
        let mut signed = Map::from_iter([("from".to_owned(), Value::from(self.daemon.name))]);
        match reply {
            Value::Object(fields) => signed.extend(fields),
            other => return other,
        }
        Value::Object(signed)
    }

    fn why(&self, error: &ClientError) -> String {
        self.daemon.target().unreachable(error).what
    }

    /// Something that is not in the stream.
    fn remark(&self, days: &mut Days, words: &str) -> Result<(), Failure> {
        if self.context.json {
            eprintln!("vipctl: {} {words}", self.daemon.name);
            return Ok(());
        }
        let now = SystemTime::now();
        self.write(days, now, &remark(self.daemon.name, Tone::Bad, words, now, self.context.style))
    }

    /// The lines of a moment, if there are some.
    fn write(&self, days: &mut Days, now: SystemTime, lines: &str) -> Result<(), Failure> {
        if lines.is_empty() {
            return Ok(());
        }
        write(&(days.turn(now, self.context.style) + lines))
    }
}

/// Ends the program when nobody reads it any more: that would only be seen with the next change, perhaps in weeks.
fn leave_with_the_reader() {
    thread::spawn(|| {
        let out = io::stdout();
        let mut watched = [PollFd::new(out.as_fd(), PollFlags::empty())];
        // No events are asked for, so what is reported is that the other end is gone.
        if poll(&mut watched, PollTimeout::NONE).is_ok() {
            std::process::exit(0);
        }
    });
}
