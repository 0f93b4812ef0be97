//! `smtp`: whether a dialogue with a mail server succeeds (RFC 5321; STARTTLS: RFC 3207). Must not send mail.

use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use vipkit_config::Smtp;

use super::attempt::{found, within};
use super::line::Lines;
use super::{Checker, Means, Running, Steps, connect, tls, words};
use crate::verdict::{Finding, Outcome};

/// Most lines of a reply.
const LINES_MAX: usize = 100;

impl Checker for Smtp {
    fn run(&self, means: &Rc<Means>, steps: &Steps, timeout: Duration) -> Running {
        let Self { target, path, close, hello, starttls } = self.clone();
        within(means, steps, timeout, async move |attempt| {
            let steps = &attempt.steps;
            let address = attempt.address(&target, &path).await?;
            let mut plain = Lines::new(connect::tcp(address, &path, close, steps).await?);
            welcome(&mut plain, &hello, steps).await?;
            let Some(settings) = starttls else {
                quit(&mut plain, steps).await?;
                return Ok(found("speaks SMTP"));
            };
            ask(&mut plain, "STARTTLS", "220").await?;
            steps.done("starttls");
            // Else it could be taken for something that was said under TLS.
            let early = || Outcome::failed("STARTTLS: spoke on before TLS");
            let stream = plain.into_inner().ok_or_else(early)?;
            let secured = tls::secure(attempt, stream, &target, None, &settings).await?;
            let mut lines = Lines::new(secured.stream);
            greet(&mut lines, &hello, steps).await?;
            quit(&mut lines, steps).await?;
            Ok(Finding { warning: secured.warning, ..found("speaks SMTP over TLS") })
        })
    }
}

/// Is greeted, and greets.
///
/// # Errors
/// The outcome of a check that needs it.
pub async fn welcome<S>(lines: &mut Lines<S>, hello: &str, steps: &Steps) -> Result<(), Outcome>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    expect(lines, "220").await.map_err(|answer| answer.of("greeting"))?;
    steps.done("greeting");
    greet(lines, hello, steps).await
}

async fn greet<S>(lines: &mut Lines<S>, hello: &str, steps: &Steps) -> Result<(), Outcome>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    ask(lines, &format!("EHLO {hello}"), "250").await?;
    steps.done("ehlo");
    Ok(())
}

/// Takes leave.
///
/// # Errors
/// The outcome of a check that needs it.
pub async fn quit<S>(lines: &mut Lines<S>, steps: &Steps) -> Result<(), Outcome>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    ask(lines, "QUIT", "221").await?;
    steps.done("quit");
    Ok(())
}

async fn ask<S>(lines: &mut Lines<S>, command: &str, code: &str) -> Result<(), Outcome>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    lines.say(&format!("{command}\r\n")).await?;
    let word = command.split(' ').next().unwrap_or(command);
    expect(lines, code).await.map_err(|answer| answer.of(word))
}

/// An answer that was not expected.
#[derive(Debug)]
enum Unexpected {
    /// Another code, as it was said.
    Code(String),
    /// No SMTP, or no answer.
    Other(Outcome),
}

impl Unexpected {
    fn of(self, question: &str) -> Outcome {
        match self {
            Self::Code(answer) => Outcome::failed(format_args!("{question}: {answer}")),
            Self::Other(outcome) => outcome,
        }
    }
}

/// Reads a reply of any number of lines, which must have this code.
async fn expect<S>(lines: &mut Lines<S>, code: &str) -> Result<(), Unexpected>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    for _ in 0..LINES_MAX {
        let line = lines.next().await.map_err(Unexpected::Other)?;
        match Reply::of(&line) {
            None => {
                let answer = words::line(&line);
                return Err(Unexpected::Other(Outcome::failed(format_args!("no SMTP: answered {answer:?}"))));
            }
            Some(reply) if reply.code != code.as_bytes() => return Err(Unexpected::Code(words::line(&line))),
            Some(Reply { is_last: true, .. }) => return Ok(()),
            Some(_) => {}
        }
    }
    Err(Unexpected::Other(Outcome::failed(format_args!("more than {LINES_MAX} lines in a reply"))))
}

/// A line of a reply: RFC 5321 §4.2.
#[derive(Debug, PartialEq, Eq)]
struct Reply<'a> {
    code: &'a [u8],
    is_last: bool,
}

