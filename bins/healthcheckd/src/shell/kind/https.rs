//! `https`: as `http`, over TLS.

use std::rc::Rc;
use std::time::Duration;

use vipkit_config::Https;

use super::attempt::within;
use super::{Checker, Means, Running, Steps, http};

impl Checker for Https {
    fn run(&self, means: &Rc<Means>, steps: &Steps, timeout: Duration) -> Running {
        let Self { http, tls } = self.clone();
        within(means, steps, timeout, async move |attempt| http::requests(attempt, &http, Some(&tls)).await)
    }
}

#[cfg(test)]
mod tests {
    use vipkit_config::{Body, Close, Http, HttpVersion, Path, Request, TlsSettings};

    use super::super::testing::{Authority, NAME, Server, acceptor, run, says_secured, serve_tls, steps};
    use super::*;
    use crate::verdict::{Finding, Outcome};

    fn https(server: &Server, host: Option<&str>, tls: TlsSettings) -> Https {
        let request = Request {
            method: "GET".to_owned(),
            path: "/".to_owned(),
            host: host.map(str::to_owned),
            headers: Vec::new(),
            status: vec![(200, 299)],
            body: vec![Body::Contains("ok".to_owned())],
        };
        let http = Http {
            target: server.address.into(),
            path: Path::default(),
            close: Close::Fin,
            version: HttpVersion::V11,
            requests: vec![request],
        };
        Https { http, tls }
    }

    #[tokio::test]
    async fn requests_go_over_tls_to_the_name_of_the_host_header() {
        let authority = Authority::fresh();
        let unnamed = TlsSettings { server_name: None, ..authority.settings() };
        for (on, answer) in [
            ("127.0.0.1", &b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"[..]),
            ("::1", b"HTTP/1.0 200 OK\r\n\r\nok"),
        ] {
            let accepts = acceptor(&authority.issue(NAME, 6), None);
            let server = serve_tls(on, accepts, |stream| says_secured(stream, answer)).await;
            let check = https(&server, Some("web.example:8443"), unnamed.clone());
            let warning = Some("certificate expires within 6 days".to_owned());
            let expected = Finding { reason: "200 OK".to_owned(), warning, weight: None };
            assert_eq!(run(&check).await, Outcome::Passed(expected));
            assert_eq!(steps(&check).await, ["connect", "tls", "first byte", "answer"]);
            let named = run(&https(&server, Some("other.example"), authority.settings())).await;
            assert!(matches!(named, Outcome::Passed(_)), "`server_name` comes first: {named:?}");
            let other = run(&https(&server, Some("other.example"), unnamed.clone())).await;
            assert_eq!(other, Outcome::failed("certificate is for web.example, not other.example"));
        }
    }

    #[tokio::test]
    async fn an_answer_may_end_with_the_connection_but_not_in_its_middle() {
        let authority = Authority::fresh();
        for (answer, expected) in [
            (&b"HTTP/1.0 200 OK\r\n\r\nok"[..], Outcome::passed("200 OK")),
            (
                b"HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\nok",
                Outcome::failed("closed in the middle of the answer"),
            ),
        ] {
            let accepts = acceptor(&authority.issue(NAME, 90), None);
            let server = serve_tls("127.0.0.1", accepts, move |mut stream| async move {
                let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 4096]).await;
                let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, answer).await;
                let _ = tokio::io::AsyncWriteExt::flush(&mut stream).await;
                // No farewell of TLS.
                let _ = tokio::io::AsyncWriteExt::shutdown(&mut stream.into_inner().0).await;
            })
            .await;
            assert_eq!(run(&https(&server, None, authority.settings())).await, expected);
        }
    }

    #[tokio::test]
    async fn a_target_that_wants_to_know_us_says_so() {
        let authority = Authority::fresh();
        let accepts = acceptor(&authority.issue(NAME, 90), Some(&authority));
        let server = serve_tls("127.0.0.1", accepts, |stream| says_secured(stream, b"")).await;
        let refused = run(&https(&server, None, authority.settings())).await;
        assert_eq!(refused, Outcome::failed("TLS alert: certificate required"));
    }
}
