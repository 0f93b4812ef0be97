//! Adverts with an HMAC: who has the key is believed, once; who has it not says so; and the key is told to nobody.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Instant;

use vipkit_control::vrrp::State;
use vipkit_tests::conformance::hex::hex;
use vipkit_tests::lab::figure::figure;
use vipkit_tests::lab::host::Host;
use vipkit_tests::lab::process::Ran;
use vipkit_tests::lab::sniffer::{Advert, Sniffer};
use vipkit_tests::lab::vrrpd::{Privilege, Vrrpd};
use vipkit_tests::lab::wire::Wire;

use crate::fixture::{INTERVAL, Pair, SLACK, SOON, VIP, VIP_V6, config, config_v6, takeover};

as_root_and_with_two_capabilities!(version_3, keys_of_systemd);
with_two_capabilities!(
    version_2,
    version_3_over_ipv6,
    keys_change,
    modes,
    another_key,
    heard_before,
    heard_before_by_unicast,
    a_key_for_all_to_read,
    a_secret,
    a_missing_key,
);

const SECRET: &str = "correct-horse-battery-staple-0123456789";
const OTHER_SECRET: &str = "another-horse-battery-staple-0123456789";
/// Behind each advert.
const TRAILER: usize = 28;

/// Puts a key on a host, for the user of vrrpd alone.
fn key(host: &Host, name: &str, secret: &str, privilege: Privilege) -> PathBuf {
    let path = host.folder().join(name);
    fs::write(&path, format!("{secret}\n")).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    if privilege == Privilege::TwoCapabilities {
        std::os::unix::fs::chown(&path, Some(61234), Some(61234)).unwrap();
    }
    path
}

/// Keys for `authentication`: numbers and secrets, made on the host; and what else goes there.
fn keys(host: &Host, privilege: Privilege, keys: &[(u8, &str)], more: &str) -> String {
    let listed: Vec<String> = keys
        .iter()
        .map(|(id, secret)| {
            let path = key(host, &format!("key{id}"), secret, privilege);
            format!("{{ id = {id}, key_file = '{}' }}", path.display())
        })
        .collect();
    format!("authentication = {{ type = 'hmac', keys = [{}]{more} }}\n", listed.join(", "))
}

fn one_key(host: &Host, privilege: Privilege) -> String {
    keys(host, privilege, &[(1, SECRET)], "")
}

fn version_2(privilege: Privilege) {
    together(privilege, VIP, 8 + 4 + 8, |priority, keys| config(priority, &format!("version = 2\n{keys}")));
}

fn version_3(privilege: Privilege) {
    together(privilege, VIP, 8 + 4, config);
}

fn version_3_over_ipv6(privilege: Privilege) {
    together(privilege, VIP_V6, 8 + 2 * 16, config_v6);
}

fn together(privilege: Privilege, vip: &str, length: usize, config: fn(u8, &str) -> String) {
    let pair = Pair::with_ipv6();
    let (sniffer, began) = (Sniffer::on(&pair.client), Instant::now());
    let mut web1 = Vrrpd::started(&pair.web1, privilege, &config(150, &one_key(&pair.web1, privilege)));
    let web2 = Vrrpd::started(&pair.web2, privilege, &config(100, &one_key(&pair.web2, privilege)));
    pair.wait_for_holder_of(vip, &pair.web1, takeover(150));
    pair.lab.stays("web2 waits", takeover(100), || web2.state() == Some(State::Backup));
    let peer = &web2.instance().peers[0];
    assert_eq!((peer.priority, peer.key_id), (150, Some(1)));
    for advert in sniffer.adverts(began) {
        assert_eq!(advert.message.len(), length + TRAILER);
        let trailer = &advert.message[length..];
        assert_eq!(trailer[..4], [1, 1, 0, 0], "HMAC-SHA-256, key 1");
        if advert.message[0] == 0x31 {
            assert!(advert.has_right_checksum(), "{advert:?}");
        }
    }
    web1.terminate();
    let took = pair.wait_for_holder_of(vip, &pair.web2, INTERVAL + SLACK);
    figure("an advert of priority 0 with an HMAC, the next one holds (at most 0.609 s)", took);
    web1.start();
    pair.wait_for_holder_of(vip, &pair.web1, takeover(150));
    assert_eq!(web2.counter("hmac_replay_errors"), 0);
}

