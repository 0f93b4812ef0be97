//! Connections to targets, for all kinds that connect: sockets are bound and marked, and what goes wrong is blamed on the
//! target or on this host. Must not know a kind of check, and must not wait for names.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpStream, UdpSocket};
use vipkit_config::{Close, Path};

use super::Steps;
use crate::verdict::Outcome;

/// A TCP connection.
///
/// # Errors
/// The outcome of a check that needs it.
pub async fn tcp(target: SocketAddr, path: &Path, close: Close, steps: &Steps) -> Result<TcpStream, Outcome> {
    let stream = begin(target, path, close).map_err(|(stage, error)| blame_at(stage, &error))?;
    let answer = |error| blame_at(Stage::Answer, &error);
    stream.writable().await.map_err(answer)?;
    if let Some(error) = stream.take_error().map_err(answer)? {
        return Err(answer(error));
    }
    if stream.local_addr().map_err(answer)? == target {
        return Err(itself());
    }
    steps.done("connect");
    Ok(stream)
}

/// On this host, a socket may be given the very port that it connects to, where nobody has it.
fn itself() -> Outcome {
    Outcome::failed("connected to itself: nobody listens")
}

/// A UDP socket that sends to a target, and gets nothing from others. What it gets is an error where the network or the
/// target's host sent an ICMP error for an earlier datagram: see [`blame`].
///
/// # Errors
/// The outcome of a check that needs it.
pub fn udp(target: SocketAddr, path: &Path) -> Result<UdpSocket, Outcome> {
    let socket = datagrams(target, Protocol::UDP, path)?;
    let local = socket.local_addr().map_err(|error| blame_sending(&error))?;
    if local == target { Err(itself()) } else { Ok(socket) }
}

/// The same for ICMP echo requests (icmp(7), `ping_group_range`): the kernel sets identifier and checksum, and hands over
/// replies to this identifier alone, from the ICMP header on.
///
/// # Errors
/// The outcome of a check that needs it.
pub fn icmp(target: IpAddr, path: &Path) -> Result<UdpSocket, Outcome> {
    let protocol = if target.is_ipv4() { Protocol::ICMPV4 } else { Protocol::ICMPV6 };
    datagrams(SocketAddr::new(target, 0), protocol, path)
}

fn datagrams(target: SocketAddr, protocol: Protocol, path: &Path) -> Result<UdpSocket, Outcome> {
    let begin = || {
        let socket = socket(target, Type::DGRAM, protocol, path)?;
        // Else only a refusal is an error, and hosts and networks that are out of reach are silence.
        let hears = match target {
            SocketAddr::V4(_) => setsockopt(&socket, sockopt::Ipv4RecvErr, &true),
            SocketAddr::V6(_) => setsockopt(&socket, sockopt::Ipv6RecvErr, &true),
        };
        hears.map_err(|errno| send(errno.into()))?;
        socket.connect(&target.into()).map_err(send)?;
        UdpSocket::from_std(socket.into()).map_err(send)
    };
    begin().map_err(|(stage, error)| blame_at(stage, &error))
}

/// How far it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage<'a> {
    /// On this host, before anything was sent.
    Open(Protocol),
    /// The same.
    Bind(IpAddr),
    /// The same.
    Interface(&'a str),
    /// The same.
    Mark,
    /// On this host, too: what hinders it shows at once.
    Send,
    /// What the network or the target answered.
    Answer,
    /// What became of a connection that was there.
    Talk,
}

fn send(error: io::Error) -> (Stage<'static>, io::Error) {
    (Stage::Send, error)
}

/// Sends the first packet; nothing of it waits.
fn begin(target: SocketAddr, path: &Path, close: Close) -> Result<TcpStream, (Stage<'_>, io::Error)> {
    let socket = socket(target, Type::STREAM, Protocol::TCP, path)?;
    if close == Close::Reset {
        socket.set_linger(Some(Duration::ZERO)).map_err(send)?;
    }
    match socket.connect(&target.into()) {
        Err(error) if error.raw_os_error() != Some(Errno::EINPROGRESS as i32) => Err(send(error)),
        _ => TcpStream::from_std(socket.into()).map_err(send),
    }
}

/// A socket whose packets leave by a path.
fn socket(
    target: SocketAddr,
    kind: Type,
    protocol: Protocol,
    path: &Path,
) -> Result<Socket, (Stage<'_>, io::Error)> {
    let opened = Socket::new(Domain::for_address(target), kind.nonblocking(), Some(protocol));
    let socket = opened.map_err(|error| (Stage::Open(protocol), error))?;
    if let Some(interface) = path.interface.as_deref() {
        let bound = socket.bind_device(Some(interface.as_bytes()));
        bound.map_err(|error| (Stage::Interface(interface), error))?;
    }
    if let Some(mark) = path.mark {
        socket.set_mark(mark).map_err(|error| (Stage::Mark, error))?;
    }
    if let Some(source) = path.source {
        let bind = |error| (Stage::Bind(source), error);
        // Else the port would be taken for all targets, and there are too few for that.
        setsockopt(&socket, sockopt::IpBindAddressNoPort, &true).map_err(|errno| bind(errno.into()))?;
        socket.bind(&SocketAddr::new(source, 0).into()).map_err(bind)?;
    }
    Ok(socket)
}

