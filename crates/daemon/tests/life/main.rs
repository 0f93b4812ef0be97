//! A daemon made of the parts of this crate, in a process of its own: it serves, reloads on SIGHUP, ends on SIGTERM and
//! with its tasks.

#[cfg(test)]
mod demo;

use tokio::task::JoinSet;
use vipkit_daemon::outside::begin;

use demo::{Demo, Ended, ask, signal};

/// One test: signals are the process's, not a test's.
#[test]
fn a_daemon_serves_reloads_and_ends() {
    let (main_loop, outside) = begin().unwrap();
    let mut demo = Demo::new(outside);
    main_loop.run(async {
        let (socket, reloaded) = (demo.socket(), demo.reloaded.clone());
        demo.configure("[node]\nname = \"lvs1\"");
        let ended = demo.live(JoinSet::new(), async {
            assert!(ask(&socket).await.contains("\"demo\""));
            signal("HUP");
            reloaded.notified().await;
            signal("TERM");
        });
        ended.await.unwrap();
        assert_eq!(*demo.names.borrow(), ["lvs1"]);
        assert!(!demo.socket().exists(), "the socket goes with the daemon");

        demo.configure("nonsense = 1");
        let faults = demo.reloader.reload().await.unwrap_err();
        assert_eq!(faults.iter().count(), 1);
        assert_eq!(*demo.names.borrow(), ["lvs1"], "a faulty configuration changes nothing");

        let mut tasks: JoinSet<Ended> = JoinSet::new();
        tasks.spawn_local(std::future::pending());
        tasks.spawn_local(async { Err("the kernel does not answer".into()) });
        let why = demo.live(tasks, async {}).await.unwrap_err();
        assert_eq!(why.to_string(), "the kernel does not answer");
    });
}
