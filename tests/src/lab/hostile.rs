//! A TCP server that is up to no good: it is silent, never ends, breaks off, or speaks of something else.
//! Must not look at what it is asked.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use socket2::{SockRef, Socket};

use super::host::Host;
use super::worker::Worker;

/// Between two looks whether it is over.
const PATIENCE: Duration = Duration::from_millis(100);
/// How long it waits to be asked.
const QUESTION: Duration = Duration::from_millis(50);
/// Between two bytes of [`Behaviour::Drips`].
const DRIP: Duration = Duration::from_millis(100);
/// How long each side of [`Behaviour::Relays`] is listened to in turn.
const TURN: Duration = Duration::from_millis(2);
/// From one place where [`Behaviour::Relays`] breaks off to the next.
const STRIDE: usize = 7;

/// What it does with a connection. All but [`Behaviour::Relays`] says something first, once it was asked or is tired of
/// waiting for that.
#[derive(Clone, Copy, Debug)]
pub enum Behaviour {
    /// Then nothing more.
    Waits(&'static [u8]),
    /// Then a byte from time to time, without end.
    Drips(&'static [u8]),
    /// Then the same again and again, as fast as it is taken, without end.
    Floods(&'static [u8], &'static [u8]),
    /// Then it says that there is no more to come, and listens on.
    HalfCloses(&'static [u8]),
    /// Then it resets the connection.
    Resets(&'static [u8]),
    /// Gives what another server says, and resets the connection after less than so many bytes of it: each time others.
    Relays(SocketAddr, usize),
}

/// The server.
#[derive(Debug)]
pub struct Hostile {
    stop: Arc<AtomicBool>,
    _worker: Worker,
}

impl Hostile {
    /// Starts it on a port of all addresses.
    #[must_use]
    pub fn on(host: &Host, port: u16, behaviour: Behaviour) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        // The threads that it starts live in the namespace, too.
        let worker = host.namespace().within(|| {
            let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).unwrap();
            let listener = Socket::from(listener);
            listener.set_read_timeout(Some(PATIENCE)).unwrap();
            let (stop, mut count) = (stop.clone(), 0);
            Worker::start(move || {
                let Ok((client, _)) = listener.accept() else { return };
                let (stop, number) = (stop.clone(), count);
                count += 1;
                // What it meets is none of its business: it goes on with the next.
                thread::spawn(move || behaviour.serve(client.into(), number, &stop));
            })
        });
        Self { stop, _worker: worker }
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Behaviour {
    fn serve(self, mut client: TcpStream, number: usize, stop: &AtomicBool) -> std::io::Result<()> {
        let goes_on = || !stop.load(Ordering::Relaxed);
        client.set_read_timeout(Some(QUESTION))?;
        if !matches!(self, Self::Relays(..)) {
            let _ = client.read(&mut [0; 4096]);
        }
        client.set_read_timeout(Some(PATIENCE))?;
        client.set_write_timeout(Some(PATIENCE))?;
        client.set_nodelay(true)?;
        match self {
            Self::Waits(first) => {
                client.write_all(first)?;
                drain(&mut client, goes_on)
            }
            Self::Drips(first) => {
                client.write_all(first)?;
                while goes_on() {
                    client.write_all(b"x")?;
                    thread::sleep(DRIP);
                }
                Ok(())
            }
            Self::Floods(first, then) => {
                client.write_all(first)?;
                let block = then.repeat(16 * 1024 / then.len());
                while goes_on() {
                    client.write_all(&block)?;
                }
                Ok(())
            }
            Self::HalfCloses(first) => {
                client.write_all(first)?;
                client.shutdown(Shutdown::Write)?;
                drain(&mut client, goes_on)
            }
            Self::Resets(first) => {
                client.write_all(first)?;
                reset(client)
            }
            Self::Relays(server, most) => relay(client, server, number * STRIDE % most, goes_on),
        }
    }
}

/// Takes what comes until the other side is gone.
fn drain(client: &mut TcpStream, goes_on: impl Fn() -> bool) -> std::io::Result<()> {
    while goes_on() {
        match client.read(&mut [0; 4096]) {
            Ok(0) => break,
            Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn reset(client: TcpStream) -> std::io::Result<()> {
    SockRef::from(&client).set_linger(Some(Duration::ZERO))
}

fn relay(
    mut client: TcpStream,
    server: SocketAddr,
    mut left: usize,
    goes_on: impl Fn() -> bool,
) -> std::io::Result<()> {
    let mut server = TcpStream::connect(server)?;
    for side in [&client, &server] {
        side.set_read_timeout(Some(TURN))?;
    }
    let mut buffer = [0; 4096];
    let mut pass =
        |from: &mut TcpStream, to: &mut TcpStream, most: usize| match from.read(&mut buffer[..most]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(length) => to.write_all(&buffer[..length]).map(|()| length),
            Err(error) => Err(error),
        };
    while left > 0 && goes_on() {
        pass(&mut client, &mut server, 4096)?;
        left -= pass(&mut server, &mut client, left.min(4096))?;
    }
    reset(client)
}
