//! vrrpd and keepalived share a virtual router, in each form of advert that both can speak.

use std::io::{Write, stderr};
use std::time::Duration;

use vipkit_control::vrrp::State;
use vipkit_tests::lab::address_watch::AddressWatch;
use vipkit_tests::lab::figure::figure;
use vipkit_tests::lab::host::Host;
use vipkit_tests::lab::keepalived::Keepalived;
use vipkit_tests::lab::vrrpd::{Privilege, Vrrpd};

use crate::fixture::{INTERVAL, Pair, SLACK, SOON, VIP, config, skew, takeover};

as_root_and_with_two_capabilities!(
    v2_password_ours_higher,
    v2_password_theirs_higher,
    v2_password_they_wait,
    v3_pseudo_header_ours_higher,
    v3_pseudo_header_theirs_higher,
    v3_pseudo_header_they_wait,
    v3_rfc9568_ours_higher,
    v3_rfc9568_theirs_higher,
    v3_rfc9568_they_wait,
    the_other_checksum_form_rfc9568_from_them,
    the_other_checksum_form_from_us,
);

fn v2_password_ours_higher(privilege: Privilege) {
    shared(Form::V2Password, ours(privilege), theirs());
}

fn v2_password_theirs_higher(privilege: Privilege) {
    shared(Form::V2Password, theirs(), ours(privilege));
}

fn v2_password_they_wait(privilege: Privilege) {
    they_wait(Form::V2Password, privilege);
}

fn v3_pseudo_header_ours_higher(privilege: Privilege) {
    shared(Form::V3PseudoHeader, ours(privilege), theirs());
}

fn v3_pseudo_header_theirs_higher(privilege: Privilege) {
    shared(Form::V3PseudoHeader, theirs(), ours(privilege));
}

fn v3_pseudo_header_they_wait(privilege: Privilege) {
    they_wait(Form::V3PseudoHeader, privilege);
}

fn v3_rfc9568_ours_higher(privilege: Privilege) {
    shared(Form::V3Rfc9568, ours(privilege), theirs());
}

fn v3_rfc9568_theirs_higher(privilege: Privilege) {
    shared(Form::V3Rfc9568, theirs(), ours(privilege));
}

fn v3_rfc9568_they_wait(privilege: Privilege) {
    they_wait(Form::V3Rfc9568, privilege);
}

const HIGHER: u8 = 150;
const LOWER: u8 = 100;
/// How long the holder must have been the only one. With the time that a takeover needs it keeps clear of the second
/// burst of announcements, 5 s after the first: keepalived sends the rest of a burst although it has just lost.
const SETTLED: Duration = Duration::from_millis(2500);
/// How long a Backup must have stayed one.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is on the wire.
#[derive(Clone, Copy)]
enum Form {
    V2Password,
    V3PseudoHeader,
    V3Rfc9568,
}

impl Form {
    /// In vipkit.toml.
    const fn keys(self) -> &'static str {
        match self {
            Self::V2Password => "version = 2\nauthentication = { type = 'pass', key = '1111' }",
            Self::V3PseudoHeader => "version = 3\nchecksum = 'pseudo-header'",
            Self::V3Rfc9568 => "version = 3\nchecksum = 'rfc9568'",
        }
    }

    /// In a vrrp_instance of keepalived.conf.
    const fn words(self) -> &'static str {
        match self {
            Self::V2Password => "version 2\nauthentication {\nauth_type PASS\nauth_pass 1111\n}",
            Self::V3PseudoHeader => "version 3",
            Self::V3Rfc9568 => "version 3\nv3_checksum_as_v2",
        }
    }
}

/// keepalived.conf with one instance for the VIP.
fn keepalived_conf(priority: u8, words: &str) -> String {
    format!(
        "global_defs {{\nrouter_id peer\n}}\n\
         vrrp_instance VI_1 {{\nstate BACKUP\ninterface eth0\nvirtual_router_id 51\npriority {priority}\n\
         advert_int 1\n{words}\nvirtual_ipaddress {{\n{VIP}/24\n}}\n}}\n"
    )
}

/// Ends the program that it started, by its SIGTERM.
type Stop = Box<dyn FnOnce()>;
/// Starts a program on a host, with a priority, in a form.
type Start = Box<dyn Fn(&Host, u8, Form) -> Stop>;

fn ours(privilege: Privilege) -> Start {
    let count = std::cell::Cell::new(0);
    Box::new(move |host, priority, form| {
        count.set(count.get() + 1);
        let name = format!("vrrpd{}", count.get());
        let mut vrrpd = Vrrpd::named(host, &name, privilege, &config(priority, form.keys()));
        vrrpd.start();
        Box::new(move || vrrpd.terminate())
    })
}

fn theirs() -> Start {
    Box::new(|host, priority, form| {
        let keepalived = Keepalived::start(host, &keepalived_conf(priority, form.words()));
        Box::new(move || keepalived.terminate())
    })
}

