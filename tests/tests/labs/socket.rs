//! The socket and the service manager: who may do what, sockets that are handed over, and what is told when.

use std::fs::{self, Permissions};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::time::Duration;

use vipkit_tests::lab::Lab;
use vipkit_tests::lab::daemon::HAND_OVER;
use vipkit_tests::lab::host::Host;
use vipkit_tests::lab::process::Ran;
use vipkit_tests::lab::vrrpd::{Privilege, Vrrpd};

use crate::fixture::{SOON, config};

as_root_and_with_two_capabilities!(a_stranger, handed_over, told_to_the_service_manager);

const WATCHDOG_USEC: &str = "400000";

fn alone() -> (Lab, Host) {
    let lab = Lab::new();
    let host = lab.host("alone", 100);
    (lab, host)
}

fn open_to_all(path: &std::path::Path) {
    fs::set_permissions(path, Permissions::from_mode(0o666)).unwrap();
}

fn a_stranger(privilege: Privilege) {
    let (lab, host) = alone();
    let vrrpd = Vrrpd::started(&host, privilege, &config(100, ""));
    let list = || vrrpd.vipctl_as_stranger(&["call", "vrrpd", "io.vipkit.Vrrp.List"]);
    let reload = || vrrpd.vipctl_as_stranger(&["call", "vrrpd", "io.vipkit.Vrrp.Reload"]);
    let said = |ran: &Ran| format!("{}{}", ran.stdout, ran.stderr);

    assert_eq!(list().code, 2, "the socket is for its group");
    open_to_all(&vrrpd.socket());
    let listed = list();
    assert!(listed.code == 0 && listed.stdout.contains("\"web\""), "{listed:?}");
    let denied = reload();
    assert_eq!(denied.code, 1);
    assert!(said(&denied).contains("PermissionDenied"), "{denied:?}");
    assert!(said(&denied).contains("vipkit-admin"), "{denied:?}");
    let logged = || vrrpd.log().contains("io.vipkit.Vrrp.Reload denied to uid 61235");
    lab.wait("the refusal is in the log", SOON, logged);
    assert_eq!(vrrpd.vipctl(&["reload"]).code, 0);
}

fn handed_over(privilege: Privilege) {
    let (_lab, host) = alone();
    let mut vrrpd = Vrrpd::new(&host, privilege, &config(100, ""));
    let listener = UnixListener::bind(vrrpd.socket()).unwrap();
    open_to_all(&vrrpd.socket());
    for _ in 0..2 {
        let socket = OwnedFd::from(listener.try_clone().unwrap());
        let mut command = vrrpd.command(&["sh", "-c", HAND_OVER, "sh"]);
        vrrpd.start_as(command.stdin(socket));
        assert_eq!(vrrpd.vipctl(&["vrrp", "web"]).code, 0);
        vrrpd.terminate();
        assert!(vrrpd.socket().exists(), "the socket is the service manager's");
    }
}

fn told_to_the_service_manager(privilege: Privilege) {
    let (lab, host) = alone();
    let path = lab.folder().join("notify");
    let notified = UnixDatagram::bind(&path).unwrap();
    open_to_all(&path);
    notified.set_read_timeout(Some(SOON)).unwrap();
    let told = || {
        let mut message = [0; 1024];
        let length = notified.recv(&mut message).expect("to be told something");
        String::from_utf8_lossy(&message[..length]).into_owned()
    };
    let told_in_time = |word: &str| (0..20).any(|_| told().lines().any(|line| line == word));

    let mut vrrpd = Vrrpd::new(&host, privilege, &config(100, ""));
    let mut command = vrrpd.command(&[]);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", WATCHDOG_USEC);
    vrrpd.launch_as(&mut command);
    assert!(told_in_time("READY=1"));
    assert!(vrrpd.pid().is_ok(), "ready is when it answers");
    notified.set_read_timeout(Some(Duration::from_millis(400))).unwrap();
    for _ in 0..5 {
        assert!(told_in_time("WATCHDOG=1"));
    }
    vrrpd.hang_up();
    assert!(told_in_time("RELOADING=1") && told_in_time("READY=1"));
    vrrpd.terminate();
    assert!(told_in_time("STOPPING=1"));
}
