//! `tcp`: whether the target accepts a connection.
//!
//! Closed the ordinary way, a connection leaves a socket in TIME-WAIT on this host. They do not add up: there is one for each
//! check and interval of the last minute, and ports are counted for each target alone. With `close = "reset"` there are
//! none, but servers log a client that broke off.

use std::rc::Rc;
use std::time::Duration;

use vipkit_config::Tcp;

use super::attempt::{found, within};
use super::{Checker, Means, Running, Steps, connect};

impl Checker for Tcp {
    fn run(&self, means: &Rc<Means>, steps: &Steps, timeout: Duration) -> Running {
        let Self { target, path, close } = self.clone();
        within(means, steps, timeout, async move |attempt| {
            let address = attempt.address(&target, &path).await?;
            connect::tcp(address, &path, close, &attempt.steps).await?;
            Ok(found("connected"))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read as _};
    use std::net::{SocketAddr, TcpListener, TcpStream as StdStream};

    use socket2::{Domain, Socket, Type};
    use vipkit_config::{Close, Path};

    use super::super::testing::{PATIENCE, means, nobody};
    use super::*;
    use crate::verdict::Outcome;

    fn tcp(target: SocketAddr, close: Close) -> Tcp {
        Tcp { target: target.into(), path: Path::default(), close }
    }

    async fn run(check: &Tcp) -> Outcome {
        check.run(&means(), &Steps::default(), PATIENCE).await
    }

    fn listen(on: &str) -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind((on, 0)).unwrap();
        let target = listener.local_addr().unwrap();
        (listener, target)
    }

    #[tokio::test]
    async fn who_accepts_passes_over_either_family() {
        for on in ["127.0.0.1", "::1"] {
            let (_listener, target) = listen(on);
            assert_eq!(run(&tcp(target, Close::Fin)).await, Outcome::passed("connected"));
        }
    }

    #[tokio::test]
    async fn the_connection_is_closed_as_asked_for() {
        let (listener, target) = listen("127.0.0.1");
        run(&tcp(target, Close::Fin)).await;
        let (mut stream, _) = listener.accept().unwrap();
        assert_eq!(stream.read(&mut [0]).unwrap(), 0, "no reset");
        run(&tcp(target, Close::Reset)).await;
        let (mut stream, _) = listener.accept().unwrap();
        assert_eq!(stream.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    }

    #[tokio::test]
    async fn who_refuses_or_does_not_answer_fails() {
        let (_nobody, target) = nobody("127.0.0.1", Type::STREAM);
        assert_eq!(run(&tcp(target, Close::Fin)).await, Outcome::failed("refused"));
        // A full queue of connections answers nothing.
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
        socket.listen(0).unwrap();
        let target = socket.local_addr().unwrap().as_socket().unwrap();
        let _first = StdStream::connect(target).unwrap();
        let check = tcp(target, Close::Fin);
        let silent = check.run(&means(), &Steps::default(), Duration::from_millis(50)).await;
        assert_eq!(silent, Outcome::failed("no answer within 50ms"));
    }
}