/// A second key comes, is used, and the first goes: nobody takes over meanwhile.
fn keys_change(privilege: Privilege) {
    let pair = Pair::new();
    let first = [(1, SECRET)];
    let second = [(2, OTHER_SECRET)];
    let both = [first[0], second[0]];
    let configured = |host: &Host, priority, listed: &[(u8, &str)], active: &str| {
        config(priority, &keys(host, privilege, listed, active))
    };
    let web1 = Vrrpd::started(&pair.web1, privilege, &configured(&pair.web1, 150, &first, ""));
    let web2 = Vrrpd::started(&pair.web2, privilege, &configured(&pair.web2, 100, &first, ""));
    pair.wait_for_holder(&pair.web1, takeover(150));
    pair.lab.wait("web2 hears it", SOON, || !web2.instance().peers.is_empty());
    for (listed, active, in_use) in
        [(&both[..], ", active_key = 1", 1), (&both, ", active_key = 2", 2), (&second, "", 2)]
    {
        for (vrrpd, host, priority) in [(&web2, &pair.web2, 100), (&web1, &pair.web1, 150)] {
            vrrpd.configure(&configured(host, priority, listed, active));
            vrrpd.reload().unwrap();
            let seen = Instant::now();
            pair.lab.stays("only web1 holds", INTERVAL + SLACK / 2, || pair.lab.holders(VIP) == ["web1"]);
            assert_eq!(web2.state(), Some(State::Backup), "{:?}", seen.elapsed());
        }
        assert_eq!(web2.instance().peers[0].key_id, Some(in_use));
        assert_eq!(web1.instance().hmac.unwrap().active_key, in_use);
    }
    let refused: u64 =
        web2.instance().counters.iter().filter(|(name, _)| name.starts_with("hmac_")).map(|(_, n)| n).sum();
    assert_eq!(refused, 0, "{:?}", web2.instance().counters);
    assert_eq!(web1.counter("became_active"), 1);
}

/// As it is introduced on a network: every pair but one keeps one Active router.
fn modes(privilege: Privilege) {
    let pair = Pair::new();
    let with_mode = |host: &Host, priority, mode: Option<&str>| {
        let keys = mode.map(|mode| keys(host, privilege, &[(1, SECRET)], &format!(", mode = '{mode}'")));
        config(priority, &keys.unwrap_or_default())
    };
    let web1 = Vrrpd::started(&pair.web1, privilege, &with_mode(&pair.web1, 150, None));
    let web2 = Vrrpd::started(&pair.web2, privilege, &with_mode(&pair.web2, 100, None));
    pair.wait_for_holder(&pair.web1, takeover(150));
    let (sniffer, began) = (Sniffer::on(&pair.client), Instant::now());
    let all = [Some("receive-only"), Some("permissive"), Some("enforce")];
    for mode in all {
        for (vrrpd, host, priority) in [(&web2, &pair.web2, 100), (&web1, &pair.web1, 150)] {
            vrrpd.configure(&with_mode(host, priority, mode));
            vrrpd.reload().unwrap();
            pair.lab.stays("only web1 holds", INTERVAL + SLACK / 2, || pair.lab.holders(VIP) == ["web1"]);
        }
    }
    let lengths: Vec<usize> = sniffer.adverts(began).iter().map(|advert| advert.message.len()).collect();
    assert_eq!((lengths.first(), lengths.last()), (Some(&12), Some(&(12 + TRAILER))));
    assert_eq!(web2.counter("became_active"), 0);

    // Who enforces does not believe who signs nothing.
    web1.configure(&with_mode(&pair.web1, 150, Some("receive-only")));
    web1.reload().unwrap();
    pair.wait_for_state(&web2, State::Active, takeover(100));
    assert!(web2.counter("hmac_missing_errors") > 0);
}

