//! Fuzz target of all that is read from outside: bytes give who reads, and what it reads: what targets answer, and what
//! files and programs of this host say. Whatever that is, it comes to something short, and no target can make it seem this
//! host's fault. Must not open a socket, and must not panic itself: a panic is a find.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, copy, duplex, sink};
use tokio::join;
use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;
use vipkit_config::{
    Body, Close, Config, Dns, DnsTransport, ExitCodes, Health, Host, Http, HttpVersion, Path, Reply, Request,
    Source, Target, TlsSettings, parse,
};

use super::attempt::{Attempt, found, within};
use super::dns::message::{Heard, Query};
use super::line::Lines;
use super::tls::{certificate, secure};
use super::{Means, Steps, agent, file, http, ping, process, processes, script, smtp, systemd, udp};
use crate::checks::Checks;
use crate::kept;
use crate::runs::RunId;
use crate::shell::keeper::Report;
use crate::told::ToldTable;
use crate::verdict::{Finding, Found, Outcome};

/// Longest text about something, in characters: a line of others, each character of it as long as it can be shown, and what
/// is said around it.
const TEXT_MAX: usize = 1500;
/// All was said before it is asked for, so nothing is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes on their way.
const BUFFER: usize = 1024;
/// Identifier of each DNS query.
const ID: u16 = 0x1234;
/// What certificates are looked at: 2026-12-15.
const NOW: Duration = Duration::from_secs(1_797_292_800);
/// Checks for which verdicts were kept.
const CHECKS: &str = "\
[check.a]
type = 'tcp'
target = '192.0.2.1:80'
[[service]]
name = 'web'
address = '192.0.2.15:80'
forward = 'dr'
max_out = 1
check = 'a'
hold_down = '10s'
slow_start = '20s'
[[service.server]]
address = '192.0.2.81:80'
[[service.server]]
address = '192.0.2.82:80'
";

type Reader = fn(&Answer<'_>) -> Result<Outcome, String>;

/// Who reads, and whether it is what a target says. The corpus goes by the places: another one goes last.
const READERS: [(bool, Reader); 15] = [
    (true, http),
    (true, smtp),
    (true, agent),
    (true, dns),
    (true, udp),
    (true, ping),
    (true, tls),
    (true, certificate),
    (false, systemd),
    (false, keeper),
    (false, stat),
    (false, cgroup),
    (false, pid_file),
    (false, number),
    (false, verdicts),
];

/// Something that is read.
#[derive(Clone, Copy, Debug)]
struct Answer<'a> {
    /// Chooses what was asked.
    how: u8,
    /// How much of it comes with the first packet.
    cut: u8,
    bytes: &'a [u8],
}

/// Reads what somebody says.
///
/// # Errors
/// What did not hold.
pub fn answers(input: &[u8]) -> Result<(), String> {
    let Some((&[who, how, cut], bytes)) = input.split_first_chunk() else { return Ok(()) };
    let Some((is_target, read)) = READERS.iter().cycle().nth(who.into()) else { return Ok(()) };
    let outcome = read(&Answer { how, cut, bytes })?;
    if outcome == Outcome::late(PATIENCE) {
        return Err("it waits for more than all there is".to_owned());
    }
    let (reason, rest) = match &outcome {
        Outcome::Passed(Finding { reason, warning, .. }) => (reason, warning.as_ref()),
        Outcome::Failed { reason } => (reason, None),
        Outcome::CouldNotRun { .. } if *is_target => return Err(format!("this host is blamed: {outcome:?}")),
        Outcome::CouldNotRun { reason, remedy } => (reason, Some(remedy)),
    };
    match [reason].into_iter().chain(rest).find(|text| !is_short(text)) {
        Some(text) => Err(format!("not short, or not for people: {text:?}")),
        None => Ok(()),
    }
}

fn is_short(text: &str) -> bool {
    text.chars().count() <= TEXT_MAX && !text.contains(char::is_control)
}

thread_local! {
    /// What is costly to make.
    static HOST: Result<(Runtime, Rc<Means>), String> = {
        let runtime = Builder::new_current_thread().enable_time().build();
        let bounds = Health { in_flight: 1, in_flight_per_target: 1, scripts: 1 };
        let means = Rc::new(Means::new(&bounds, ToldTable::default()));
        runtime.map(|runtime| (runtime, means)).map_err(|error| error.to_string())
    };
}

