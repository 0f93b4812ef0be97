//! `vipctl watch`: follows vrrpd's Monitor. As text it outlives the daemon; as JSON it is the stream, and ends with it.

use std::io;
use std::os::fd::AsFd as _;
use std::thread;
use std::time::{Duration, SystemTime};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde_json::Value;
use vipkit_control::call::NoParameters;
use vipkit_control::client::{ClientError, Replies};
use vipkit_control::vrrp::MONITOR;

use super::{Context, write};
use crate::daemons::VRRPD;
use crate::failure::{Exit, Failure};
use crate::link::Target;
use crate::render::json;
use crate::render::text::{Text, Tone};
use crate::render::time;
use crate::render::watch::Story;

/// Between two attempts to find the daemon again.
const PAUSE: Duration = Duration::from_secs(1);

pub fn run(context: &Context, reconnect: bool) -> Result<Exit, Failure> {
    leave_with_the_reader();
    let target = VRRPD.target();
    let mut teller = Teller { context, story: Story::default() };
    let mut stream = follow(context, &target)?;
    loop {
        let ended = teller.tell_all(&target, stream)?;
        let goes_on = reconnect || !context.json;
        if !goes_on || !is_gone(&ended) {
            return Err(target.failure(ended));
        }
        teller.remark(Tone::Bad, &format!("lost, {ended}; waiting for it"))?;
        stream = loop {
            thread::sleep(PAUSE);
            if let Ok(stream) = follow(context, &target) {
                break stream;
            }
        };
    }
}

/// A stream that has begun.
struct Begun {
    first: Value,
    rest: Replies<Value>,
}

/// Only a daemon that answers is there: one that accepts and closes is not.
fn follow(context: &Context, target: &Target) -> Result<Begun, Failure> {
    let client = target.connect(context.timeout)?;
    let mut rest = client.more(MONITOR, &NoParameters {}).map_err(|error| target.failure(error))?;
    let first = rest.next().unwrap_or(Err(ClientError::Closed)).map_err(|error| target.failure(error))?;
    Ok(Begun { first, rest })
}

/// What ends when a daemon does; other errors would come again.
const fn is_gone(error: &ClientError) -> bool {
    matches!(error, ClientError::Closed | ClientError::Io(_) | ClientError::TimedOut(_))
}

struct Teller<'c> {
    context: &'c Context,
    story: Story,
}

impl Teller<'_> {
    /// Tells a stream to its end; why it ended.
    fn tell_all(&mut self, target: &Target, Begun { first, rest }: Begun) -> Result<ClientError, Failure> {
        for reply in std::iter::once(Ok(first)).chain(rest) {
            match reply {
                Ok(reply) => self.tell(target, reply)?,
                Err(error) => return Ok(error),
            }
        }
        Ok(ClientError::Closed)
    }

    fn tell(&mut self, target: &Target, reply: Value) -> Result<(), Failure> {
        if self.context.json {
            return write(&json::line(&reply).map_err(io::Error::from)?);
        }
        let step =
            serde_json::from_value(reply).map_err(|error| target.failure(ClientError::Parameters(error)))?;
        write(&self.story.tell(step, SystemTime::now(), self.context.style))
    }

    /// Something that is not in the stream.
    fn remark(&self, tone: Tone, words: &str) -> Result<(), Failure> {
        if self.context.json {
            eprintln!("vipctl: {} {words}", VRRPD.name);
            return Ok(());
        }
        let mut text = Text::new(self.context.style);
        text.put(Tone::Faint, &time::stamp(SystemTime::now()))
            .skip(2)
            .say(VRRPD.name)
            .skip(5)
            .put(tone, words)
            .end();
        write(&text.finish())
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
