//! `udp`: whether the target answers a datagram as expected or, where no answer is expected, does not refuse it.
//!
//! Silence says little: a packet filter is as silent as a server. Who has a protocol that answers should ask for an answer.
//! Must not know a protocol.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd as _;
use std::rc::Rc;
use std::time::Duration;

use nix::sys::socket::{MsgFlags, recv};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::time;
use vipkit_config::{Reply, Udp, pattern};

use super::attempt::{Attempt, found, within};
use super::{Checker, Means, Running, Steps, connect};
use crate::verdict::{Finding, Outcome};

/// Most bytes of a datagram.
const DATAGRAM_MAX: usize = 64 << 10;

impl Checker for Udp {
    fn run(&self, means: &Rc<Means>, steps: &Steps, timeout: Duration) -> Running {
        let check = self.clone();
        within(means, steps, timeout, async move |attempt| {
            let address = attempt.address(&check.target, &check.path).await?;
            ask(attempt, check, address).await
        })
    }
}

async fn ask(attempt: &Attempt, check: Udp, address: SocketAddr) -> Result<Finding, Outcome> {
    let socket = connect::udp(address, &check.path)?;
    socket.send(&check.payload).await.map_err(|error| connect::blame_sending(&error))?;
    attempt.steps.done("send");
    let answer = receive(&socket);
    let answer = match &check.reply {
        Some(_) => answer.await,
        None => match time::timeout(check.wait, answer).await {
            Ok(answer) => answer,
            Err(_) => {
                let wait = humantime::format_duration(check.wait);
                return Ok(found(format_args!("no refusal within {wait}")));
            }
        },
    };
    let answer = answer.map_err(|error| connect::blame(&error))?;
    attempt.steps.done("answer");
    let Some(reply) = check.reply else { return Ok(found("answered")) };
    let length = answer.len();
    match attempt.judge(move || is_expected(&reply, &answer)).await? {
        true => Ok(found("answered")),
        false => Err(Outcome::failed(format_args!("answered otherwise, {length} bytes"))),
    }
}

/// Whether a datagram is the answer that was asked for.
///
/// # Errors
/// [`Outcome::CouldNotRun`]: a pattern that is none.
pub fn is_expected(reply: &Reply, answer: &[u8]) -> Result<bool, Outcome> {
    Ok(match reply {
        Reply::Any => true,
        Reply::Matches(text) => {
            let pattern =
                pattern(text).map_err(|error| Outcome::hindered(error, "change `reply_matches`"))?;
            pattern.is_match(answer)
        }
        Reply::Bytes(expected) => {
            let is_equal = |(&(value, mask), byte): (&(u8, u8), &u8)| (value ^ byte) & mask == 0;
            expected.len() <= answer.len() && expected.iter().zip(answer).all(is_equal)
        }
    })
}

