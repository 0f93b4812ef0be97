//! `http`: whether the target answers requests as expected; over TLS, too, for `https`.
//!
//! Each request has a connection of its own, so that none of them hides how another goes. An answer is well when it is
//! whole: its body is read even where nothing is expected of it.

mod body;
pub mod message;
mod words;

use std::future::ready;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use vipkit_config::{Http, Request, TlsSettings};

use super::attempt::{Attempt, within};
use super::witness::{Bound, Witness};
use super::{Checker, Means, Running, Steps, connect, tls};
use crate::verdict::{Finding, Outcome};
use body::Kept;
use words::Part;

/// Most bytes of the header of an answer.
const HEADER_BYTES_MAX: usize = 64 * 1024;
/// Most bytes until it is there, with those of interim answers (100 Continue), and what comes along with it.
const HEADERS_BYTES_MAX: usize = 2 * HEADER_BYTES_MAX;
/// Most lines of it.
const HEADER_LINES_MAX: usize = 100;

/// A request.
pub type Message = hyper::Request<Empty<Bytes>>;

impl Checker for Http {
    fn run(&self, means: &Rc<Means>, steps: &Steps, timeout: Duration) -> Running {
        let http = self.clone();
        within(means, steps, timeout, async move |attempt| requests(attempt, &http, None).await)
    }
}

/// Makes all requests, one after another.
///
/// # Errors
/// The outcome of a check that needs all of them to succeed.
pub async fn requests(attempt: &Attempt, http: &Http, tls: Option<&TlsSettings>) -> Result<Finding, Outcome> {
    let address = attempt.address(&http.target, &http.path).await?;
    let mut all = Finding::default();
    for wanted in &http.requests {
        let answered = request(attempt, http, wanted, tls, address).await;
        let finding = answered.map_err(|outcome| match outcome {
            Outcome::Failed { reason } if http.requests.len() > 1 => {
                Outcome::failed(format_args!("{}: {reason}", wanted.path))
            }
            outcome => outcome,
        })?;
        all = Finding { warning: finding.warning.or(all.warning), ..finding };
    }
    if http.requests.len() > 1 {
        all.reason = format!("{} answers as expected", http.requests.len());
    }
    Ok(all)
}

async fn request(
    attempt: &Attempt,
    http: &Http,
    wanted: &Request,
    tls: Option<&TlsSettings>,
    address: SocketAddr,
) -> Result<Finding, Outcome> {
    let message = message::message(http, wanted, tls.is_some())?;
    let stream = connect::tcp(address, &http.path, http.close, &attempt.steps).await?;
    let (reason, warning) = match tls {
        None => (exchange(attempt, stream, message, wanted).await?, None),
        Some(settings) => {
            let named = wanted.host.as_deref();
            let secured = tls::secure(attempt, stream, &http.target, named, settings).await?;
            (exchange(attempt, secured.stream, message, wanted).await?, secured.warning)
        }
    };
    Ok(Finding { reason, warning, ..Finding::default() })
}

/// Sends a request over a connection and judges the answer: its status, in words.
///
/// # Errors
/// The outcome of a check that needs it.
pub async fn exchange<S>(
    attempt: &Attempt,
    stream: S,
    message: Message,
    wanted: &Request,
) -> Result<String, Outcome>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let bound = Bound::of(HEADERS_BYTES_MAX);
    let began = http1::Builder::new()
        .max_buf_size(HEADER_BYTES_MAX)
        .max_headers(HEADER_LINES_MAX)
        // As browsers do: what is odd is not down.
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_spaces_after_header_name_in_responses(true)
        .ignore_invalid_headers_in_responses(true)
        // There are servers that know no other.
        .title_case_headers(true)
        .handshake(TokioIo::new(Witness::bounded(stream, bound.clone())))
        .await;
    let (mut sender, mut connection) = began.map_err(|error| words::blame(&error, Part::Header, &[]))?;
    let answered = {
        let mut answer = pin!(answer(attempt, &mut sender, message, wanted, &bound));
        tokio::select! {
            biased;
            answered = &mut answer => answered,
            // Whatever it met, the answer meets it too, or hears only that there is none.
            ended = &mut connection => match (answer.await, ended) {
                (Err(Failure::Met(part, error)), Err(cause)) if error.is_canceled() => {
                    Err(Failure::Met(part, cause))
                }
                (answered, _) => answered,
            },
        }
    };
    drop(sender);
    tokio::select! {
        biased;
        // Says goodbye, and waits for nobody.
        _ = &mut connection => {}
        () = ready(()) => {}
    }
    answered.map_err(|failure| match failure {
        Failure::Judged(outcome) => outcome,
        Failure::Met(part, error) => {
            words::blame(&error, part, connection.into_parts().io.into_inner().heard())
        }
    })
}

/// Why an answer is none, or not the one that was wanted.
#[derive(Debug)]
enum Failure {
    Judged(Outcome),
    Met(Part, hyper::Error),
}

