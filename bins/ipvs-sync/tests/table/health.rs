//! A healthcheckd that says what a test wants: the server's end of `io.vipkit.Health.Monitor`, and nothing else of it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::json;
use vipkit_control::health::{Check, Judgement, Monitor, State, Step};

/// What it says, and who listens.
#[derive(Default)]
struct Inner {
    running: bool,
    checks: BTreeMap<String, Check>,
    streams: Vec<UnixStream>,
}

/// The daemon; it ends when dropped.
pub struct Health {
    socket: PathBuf,
    inner: Arc<Mutex<Inner>>,
}

impl Health {
    /// One that does not run yet, and knows nothing.
    pub fn new(folder: &Path) -> Self {
        Self { socket: folder.join("healthcheckd.sock"), inner: Arc::default() }
    }

    /// Serves its socket.
    pub fn start(&self) {
        let listener = UnixListener::bind(&self.socket).unwrap();
        self.inner.lock().unwrap().running = true;
        let inner = self.inner.clone();
        thread::spawn(move || {
            for mut stream in listener.incoming().map(Result::unwrap) {
                let mut byte = [1];
                while byte != [0] {
                    stream.read_exact(&mut byte).unwrap();
                }
                let mut inner = inner.lock().unwrap();
                if !inner.running {
                    return;
                }
                for (step, checks) in [
                    (Step::Begin, Vec::new()),
                    (Step::Page, inner.checks.values().cloned().collect()),
                    (Step::Level, Vec::new()),
                ] {
                    send(&stream, step, checks);
                }
                inner.streams.push(stream);
            }
        });
    }

    /// Ends as if killed: its socket stays, and nobody is at it.
    pub fn stop(&self) {
        let mut inner = self.inner.lock().unwrap();
        if !std::mem::take(&mut inner.running) {
            return;
        }
        for stream in inner.streams.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        drop(inner);
        // The thread that accepts sees that it is over.
        if let Ok(mut last) = UnixStream::connect(&self.socket) {
            let _ = last.write_all(&[0]);
        }
        fs::remove_file(&self.socket).unwrap();
    }

    /// Says this of a check, to whoever listens and to those who come.
    pub fn say(&self, name: &str, state: State, judged: Option<Judgement>, reason: &str) {
        self.say_all(&[name], state, judged, reason);
    }

    /// Says this of many checks at once, 100 a message.
    pub fn say_all(&self, names: &[&str], state: State, judged: Option<Judgement>, reason: &str) {
        let mut inner = self.inner.lock().unwrap();
        for names in names.chunks(100) {
            let checks: Vec<Check> = names.iter().map(|name| check(name, state, judged, reason)).collect();
            inner.checks.extend(checks.iter().map(|check| (check.name.clone(), check.clone())));
            inner.streams.iter().for_each(|stream| send(stream, Step::Change, checks.clone()));
        }
    }

    /// Forgets a check, without a word.
    pub fn forget(&self, name: &str) {
        self.inner.lock().unwrap().checks.remove(name);
    }
}

impl Drop for Health {
    fn drop(&mut self) {
        self.stop();
    }
}

fn send(mut stream: &UnixStream, step: Step, checks: Vec<Check>) {
    let message = Monitor { step, sequence: 1, daemon: None, checks, removed: Vec::new() };
    let mut bytes = serde_json::to_vec(&json!({ "parameters": message, "continues": true })).unwrap();
    bytes.push(0);
    // Who is gone hears nothing.
    let _ = stream.write_all(&bytes);
}

fn check(name: &str, state: State, judged: Option<Judgement>, reason: &str) -> Check {
    let judged = match state {
        State::Up => Some(Judgement::Up),
        State::Down => Some(Judgement::Down),
        State::Unknown | State::CouldNotRun => judged,
    };
    Check {
        name: name.to_owned(),
        kind: "tcp".to_owned(),
        target: String::new(),
        state,
        judged,
        weight: None,
        since: "2026-01-01T00:00:00.000Z".to_owned(),
        reason: reason.to_owned(),
        warning: None,
        generation: 1,
        disabled: None,
        used_by: Vec::new(),
        runs: Vec::new(),
    }
}