/// Nobody believes the other; each says why.
fn another_key(privilege: Privilege) {
    let pair = Pair::new();
    let with_secret =
        |host: &Host, priority, id, secret| config(priority, &keys(host, privilege, &[(id, secret)], ""));
    let web1 = Vrrpd::started(&pair.web1, privilege, &with_secret(&pair.web1, 150, 1, SECRET));
    let web2 = Vrrpd::started(&pair.web2, privilege, &with_secret(&pair.web2, 100, 1, OTHER_SECRET));
    pair.lab.wait("both hold", takeover(100), || pair.lab.holders(VIP) == ["web1", "web2"]);
    for (vrrpd, other) in [(&web1, &pair.web2), (&web2, &pair.web1)] {
        let refusal =
            || vrrpd.instance().refused.into_iter().find(|r| r.address == other.address().to_string());
        pair.lab.wait("it says whom it refuses", SOON, || refusal().is_some());
        assert_eq!(refusal().unwrap().counter, "hmac_invalid_errors");
        let status = vrrpd.vipctl(&["status"]);
        let said = status.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(&other.address().to_string()) && said.contains("HMAC"), "{said}");
        assert_eq!(status.code, 1);
    }
    web2.configure(&with_secret(&pair.web2, 100, 2, SECRET));
    web2.reload().unwrap();
    pair.lab.wait("the number counts too", SOON, || web1.counter("hmac_unknown_key_errors") > 0);
    web2.configure(&with_secret(&pair.web2, 100, 1, SECRET));
    web2.reload().unwrap();
    pair.wait_for_holder(&pair.web1, INTERVAL * 2 + SLACK);
}

/// Sends an advert again, until it was refused so often more.
fn replay(pair: &Pair, vrrpd: &Vrrpd, advert: &Advert, what: &str) {
    let before = vrrpd.counter("hmac_replay_errors");
    let wire = Wire::of(&pair.client);
    for _ in 0..3 {
        wire.send(&advert.frame);
    }
    let refused = || vrrpd.counter("hmac_replay_errors") >= before + 3;
    pair.lab.wait(&format!("refused {what}"), SOON, refused);
    assert_eq!(vrrpd.state(), Some(State::Active), "{what}");
}

/// An advert of the higher router, sent again by somebody while that router is silent, would have the other yield.
fn heard_before(privilege: Privilege) {
    let pair = Pair::new();
    let configured = |host: &Host, priority| {
        let keys = keys(host, privilege, &[(1, SECRET)], ", time_window = '300s'");
        config(priority, &format!("advertisement_interval = '100ms'\n{keys}"))
    };
    let (sniffer, began) = (Sniffer::on(&pair.client), Instant::now());
    let mut web1 = Vrrpd::started(&pair.web1, privilege, &configured(&pair.web1, 150));
    let mut web2 = Vrrpd::started(&pair.web2, privilege, &configured(&pair.web2, 100));
    let file = web2.config_path().with_file_name("state").join("vrrpd/replay.json");
    let written = || fs::metadata(&file).and_then(|file| file.modified()).ok();
    let silence = |web1: &mut Vrrpd| {
        pair.wait_for_holder(&pair.web1, SOON);
        let before = written();
        pair.lab.wait("web2 writes what it heard", SOON, || written() != before);
        let since = Instant::now();
        pair.lab.wait("it hears more", SOON, || sniffer.adverts_of(&pair.web1, since).len() > 2);
        web1.kill();
        pair.web1.ip(&format!("address delete {VIP}/24 dev eth0"));
    };
    let latest = || sniffer.adverts_of(&pair.web1, began).pop().unwrap();

    silence(&mut web1);
    pair.wait_for_state(&web2, State::Active, SOON);
    replay(&pair, &web2, &latest(), "at once");
    web2.configure(&configured(&pair.web2, 101));
    web2.reload().unwrap();
    replay(&pair, &web2, &latest(), "after a reload");
    // What was heard is in the file within a second.
    pair.lab.stays("a second goes by", INTERVAL, || web2.state() == Some(State::Active));
    web2.kill();
    web2.start();
    pair.wait_for_state(&web2, State::Active, SOON);
    replay(&pair, &web2, &latest(), "after a sudden end");

    // The router itself goes on, and is believed; an end in order keeps its latest advert too.
    web1.start();
    silence(&mut web1);
    web2.terminate();
    web2.start();
    pair.wait_for_state(&web2, State::Active, SOON);
    replay(&pair, &web2, &latest(), "after the end");
    assert_eq!(web2.counter("advertisements_received"), 0);
}

