//! Real servers as `vipctl realserver` makes them: they take what is sent to the VIP, and neither ARP nor neighbour
//! discovery ever speaks of it. Each silence is heard against the noise of a host that was not prepared.

use std::fs;
use std::io::Read;
use std::net::{IpAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use socket2::{Domain, Protocol, Socket, Type};
use vipkit_tests::lab::host::Host;
use vipkit_tests::lab::process::{Ran, run};
use vipkit_tests::lab::vrrpd::{Privilege, Vrrpd};
use vipkit_tests::lab::worker::Worker;
use vipkit_tests::lab::{Lab, binary};

use crate::fixture::{SOON, instance, takeover};

const VIP: &str = "192.168.4.15";
const VIP6: &str = "fd00::15";
/// Times that the client asks.
const ROUNDS: usize = 10;
const PORT: u16 = 9;

/// Runs `vipctl realserver` on a host.
fn realserver(host: &Host, arguments: &str) -> Ran {
    let program = binary("vipctl");
    let mut line = vec![program.to_str().unwrap(), "realserver"];
    line.extend(arguments.split_whitespace());
    run(host.command(&line).env("VIPKIT_STATE_DIR", host.folder().join("state")))
}

fn good(host: &Host, arguments: &str) -> String {
    let ran = realserver(host, arguments);
    assert_eq!(ran.code, 0, "{arguments}: {}{}", ran.stdout, ran.stderr);
    ran.stdout
}

/// The faults of the host and of its VIPs, in one text.
fn faults(host: &Host, arguments: &str) -> String {
    let ran = realserver(host, &format!("{arguments} --json"));
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let of_vips = report["vips"].as_array().unwrap().iter().flat_map(|vip| vip["faults"].as_array().unwrap());
    let all: Vec<_> = report["faults"].as_array().unwrap().iter().chain(of_vips).collect();
    assert_eq!((ran.code, report["good"].as_bool()), (i32::from(!all.is_empty()), Some(all.is_empty())));
    assert!(all.iter().all(|fault| fault["remedy"].as_str().is_some_and(|remedy| !remedy.is_empty())));
    all.iter().map(|fault| fault["what"].as_str().unwrap()).collect::<Vec<_>>().join("\n")
}

fn set(host: &Host, interface: &str, name: &str, value: i32) {
    let line = format!("echo {value} > /proc/sys/net/ipv4/conf/{interface}/{name}");
    assert_eq!(host.run(&["sh", "-c", &line]).code, 0, "{line}");
}

/// All that `vipctl realserver` may change.
fn state(host: &Host) -> String {
    let settings = "grep . /proc/sys/net/ipv4/conf/*/arp_ignore /proc/sys/net/ipv4/conf/*/arp_announce";
    host.run(&["sh", "-c", settings]).stdout + &host.ip("-oneline address show dev lo")
}

/// What is said on the wire of who has which address: by ARP, and by neighbour discovery.
#[derive(Clone, Debug, PartialEq)]
struct Word {
    /// `ask` or `answer`.
    kind: &'static str,
    /// Who says it.
    mac: String,
    /// Of which address: the sender of a question, what an answer is about.
    of: IpAddr,
}

/// What a host hears.
struct Wire {
    words: Arc<Mutex<Vec<Word>>>,
    _worker: Worker,
}

impl Wire {
    fn of(host: &Host) -> Self {
        let everything = Protocol::from(i32::from((libc::ETH_P_ALL as u16).to_be()));
        let open = || Socket::new(Domain::PACKET, Type::RAW, Some(everything)).unwrap();
        let mut socket = host.namespace().within(open);
        socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let words = Arc::new(Mutex::new(Vec::new()));
        let heard = words.clone();
        let mut frame = [0; 2048];
        let listen = move || {
            if let Ok(length) = socket.read(&mut frame) {
                heard.lock().unwrap().extend(word(&frame[..length]));
            }
        };
        Self { words, _worker: Worker::start(listen) }
    }

    fn heard(&self, kind: &str, host: &Host, of: &str) -> bool {
        let of: IpAddr = of.parse().unwrap();
        let mac = host.mac();
        self.words.lock().unwrap().iter().any(|word| word.kind == kind && word.mac == mac && word.of == of)
    }
}

fn word(frame: &[u8]) -> Option<Word> {
    let mac: Vec<String> = frame.get(6..12)?.iter().map(|byte| format!("{byte:02x}")).collect();
    let v4 = |bytes: &[u8]| <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let v6 = |bytes: &[u8]| <[u8; 16]>::try_from(bytes).map(IpAddr::from);
    let (kind, of) = match (frame.get(12..14)?, frame.get(14..)?) {
        ([0x08, 0x06], arp) if arp.len() >= 28 => {
            (if arp[7] == 1 { "ask" } else { "answer" }, v4(&arp[14..18]).ok()?)
        }
        // ICMPv6: a solicitation asks in the name of its source, an advertisement is about its target.
        ([0x86, 0xdd], ip) if ip.len() >= 64 && ip[6] == 58 && ip[40] == 135 => ("ask", v6(&ip[8..24]).ok()?),
        ([0x86, 0xdd], ip) if ip.len() >= 64 && ip[6] == 58 && ip[40] == 136 => {
            ("answer", v6(&ip[48..64]).ok()?)
        }
        _ => return None,
    };
    Some(Word { kind, mac: mac.join(":"), of })
}

/// Sends a datagram, for which the way has to be found anew.
fn send(host: &Host, from: &str, to: &str) {
    host.ip("neigh flush all nud all");
    let (from, to): (IpAddr, IpAddr) = (from.parse().unwrap(), to.parse().unwrap());
    host.namespace().within(|| UdpSocket::bind((from, 0)).unwrap().send_to(b"x", (to, PORT)).unwrap());
}

/// What a client sends to the VIP by way of a director, which leaves the packet as it is, arrives.
fn is_taken(client: &Host, server: &Host, vip: &str) -> bool {
    let address: IpAddr = vip.parse().unwrap();
    let socket = server.namespace().within(|| UdpSocket::bind((address, PORT)).unwrap());
    socket.set_read_timeout(Some(SOON)).unwrap();
    client.ip(&format!("neigh replace {vip} lladdr {} dev eth0 nud permanent", server.mac()));
    client
        .namespace()
        .within(|| UdpSocket::bind(any(address)).unwrap().send_to(b"x", (address, PORT)).unwrap());
    let taken = socket.recv(&mut [0; 9]).is_ok();
    client.ip(&format!("neigh del {vip} dev eth0"));
    taken
}

fn any(like: IpAddr) -> (IpAddr, u16) {
    (if like.is_ipv4() { IpAddr::from([0; 4]) } else { IpAddr::from([0; 16]) }, 0)
}

/// The client looks for the VIP again and again; then all has been heard that the server had to say of it.
fn look_for(lab: &Lab, client: &Host, server: &Host, wire: &Wire, [vip, own, from]: [&str; 3]) {
    for _ in 0..ROUNDS {
        send(client, from, vip);
    }
    // What comes in on an interface is dealt with in turn: this answer is the last.
    lab.wait("the server answers for its own address", SOON, || {
        send(client, from, own);
        wire.heard("answer", server, own)
    });
}

#[test]
#[ignore = "needs root and network namespaces: scripts/test namespaces"]
fn arp_never_speaks_of_the_vip() {
    let lab = Lab::new();
    let (director, client) = (lab.host("director", 5), lab.host("client", 9));
    let (prepared, careless) = (lab.host("prepared", 100), lab.host("careless", 200));
    director.ip(&format!("address add {VIP}/32 dev eth0"));
    careless.ip(&format!("address add {VIP}/32 dev lo"));
    good(&prepared, &format!("add {VIP}"));

    let wire = Wire::of(&client);
    look_for(&lab, &client, &prepared, &wire, [VIP, "192.168.4.100", "192.168.4.9"]);
    lab.wait("the director answers", SOON, || wire.heard("answer", &director, VIP));
    lab.wait("the careless one answers", SOON, || wire.heard("answer", &careless, VIP));
    assert!(!wire.heard("answer", &prepared, VIP));

    for server in [&prepared, &careless] {
        let own = server.address().to_string();
        lab.wait("it asks for the client", SOON, || {
            send(server, VIP, "192.168.4.9");
            wire.heard("ask", server, &own) || wire.heard("ask", server, VIP)
        });
    }
    assert!(wire.heard("ask", &careless, VIP));
    assert!(!wire.heard("ask", &prepared, VIP) && wire.heard("ask", &prepared, "192.168.4.100"));
    assert!(is_taken(&client, &prepared, VIP));
    assert!(faults(&careless, "show").contains("arp_ignore is 0 on eth0, default"));
}

#[test]
#[ignore = "needs root and network namespaces: scripts/test namespaces"]
fn arp_is_quiet_on_an_interface_without_an_address_and_on_one_that_comes_later() {
    let lab = Lab::new();
    let (client, server) = (lab.host("client", 9), lab.host("server", 100));
    good(&server, &format!("add {VIP}"));
    server.detach();
    server.attach();
    let wire = Wire::of(&client);
    look_for(&lab, &client, &server, &wire, [VIP, "192.168.4.100", "192.168.4.9"]);
    assert!(!wire.heard("answer", &server, VIP));
    good(&server, "show");

    // The kernel then looks for a source on other interfaces, lo first: it must not find the VIP.
    server.ip("address flush dev eth0");
    server.ip("route add 192.168.4.9 dev eth0");
    lab.wait("it asks for the client in nobody's name", SOON, || {
        send(&server, VIP, "192.168.4.9");
        wire.heard("ask", &server, "0.0.0.0") || wire.heard("ask", &server, VIP)
    });
    assert!(!wire.heard("ask", &server, VIP));
}

#[test]
#[ignore = "needs root and network namespaces: scripts/test namespaces"]
fn neighbour_discovery_never_speaks_of_the_vip() {
    let lab = Lab::new();
    let (client, server, director) =
        (lab.host("client", 9), lab.host("server", 100), lab.host("director", 5));
    for (host, address) in [(&client, "fd00::9/64"), (&server, "fd00::100/64"), (&director, "fd00::15/128")] {
        host.ip(&format!("address add {address} dev eth0 nodad"));
    }
    let before = state(&server);
    let done = good(&server, &format!("add {VIP6}"));
    assert!(done.starts_with("done     fd00::15/128 added to lo\n"), "{done}");
    let address = server.ip("-6 -oneline address show dev lo");
    let line = address.lines().find(|line| line.contains(VIP6)).unwrap();
    assert!(line.contains("nodad") && !line.contains("tentative"), "{line}");

    let wire = Wire::of(&client);
    look_for(&lab, &client, &server, &wire, [VIP6, "fd00::100", "fd00::9"]);
    lab.wait("the director answers", SOON, || wire.heard("answer", &director, VIP6));
    assert!(!wire.heard("answer", &server, VIP6));
    let is_asking = || {
        send(&server, VIP6, "fd00::9");
        let words = wire.words.lock().unwrap().clone();
        words.iter().any(|word| word.kind == "ask" && word.mac == server.mac() && word.of.is_ipv6())
    };
    lab.wait("the server asks for the client", SOON, is_asking);
    assert!(!wire.heard("ask", &server, VIP6));
    assert!(is_taken(&client, &server, VIP6));

    good(&server, &format!("remove {VIP6}"));
    assert_eq!(state(&server), before);
}

#[test]
#[ignore = "needs root and network namespaces: scripts/test namespaces"]
fn a_second_add_does_nothing_and_remove_takes_all_back() {
    let lab = Lab::new();
    let server = lab.host("server", 100);
    set(&server, "eth0", "arp_ignore", 4);
    set(&server, "all", "arp_announce", 1);
    let before = state(&server);
    let done = good(&server, &format!("add {VIP} 192.168.4.16"));
    assert!(done.contains("done     net.ipv4.conf.eth0.arp_ignore 4 -> 1\n"), "{done}");
    assert!(done.contains(&format!("done     {VIP}/32 added to lo\n")), "{done}");
    let after = state(&server);
    assert!(after.contains(&format!("inet {VIP}/32 scope host lo")), "{after}");
    assert!(good(&server, &format!("add {VIP}")).starts_with("nothing to do\n"));
    assert_eq!(state(&server), after);

    good(&server, "remove 192.168.4.16");
    assert!(state(&server).contains("all/arp_ignore:1\n"), "one is left");
    good(&server, "show");
    good(&server, &format!("remove {VIP}"));
    assert_eq!(state(&server), before);
    assert!(!server.folder().join("state/realserver.json").exists());
    assert_eq!(
        good(&server, &format!("remove {VIP}")),
        format!("nothing to do\nnote     {VIP} is not on lo\n")
    );

    good(&server, &format!("add {VIP}"));
    fs::remove_file(server.folder().join("state/realserver.json")).unwrap();
    let said = good(&server, &format!("remove {VIP}"));
    assert!(said.contains("note     how arp_ignore and arp_announce were before is not known"), "{said}");
    assert!(state(&server).contains("all/arp_ignore:1\n") && !state(&server).contains(VIP));
}

#[test]
#[ignore = "needs root and network namespaces: scripts/test namespaces"]
fn show_finds_each_fault_and_add_refuses_what_is_in_the_way() {
    let lab = Lab::new();
    let server = lab.host("server", 100);
    assert_eq!(good(&server, "show"), "no VIP on lo\n");
    let named = format!("show {VIP}");
    assert!(faults(&server, &named).contains(&format!("{VIP} is not on lo")));
    good(&server, &format!("add {VIP}"));
    good(&server, &named);

    for interface in ["eth0", "default", "all"] {
        set(&server, interface, "arp_ignore", 0);
    }
    let ignore = "arp_ignore is 0 on eth0, default: ";
    assert!(faults(&server, &named).starts_with(ignore), "{}", faults(&server, &named));
    set(&server, "all", "arp_ignore", 1);
    assert_eq!(faults(&server, &named), "");
    set(&server, "eth0", "arp_ignore", 5);
    set(&server, "eth0", "arp_announce", 3);
    let both = faults(&server, &named);
    assert!(
        both.contains("arp_ignore is 5 on eth0: ") && both.contains("\narp_announce is 3 on eth0: "),
        "{both}"
    );
    server.ip("link set lo down");
    assert!(faults(&server, &named).contains("lo is down: "));
    server.ip("link set lo up");
    good(&server, &format!("add {VIP}"));

    for (place, what) in [("lo", format!("{VIP}/24 is on lo: ")), ("eth0", format!("{VIP}/24 is on eth0: "))]
    {
        good(&server, &format!("remove {VIP}"));
        server.ip(&format!("address add {VIP}/24 dev {place}"));
        let before = state(&server);
        assert!(faults(&server, &named).contains(&what));
        assert!(faults(&server, &format!("add {VIP}")).contains(&what));
        assert_eq!(state(&server), before, "refused is not touched");
        server.ip(&format!("address del {VIP}/24 dev {place}"));
        good(&server, &format!("add {VIP}"));
    }
}

#[test]
#[ignore = "needs root and network namespaces: scripts/test namespaces"]
fn a_director_is_no_real_server() {
    let lab = Lab::new();
    let host = lab.host("director", 5);
    let config = instance("web", 51, &[&format!("{VIP}/24")], "priority = 100");
    let _vrrpd = Vrrpd::started(&host, Privilege::Root, &config);
    lab.wait("it holds", takeover(100), || host.has(VIP));
    let before = state(&host);
    let said = faults(&host, &format!("add {VIP}"));
    assert!(said.contains("put there by vrrpd: this host is a director of it"), "{said}");
    assert_eq!(state(&host), before);
}

#[test]
#[ignore = "needs root and network namespaces: scripts/test namespaces"]
fn no_vip_comes_where_arp_cannot_be_made_quiet() {
    let lab = Lab::new();
    let server = lab.host("server", 100);
    let before = state(&server);
    let program = binary("vipctl");
    let add = format!("mount -o bind,ro /proc/sys /proc/sys && {} realserver add {VIP}", program.display());
    let ran = run(server.command(&["sh", "-c", &add]).env("VIPKIT_STATE_DIR", server.folder().join("state")));
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let said = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    let fault = "fault not done: net.ipv4.conf.all.arp_ignore 0 -> 1: ";
    assert!(said.starts_with(fault) && said.contains("Read-only file system"), "{}", ran.stdout);
    assert_eq!(state(&server), before);
}

#[test]
#[ignore = "needs root and network namespaces: scripts/test namespaces"]
fn what_is_persisted_is_written_and_taken_away() {
    let lab = Lab::new();
    let server = lab.host("server", 100);
    let root = server.folder().join("root");
    let at = |path: &str| root.join(path);
    let sysctl = at("etc/sysctl.d/60-vipkit-realserver.conf");
    let unit = at("etc/systemd/system/vipkit-realserver.service");
    let link = at("etc/systemd/system/multi-user.target.wants/vipkit-realserver.service");
    let with_root = |arguments: &str| format!("{arguments} --root {}", root.display());

    good(&server, &with_root(&format!("add {VIP} --persist")));
    good(&server, &with_root(&format!("add {VIP6} --persist")));
    let text = fs::read_to_string(&unit).unwrap();
    let line = format!("ExecStart={} realserver add {VIP} {VIP6}\n", binary("vipctl").display());
    assert!(text.contains(&line), "{text}");
    assert!(fs::read_to_string(&sysctl).unwrap().contains("net.ipv4.conf.default.arp_announce = 2\n"));
    assert_eq!(fs::read_link(&link).unwrap(), Path::new("/etc/systemd/system/vipkit-realserver.service"));
    assert!(good(&server, &with_root(&format!("add {VIP} --persist"))).starts_with("nothing to do\n"));

    good(&server, &with_root(&format!("remove {VIP}")));
    assert!(!sysctl.exists() && unit.exists(), "IPv6 needs no settings");
    good(&server, &with_root(&format!("remove {VIP6}")));
    assert!(!unit.exists() && link.symlink_metadata().is_err());

    fs::write(&unit, "[Service]\n").unwrap();
    let before = state(&server);
    assert!(faults(&server, &with_root(&format!("add {VIP} --persist"))).contains("is not vipctl's"));
    assert_eq!(state(&server), before);
    good(&server, &with_root(&format!("add {VIP}")));
    good(&server, &with_root(&format!("remove {VIP}")));
    assert_eq!(fs::read_to_string(&unit).unwrap(), "[Service]\n");
}

/// With CAP_NET_ADMIN alone it works; without, it says so and changes nothing.
#[test]
#[ignore = "needs root and network namespaces: scripts/test namespaces"]
fn one_capability_is_needed() {
    let lab = Lab::new();
    let server = lab.host("server", 100);
    let program = lab.folder().join("vipctl");
    fs::copy(binary("vipctl"), &program).unwrap();
    let state_dir = server.folder().join("open");
    fs::create_dir(&state_dir).unwrap();
    fs::set_permissions(&state_dir, fs::Permissions::from_mode(0o777)).unwrap();
    let add = |capabilities: &str| {
        let mut line = vec!["setpriv", "--reuid", "61234", "--regid", "61234", "--clear-groups"];
        line.extend(["--inh-caps", capabilities, "--ambient-caps", capabilities, program.to_str().unwrap()]);
        line.extend(["realserver", "add", VIP]);
        run(server.command(&line).env("VIPKIT_STATE_DIR", &state_dir))
    };
    let before = state(&server);
    let refused = add("-all");
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    assert!(refused.stdout.contains("it has no CAP_NET_ADMIN"), "{}", refused.stdout);
    assert_eq!(state(&server), before);
    let done = add("-all,+net_admin");
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    good(&server, "show");
}