impl<'a> Reply<'a> {
    fn of(line: &'a [u8]) -> Option<Self> {
        let (code, rest) = line.split_at_checked(3)?;
        let is_last = match rest.first() {
            None | Some(b' ') => true,
            Some(b'-') => false,
            Some(_) => return None,
        };
        code.iter().all(u8::is_ascii_digit).then_some(Self { code, is_last })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    use tokio_rustls::TlsAcceptor;
    use vipkit_config::{Close, Path};

    use super::super::testing::{
        Authority, End, NAME, SHORT, Server, acceptor, drips, floods, means, run, says, serve, steps,
    };
    use super::*;

    fn smtp(server: &Server) -> Smtp {
        Smtp {
            target: server.address.into(),
            path: Path::default(),
            close: Close::Fin,
            hello: "vipkit.invalid".to_owned(),
            starttls: None,
        }
    }

    /// A server that goes by a script of what it expects and answers.
    async fn scripted(
        on: &str,
        script: &'static [(&'static str, &'static str)],
        tls: Option<TlsAcceptor>,
    ) -> Server {
        async fn talk(
            stream: impl AsyncRead + AsyncWrite + Unpin,
            script: &[(&str, &str)],
        ) -> impl AsyncRead + AsyncWrite + Unpin {
            let mut stream = BufReader::new(stream);
            for (asked, answer) in script {
                let mut line = String::new();
                if !asked.is_empty() {
                    stream.read_line(&mut line).await.unwrap();
                    assert_eq!(line.trim_end(), *asked);
                }
                let _ = stream.write_all(answer.as_bytes()).await;
            }
            stream
        }
        serve(on, move |stream| {
            let tls = tls.clone();
            async move {
                let stream = talk(stream, script).await;
                if let Some(acceptor) = tls {
                    talk(acceptor.accept(stream).await.unwrap(), &HELLO[1..]).await;
                }
            }
        })
        .await
    }

    const HELLO: [(&str, &str); 3] = [
        ("", "220-mail.example\r\n220 ready\r\n"),
        ("EHLO vipkit.invalid", "250-mail.example\r\n250-STARTTLS\r\n250 8BITMIME\r\n"),
        ("QUIT", "221 bye\r\n"),
    ];
    const STARTTLS: [(&str, &str); 3] = [HELLO[0], HELLO[1], ("STARTTLS", "220 go ahead\r\n")];

    #[tokio::test]
    async fn a_dialogue_that_succeeds_over_either_family() {
        for on in ["127.0.0.1", "::1"] {
            let server = scripted(on, &HELLO, None).await;
            assert_eq!(run(&smtp(&server)).await, Outcome::passed("speaks SMTP"));
            assert_eq!(steps(&smtp(&server)).await, ["connect", "greeting", "ehlo", "quit"]);
        }
    }

    #[tokio::test]
    async fn starttls_secures_the_rest_and_nothing_is_said_before() {
        let authority = Authority::fresh();
        let accepts = || Some(acceptor(&authority.issue(NAME, 90), None));
        let starttls = Some(authority.settings());
        let server = scripted("127.0.0.1", &STARTTLS, accepts()).await;
        let check = Smtp { starttls: starttls.clone(), ..smtp(&server) };
        assert_eq!(run(&check).await, Outcome::passed("speaks SMTP over TLS"));
        let expected = ["connect", "greeting", "ehlo", "starttls", "tls", "ehlo", "quit"];
        assert_eq!(steps(&check).await, expected);
        const EARLY: [(&str, &str); 3] = [HELLO[0], HELLO[1], ("STARTTLS", "220 go\r\n250 injected\r\n")];
        let server = scripted("127.0.0.1", &EARLY, None).await;
        let check = Smtp { starttls, ..smtp(&server) };
        assert_eq!(run(&check).await, Outcome::failed("STARTTLS: spoke on before TLS"));
    }

    #[tokio::test]
    async fn other_answers_fail_as_they_were_said() {
        for (says_it, why) in [
            (&b"554 go away\r\n"[..], "greeting: 554 go away"),
            (b"220-a\r\n421 b\r\n", "greeting: 421 b"),
            (b"SSH-2.0-x\r\n", "no SMTP: answered \"SSH-2.0-x\""),
            (b"22", "no SMTP: answered \"22\""),
            (b"220 a\r\n502 what?\r\n", "EHLO: 502 what?"),
            (b"220 a\r\n250 b\r\n500 no\r\n", "QUIT: 500 no"),
            (b"220 a\r\n250 b\r\n", "closed before the answer"),
        ] {
            let server = says(says_it, false, End::Half).await;
            assert_eq!(run(&smtp(&server)).await, Outcome::failed(why));
        }
    }

    #[tokio::test]
    async fn hostile_servers_fail_in_time() {
        for (server, why) in [
            (floods(b"", b"220-and\r\n").await, "more than 100 lines in a reply"),
            (floods(b"220 ", b"x").await, "line longer than 4096 bytes"),
        ] {
            assert_eq!(run(&smtp(&server)).await, Outcome::failed(why));
        }
        for server in [drips(b"220-a\r\n").await, says(b"220 a\r\n", false, End::Never).await] {
            let late = smtp(&server).run(&means(), &Steps::default(), SHORT).await;
            assert_eq!(late, Outcome::failed("no answer within 300ms"));
        }
        let whole = b"220 a\r\n250 b\r\n221 c\r\n";
        for end in [End::Half, End::Reset] {
            for cut in 0..whole.len() - "1 c\r\n".len() {
                let server = says(&whole[..cut], false, end).await;
                let outcome = run(&smtp(&server)).await;
                assert!(matches!(&outcome, Outcome::Failed { .. }), "{cut} {end:?}: {outcome:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_line_is_a_reply_or_none(line in any::<Vec<u8>>()) {
            if let Some(reply) = Reply::of(&line) {
                prop_assert!(line.starts_with(reply.code) && reply.code.len() == 3);
            }
        }
    }
}