async fn answer(
    attempt: &Attempt,
    sender: &mut SendRequest<Empty<Bytes>>,
    message: Message,
    wanted: &Request,
    bound: &Bound,
) -> Result<String, Failure> {
    let sent = sender.send_request(message).await;
    let response = sent.map_err(|error| Failure::Met(Part::Header, error))?;
    attempt.steps.done("first byte");
    bound.renew(body::ON_WIRE_MAX);
    let status = response.status();
    let code = status.as_u16();
    if !wanted.status.iter().any(|(from, to)| (*from..=*to).contains(&code)) {
        return Err(Failure::Judged(Outcome::failed(format_args!("status {code}"))));
    }
    let headers = response.headers();
    let ends_with_connection =
        !headers.contains_key(CONTENT_LENGTH) && !headers.contains_key(TRANSFER_ENCODING);
    let mut kept = Kept::expecting(&wanted.body);
    read(attempt, response.into_body(), ends_with_connection, &mut kept).await?;
    attempt.steps.done("answer");
    kept.judge(attempt).await.map_err(Failure::Judged)?;
    Ok(status.canonical_reason().map_or_else(|| code.to_string(), |reason| format!("{code} {reason}")))
}

async fn read(
    attempt: &Attempt,
    mut body: Incoming,
    ends_with_connection: bool,
    kept: &mut Kept<'_>,
) -> Result<(), Failure> {
    while let Some(frame) = body.frame().await {
        let data = match frame {
            Ok(frame) => frame.into_data().unwrap_or_default(),
            // Many servers close a connection without ending TLS.
            Err(error) if ends_with_connection && words::is_end(&error) => break,
            Err(error) => return Err(Failure::Met(Part::Body, error)),
        };
        if !kept.take(attempt, &data).await.map_err(Failure::Judged)? {
            break;
        }
    }
    Ok(())
}