/// Who is to blame for an error of a connection that was there: the target, or this host.
#[must_use]
pub fn blame(error: &io::Error) -> Outcome {
    blame_at(Stage::Talk, error)
}

/// The same for what is being sent, where nothing was sent before: an answer is no part of it.
#[must_use]
pub fn blame_sending(error: &io::Error) -> Outcome {
    blame_at(Stage::Send, error)
}

fn blame_at(stage: Stage<'_>, error: &io::Error) -> Outcome {
    use Outcome as O;
    let errno = error.raw_os_error().map(Errno::from_raw);
    match (stage, error.kind(), errno) {
        (_, ErrorKind::ConnectionRefused, _) => O::failed("refused"),
        (Stage::Talk, ErrorKind::UnexpectedEof, _) => O::failed("closed before the answer"),
        (
            Stage::Talk,
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe,
            _,
        ) => O::failed("reset before the answer"),
        (_, ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::NotConnected, _) => {
            O::failed("accepted and broken off")
        }
        (_, ErrorKind::HostUnreachable, _) => O::failed("no route to host"),
        (_, ErrorKind::TimedOut, _) => O::failed("no answer"),
        (_, _, Some(Errno::EMFILE | Errno::ENFILE)) => {
            O::hindered("no file descriptor left", "raise LimitNOFILE= of healthcheckd, or fs.file-max")
        }
        (_, _, Some(Errno::ENOBUFS | Errno::ENOMEM)) => {
            O::hindered("no memory left", "see `free` and tcp_mem")
        }
        (Stage::Answer | Stage::Talk, ErrorKind::NetworkUnreachable, _) => O::failed("no route to network"),
        (Stage::Answer | Stage::Talk, ErrorKind::PermissionDenied, _) => O::failed("prohibited on the way"),
        (Stage::Answer | Stage::Talk, ..) => O::failed(error),
        (Stage::Open(Protocol::ICMPV4 | Protocol::ICMPV6), ErrorKind::PermissionDenied, _) => O::hindered(
            "ICMP sockets are not permitted to this group",
            "run `sysctl net.ipv4.ping_group_range=\"0 2147483647\"`, and install vipkit-ping.conf in /etc/sysctl.d",
        ),
        (Stage::Interface(name), _, Some(Errno::ENODEV)) => {
            O::hindered(format_args!("no interface {name}"), "bring it up, or change `interface`")
        }
        (Stage::Interface(_), ErrorKind::PermissionDenied, _) => {
            O::hindered("may not choose an interface", "run a kernel of 5.7 or later")
        }
        (Stage::Mark, ErrorKind::PermissionDenied, _) => {
            O::hindered("may not mark packets", "install the drop-in healthcheckd-mark.conf")
        }
        (_, ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown, _) => {
            O::hindered("no route from this host", "see `ip route get` for the target")
        }
        (Stage::Bind(source), ErrorKind::AddrNotAvailable, _) => {
            O::hindered(format_args!("{source} is no address of this host"), "add it, or change `source`")
        }
        // A datagram is told to come again where a connection is told that there is no address.
        (Stage::Send, ErrorKind::AddrNotAvailable | ErrorKind::AddrInUse | ErrorKind::WouldBlock, _) => {
            O::hindered("no local port left", "widen net.ipv4.ip_local_port_range")
        }
        (Stage::Send, ErrorKind::PermissionDenied, _) => {
            O::hindered("not permitted on this host", "see its packet filter, and routes of type prohibit")
        }
        (Stage::Open(_), ..) => O::hindered(error, "see whether the kernel has this family of addresses"),
        (Stage::Bind(_), ..) => O::hindered(error, "see whether `source` can reach the target"),
        (Stage::Interface(_), ..) => O::hindered(error, "see `interface`"),
        (Stage::Mark, ..) => O::hindered(error, "see `mark`"),
        (Stage::Send, ..) => O::hindered(error, "see `ip route get` for the target"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::net::TcpListener;

    use super::super::testing::nobody;
    use super::*;

    fn path(source: Option<&str>) -> Path {
        Path { source: source.map(|source| source.parse().unwrap()), ..Path::default() }
    }

    fn loopback() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = listener.local_addr().unwrap();
        (listener, target)
    }

    async fn connects(target: SocketAddr, path: &Path) -> Result<TcpStream, Outcome> {
        tcp(target, path, Close::Fin, &Steps::default()).await
    }

    #[tokio::test]
    async fn packets_leave_from_the_source_and_through_the_interface_that_were_asked_for() {
        let (listener, target) = loopback();
        for source in [None, Some("127.0.0.9")] {
            let path = Path { interface: Some("lo".to_owned()), ..path(source) };
            let _stream = connects(target, &path).await.unwrap();
            let (_, peer) = listener.accept().unwrap();
            assert_eq!(peer.ip().to_string(), source.unwrap_or("127.0.0.1"));
            let socket = udp(target, &path).unwrap();
            assert_eq!(socket.local_addr().unwrap().ip(), peer.ip());
        }
    }

    #[test]
    fn a_source_takes_no_port_from_other_targets() {
        let (_listener, target) = loopback();
        let path = path(Some("127.0.0.9"));
        for (kind, protocol) in [(Type::STREAM, Protocol::TCP), (Type::DGRAM, Protocol::UDP)] {
            let socket = socket(target, kind, protocol, &path).unwrap();
            assert_eq!(socket.local_addr().unwrap().as_socket().unwrap().to_string(), "127.0.0.9:0");
        }
    }

    #[tokio::test]
    async fn a_path_that_is_not_here_says_nothing_about_the_target() {
        let (_listener, target) = loopback();
        let source = path(Some("192.0.2.9"));
        let interface = Path { interface: Some("nothere0".to_owned()), ..Path::default() };
        for (path, expected) in [
            (source, ("192.0.2.9 is no address of this host", "add it, or change `source`")),
            (interface, ("no interface nothere0", "bring it up, or change `interface`")),
        ] {
            let expected = Outcome::hindered(expected.0, expected.1);
            assert_eq!(connects(target, &path).await.unwrap_err(), expected);
            assert_eq!(udp(target, &path).unwrap_err(), expected);
        }
    }

    #[tokio::test]
    async fn a_refused_datagram_is_an_error_of_its_socket() {
        let (_nobody, target) = nobody("127.0.0.1", Type::DGRAM);
        let socket = udp(target, &Path::default()).unwrap();
        socket.send(b"?").await.unwrap();
        let error = socket.recv(&mut [0]).await.unwrap_err();
        assert_eq!(blame(&error), Outcome::failed("refused"));
    }

    #[tokio::test]
    async fn a_connection_to_itself_is_none() {
        // The kernel tries one port after another, the even ones first.
        let is_free = |target: &SocketAddr| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.bind(&(*target).into()).is_ok()
        };
        let mut even = (32_768..60_999).step_by(2).map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let target = even.find(is_free).unwrap();
        let mut outcomes = BTreeSet::new();
        for _ in 0..60_000 {
            let outcome = connects(target, &Path::default()).await.unwrap_err();
            let Outcome::Failed { reason } = outcome else { panic!("{outcome:?}") };
            outcomes.insert(reason);
            if outcomes.len() == 2 {
                break;
            }
        }
        assert_eq!(Vec::from_iter(outcomes), ["connected to itself: nobody listens", "refused"]);
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
            (Stage::Talk, Errno::EPIPE, true),
            (Stage::Talk, Errno::ECONNRESET, true),
            (Stage::Talk, Errno::EIO, true),
            (Stage::Talk, Errno::ENOMEM, false),
            (Stage::Open(Protocol::ICMPV4), Errno::EACCES, false),
            (Stage::Open(Protocol::TCP), Errno::EAFNOSUPPORT, false),
            (Stage::Open(Protocol::TCP), Errno::EMFILE, false),
            (Stage::Mark, Errno::EPERM, false),
            (Stage::Mark, Errno::ENOPROTOOPT, false),
            (Stage::Interface("eth9"), Errno::ENODEV, false),
            (Stage::Interface("eth9"), Errno::EPERM, false),
            (Stage::Answer, Errno::EMFILE, false),
            (Stage::Send, Errno::EMFILE, false),
            (Stage::Send, Errno::ENFILE, false),
            (Stage::Send, Errno::ENOBUFS, false),
            (Stage::Answer, Errno::ENOMEM, false),
            (Stage::Send, Errno::ENETUNREACH, false),
            (Stage::Send, Errno::ENETDOWN, false),
            (Stage::Send, Errno::EADDRNOTAVAIL, false),
            (Stage::Send, Errno::EAGAIN, false),
            (bind, Errno::EADDRNOTAVAIL, false),
            (Stage::Send, Errno::EPERM, false),
            (Stage::Send, Errno::EACCES, false),
            (Stage::Send, Errno::EINVAL, false),
            (Stage::Send, Errno::ENOSPC, false),
            (Stage::Send, Errno::EAFNOSUPPORT, false),
        ] {
            let outcome = blame_at(stage, &errno.into());
            assert_eq!(
                matches!(outcome, Outcome::Failed { .. }),
                is_failure,
                "{stage:?} {errno}: {outcome:?}"
            );
        }
    }
}
