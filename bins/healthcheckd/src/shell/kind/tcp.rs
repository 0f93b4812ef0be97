//! `tcp`: whether the target accepts a connection.
//!
//! The connection is closed the ordinary way. A reset would spare this host the sockets in TIME-WAIT, but servers log it
//! as a client that broke off. They do not add up: there is one for each check and interval of the last minute, and ports
//! are counted for each target alone.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpStream;
use tokio::time;
use vipkit_config::Tcp;

use super::{Checker, Running};
use crate::verdict::Outcome;

impl Checker for Tcp {
    fn run(&self, timeout: Duration) -> Running {
        let Self { target, source } = self.clone();
        Box::pin(async move {
            time::timeout(timeout, connect(target, source)).await.unwrap_or_else(|_| Outcome::Failed {
                reason: format!("no answer within {}", humantime::format_duration(timeout)),
            })
        })
    }
}

/// How far it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// On this host, before anything was sent.
    Bind(IpAddr),
    /// On this host, too: what hinders it shows at once.
    Send,
    /// What the network or the target answered.
    Answer,
}

async fn connect(target: SocketAddr, source: Option<IpAddr>) -> Outcome {
    let stream = match begin(target, source) {
        Ok(stream) => stream,
        Err((stage, error)) => return blame(stage, &error),
    };
    match answer(stream).await {
        // On this host, a connection may find its own port where nobody listens.
        Ok((local, peer)) if local == peer => failed("connected to itself: nobody listens"),
        Ok(_) => Outcome::Passed { reason: "connected".to_owned() },
        Err(error) => blame(Stage::Answer, &error),
    }
}

/// Sends the first packet; nothing of it waits.
fn begin(target: SocketAddr, source: Option<IpAddr>) -> Result<TcpStream, (Stage, io::Error)> {
    let send = |error| (Stage::Send, error);
    let domain = Domain::for_address(target);
    let socket = Socket::new(domain, Type::STREAM.nonblocking(), Some(Protocol::TCP)).map_err(send)?;
    if let Some(source) = source {
        let bind = |error| (Stage::Bind(source), error);
        // Else the port would be taken for all targets, and there are too few for that.
        setsockopt(&socket, sockopt::IpBindAddressNoPort, &true).map_err(|errno| bind(errno.into()))?;
        socket.bind(&SocketAddr::new(source, 0).into()).map_err(bind)?;
    }
    match socket.connect(&target.into()) {
        Err(error) if error.raw_os_error() != Some(Errno::EINPROGRESS as i32) => Err(send(error)),
        _ => TcpStream::from_std(socket.into()).map_err(send),
    }
}

/// Waits for what comes of it: both ends of the connection.
async fn answer(stream: TcpStream) -> io::Result<(SocketAddr, SocketAddr)> {
    stream.writable().await?;
    match stream.take_error()? {
        Some(error) => Err(error),
        None => Ok((stream.local_addr()?, stream.peer_addr()?)),
    }
}

/// Who is to blame for an error: the target, or this host.
fn blame(stage: Stage, error: &io::Error) -> Outcome {
    let errno = error.raw_os_error().map(Errno::from_raw);
    match (stage, error.kind(), errno) {
        (_, ErrorKind::ConnectionRefused, _) => failed("refused"),
        (_, ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::NotConnected, _) => {
            failed("accepted and broken off")
        }
        (_, ErrorKind::HostUnreachable, _) => failed("no route to host"),
        (_, ErrorKind::TimedOut, _) => failed("no answer"),
        (_, _, Some(Errno::EMFILE | Errno::ENFILE)) => {
            hindered("no file descriptor left", "raise LimitNOFILE= of healthcheckd, or fs.file-max")
        }
        (_, _, Some(Errno::ENOBUFS | Errno::ENOMEM)) => hindered("no memory left", "see `free` and tcp_mem"),
        (Stage::Answer, ..) => failed(error),
        (_, ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown, _) => {
            hindered("no route from this host", "see `ip route get` for the target")
        }
        (Stage::Bind(source), ErrorKind::AddrNotAvailable, _) => {
            hindered(format_args!("{source} is no address of this host"), "add it, or change `source`")
        }
        (Stage::Send, ErrorKind::AddrNotAvailable | ErrorKind::AddrInUse, _) => {
            hindered("no local port left", "widen net.ipv4.ip_local_port_range")
        }
        (Stage::Send, ErrorKind::PermissionDenied, _) => {
            hindered("not permitted on this host", "see its packet filter, and routes of type prohibit")
        }
        (Stage::Bind(_), ..) => hindered(error, "see whether `source` can reach the target"),
        (Stage::Send, ..) => hindered(error, "see `ip route get` for the target"),
    }
}