/// What met an error, if it was a connection.
fn io_error(error: &hyper::Error) -> Option<&io::Error> {
    std::error::Error::source(error)?.downcast_ref()
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;
    use vipkit_config::{Body, Close, HttpVersion, Path};

    use super::super::testing::{End, SHORT, Server, drips, floods, means, run, says, serve, steps};
    use super::*;

    fn request(path: &str) -> Request {
        Request {
            method: "GET".to_owned(),
            path: path.to_owned(),
            host: None,
            headers: Vec::new(),
            status: vec![(200, 399)],
            body: Vec::new(),
        }
    }

    fn http(server: &Server, requests: Vec<Request>) -> Http {
        Http {
            target: server.address.into(),
            path: Path::default(),
            close: Close::Fin,
            version: HttpVersion::V11,
            requests,
        }
    }

    fn get(server: &Server) -> Http {
        http(server, vec![request("/")])
    }

    fn expecting(server: &Server, body: Body) -> Http {
        http(server, vec![Request { body: vec![body], ..request("/") }])
    }

    async fn answers(answer: &str) -> Server {
        says(answer.as_bytes(), true, End::Half).await
    }

    #[tokio::test]
    async fn statuses_are_expected_or_not() {
        for (line, expected) in [
            ("200 OK", Outcome::passed("200 OK")),
            ("204 Whatever", Outcome::passed("204 No Content")),
            ("299 Odd", Outcome::passed("299")),
            ("302 Found", Outcome::passed("302 Found")),
            ("404 Not Found", Outcome::failed("status 404")),
            ("503 Service Unavailable", Outcome::failed("status 503")),
            ("100 Continue\r\n\r\nHTTP/1.1 200 OK", Outcome::passed("200 OK")),
        ] {
            for version in ["1.0", "1.1"] {
                let server = answers(&format!("HTTP/{version} {line}\r\nContent-Length: 0\r\n\r\n")).await;
                assert_eq!(run(&get(&server)).await, expected, "{version} {line}");
            }
        }
    }

    #[tokio::test]
    async fn bodies_are_read_however_they_end() {
        for answer in [
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nit ok",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nit\r\n3;x=y\r\n ok\r\n0\r\n\r\n",
            "HTTP/1.0 200 OK\r\n\r\nit ok",
            "HTTP/1.1 200 OK\r\nno header at all\r\nX : y\r\nContent-Length: 5\r\n\r\nit ok",
        ] {
            let server = answers(answer).await;
            for (body, expected) in [
                (Body::Contains("ok".to_owned()), Outcome::passed("200 OK")),
                (Body::Contains("o.".to_owned()), Outcome::failed("body lacks \"o.\"")),
                (Body::Lacks("error".to_owned()), Outcome::passed("200 OK")),
                (Body::Lacks("it".to_owned()), Outcome::failed("body has \"it\"")),
                (Body::Matches("^it.o".to_owned()), Outcome::passed("200 OK")),
                (Body::Matches("^ok".to_owned()), Outcome::failed("body does not match \"^ok\"")),
                (Body::Sha256(hash("it ok")), Outcome::passed("200 OK")),
                (Body::Sha256(hash("it")), Outcome::failed("body has another SHA-256")),
            ] {
                assert_eq!(run(&expecting(&server, body)).await, expected, "{answer}");
            }
        }
    }

    fn hash(text: &str) -> [u8; 32] {
        use sha2::Digest as _;
        sha2::Sha256::digest(text).into()
    }

    #[tokio::test]
    async fn several_requests_must_all_be_answered_and_the_one_that_is_not_is_named() {
        let server = serve("::1", |mut stream| async move {
            let mut asked = [0; 4096];
            let length = tokio::io::AsyncReadExt::read(&mut stream, &mut asked).await.unwrap();
            let status = if asked[..length].starts_with(b"GET /bad ") { 500 } else { 200 };
            let answer = format!("HTTP/1.1 {status} So\r\nContent-Length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
        })
        .await;
        let both = http(&server, vec![request("/"), request("/good")]);
        assert_eq!(run(&both).await, Outcome::passed("2 answers as expected"));
        assert_eq!(steps(&both).await, ["connect", "first byte", "answer"].repeat(2));
        let bad = http(&server, vec![request("/"), request("/bad"), request("/")]);
        assert_eq!(run(&bad).await, Outcome::failed("/bad: status 500"));
    }

    #[tokio::test]
    async fn requests_are_of_the_version_that_was_asked_for() {
        let server = serve("127.0.0.1", |mut stream| async move {
            let mut asked = [0; 16];
            tokio::io::AsyncReadExt::read_exact(&mut stream, &mut asked).await.unwrap();
            let status = if &asked == b"GET / HTTP/1.0\r\n" { 200 } else { 505 };
            let answer = format!("HTTP/1.0 {status} So\r\nContent-Length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
            let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
        })
        .await;
        for (version, expected) in
            [(HttpVersion::V10, Outcome::passed("200 OK")), (HttpVersion::V11, Outcome::failed("status 505"))]
        {
            assert_eq!(run(&Http { version, ..get(&server) }).await, expected);
        }
    }

    #[tokio::test]
    async fn who_speaks_no_http_is_shown() {
        for (answer, why) in [
            ("SSH-2.0-OpenSSH_9.6\r\n", "no HTTP: answered \"SSH-2.0-OpenSSH_9.6\""),
            ("\u{15}\u{3}\u{1}", "no HTTP: answered \"\u{fffd}\u{fffd}\u{fffd}\""),
            ("", "closed before the answer"),
            ("HTTP/1.1 2OO OK\r\n\r\n", "no valid HTTP: invalid HTTP status-code parsed"),
        ] {
            assert_eq!(run(&get(&answers(answer).await)).await, Outcome::failed(why));
        }
    }

    #[tokio::test]
    async fn what_is_hostile_fails_and_takes_no_room() {
        let any = |outcome: &Outcome, why: &str| match outcome {
            Outcome::Failed { reason } => assert!(reason.contains(why), "{reason}"),
            outcome => panic!("{outcome:?}"),
        };
        let chunked: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let huge = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n";
        let broken = [chunked, b"zz\r\nx"].concat();
        let bad_chunk = says(&broken, true, End::Half).await;
        any(&run(&get(&bad_chunk)).await, "no valid HTTP");
        any(&run(&get(&floods(b"HTTP/1.1 200 OK\r\nX: ", b"x").await)).await, "too large");
        any(&run(&get(&floods(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n").await)).await, "too large");
        any(&run(&get(&floods(b"HTTP/1.1 ", b"2").await)).await, "no valid HTTP");
        any(&run(&get(&floods(b"", b"\0").await)).await, "no HTTP: answered");
        any(
            &run(&get(&floods(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1;").await)).await,
            "",
        );
        // More than is read: well where nothing is expected of it.
        let endless = floods(huge, b"x").await;
        assert_eq!(run(&get(&endless)).await, Outcome::passed("200 OK"));
        let expecting = expecting(&endless, Body::Contains("x".to_owned()));
        assert_eq!(run(&expecting).await, Outcome::failed("body longer than 1024 KiB"));
    }

    #[tokio::test]
    async fn a_slow_target_fails_in_time() {
        for server in [
            drips(b"HTTP/1.1 100 Continue\r\n\r\n").await,
            says(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", true, End::Never).await,
        ] {
            let late = get(&server).run(&means(), &Steps::default(), SHORT).await;
            assert_eq!(late, Outcome::failed("no answer within 300ms"));
        }
    }

    #[tokio::test]
    async fn an_answer_that_is_broken_off_anywhere_fails() {
        let whole = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
        for end in [End::Half, End::Reset] {
            for cut in 0..whole.len() {
                let outcome = run(&get(&says(&whole[..cut], true, end).await)).await;
                assert!(matches!(&outcome, Outcome::Failed { .. }), "{cut} {end:?}: {outcome:?}");
            }
        }
    }
}
