//! `ping`: whether the target answers ICMP echo requests (RFC 792, RFC 4443 §4), through sockets that need no capability
//! where the kernel permits them (icmp(7), `ping_group_range`). Must not say how long answers took: steps do.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::{self, Instant, MissedTickBehavior};
use vipkit_config::Ping;

use super::attempt::{found, within};
use super::{Checker, Means, Running, Steps, connect, udp};
use crate::verdict::{Finding, Outcome};

/// Most packets that are no answer, or answer once more: a target that sends more is not well.
const STRAY_MAX: usize = 64;

/// Types of a request and its answer, over IPv4 and IPv6.
const ECHO: (u8, u8) = (8, 0);
const ECHO_V6: (u8, u8) = (128, 129);

impl Checker for Ping {
    fn run(&self, means: &Rc<Means>, steps: &Steps, timeout: Duration) -> Running {
        let check = self.clone();
        // When the time is over, what was answered until then is judged.
        let deadline = Instant::now() + timeout;
        within(means, steps, timeout, async move |attempt| {
            let address = attempt.host(&check.host, &check.path).await?;
            let tally = probe(&check, address, &attempt.steps, deadline).await?;
            tally.judge(&check, timeout)
        })
    }
}

async fn probe(check: &Ping, address: IpAddr, steps: &Steps, deadline: Instant) -> Result<Tally, Outcome> {
    let socket = connect::icmp(address, &check.path)?;
    let echo = Echo::new(address, check.size)?;
    let mut due = time::interval(check.gap);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut tally = Tally::default();
    let mut sent: u16 = 0;
    while tally.settled() < check.count as usize {
        tokio::select! {
            biased;
            () = time::sleep_until(deadline) => break,
            _ = due.tick(), if u32::from(sent) < check.count => {
                // Else it would be this request that fails.
                if let Ok(Some(error)) = socket.take_error() {
                    tally.undelivered(error);
                }
                sent += 1;
                socket.send(&echo.request(sent)).await.map_err(|error| connect::blame_sending(&error))?;
                steps.done("send");
            }
            received = udp::receive(&socket) => match received.map(|packet| echo.answered(&packet)) {
                Ok(Some(number)) if number <= sent && tally.answered.insert(number) => steps.done("answer"),
                Ok(_) => tally.stray()?,
                Err(error) => tally.undelivered(error),
            },
        }
    }
    Ok(tally)
}

/// What came of requests.
#[derive(Debug, Default)]
struct Tally {
    /// Those that were answered.
    answered: BTreeSet<u16>,
    /// How many did not arrive, as the network says.
    undelivered: usize,
    /// What it says.
    error: Option<io::Error>,
    strays: usize,
}

impl Tally {
    fn undelivered(&mut self, error: io::Error) {
        self.undelivered += 1;
        self.error = Some(error);
    }

    fn stray(&mut self) -> Result<(), Outcome> {
        self.strays += 1;
        let is_too_many = self.strays > STRAY_MAX;
        if is_too_many { Err(Outcome::failed("answers what was not asked")) } else { Ok(()) }
    }

    /// Requests of which it is known what became of them.
    fn settled(&self) -> usize {
        self.answered.len() + self.undelivered
    }

    fn judge(&self, check: &Ping, timeout: Duration) -> Result<Finding, Outcome> {
        let (count, answered) = (check.count as usize, self.answered.len());
        let reason = format!("{answered} of {count} answered");
        match &self.error {
            _ if count.saturating_sub(answered) * 100 <= check.loss as usize * count => Ok(found(reason)),
            Some(error) if answered == 0 => Err(connect::blame(error)),
            None if answered == 0 => Err(Outcome::late(timeout)),
            _ => Err(Outcome::failed(reason)),
        }
    }
}

/// Requests and answers of one run: the kernel computes the checksum, and puts an identifier of its own in.
#[derive(Debug)]
pub struct Echo {
    kinds: (u8, u8),
    /// What nobody can answer who did not get it.
    payload: Vec<u8>,
}

impl Echo {
    /// With so many bytes that are of this run alone.
    ///
    /// # Errors
    /// [`Outcome::CouldNotRun`]: there are none to be had.
    pub fn new(address: IpAddr, size: u16) -> Result<Self, Outcome> {
        let token = getrandom::u64().map_err(|error| Outcome::hindered(error, "see getrandom(2)"))?;
        let payload = token.to_be_bytes().into_iter().cycle().take(size.into()).collect();
        Ok(Self { kinds: if address.is_ipv4() { ECHO } else { ECHO_V6 }, payload })
    }

