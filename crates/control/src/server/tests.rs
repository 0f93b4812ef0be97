//! The server over real sockets: order, refusals, and a test for every bound.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream as Plain;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::LocalSet;

use super::*;
use crate::call::NoParameters;
use crate::client::{Client, ClientError};
use crate::codec::{Frame, MAX_MESSAGE};
use crate::demo::{Demo, ECHO, Echo, FORGOTTEN, LATER, Numbers, SET, Set, WATCH, Watched};
use crate::error;
use crate::monitor::{Feed, Step};

const PATIENCE: Duration = Duration::from_secs(10);
const RIGHTS: Rights = Rights { daemon_uid: 990, admin_gid: Some(70) };

fn root(_: BorrowedFd<'_>) -> io::Result<Peer> {
    Ok(Peer { uid: 0, gid: 0, pid: 1, groups: Vec::new() })
}

fn stranger(_: BorrowedFd<'_>) -> io::Result<Peer> {
    Ok(Peer { uid: 1000, gid: 1000, pid: 42, groups: vec![27] })
}

/// A demo daemon on a thread of its own, stopped when dropped.
struct Running {
    folder: TempDir,
    log: mpsc::Receiver<String>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Running {
    fn new(bounds: Bounds, identify: Identify, numbers: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("demo.sock");
        let (log, events) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let (ready, started) = mpsc::channel();
        let thread = thread::spawn(move || {
            let values = (0..numbers).map(|number| (format!("n{number:04}"), 0)).collect();
            let numbers = Numbers { values: RefCell::new(values), padding: 200 };
            let handler = Rc::new(Demo { numbers: Rc::new(numbers), feed: Feed::default(), log });
            on_a_loop(async move {
                let listener = UnixListener::bind(path).unwrap();
                ready.send(()).unwrap();
                let server = Server { handler, rights: RIGHTS, identify, bounds };
                tokio::select! { _ = server.run(listener) => {}, _ = stopped => {} }
            });
        });
        started.recv_timeout(PATIENCE).unwrap();
        Self { folder, log: events, stop: Some(stop), thread: Some(thread) }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("demo.sock")
    }

    fn client(&self) -> Client {
        Client::connect(&self.path(), PATIENCE, |_| Ok(())).unwrap()
    }

    fn plain(&self) -> Plain {
        let stream = Plain::connect(self.path()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Waits for an event.
    fn expect(&self, event: &str) {
        let mut seen = Vec::new();
        while let Ok(next) = self.log.recv_timeout(PATIENCE) {
            if next.contains(event) {
                return;
            }
            seen.push(next);
        }
        panic!("no `{event}` among {seen:?}");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.take().map(|stop| stop.send(()));
        self.thread.take().map(thread::JoinHandle::join);
    }
}

fn on_a_loop(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, work);
}

fn running() -> Running {
    Running::new(Bounds::default(), root, 0)
}

fn echo(text: &str) -> Echo {
    Echo { text: text.to_owned(), times: None }
}

/// The next message of a stream.
fn message(stream: &mut Plain) -> Value {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while stream.read(&mut byte).unwrap() == 1 && byte[0] != 0 {
        bytes.push(byte[0]);
    }
    serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{error}: {bytes:?}"))
}

/// Nothing more comes: the other end is closed, with or without what we sent being read.
fn is_closed(stream: &mut Plain) -> bool {
    match stream.read(&mut [0]) {
        Ok(read) => read == 0,
        Err(error) => matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe),
    }
}

fn refusal<T: std::fmt::Debug>(result: Result<T, ClientError>) -> error::Error {
    match result.unwrap_err() {
        ClientError::Refused(error) => error,
        other => panic!("{other}"),
    }
}

#[test]
fn a_call_is_answered_now_or_later() {
    let server = running();
    let mut client = server.client();
    assert_eq!(client.call::<_, Echo>(ECHO, &echo("a")).unwrap(), echo("a"));
    assert_eq!(client.call::<_, Echo>(LATER, &echo("b")).unwrap(), echo("b"));
}

#[test]
fn the_service_describes_itself() {
    let server = running();
    let mut client = server.client();
    let info = client.info().unwrap();
    assert_eq!((info.product.as_str(), info.version.as_str()), ("demo", "1"));
    assert_eq!(info.interfaces, ["org.varlink.service", "org.example.Demo"]);
    for interface in &info.interfaces {
        let text = client.interface_description(interface).unwrap();
        assert!(text.contains(&format!("interface {interface}\n")));
    }
    let error = refusal(client.interface_description("io.vipkit.Nothing"));
    assert_eq!(error, error::Error::interface_not_found("io.vipkit.Nothing"));
    let error = refusal(client.call::<_, Value>(crate::service::GET_INFO, &json!({"x": 1})));
    assert_eq!(error, error::Error::invalid_parameter("x"));
}

#[test]
fn a_call_that_does_not_fit_gets_a_named_error_and_the_connection_stays() {
    let server = running();
    let mut client = server.client();
    let rows = [
        ("org.example.Other.Echo", json!({}), error::Error::interface_not_found("org.example.Other")),
        ("org.example.Demo.Ecco", json!({}), error::Error::method_not_found("org.example.Demo.Ecco")),
        (FORGOTTEN, json!({}), error::Error::method_not_implemented(FORGOTTEN)),
        (ECHO, json!({}), error::Error::invalid_parameter("text")),
        (ECHO, json!({"text": 1}), error::Error::invalid_parameter("text")),
        (ECHO, json!({"text": "a", "tmes": 1}), error::Error::invalid_parameter("tmes")),
        (LATER, json!({"text": "a", "times": "x"}), error::Error::invalid_parameter("times")),
        (WATCH, json!({}), error::Error::expected_more()),
    ];
    for (method, parameters, error) in rows {
        assert_eq!(refusal(client.call::<_, Value>(method, &parameters)), error, "{method} {parameters}");
    }
    assert_eq!(client.call::<_, Echo>(ECHO, &echo("still here")).unwrap(), echo("still here"));
    let replies = server.client().more::<_, Value>(WATCH, &json!({"x": 1})).unwrap();
    let [Err(ClientError::Refused(error))] = &replies.collect::<Vec<_>>()[..] else { panic!() };
    assert_eq!(*error, error::Error::invalid_parameter("x"));
}

#[test]
fn an_upgrade_is_refused() {
    let server = running();
    let mut stream = server.plain();
    let call = json!({"method": ECHO, "parameters": {"text": "a"}, "upgrade": true});
    write!(stream, "{call}\0").unwrap();
    let wanted = json!({"error": error::METHOD_NOT_IMPLEMENTED, "parameters": {"method": ECHO}});
    assert_eq!(message(&mut stream), wanted);
}

#[test]
fn changing_methods_are_for_those_who_may() {
    let server = Running::new(Bounds::default(), stranger, 0);
    let error = refusal(server.client().call::<_, Value>(SET, &Set::default()));
    assert_eq!(error, error::Error::permission_denied(1000, NEEDED));
    server.client().call::<_, Value>(ECHO, &echo("reading is free")).unwrap();
    let log: Vec<_> = server.log.try_iter().collect();
    assert_eq!(
        log,
        [format!("uid 1000 pid 42 may not {SET}"), format!("called {ECHO} by uid 1000 pid 42")],
        "the handler is not asked"
    );

    let server = running();
    server.client().call::<_, NoParameters>(SET, &Set::default()).unwrap();
    let log: Vec<_> = server.log.try_iter().collect();
    assert_eq!(log, [format!("uid 0 pid 1 changes by {SET}"), format!("called {SET} by uid 0 pid 1")]);
}

#[test]
fn who_cannot_be_identified_is_closed() {
    let server = Running::new(Bounds::default(), |_| Err(io::Error::other("who?")), 0);
    assert!(is_closed(&mut server.plain()));
    server.expect("unidentified: who?");
}

#[test]
fn pipelined_calls_are_answered_in_order() {
    let server = running();
    let mut stream = server.plain();
    let mut calls = Vec::new();
    for number in 0..500 {
        let method = if number % 3 == 0 { LATER } else { ECHO };
        calls.extend_from_slice(Frame::call(method, &echo(&number.to_string()), false).unwrap().bytes());
    }
    stream.write_all(&calls).unwrap();
    for number in 0..500 {
        assert_eq!(message(&mut stream)["parameters"]["text"], number.to_string());
    }
}

#[test]
fn a_peer_that_sends_no_more_still_gets_its_answers() {
    let server = running();
    let mut stream = server.plain();
    stream.write_all(Frame::call(ECHO, &echo("a"), false).unwrap().bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(message(&mut stream)["parameters"]["text"], "a");
    assert!(is_closed(&mut stream));
}

#[test]
fn a_oneway_call_gets_no_reply_and_no_error() {
    let server = running();
    let mut stream = server.plain();
    for (method, parameters) in [(ECHO, json!({"text": "a"})), (ECHO, json!({})), (WATCH, json!({}))] {
        write!(stream, "{}\0", json!({"method": method, "parameters": parameters, "oneway": true})).unwrap();
    }
    write!(stream, "{}\0", json!({"method": WATCH, "oneway": true, "more": true})).unwrap();
    stream.write_all(Frame::call(ECHO, &echo("only answer"), false).unwrap().bytes()).unwrap();
    assert_eq!(message(&mut stream)["parameters"]["text"], "only answer");
}

#[test]
fn what_is_no_call_closes_the_connection_and_no_other() {
    let server = running();
    let mut other = server.client();
    for bad in ["nonsense\0", "{}\0", "\0", "[1,2\0", "\u{1F980}\0"] {
        let mut stream = server.plain();
        stream.write_all(Frame::call(ECHO, &echo("before"), false).unwrap().bytes()).unwrap();
        stream.write_all(bad.as_bytes()).unwrap();
        assert_eq!(message(&mut stream)["parameters"]["text"], "before");
        assert!(is_closed(&mut stream), "{bad:?}");
        server.expect("dropped uid 0 pid 1: bad message");
        other.call::<_, Value>(ECHO, &echo("a")).unwrap();
    }
}

#[test]
fn a_message_too_large_closes_the_connection() {
    let server = running();
    let mut stream = server.plain();
    // The server may close before the last byte is written.
    let _ = stream.write_all(&vec![b' '; MAX_MESSAGE + 1]);
    server.expect("a message of more than 262144 bytes");
    assert!(is_closed(&mut stream));
}

#[test]
fn a_reply_too_large_closes_the_connection() {
    let server = running();
    let large = Echo { text: "x".repeat(1000), times: Some(1000) };
    assert!(matches!(server.client().call::<_, Echo>(ECHO, &large), Err(ClientError::Closed)));
    server.expect("unsendable reply: a message of more than 262144 bytes");
}

#[test]
fn more_clients_than_allowed_are_closed_until_one_leaves() {
    let server = Running::new(Bounds { clients: 2, ..Bounds::default() }, root, 0);
    let (mut one, mut two) = (server.client(), server.client());
    one.call::<_, Value>(ECHO, &echo("a")).unwrap();
    two.call::<_, Value>(ECHO, &echo("a")).unwrap();
    assert!(is_closed(&mut server.plain()));
    server.expect("full");
    drop(one);
    let deadline = Instant::now() + PATIENCE;
    while server.client().call::<_, Value>(ECHO, &echo("a")).is_err() {
        assert!(Instant::now() < deadline, "no room after one left");
    }
    two.call::<_, Value>(ECHO, &echo("a")).unwrap();
}

#[test]
fn an_idle_connection_is_closed_and_a_stream_is_not() {
    let bounds = Bounds { idle: Duration::from_millis(500), ..Bounds::default() };
    let server = Running::new(bounds, root, 1);
    let mut watch = server.client().more::<_, Watched>(WATCH, &NoParameters {}).unwrap();
    watch.by_ref().map(Result::unwrap).find(|update| update.step == Step::Level).unwrap();
    for sent in ["", "{\"method\":\"half a call"] {
        let mut stream = server.plain();
        stream.write_all(sent.as_bytes()).unwrap();
        assert!(is_closed(&mut stream));
        server.expect("dropped uid 0 pid 1: idle");
    }
    let change = Set { set: BTreeMap::from([("n0000".to_owned(), 5)]), ..Set::default() };
    server.client().call::<_, NoParameters>(SET, &change).unwrap();
    let update = watch.next().unwrap().unwrap();
    assert_eq!((update.step, update.numbers[0].value), (Step::Change, 5));
}

#[test]
fn a_reader_that_does_not_drain_is_dropped() {
    let server = Running::new(Bounds { stall: Duration::from_millis(50), ..Bounds::default() }, root, 0);
    let mut stream = server.plain();
    let large = Echo { text: "x".repeat(1000), times: Some(200) };
    for _ in 0..8 {
        stream.write_all(Frame::call(ECHO, &large, false).unwrap().bytes()).unwrap();
    }
    server.expect("dropped uid 0 pid 1: does not read its replies");
    let calls = server.log.try_iter().count();
    assert_eq!(calls, 0, "nothing is worked on after that");
}

#[test]
fn a_stream_ends_when_its_reader_leaves() {
    let server = Running::new(Bounds { clients: 1, ..Bounds::default() }, root, 1);
    let mut watch = server.client().more::<_, Watched>(WATCH, &NoParameters {}).unwrap();
    watch.by_ref().map(Result::unwrap).find(|update| update.step == Step::Level).unwrap();
    drop(watch);
    let deadline = Instant::now() + PATIENCE;
    while server.client().call::<_, Value>(ECHO, &echo("a")).is_err() {
        assert!(Instant::now() < deadline, "the idle stream still counts");
    }
}

#[test]
fn a_connection_that_streams_takes_no_calls() {
    let server = Running::new(Bounds::default(), root, 1);
    let watch = Frame::call(WATCH, &NoParameters {}, true).unwrap();
    let call = Frame::call(ECHO, &echo("a"), false).unwrap();

    let mut stream = server.plain();
    stream.write_all(watch.bytes()).unwrap();
    while message(&mut stream)["parameters"]["step"] != "level" {}
    stream.write_all(call.bytes()).unwrap();
    server.expect("sent data while a stream was running");
    assert!(is_closed(&mut stream));

    let mut stream = server.plain();
    stream.write_all(&[watch.bytes(), call.bytes()].concat()).unwrap();
    server.expect("sent data while a stream was running");
    while !is_closed(&mut stream) {}
}

#[test]
fn a_lagging_reader_of_a_thousand_objects_sees_the_last_state() {
    const ROUNDS: u64 = 20;
    let server = Running::new(Bounds::default(), root, 1000);
    let mut watch = server.client().more::<_, Watched>(WATCH, &NoParameters {}).unwrap();
    assert_eq!(watch.next().unwrap().unwrap().step, Step::Begin);

    let mut changer = server.client();
    for round in 1..=ROUNDS {
        let set = (0..1000).map(|number| (format!("n{number:04}"), round)).collect();
        let remove = if round == ROUNDS { vec!["n0500".to_owned()] } else { Vec::new() };
        changer.call::<_, NoParameters>(SET, &Set { set, remove }).unwrap();
    }

    let mut known = BTreeMap::new();
    let (mut level, mut received) = (false, 0);
    while known.len() != 999 || known.values().any(|value| *value != ROUNDS) {
        let update = watch.next().unwrap().unwrap();
        assert!(update.numbers.len() + update.removed.len() <= crate::page::MAX_OBJECTS);
        assert_eq!(update.step, if level { Step::Change } else { update.step }, "changes follow level");
        level |= update.step == Step::Level;
        received += update.numbers.len();
        known.extend(update.numbers.into_iter().map(|number| (number.name, number.value)));
        known.retain(|name, _| !update.removed.contains(name));
    }
    assert!(received < 10_000, "{received} objects for 20,000 changes");
}

/// However many connections have work, the loop gets back to its timers and sockets after each piece.
#[test]
fn one_call_is_worked_on_per_turn_of_the_loop() {
    const CLIENTS: usize = 16;
    const CALLS: usize = 50;

    struct Counting {
        demo: Demo,
        turn: Rc<Cell<usize>>,
        calls: RefCell<BTreeMap<usize, usize>>,
    }
    impl Handler for Counting {
        fn service(&self) -> &crate::service::Service {
            self.demo.service()
        }
        fn call(&self, call: &Call, caller: &Peer) -> Outcome {
            *self.calls.borrow_mut().entry(self.turn.get()).or_default() += 1;
            self.demo.call(call, caller)
        }
        fn event(&self, event: Event<'_>) {
            self.demo.event(event);
        }
    }

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("demo.sock");
    let turn = Rc::new(Cell::new(0));
    let demo = Demo { numbers: Rc::default(), feed: Feed::default(), log: mpsc::channel().0 };
    let handler = Rc::new(Counting { demo, turn: turn.clone(), calls: RefCell::default() });
    let server =
        Server { handler: handler.clone(), rights: RIGHTS, identify: root, bounds: Bounds::default() };
    on_a_loop(async {
        let listener = UnixListener::bind(&path).unwrap();
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            let mut stream = UnixStream::connect(&path).await.unwrap();
            clients.spawn_local(async move {
                let call = Frame::call(ECHO, &echo("a"), false).unwrap();
                stream.write_all(&call.bytes().repeat(CALLS)).await.unwrap();
                stream.shutdown().await.unwrap();
                stream.read_to_end(&mut Vec::new()).await.unwrap();
            });
        }
        let done = async { while clients.join_next().await.is_some() {} };
        let count_turns = async {
            loop {
                turn.set(turn.get() + 1);
                tokio::task::yield_now().await;
            }
        };
        tokio::select! { _ = server.run(listener) => {}, () = count_turns => {}, () = done => {} }
    });
    let calls = handler.calls.borrow();
    assert_eq!(calls.values().sum::<usize>(), CLIENTS * CALLS);
    assert!(calls.values().all(|calls| *calls <= 2), "{calls:?}");
}