/// Has a dialogue with whoever says all this, in one go or in two, at once or when something is asked.
fn talk<F>(answer: &Answer<'_>, at_once: bool, dialogue: F) -> Result<Outcome, String>
where
    F: AsyncFnOnce(&Attempt, DuplexStream) -> Result<Finding, Outcome> + 'static,
{
    let (ours, theirs) = duplex(BUFFER);
    let dialogue = async move |attempt: &Attempt| dialogue(attempt, ours).await;
    HOST.with(|host| {
        let (runtime, means) = host.as_ref().map_err(Clone::clone)?;
        let both = async {
            join!(within(means, &Steps::default(), PATIENCE, dialogue), say(answer, at_once, theirs))
        };
        Ok(runtime.block_on(both).0)
    })
}

/// Says it all, for as long as somebody listens.
async fn say(answer: &Answer<'_>, at_once: bool, mut stream: DuplexStream) -> io::Result<()> {
    let (first, rest) = answer.bytes.split_at(usize::from(answer.cut).min(answer.bytes.len()));
    if !at_once {
        let _asked = stream.read(&mut [0; BUFFER]).await?;
    }
    stream.write_all(first).await?;
    yield_now().await;
    stream.write_all(rest).await?;
    stream.shutdown().await?;
    copy(&mut stream, &mut sink()).await.map(drop)
}

fn outcome(judged: Result<Finding, Outcome>) -> Outcome {
    judged.map_or_else(|outcome| outcome, Outcome::Passed)
}

fn target() -> Target {
    Target { host: Host::Name("www.example.net".to_owned()), port: 443 }
}

fn http(answer: &Answer<'_>) -> Result<Outcome, String> {
    let body = match answer.how >> 1 & 3 {
        0 => Vec::new(),
        1 => vec![Body::Contains("ok".to_owned())],
        2 => vec![Body::Lacks("error".to_owned()), Body::Matches("^.{0,9}o+k$".to_owned())],
        _ => vec![Body::Sha256([0; 32])],
    };
    let wanted = Request {
        method: if answer.how & 8 == 0 { "GET" } else { "HEAD" }.to_owned(),
        path: "/".to_owned(),
        host: None,
        headers: Vec::new(),
        status: vec![(200, 399)],
        body,
    };
    let version = if answer.how & 1 == 0 { HttpVersion::V11 } else { HttpVersion::V10 };
    let http =
        Http { target: target(), path: Path::default(), close: Close::Fin, version, requests: Vec::new() };
    let answered = talk(answer, answer.how & 0x10 != 0, async move |attempt, stream| {
        let message = http::message::message(&http, &wanted, false)?;
        http::exchange(attempt, stream, message, &wanted).await.map(found)
    })?;
    match &answered {
        Outcome::Passed(Finding { reason, .. }) if !reason.starts_with(['2', '3']) => {
            Err(format!("status {reason} is none that was wanted"))
        }
        _ => Ok(answered),
    }
}

fn smtp(answer: &Answer<'_>) -> Result<Outcome, String> {
    talk(answer, true, async |attempt, stream| {
        let mut lines = Lines::new(stream);
        smtp::welcome(&mut lines, "lvs1", &attempt.steps).await?;
        smtp::quit(&mut lines, &attempt.steps).await?;
        Ok(found("speaks SMTP"))
    })
}

fn agent(answer: &Answer<'_>) -> Result<Outcome, String> {
    talk(answer, true, async |_, stream| agent::judge(&Lines::new(stream).next().await?))
}

/// What a server says before it has proved who it is.
fn tls(answer: &Answer<'_>) -> Result<Outcome, String> {
    let settings = TlsSettings {
        server_name: None,
        verify: false,
        ca_file: None,
        certificate_file: None,
        key_file: None,
        expiry_warning: Duration::ZERO,
    };
    let secured = talk(answer, false, async move |attempt, stream| {
        secure(attempt, stream, &target(), None, &settings).await.map(|_| found("handshake succeeded"))
    })?;
    match secured {
        Outcome::Passed(_) => Err("a recording has proved who it is".to_owned()),
        failed => Ok(failed),
    }
}

fn certificate(answer: &Answer<'_>) -> Result<Outcome, String> {
    let within = Duration::from_secs(u64::from(answer.how) * 24 * 60 * 60);
    let warning = certificate::warning(&CertificateDer::from(answer.bytes), within, UNIX_EPOCH + NOW);
    Ok(Outcome::Passed(Finding { warning, ..Finding::default() }))
}

fn dns(answer: &Answer<'_>) -> Result<Outcome, String> {
    const RECORDS: [&str; 10] = ["A", "AAAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT", "CAA"];
    let record = RECORDS.iter().cycle().nth((answer.how & 0x0f).into()).copied().unwrap_or_default();
    let transport = if answer.how & 0x10 == 0 { DnsTransport::Udp } else { DnsTransport::Tcp };
    let expected = match (record, answer.how & 0x20) {
        ("A", 0) => vec!["192.0.2.1".to_owned()],
        ("TXT", 0) => vec!["v=spf1 -all".to_owned()],
        _ => Vec::new(),
    };
    let check = Dns {
        target: target(),
        path: Path::default(),
        transport,
        name: "www.example.net".to_owned(),
        record: record.to_owned(),
        rcode: if answer.how & 0x40 == 0 { "NOERROR" } else { "NXDOMAIN" }.to_owned(),
        answers: expected,
    };
    let query = Query::new(&check, ID).map_err(|outcome| format!("no query: {outcome:?}"))?;
    match query.hear(answer.bytes, transport) {
        Heard::Truncated if transport == DnsTransport::Tcp => Err("cut, over TCP".to_owned()),
        Heard::Answer(_) if !answer.bytes.starts_with(&ID.to_be_bytes()) => {
            Err("heard an answer to somebody else".to_owned())
        }
        Heard::Answer(judged) => Ok(outcome(judged)),
        Heard::Stray | Heard::Truncated => Ok(Outcome::failed("no answer")),
    }
}

fn udp(answer: &Answer<'_>) -> Result<Outcome, String> {
    let reply = match answer.how % 3 {
        0 => Reply::Any,
        1 => Reply::Matches("^(pong|[\\x80-\\xff]{2,8})$".to_owned()),
        _ => Reply::Bytes(vec![(0x80, 0xf0), (0, 0), (b'k', 0xff)]),
    };
    match udp::is_expected(&reply, answer.bytes) {
        Ok(expected) => Ok(Outcome::passed(expected)),
        Err(outcome) => Ok(outcome),
    }
}

fn ping(answer: &Answer<'_>) -> Result<Outcome, String> {
    let address: IpAddr =
        if answer.how & 1 == 0 { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
    let echo = ping::Echo::new(address, 16).map_err(|outcome| format!("{outcome:?}"))?;
    match echo.answered(answer.bytes) {
        Some(number) => Err(format!("it answers request {number}, which nobody has seen")),
        None => Ok(Outcome::failed("no answer")),
    }
}

fn systemd(answer: &Answer<'_>) -> Result<Outcome, String> {
    Ok(systemd::judge(&String::from_utf8_lossy(answer.bytes)))
}

fn keeper(answer: &Answer<'_>) -> Result<Outcome, String> {
    let exit = match answer.how % 3 {
        0 => ExitCodes::Simple,
        1 => ExitCodes::Keepalived,
        _ => ExitCodes::Nagios,
    };
    Ok(match serde_json::from_slice::<Report>(answer.bytes) {
        Ok(report) => script::judge(exit, &report, Duration::from_secs(1)),
        Err(_) => Outcome::hindered("what ran it was killed", "see the log"),
    })
}

fn stat(answer: &Answer<'_>) -> Result<Outcome, String> {
    match processes::living(answer.bytes) {
        Some(name) if name.len() + 2 > answer.bytes.len() => {
            Err("a name longer than all there is".to_owned())
        }
        name => Ok(Outcome::passed(name.is_some())),
    }
}

fn cgroup(answer: &Answer<'_>) -> Result<Outcome, String> {
    Ok(Outcome::passed(process::is_populated(answer.bytes).is_some()))
}

fn pid_file(answer: &Answer<'_>) -> Result<Outcome, String> {
    match process::number(answer.bytes) {
        Some(0) => Err("0 is every process of a group".to_owned()),
        number => Ok(Outcome::passed(number.unwrap_or_default())),
    }
}

fn number(answer: &Answer<'_>) -> Result<Outcome, String> {
    Ok(file::judge(answer.bytes))
}

/// What an earlier life left.
fn verdicts(answer: &Answer<'_>) -> Result<Outcome, String> {
    let Ok(kept) = kept::parse(answer.bytes) else { return Ok(Outcome::failed("damaged")) };
    let again = kept::parse(&kept::emit(&kept)).map_err(|error| format!("cannot be read back: {error}"))?;
    if kept::emit(&again) != kept::emit(&kept) {
        return Err(format!("{kept:?} is read back as {again:?}"));
    }
    let now: SystemTime = UNIX_EPOCH + NOW;
    let mut checks = Checks::default();
    checks.configure(config()?, &kept, Found::BeforeRestart, now);
    let ids: Vec<RunId> = checks.runs().iter().map(|(id, _)| id).collect();
    for id in ids {
        checks.finished(id, Outcome::passed("connected"), Duration::ZERO, now);
    }
    checks.mature(now);
    if checks.next().is_some_and(|next| next <= now) {
        return Err("something is still due".to_owned());
    }
    Ok(Outcome::passed(checks.summary()))
}

fn config() -> Result<Config, String> {
    let source = Source { name: "vipkit.toml".to_owned(), text: CHECKS.to_owned() };
    parse(&[source]).map_err(|faults| faults.to_string())
}
