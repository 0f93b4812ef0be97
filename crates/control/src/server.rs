//! Serves a socket: accepts, reads calls, checks them against the method table, writes the answers in order.
//! One task a connection, on a current-thread runtime inside a `LocalSet`. All of it shares that thread with
//! a protocol that has deadlines, so over all connections one call or page is worked on per turn of the loop.
//! Must not know an interface: that is the handler's.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::call::Call;
use crate::codec::Decoder;
use crate::error::Error;
use crate::handler::{Dropped, Event, Handler, Outcome, Reply, Stream};
use crate::rights::{NEEDED, Peer, Rights};

/// Pause after the system refused to accept, usually for want of file descriptors.
pub const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// Read at a time.
const CHUNK: usize = 8 * 1024;

/// What a server allows. Besides: [`crate::codec::MAX_MESSAGE`] each way, one call at a time a connection.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Connections; further ones are closed at once.
    pub clients: usize,
    /// A connection without a call or a stream for this long is closed.
    pub idle: Duration,
    /// A message not taken within this is the connection's last.
    pub stall: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { clients: 64, idle: Duration::from_secs(300), stall: Duration::from_secs(30) }
    }
}

/// Asks the kernel who is at the other end of a connection.
pub type Identify = fn(BorrowedFd<'_>) -> io::Result<Peer>;

/// A server before it runs.
pub struct Server {
    /// The daemon.
    pub handler: Rc<dyn Handler>,
    /// Who may call changing methods.
    pub rights: Rights,
    /// Says who the peer is.
    pub identify: Identify,
    /// Bounds.
    pub bounds: Bounds,
}

impl Server {
    /// Serves for ever; dropping the future closes every connection. Must be run inside a `LocalSet`.
    pub async fn run(self, listener: UnixListener) -> Infallible {
        let shared = Rc::new(Shared { server: self, turn: Mutex::new(()) });
        let Shared { server, .. } = &*shared;
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                biased;
                Some(_) = connections.join_next() => continue,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok(_) if connections.len() >= server.bounds.clients => server.handler.event(Event::Full),
                Ok((stream, _)) => match (server.identify)(stream.as_fd()) {
                    Ok(peer) => {
                        let connection = Connection { shared: shared.clone(), stream, peer };
                        connections.spawn_local(connection.run());
                    }
                    Err(error) => server.handler.event(Event::Unidentified(&error)),
                },
                Err(error) => {
                    server.handler.event(Event::NotAccepting(&error));
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

struct Shared {
    server: Server,
    /// Held by the one connection that works in this turn of the loop.
    turn: Mutex<()>,
}

impl Shared {
    /// Does a piece of work alone in a turn: the next holder waits until the loop has polled its timers and
    /// sockets, however many connections have something to do.
    async fn turn<T>(&self, work: impl FnOnce() -> T) -> T {
        let _turn = self.turn.lock().await;
        let result = work();
        tokio::task::yield_now().await;
        result
    }
}

struct Connection {
    shared: Rc<Shared>,
    stream: UnixStream,
    peer: Peer,
}

impl Connection {
    async fn run(mut self) {
        if let Err(reason) = self.serve().await {
            self.shared.server.handler.event(Event::Dropped { caller: &self.peer, reason: &reason });
        }
    }

    /// Until the peer leaves.
    async fn serve(&mut self) -> Result<(), Dropped> {
        let shared = self.shared.clone();
        let mut decoder = Decoder::default();
        loop {
            let next = timeout(shared.server.bounds.idle, self.next(&mut decoder));
            let Some(message) = next.await.map_err(|_| Dropped::Idle)?? else { return Ok(()) };
            let (call, outcome) = shared.turn(|| self.answer(&message)).await?;
            let reply = match outcome {
                Outcome::Now(reply) => reply,
                Outcome::Later(reply) => reply.await,
                Outcome::Stream(_) if !decoder.is_empty() => return Err(Dropped::BusyStreaming),
                Outcome::Stream(stream) => return self.stream(stream).await,
            };
            if !call.oneway {
                self.write(reply).await?;
            }
        }
    }

    /// The next message; none when the peer will send no more.
    async fn next(&mut self, decoder: &mut Decoder) -> Result<Option<Vec<u8>>, Dropped> {
        loop {
            if let Some(message) = decoder.message().map_err(Dropped::BadMessage)? {
                return Ok(Some(message));
            }
            let mut chunk = Vec::with_capacity(CHUNK);
            if self.stream.read_buf(&mut chunk).await? == 0 {
                return Ok(None);
            }
            decoder.push(&chunk);
        }
    }

    /// Works on one message: parse, check, ask the handler.
    fn answer(&self, message: &[u8]) -> Result<(Call, Outcome), Dropped> {
        let call = Call::parse(message).map_err(Dropped::BadMessage)?;
        let outcome = match self.check(&call) {
            Err(error) => Outcome::reply::<()>(Err(error)),
            Ok(()) => {
                let handler = &self.shared.server.handler;
                handler.service().answer(&call).unwrap_or_else(|| handler.call(&call, &self.peer))
            }
        };
        Ok((call, outcome))
    }

    /// What holds for every method, by its row in the table.
    fn check(&self, call: &Call) -> Result<(), Error> {
        let Server { handler, rights, .. } = &self.shared.server;
        let method = handler.service().method(&call.method)?;
        if call.upgrade {
            return Err(Error::method_not_implemented(method.name));
        }
        if method.streams && (call.oneway || !call.more) {
            return Err(Error::expected_more());
        }
        if method.changes {
            if !rights.may_change(&self.peer) {
                handler.event(Event::Denied { method: method.name, caller: &self.peer });
                return Err(Error::permission_denied(self.peer.uid, NEEDED));
            }
            handler.event(Event::Changing { method: method.name, caller: &self.peer });
        }
        Ok(())
    }

    /// Replies whenever there is something new and the last reply was taken, until the peer leaves.
    async fn stream(&mut self, mut source: Box<dyn Stream>) -> Result<(), Dropped> {
        let shared = self.shared.clone();
        loop {
            let mut unexpected = [0];
            tokio::select! {
                read = self.stream.read(&mut unexpected) => return match read? {
                    0 => Ok(()),
                    _ => Err(Dropped::BusyStreaming),
                },
                () = poll_fn(|context| source.poll_ready(context)) => {}
            }
            let reply = shared.turn(|| source.reply()).await;
            self.write(reply).await?;
        }
    }

    async fn write(&mut self, reply: Reply) -> Result<(), Dropped> {
        let frame = reply.map_err(Dropped::BadReply)?;
        let written = timeout(self.shared.server.bounds.stall, self.stream.write_all(frame.bytes()));
        Ok(written.await.map_err(|_| Dropped::Stalled)??)
    }
}

#[cfg(test)]
mod tests;