/// The HMAC covers no destination: a copy for another peer is one that was heard before.
fn heard_before_by_unicast(privilege: Privilege) {
    let pair = Pair::new();
    let with_peers = |host: &Host, priority, peer: &Host| {
        let keys = keys(host, privilege, &[(1, SECRET)], ", replay_protection = 'monotonic'");
        config(priority, &format!("unicast_peers = ['{}']\n{keys}", peer.address()))
    };
    let (sniffer, began) = (Sniffer::on(&pair.web2), Instant::now());
    let mut web1 = Vrrpd::started(&pair.web1, privilege, &with_peers(&pair.web1, 150, &pair.web2));
    let web2 = Vrrpd::started(&pair.web2, privilege, &with_peers(&pair.web2, 100, &pair.web1));
    assert!(!web2.log().contains("unicast without"), "{}", web2.log());
    pair.wait_for_holder(&pair.web1, takeover(150));
    pair.lab.wait("web2 hears it", INTERVAL * 2, || web2.counter("advertisements_received") > 1);
    let captured = sniffer.adverts_of(&pair.web1, began).pop().unwrap();
    web1.terminate();
    pair.wait_for_holder(&pair.web2, INTERVAL + SLACK);
    replay(&pair, &web2, &captured, "by unicast");
}

/// Which must not run on a configuration, and says why: at the start, and at a reload, which changes nothing.
fn is_refused(vrrpd: &mut Vrrpd, pair: &Pair, faulty: &str, good: &str, expected: &str) {
    let said = |ran: Ran| format!("{}{}", ran.stdout, ran.stderr);
    vrrpd.configure(faulty);
    vrrpd.launch();
    assert_eq!(vrrpd.wait(), 1);
    assert!(vrrpd.log().contains(expected), "{}", vrrpd.log());
    vrrpd.configure(good);
    vrrpd.start();
    pair.wait_for_holder(&pair.web1, takeover(150));
    vrrpd.configure(faulty);
    let reload = vrrpd.vipctl(&["reload"]);
    assert_eq!(reload.code, 1, "{reload:?}");
    let reload = said(reload);
    assert!(reload.split_whitespace().collect::<Vec<_>>().join(" ").contains(expected), "{reload}");
    assert_eq!(vrrpd.state(), Some(State::Active));
    assert!(!format!("{}{reload}", vrrpd.log()).contains(SECRET));
}

fn a_key_for_all_to_read(privilege: Privilege) {
    let pair = Pair::new();
    let good = config(150, &one_key(&pair.web1, privilege));
    let path = key(&pair.web1, "open", SECRET, privilege);
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let faulty = good.replace("key1'", "open'");
    let mut vrrpd = Vrrpd::new(&pair.web1, privilege, &good);
    is_refused(&mut vrrpd, &pair, &faulty, &good, "chmod o-r");
}

fn a_missing_key(privilege: Privilege) {
    let pair = Pair::new();
    let good = config(150, &one_key(&pair.web1, privilege));
    let mut vrrpd = Vrrpd::new(&pair.web1, privilege, &good);
    let faulty = config(150, &keys(&pair.web1, privilege, &[(1, SECRET)], ", active_key = 7"));
    is_refused(&mut vrrpd, &pair, &faulty, &good, "active_key");
}

