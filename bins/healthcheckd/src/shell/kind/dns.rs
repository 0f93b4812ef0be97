//! `dns`: whether the target answers a query as expected, over UDP or TCP (RFC 1035 §4.2).
//!
//! A truncated answer is asked for again over TCP. What answers another query is not heard. Must not read a message: see
//! `message`.

pub mod message;

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use vipkit_config::{Close, Dns, DnsTransport};

use super::attempt::within;
use super::{Checker, Means, Running, Steps, connect, udp};
use crate::verdict::{Finding, Outcome};
use message::{Heard, Query};

/// Most messages that answer another query: a target that sends more is not well.
const STRAY_MAX: usize = 64;

impl Checker for Dns {
    fn run(&self, means: &Rc<Means>, steps: &Steps, timeout: Duration) -> Running {
        let check = self.clone();
        within(means, steps, timeout, async move |attempt| {
            let address = attempt.address(&check.target, &check.path).await?;
            ask(&check, address, &attempt.steps).await
        })
    }
}

async fn ask(check: &Dns, address: SocketAddr, steps: &Steps) -> Result<Finding, Outcome> {
    let id = getrandom::u32().map_err(|error| Outcome::hindered(error, "see getrandom(2)"))?;
    let query = Query::new(check, (id >> 16) as u16)?;
    match check.transport {
        DnsTransport::Udp => over_udp(check, &query, address, steps).await,
        DnsTransport::Tcp => over_tcp(check, &query, address, steps).await,
    }
}

async fn over_udp(
    check: &Dns,
    query: &Query,
    address: SocketAddr,
    steps: &Steps,
) -> Result<Finding, Outcome> {
    let socket = connect::udp(address, &check.path)?;
    socket.send(query.bytes()).await.map_err(|error| connect::blame_sending(&error))?;
    steps.done("send");
    for _ in 0..=STRAY_MAX {
        let answer = udp::receive(&socket).await.map_err(|error| connect::blame(&error))?;
        match query.hear(&answer, DnsTransport::Udp) {
            Heard::Stray => {}
            Heard::Truncated => {
                steps.done("truncated answer");
                drop(socket);
                return over_tcp(check, query, address, steps).await;
            }
            Heard::Answer(answer) => {
                steps.done("answer");
                return answer;
            }
        }
    }
    Err(strays())
}

async fn over_tcp(
    check: &Dns,
    query: &Query,
    address: SocketAddr,
    steps: &Steps,
) -> Result<Finding, Outcome> {
    let mut stream = connect::tcp(address, &check.path, Close::Fin, steps).await?;
    let blame = |error| connect::blame(&error);
    let length = u16::try_from(query.bytes().len()).map_err(Outcome::failed)?;
    stream.write_all(&[&length.to_be_bytes(), query.bytes()].concat()).await.map_err(blame)?;
    for _ in 0..=STRAY_MAX {
        let answer = receive(&mut stream, steps).await.map_err(blame)?;
        if let Heard::Answer(answer) = query.hear(&answer, DnsTransport::Tcp) {
            steps.done("answer");
            return answer;
        }
    }
    Err(strays())
}

fn strays() -> Outcome {
    Outcome::failed("answers what was not asked")
}