    fn request(&self, number: u16) -> Vec<u8> {
        let [high, low] = number.to_be_bytes();
        [&[self.kinds.0, 0, 0, 0, 0, 0, high, low], self.payload.as_slice()].concat()
    }

    /// Which request a packet answers.
    pub fn answered(&self, packet: &[u8]) -> Option<u16> {
        let (&[kind, code, _, _, _, _, high, low], payload) = packet.split_first_chunk()?;
        let is_answer = (kind, code) == (self.kinds.1, 0) && payload == self.payload;
        is_answer.then_some(u16::from_be_bytes([high, low]))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use vipkit_config::Path;

    use super::super::testing::{PATIENCE, means};
    use super::*;

    fn check(host: &str, loss: u32) -> Ping {
        let address: IpAddr = host.parse().unwrap();
        let gap = Duration::from_millis(1);
        Ping { host: address.into(), path: Path::default(), count: 3, gap, loss, size: 56 }
    }

    /// Whether the kernel lets this process open ICMP sockets.
    fn is_permitted() -> bool {
        use socket2::{Domain, Protocol, Socket, Type};
        Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::ICMPV4)).is_ok()
    }

    #[tokio::test]
    async fn who_answers_is_up_and_without_permission_nobody_is_blamed() {
        for (host, size) in
            [("127.0.0.1", 56), ("::1", 56), ("127.0.0.1", 0), ("::1", 0), ("127.0.0.1", 65507)]
        {
            let check = Ping { size, ..check(host, 0) };
            let outcome = check.run(&means(), &Steps::default(), PATIENCE).await;
            match outcome {
                Outcome::CouldNotRun { reason, remedy } if !is_permitted() => {
                    assert_eq!(reason, "ICMP sockets are not permitted to this group");
                    assert!(remedy.contains("ping_group_range"), "{remedy}");
                }
                outcome => assert_eq!(outcome, Outcome::passed("3 of 3 answered"), "{host}, {size} bytes"),
            }
        }
    }

    fn tally(answered: u16, undelivered: usize) -> Tally {
        let error = (undelivered > 0).then(|| io::ErrorKind::HostUnreachable.into());
        Tally { answered: (1..=answered).collect(), undelivered, error, strays: 0 }
    }

    #[test]
    fn so_many_may_be_lost() {
        let second = Duration::from_secs(1);
        for (answered, undelivered, loss, expected) in [
            (3, 0, 0, Outcome::passed("3 of 3 answered")),
            (2, 0, 34, Outcome::passed("2 of 3 answered")),
            (2, 1, 34, Outcome::passed("2 of 3 answered")),
            (2, 0, 33, Outcome::failed("2 of 3 answered")),
            (1, 0, 99, Outcome::passed("1 of 3 answered")),
            (1, 2, 0, Outcome::failed("1 of 3 answered")),
            (0, 0, 99, Outcome::failed("no answer within 1s")),
            (0, 1, 99, Outcome::failed("no route to host")),
        ] {
            let judged = tally(answered, undelivered).judge(&check("::1", loss), second);
            let outcome = judged.map_or_else(|outcome| outcome, Outcome::Passed);
            assert_eq!(outcome, expected, "{answered} {undelivered} {loss}");
        }
    }

    #[test]
    fn strays_are_bounded() {
        let mut tally = tally(0, 0);
        assert!((0..STRAY_MAX).all(|_| tally.stray().is_ok()));
        assert_eq!(tally.stray(), Err(Outcome::failed("answers what was not asked")));
    }

    #[test]
    fn an_answer_is_of_its_type_with_the_number_and_payload_of_the_request() {
        for (address, request, answer) in [("192.0.2.1", 8, 0), ("2001:db8::1", 128, 129)] {
            let echo = Echo::new(address.parse().unwrap(), 20).unwrap();
            let mut packet = echo.request(0x0102);
            assert_eq!((packet[0], packet.len()), (request, 28));
            assert_eq!(echo.answered(&packet), None, "its own request");
            packet[0] = answer;
            packet[2..6].fill(0xff);
            assert_eq!(echo.answered(&packet), Some(0x0102));
            assert_eq!(echo.answered(&packet[..27]), None);
            packet[27] ^= 1;
            assert_eq!(echo.answered(&packet), None);
        }
    }

    proptest! {
        #[test]
        fn any_packet_is_taken(packet in any::<Vec<u8>>()) {
            let echo = Echo::new("::1".parse().unwrap(), 4).unwrap();
            prop_assert_eq!(echo.answered(&packet), None);
        }
    }
}