/// The higher one is on web1.
fn shared(form: Form, start_higher: Start, start_lower: Start) {
    let pair = Pair::new();
    let (web1, web2) = (&pair.web1, &pair.web2);
    if !is_spoken(form, web1) {
        return;
    }
    let settles = |what: &str, host: &Host, limit| {
        figure(what, pair.wait_for_holder(host, limit));
        let only = format!("only {} holds", host.name());
        pair.lab.stays(&only, SETTLED, || pair.lab.holders(VIP) == [host.name()]);
        pair.wait_for_answer(host, SOON);
    };

    let stop_lower = start_lower(web2, LOWER, form);
    settles("lower alone holds (by the formula 3.609 s)", web2, takeover(LOWER) + SLACK);
    let stop_higher = start_higher(web1, HIGHER, form);
    settles("higher started and holds (by the formula 3.414 s)", web1, takeover(HIGHER) + SLACK);
    stop_higher();
    assert!(!web1.has(VIP));
    settles("higher stopped, lower holds (by the formula 0.609 s)", web2, skew(LOWER) + SLACK);
    let stop_higher = start_higher(web1, HIGHER, form);
    settles("higher returned and holds (by the formula 3.414 s)", web1, takeover(HIGHER) + SLACK);
    web1.cut();
    settles("higher cut off, lower holds (by the formula 3.609 s)", web2, takeover(LOWER));
    web1.mend();
    settles("healed, higher holds (by the formula 3.414 s)", web1, takeover(HIGHER) + SLACK);
    stop_lower();
    stop_higher();
    assert!(pair.lab.holders(VIP).is_empty());
}

fn they_wait(form: Form, privilege: Privilege) {
    let pair = Pair::new();
    if !is_spoken(form, &pair.web2) {
        return;
    }
    let vrrpd = Vrrpd::started(&pair.web1, privilege, &config(HIGHER, form.keys()));
    pair.wait_for_holder(&pair.web1, takeover(HIGHER));
    let watch = AddressWatch::on(&pair.web2);
    let keepalived = Keepalived::start(&pair.web2, &keepalived_conf(LOWER, form.words()));
    pair.lab.wait("keepalived is Backup", SOON, || keepalived.log().contains("Entering BACKUP STATE"));
    pair.lab.stays("keepalived waits", PATIENCE, || !keepalived.log().contains("MASTER"));
    assert_eq!(watch.changes_of(VIP), 0);
    assert_eq!((vrrpd.state(), vrrpd.counter("became_active")), (Some(State::Active), 1));
}

fn the_other_checksum_form_rfc9568_from_them(privilege: Privilege) {
    the_other_checksum_form(Form::V3PseudoHeader, Form::V3Rfc9568, privilege);
}

fn the_other_checksum_form_from_us(privilege: Privilege) {
    the_other_checksum_form(Form::V3Rfc9568, Form::V3PseudoHeader, privilege);
}

/// Whichever form the peer sends, it is believed; but as the peer may not be as lenient, it is counted, shown and warned
/// of.
fn the_other_checksum_form(ours: Form, theirs: Form, privilege: Privilege) {
    let pair = Pair::new();
    if !is_spoken(theirs, &pair.web1) {
        return;
    }
    let vrrpd = Vrrpd::started(&pair.web2, privilege, &config(LOWER, ours.keys()));
    let _keepalived = Keepalived::start(&pair.web1, &keepalived_conf(HIGHER, theirs.words()));
    pair.wait_for_holder(&pair.web1, takeover(HIGHER) + SLACK);
    pair.lab.wait("it is counted", SOON, || vrrpd.counter("other_checksum_form") > 0);

    let instance = vrrpd.instance();
    let (sent, heard) = (instance.checksum.unwrap(), instance.peers[0].checksum.clone().unwrap());
    assert_ne!(sent, heard);
    let warning = format!("192.168.4.100 sends checksum form {heard}, we send {sent}");
    assert!(instance.warnings.iter().any(|notice| notice.what == warning), "{:?}", instance.warnings);
    assert!(vrrpd.log().contains(&format!("192.168.4.100 sends checksum form {heard}")));
    let status = vrrpd.vipctl(&["status"]).stdout;
    assert!(status.split_whitespace().collect::<Vec<_>>().join(" ").contains(&warning), "{status}");
    pair.lab.stays("it is believed", INTERVAL * 4, || vrrpd.state() == Some(State::Backup));
}

/// False, with a line that says so, if the keepalived here is older than 2.2.8 and knows only one checksum form.
fn is_spoken(form: Form, host: &Host) -> bool {
    let known = Keepalived::knows(host, &keepalived_conf(LOWER, form.words()));
    if !known {
        let name = std::thread::current().name().unwrap_or_default().to_owned();
        // Not `eprintln`: the line must be seen although the test does not fail.
        let _ = writeln!(
            stderr(),
            "skipped: {name}: this keepalived does not know v3_checksum_as_v2 (2.2.8 does)"
        );
    }
    known
}