/// The next message of a connection. There is memory for what came, not for what was announced.
async fn receive(stream: &mut TcpStream, steps: &Steps) -> io::Result<Vec<u8>> {
    let length = stream.read_u16().await?;
    steps.done("first byte");
    let mut message = Vec::new();
    stream.take(length.into()).read_to_end(&mut message).await?;
    if message.len() < length.into() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(message)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use domain::base::iana::{Class, Rcode};
    use domain::base::{Message, MessageBuilder, Name, Ttl};
    use domain::rdata::A;
    use socket2::Type;
    use tokio::net::{TcpListener, UdpSocket};
    use tokio::time::timeout;
    use vipkit_config::Path;

    use super::super::testing::{PATIENCE, means, nobody};
    use super::*;

    /// What a server makes of a query.
    type Answer = fn(&[u8]) -> Vec<u8>;

    fn check(target: SocketAddr, transport: DnsTransport) -> Dns {
        Dns {
            target: target.into(),
            path: Path::default(),
            transport,
            name: "www.example.net".to_owned(),
            record: "A".to_owned(),
            rcode: "NOERROR".to_owned(),
            answers: vec!["192.0.2.1".to_owned()],
        }
    }

    async fn run(check: &Dns, within: Duration) -> Outcome {
        check.run(&means(), &Steps::default(), within).await
    }

    /// What answers a query right.
    fn right(query: &[u8]) -> Vec<u8> {
        let query = Message::from_octets(query).unwrap();
        let mut answer = MessageBuilder::new_vec().start_answer(&query, Rcode::NOERROR).unwrap();
        let owner: Name<Vec<u8>> = "www.example.net".parse().unwrap();
        answer.push((owner, Class::IN, Ttl::from_secs(60), A::from_octets(192, 0, 2, 1))).unwrap();
        answer.finish()
    }

    fn cut(query: &[u8]) -> Vec<u8> {
        let mut answer = query.to_vec();
        answer[2] |= 0x82;
        answer
    }

    fn of_another_id(query: &[u8]) -> Vec<u8> {
        let mut answer = right(query);
        answer[1] ^= 1;
        answer
    }

    fn up() -> Outcome {
        Outcome::passed("NOERROR, 1 answer")
    }

    /// What comes of a check whose target answers a datagram with what these make of the query.
    async fn over_udp(on: &str, answers: &[Answer], within: Duration) -> Outcome {
        let server = UdpSocket::bind((on, 0)).await.unwrap();
        let check = check(server.local_addr().unwrap(), DnsTransport::Udp);
        let answer = async {
            let mut query = [0; 512];
            let (length, from) = server.recv_from(&mut query).await.unwrap();
            for answer in answers {
                server.send_to(&answer(&query[..length]), from).await.unwrap();
            }
        };
        tokio::join!(run(&check, within), answer).0
    }

    #[tokio::test]
    async fn an_answer_comes_over_udp() {
        for on in ["127.0.0.1", "::1"] {
            assert_eq!(over_udp(on, &[right], PATIENCE).await, up());
        }
    }

    #[tokio::test]
    async fn garbage_and_answers_to_others_are_not_heard() {
        let garbage: Answer = |_| b"\x00garbage".to_vec();
        assert_eq!(over_udp("127.0.0.1", &[garbage, of_another_id, right], PATIENCE).await, up());
        let silence = over_udp("127.0.0.1", &[garbage, of_another_id], Duration::from_millis(100)).await;
        assert_eq!(silence, Outcome::failed("no answer within 100ms"));
        let flood = over_udp("127.0.0.1", &[of_another_id as Answer; STRAY_MAX + 1], PATIENCE).await;
        assert_eq!(flood, Outcome::failed("answers what was not asked"));
    }

    #[tokio::test]
    async fn nobody_can_guess_who_asks() {
        let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let check = check(server.local_addr().unwrap(), DnsTransport::Udp);
        let mut seen = BTreeSet::new();
        for _ in 0..8 {
            let hear = async {
                let mut query = [0; 512];
                let (_, from) = server.recv_from(&mut query).await.unwrap();
                seen.insert((query[0], query[1], from.port()));
            };
            tokio::join!(run(&check, Duration::from_millis(20)), hear);
        }
        let distinct = |part: fn(&(u8, u8, u16)) -> u16| seen.iter().map(part).collect::<BTreeSet<_>>().len();
        assert!(distinct(|seen| seen.0.into()) > 1 && distinct(|seen| seen.1.into()) > 1, "{seen:?}");
        assert!(distinct(|seen| seen.2) > 1, "{seen:?}");
    }

    #[tokio::test]
    async fn who_does_not_listen_is_down() {
        for (on, transport) in [
            ("127.0.0.1", DnsTransport::Udp),
            ("::1", DnsTransport::Udp),
            ("127.0.0.1", DnsTransport::Tcp),
            ("::1", DnsTransport::Tcp),
        ] {
            let kind = if transport == DnsTransport::Udp { Type::DGRAM } else { Type::STREAM };
            let (_nobody, address) = nobody(on, kind);
            let refused = run(&check(address, transport), PATIENCE).await;
            assert_eq!(refused, Outcome::failed("refused"), "{on} {transport:?}");
        }
    }

    /// Reads a query from one connection, and sends what `answer` makes of it.
    async fn serve(server: &TcpListener, answer: impl FnOnce(&[u8]) -> Vec<u8>) {
        let (mut stream, _) = timeout(PATIENCE, server.accept()).await.unwrap().unwrap();
        let length = stream.read_u16().await.unwrap();
        let mut query = vec![0; length.into()];
        stream.read_exact(&mut query).await.unwrap();
        stream.write_all(&answer(&query)).await.unwrap();
    }

    fn framed(message: &[u8]) -> Vec<u8> {
        [&u16::try_from(message.len()).unwrap().to_be_bytes(), message].concat()
    }

    #[tokio::test]
    async fn an_answer_comes_over_tcp() {
        for on in ["127.0.0.1", "::1"] {
            let server = TcpListener::bind((on, 0)).await.unwrap();
            let check = check(server.local_addr().unwrap(), DnsTransport::Tcp);
            let steps = Steps::watched();
            let answer =
                serve(&server, |query| [framed(&of_another_id(query)), framed(&right(query))].concat());
            assert_eq!(tokio::join!(check.run(&means(), &steps, PATIENCE), answer).0, up());
            let steps: Vec<_> = steps.timings().into_iter().map(|(step, _)| step).collect();
            assert_eq!(steps, ["connect", "first byte", "first byte", "answer"]);
        }
    }

    #[tokio::test]
    async fn who_announces_more_than_there_is_has_not_answered() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let check = check(server.local_addr().unwrap(), DnsTransport::Tcp);
        for short in [&b""[..], b"\x00", b"\xff\xff", b"\xff\xffabc"] {
            let answer = serve(&server, |_| short.to_vec());
            let outcome = tokio::join!(run(&check, PATIENCE), answer).0;
            assert_eq!(outcome, Outcome::failed("closed before the answer"), "{short:?}");
        }
    }

    #[tokio::test]
    async fn what_is_cut_is_asked_for_again_over_tcp() {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = tcp.local_addr().unwrap();
        let udp = UdpSocket::bind(address).await.unwrap();
        let check = check(address, DnsTransport::Udp);
        let answers = async {
            let mut query = [0; 512];
            let (length, from) = udp.recv_from(&mut query).await.unwrap();
            udp.send_to(&cut(&query[..length]), from).await.unwrap();
            serve(&tcp, |query| framed(&right(query))).await;
        };
        assert_eq!(tokio::join!(run(&check, PATIENCE), answers).0, up());
    }
}