/// The next datagram, or what an ICMP error says. There is memory for it only once it is there.
pub(super) async fn receive(socket: &UdpSocket) -> io::Result<Vec<u8>> {
    // What is only an error does not make a socket readable.
    let there = Interest::READABLE | Interest::ERROR;
    let receive = || {
        let mut datagram = vec![0; DATAGRAM_MAX];
        let length = recv(socket.as_raw_fd(), &mut datagram, MsgFlags::empty())?;
        datagram.truncate(length);
        Ok(datagram)
    };
    socket.async_io(there, receive).await
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use socket2::Type;
    use vipkit_config::Path;

    use super::super::testing::{PATIENCE, means, nobody};
    use super::*;

    fn check(target: SocketAddr, reply: Option<Reply>) -> Udp {
        let payload = b"ping".to_vec();
        Udp { target: target.into(), path: Path::default(), payload, reply, wait: Duration::from_millis(50) }
    }

    async fn run(check: &Udp, timeout: Duration) -> Outcome {
        check.run(&means(), &Steps::default(), timeout).await
    }

    async fn server(on: &str) -> (UdpSocket, SocketAddr) {
        let server = UdpSocket::bind((on, 0)).await.unwrap();
        let address = server.local_addr().unwrap();
        (server, address)
    }

    /// What comes of a check whose target answers so.
    async fn answered(on: &str, reply: Option<Reply>, answer: &[u8]) -> Outcome {
        let (server, address) = server(on).await;
        let check = check(address, reply);
        let answer = async {
            let mut asked = [0; 16];
            let (length, from) = server.recv_from(&mut asked).await.unwrap();
            assert_eq!(&asked[..length], b"ping");
            server.send_to(answer, from).await.unwrap();
        };
        tokio::join!(run(&check, PATIENCE), answer).0
    }

    #[tokio::test]
    async fn an_answer_is_judged_over_either_family() {
        let pattern = || Some(Reply::Matches("(?-u)^po.g\\xff".to_owned()));
        let bytes = || Some(Reply::Bytes(vec![(0x70, 0xff), (0x60, 0xf0), (0, 0)]));
        for (reply, answer, expected) in [
            (None, &b"pong"[..], Outcome::passed("answered")),
            (Some(Reply::Any), b"", Outcome::passed("answered")),
            (pattern(), b"pong\xff\x00", Outcome::passed("answered")),
            (pattern(), b"pong\xfe", Outcome::failed("answered otherwise, 5 bytes")),
            (bytes(), b"pong", Outcome::passed("answered")),
            (bytes(), b"po", Outcome::failed("answered otherwise, 2 bytes")),
            (bytes(), b"pxng", Outcome::failed("answered otherwise, 4 bytes")),
            (bytes(), b"", Outcome::failed("answered otherwise, 0 bytes")),
            (Some(Reply::Any), &[0; 65_507], Outcome::passed("answered")),
        ] {
            for on in ["127.0.0.1", "::1"] {
                assert_eq!(answered(on, reply.clone(), answer).await, expected, "{reply:?} over {on}");
            }
        }
    }

    #[tokio::test]
    async fn silence_is_well_only_where_no_answer_is_asked_for() {
        let (_server, address) = server("127.0.0.1").await;
        let silent = run(&check(address, None), PATIENCE).await;
        assert_eq!(silent, Outcome::passed("no refusal within 50ms"));
        let silent = run(&check(address, Some(Reply::Any)), Duration::from_millis(50)).await;
        assert_eq!(silent, Outcome::failed("no answer within 50ms"));
    }

    #[tokio::test]
    async fn a_refusal_is_a_failure_whatever_is_asked_for() {
        for on in ["127.0.0.1", "::1"] {
            let (_nobody, address) = nobody(on, Type::DGRAM);
            for reply in [None, Some(Reply::Any)] {
                let check = Udp { wait: PATIENCE, ..check(address, reply) };
                assert_eq!(run(&check, PATIENCE).await, Outcome::failed("refused"));
            }
        }
    }

    #[tokio::test]
    async fn only_the_target_is_heard() {
        let (server, address) = server("127.0.0.1").await;
        let other = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let check = check(address, Some(Reply::Matches("^ours$".to_owned())));
        let answer = async {
            let (_, from) = server.recv_from(&mut [0; 16]).await.unwrap();
            other.send_to(b"theirs", from).await.unwrap();
            server.send_to(b"ours", from).await.unwrap();
        };
        assert_eq!(tokio::join!(run(&check, PATIENCE), answer).0, Outcome::passed("answered"));
    }

    proptest! {
        #[test]
        fn what_is_expected_is_a_prefix_where_the_mask_says_so(
            expected in proptest::collection::vec(any::<(u8, u8)>(), 0..8),
            rest in any::<Vec<u8>>(),
        ) {
            let answer: Vec<u8> = expected.iter().map(|(value, mask)| value & mask).chain(rest).collect();
            let reply = Reply::Bytes(expected.clone());
            prop_assert!(is_expected(&reply, &answer).unwrap());
            if let Some(cut) = expected.len().checked_sub(1) {
                prop_assert!(!is_expected(&reply, &answer[..cut]).unwrap());
            }
        }
    }
}