fn keys_of_systemd(privilege: Privilege) {
    let pair = Pair::new();
    let folder = pair.web1.folder().join("credentials");
    fs::create_dir(&folder).unwrap();
    let credential = key(&pair.web1, "credentials/vrrp-1", SECRET, privilege);
    let configured =
        config(150, "authentication = { type = 'hmac', keys = [{ id = 1, credential = 'vrrp-1' }] }\n");
    let mut web1 = Vrrpd::new(&pair.web1, privilege, &configured);
    web1.launch();
    assert_eq!(web1.wait(), 1, "nobody gave it any");
    assert!(web1.log().contains("LoadCredential="), "{}", web1.log());
    let path = web1.config_path();
    assert_eq!(web1.vipctl(&["check", path.to_str().unwrap()]).code, 0, "the file itself is good");

    let environment = format!("CREDENTIALS_DIRECTORY={}", folder.display());
    let mut start = web1.command(&["env", &environment]);
    web1.start_as(&mut start);
    let _web2 = Vrrpd::started(&pair.web2, privilege, &config(100, &one_key(&pair.web2, privilege)));
    pair.wait_for_holder(&pair.web1, takeover(150));
    pair.lab.stays("web2 believes it", takeover(100), || pair.lab.holders(VIP) == ["web1"]);
    fs::write(credential, "too short").unwrap();
    assert!(web1.reload().is_err());
    assert_eq!(web1.state(), Some(State::Active));
}

/// What anybody can see of it: the log, the socket, vipctl, the file of sequences; good or faulty.
fn a_secret(privilege: Privilege) {
    let pair = Pair::new();
    let good = config(150, &one_key(&pair.web1, privilege));
    let mut web1 = Vrrpd::new(&pair.web1, privilege, &good);
    let mut start = web1.command(&[]);
    web1.start_as(start.arg("--log-level").arg("debug"));
    let web2 = Vrrpd::started(
        &pair.web2,
        privilege,
        &config(100, &keys(&pair.web2, privilege, &[(1, OTHER_SECRET)], "")),
    );
    pair.lab.wait("both hold", takeover(100), || pair.lab.holders(VIP) == ["web1", "web2"]);
    pair.lab.wait("it refuses the other", SOON, || web1.counter("hmac_invalid_errors") > 0);
    let path = web1.config_path();
    let path = path.to_str().unwrap();
    let mut seen = web1.log() + &web2.log();
    let mut look = |web1: &Vrrpd| {
        for arguments in [
            &["vrrp"][..],
            &["vrrp", "--json"],
            &["status"],
            &["status", "--json"],
            &["check", path],
            &["reload"],
        ] {
            let Ran { stdout, stderr, .. } = web1.vipctl(arguments);
            seen += &format!("{stdout}{stderr}{}", web1.log());
        }
    };
    look(&web1);
    let secret = key(&pair.web1, "key1", &format!("{SECRET}{SECRET}"), privilege);
    web1.configure(&good.replace("key_file", "key"));
    look(&web1);
    fs::write(secret, format!("hex:{SECRET}")).unwrap();
    web1.configure(&good);
    look(&web1);
    let state = web1.config_path().parent().unwrap().join("state/vrrpd");
    for file in fs::read_dir(state).unwrap() {
        seen += &String::from_utf8_lossy(&fs::read(file.unwrap().path()).unwrap());
    }
    assert!(seen.len() > 10_000 && seen.contains("hmac"), "{} bytes", seen.len());
    for secret in [SECRET, OTHER_SECRET] {
        for form in [secret.to_owned(), hex(secret.as_bytes()), format!("{:?}", secret.as_bytes())] {
            assert!(!seen.contains(&form[..20]), "{form}");
        }
    }
}
