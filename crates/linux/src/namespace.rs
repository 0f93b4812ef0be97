//! For tests alone: a network namespace of one's own, and `ip` in it. A thread's namespace is not its process's.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};

use crate::route::{Link, Route};

/// Runs `test` on a thread in a fresh network namespace, which ends with it.
pub(crate) fn in_namespace(test: impl FnOnce() + Send + 'static) {
    let thread = thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        test();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// As [`in_namespace`], with a tokio runtime on the thread.
pub(crate) fn in_namespace_async(test: impl AsyncFnOnce() + Send + 'static) {
    in_namespace(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(test());
    });
}

/// Runs `ip` with these arguments in the namespace of the calling thread.
pub(crate) fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split(' ')).output().unwrap();
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Two ends of a cable, veth0 and veth1, in the namespace of the calling thread, as their indexes. Neither has an
/// address.
pub(crate) fn cable() -> (u32, u32) {
    ip("link add name veth0 type veth peer name veth1");
    for end in ["veth0", "veth1"] {
        ip(&format!("link set dev {end} addrgenmode none"));
        ip(&format!("link set dev {end} up"));
    }
    eventually(|| (link("veth0").carrier && link("veth1").carrier).then_some(()));
    (link("veth0").index, link("veth1").index)
}

/// A link in the namespace of the calling thread.
pub(crate) fn link(name: &str) -> Link {
    Route::open().unwrap().links().unwrap().into_iter().find(|link| link.name == name).unwrap()
}

/// Asks until there is an answer, for at most five seconds.
pub(crate) fn eventually<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "it never came");
        thread::yield_now();
    }
}