fn failed(reason: impl fmt::Display) -> Outcome {
    Outcome::Failed { reason: reason.to_string() }
}

fn hindered(reason: impl fmt::Display, remedy: &str) -> Outcome {
    Outcome::CouldNotRun { reason: reason.to_string(), remedy: remedy.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream as StdStream};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    async fn run(target: SocketAddr, source: Option<&str>) -> Outcome {
        let source = source.map(|source| source.parse().unwrap());
        Tcp { target, source }.run(PATIENCE).await
    }

    fn loopback() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = listener.local_addr().unwrap();
        (listener, target)
    }

    #[tokio::test]
    async fn who_accepts_passes_from_the_source_that_was_asked_for() {
        let (listener, target) = loopback();
        for source in [None, Some("127.0.0.9")] {
            let passed = Outcome::Passed { reason: "connected".to_owned() };
            assert_eq!(run(target, source).await, passed);
            let (_, peer) = listener.accept().unwrap();
            assert_eq!(peer.ip().to_string(), source.unwrap_or("127.0.0.1"));
        }
    }

    #[tokio::test]
    async fn the_connection_is_closed_the_ordinary_way() {
        use std::io::Read as _;
        let (listener, target) = loopback();
        run(target, None).await;
        let (mut stream, _) = listener.accept().unwrap();
        assert_eq!(stream.read(&mut [0]).unwrap(), 0, "no reset");
    }

    #[tokio::test]
    async fn who_refuses_or_does_not_answer_fails() {
        let (listener, target) = loopback();
        drop(listener);
        assert_eq!(run(target, None).await, failed("refused"));
        // A full queue of connections answers nothing.
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
        socket.listen(0).unwrap();
        let target = socket.local_addr().unwrap().as_socket().unwrap();
        let _first = StdStream::connect(target).unwrap();
        let silent = Tcp { target, source: None }.run(Duration::from_millis(50)).await;
        assert_eq!(silent, failed("no answer within 50ms"));
    }

    #[tokio::test]
    async fn a_source_that_is_not_here_says_nothing_about_the_target() {
        let (_listener, target) = loopback();
        let expected = hindered("192.0.2.9 is no address of this host", "add it, or change `source`");
        assert_eq!(run(target, Some("192.0.2.9")).await, expected);
    }

    #[test]
    fn what_is_on_this_host_is_never_the_targets_fault() {
        let bind = Stage::Bind("192.0.2.9".parse().unwrap());
        for (stage, errno, is_failure) in [
            (Stage::Answer, Errno::ECONNREFUSED, true),
            (Stage::Send, Errno::ECONNREFUSED, true),
            (Stage::Answer, Errno::ECONNRESET, true),
            (Stage::Answer, Errno::EHOSTUNREACH, true),
            (Stage::Send, Errno::EHOSTUNREACH, true),
            (Stage::Answer, Errno::ETIMEDOUT, true),
            (Stage::Answer, Errno::ENETUNREACH, true),
            (Stage::Answer, Errno::ENOPROTOOPT, true),
            (Stage::Answer, Errno::EMFILE, false),
            (Stage::Send, Errno::EMFILE, false),
            (Stage::Send, Errno::ENFILE, false),
            (Stage::Send, Errno::ENOBUFS, false),
            (Stage::Answer, Errno::ENOMEM, false),
            (Stage::Send, Errno::ENETUNREACH, false),
            (Stage::Send, Errno::ENETDOWN, false),
            (Stage::Send, Errno::EADDRNOTAVAIL, false),
            (bind, Errno::EADDRNOTAVAIL, false),
            (Stage::Send, Errno::EPERM, false),
            (Stage::Send, Errno::EACCES, false),
            (Stage::Send, Errno::EINVAL, false),
            (Stage::Send, Errno::ENOSPC, false),
            (Stage::Send, Errno::EAFNOSUPPORT, false),
        ] {
            let outcome = blame(stage, &errno.into());
            assert_eq!(
                matches!(outcome, Outcome::Failed { .. }),
                is_failure,
                "{stage:?} {errno}: {outcome:?}"
            );
        }
    }
}
