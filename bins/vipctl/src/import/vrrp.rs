//! `vrrp_instance`: its keywords. What keepalived makes of them once all are read is in `runs`.

mod runs;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use vipkit_core::units::Family;

use super::address::Address;
use super::addresses::Addresses;
use super::authentication::{self, Authentication};
use super::block::{Cursor, Done, Keyword, any, block, flag, lost, lost_block, value};
use super::garp::{self, Garp};
use super::global::{self, Globals, no_other_down_timer};
use super::hmac;
use super::mac::VirtualMac;
use super::note::{Later, Notes, Place, Refusal};
use super::route::{self, Route};
use super::rule::{self, Preference, Rule};
use super::said::Said;
use super::track::{self, Around, Delays, Entry, Groups, Track};
use super::tracker::{Sort, Trackers};
use super::unicast::{self, Peer};

/// An instance, as it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Its name in keepalived.conf.
    pub name: String,
    /// Where it begins.
    pub at: Place,
    /// `interface`.
    pub interface: (String, Place),
    /// `virtual_router_id`.
    pub virtual_router_id: (u64, Place),
    /// Family of its adverts.
    pub family: Family,
    /// `priority`, and where it stands if it does.
    pub priority: (u64, Option<Place>),
    /// `version`, and where it stands if it does.
    pub version: (u8, Option<Place>),
    /// Between adverts.
    pub interval: (Duration, Option<Place>),
    /// Not `nopreempt`.
    pub preempt: bool,
    /// Not `no_accept`.
    pub accept: bool,
    /// `vrrp_strict`.
    pub strict: bool,
    /// `v3_checksum_as_v2`.
    pub rfc9568: bool,
    /// `authentication` or `auth_hmac`.
    pub authentication: Authentication,
    /// `mcast_src_ip`, `unicast_src_ip`.
    pub source: Option<(IpAddr, Place)>,
    /// `unicast_peer`; none is multicast.
    pub peers: Vec<Peer>,
    /// `use_vmac`.
    pub mac: Option<VirtualMac>,
    /// `virtual_ipaddress`, then `virtual_ipaddress_excluded`.
    pub addresses: Vec<Address>,
    /// `virtual_routes`.
    pub routes: Vec<Route>,
    /// `virtual_rules`.
    pub rules: Vec<Rule>,
    /// `garp_*`.
    pub garp: Garp,
    /// `track_*`.
    pub track: Vec<Track>,
    /// For when all nodes are moved.
    pub later: Vec<Later>,
}

/// What is around an instance.
pub struct Beside<'b> {
    /// `global_defs`.
    pub globals: &'b Globals,
    /// What instances take in turn.
    pub turn: &'b mut Turn,
    /// What it may track.
    pub trackers: &'b mut Trackers,
    /// `interface_up_down_delays`.
    pub delays: &'b Delays,
    /// `vrrp_sync_group`.
    pub groups: &'b Groups,
}

/// What keepalived gives to one instance after the other.
#[derive(Default)]
pub struct Turn {
    /// Of the next rule without one.
    preference: Preference,
    /// Of the interfaces with virtual MAC addresses so far.
    mac_names: BTreeSet<String>,
}

/// What was said of an instance.
#[derive(Default)]
struct Draft {
    interface: Option<(String, Place)>,
    virtual_router_id: Option<(u64, Place)>,
    priority: Option<(Option<u64>, Place)>,
    version: Option<(u8, Place)>,
    interval: Option<(Duration, Place)>,
    master: bool,
    nopreempt: Option<Place>,
    accept: Option<(bool, Place)>,
    rfc9568: bool,
    strict: Option<Place>,
    authentication: authentication::Draft,
    source: Option<(IpAddr, Place)>,
    peers: Vec<Peer>,
    unicast: Unicast,
    mac: Option<VirtualMac>,
    xmit_base: Option<Place>,
    addresses: Addresses,
    routes: Vec<Route>,
    rules: Vec<Rule>,
    preference: Preference,
    garp: Garp,
    track: Vec<Entry>,
    later: Vec<Later>,
}

/// What was said of unicast beside the peers.
#[derive(Default)]
struct Unicast {
    /// The first keyword of it.
    first: Option<Place>,
    /// `unicast_fault_no_peer`.
    needs_peers: bool,
    /// `check_unicast_src`.
    checked: bool,
}

const NOTIFY: &str =
    "vipkit runs no scripts but of checks and sends no mail; `vipctl watch --json` tells of every change";
const BFD: &str = "vipkit has no BFD: what it watches no longer changes priority or state, and a weight above 0, which \
                   keepalived adds while all is well, is not added";
const IPVLAN: &str = "vipkit puts the addresses on the interface itself, or with use_vmac on one with the virtual MAC \
                      address";
const CHECKS: &str = "vipkit checks what RFC 9568 says";
const PACING: &str = "vipkit announces 64 frames a turn, and on the instance's interface only";

const KEYWORDS: &[Keyword<Draft>] = &[
    value(&["interface"], |draft, said, _| {
        draft.interface = Some((said.value().to_owned(), said.at.clone()));
        Ok(())
    }),
    value(&["virtual_router_id"], |draft, said, notes| {
        let number = said.number(1..=255, notes)?;
        draft.virtual_router_id =
            number.map(|number| (number, said.at.clone())).or(draft.virtual_router_id.take());
        Ok(())
    }),
    value(&["priority"], priority),
    value(&["version"], version),
    value(&["advert_int"], interval),
    value(&["state"], state),
    flag(&["nopreempt"], |draft, said, _| {
        draft.nopreempt = Some(said.at.clone());
        Ok(())
    }),
    flag(&["preempt"], |draft, _, _| {
        draft.nopreempt = None;
        Ok(())
    }),
    flag(&["v3_checksum_as_v2"], |draft, said, _| {
        draft.rfc9568 = said.on();
        Ok(())
    }),
    flag(&["strict_mode"], |draft, said, _| {
        draft.strict = said.on().then(|| said.at.clone());
        Ok(())
    }),
    flag(&["accept"], |draft, said, _| {
        draft.accept = Some((true, said.at.clone()));
        Ok(())
    }),
    flag(&["no_accept"], |draft, said, _| {
        draft.accept = Some((false, said.at.clone()));
        Ok(())
    }),
    block(&["authentication"], |draft, _, cursor, notes| {
        cursor.block(authentication::KEYWORDS, &mut draft.authentication, notes)
    }),
    block(&["auth_hmac"], |draft, said, cursor, notes| {
        draft.authentication.hmac.begin(&said.at);
        cursor.hidden_block(hmac::KEYWORDS, &mut draft.authentication.hmac, notes)
    }),
    flag(&["native_ipv6"], |draft, said, notes| {
        if !draft.addresses.is(Family::V6) {
            notes.say(&said.at, "native_ipv6 after IPv4 addresses: keepalived ignores it");
        }
        Ok(())
    }),
    block(&["virtual_ipaddress"], |draft, _, cursor, notes| {
        draft.addresses.read(true, cursor, notes);
        Ok(())
    }),
    block(&["virtual_ipaddress_excluded"], |draft, _, cursor, notes| {
        draft.addresses.read(false, cursor, notes);
        Ok(())
    }),
    block(&["virtual_routes"], |draft, _, cursor, notes| {
        let lines = cursor.values(notes);
        draft.routes.extend(lines.iter().filter_map(|said| route::read(said, notes)));
        Ok(())
    }),
    block(&["virtual_rules"], |draft, _, cursor, notes| {
        let lines = cursor.values(notes);
        draft.rules.extend(lines.iter().filter_map(|said| rule::read(said, &mut draft.preference, notes)));
        Ok(())
    }),
    value(&["mcast_src_ip"], source),
    value(&["unicast_src_ip"], |draft, said, notes| {
        draft.unicast.first.get_or_insert_with(|| said.at.clone());
        source(draft, said, notes)
    }),
    block(&["unicast_peer"], |draft, said, cursor, notes| {
        draft.unicast.first.get_or_insert_with(|| said.at.clone());
        unicast::read(&mut draft.peers, &mut draft.addresses, cursor, notes);
        Ok(())
    }),
    flag(&["unicast_fault_no_peer"], |draft, said, _| {
        draft.unicast.first.get_or_insert_with(|| said.at.clone());
        draft.unicast.needs_peers = true;
        Ok(())
    }),
    flag(&["check_unicast_src"], |draft, said, _| {
        draft.unicast.first.get_or_insert_with(|| said.at.clone());
        draft.unicast.checked = true;
        Ok(())
    }),
    value(&["unicast_ttl"], |draft, said, notes| {
        draft.unicast.first.get_or_insert_with(|| said.at.clone());
        if said.value() != "255" {
            let now = format!("{} {} is not carried over: vipkit sends 255", said.name, said.value());
            notes.say(&said.at, format!("{now}, which peers with a max_ttl may refuse"));
        }
        Ok(())
    }),
    flag(&["old_unicast_checksum"], |draft, said, notes| {
        draft.unicast.first.get_or_insert_with(|| said.at.clone());
        if said.value() != "never" {
            let meaning = "vipkit sends each peer the checksum that RFC 9568 says, as keepalived since 1.3.7";
            notes.say(&said.at, format!("{} is not carried over: {meaning}", said.name));
        }
        Ok(())
    }),
    any(&["use_vmac"], |draft, said, notes| {
        draft.mac = Some(VirtualMac::read(said, notes));
        Ok(())
    }),
    flag(&["vmac_xmit_base"], |draft, said, _| {
        draft.xmit_base = Some(said.at.clone());
        Ok(())
    }),
    value(&["garp_master_repeat"], |draft, said, notes| garp::repeat(&mut draft.garp, said, notes)),
    value(&["garp_master_delay"], |draft, said, notes| garp::delay(&mut draft.garp, said, notes)),
    value(&["garp_master_refresh"], |draft, said, notes| garp::refresh(&mut draft.garp, said, notes)),
    value(&["garp_master_refresh_repeat"], |draft, said, notes| {
        garp::refresh_repeat(&mut draft.garp, said, notes)
    }),
    value(&["garp_lower_prio_repeat"], |draft, said, notes| garp::lower_repeat(&mut draft.garp, said, notes)),
    value(&["garp_lower_prio_delay"], |draft, said, notes| garp::lower_delay(&mut draft.garp, said, notes)),
    value(&["down_timer_adverts"], |_, said, notes| {
        no_other_down_timer(said, notes);
        Ok(())
    }),
    // What is said here is how vipkit does it anyway.
    flag(&["promote_secondaries", "debug", "track_src_ip"], |_, _, _| Ok(())),
    block(&["track_script"], |draft, _, cursor, notes| {
        track::read(&mut draft.track, Some(Sort::Script), cursor, notes);
        Ok(())
    }),
    block(&["track_file"], |draft, _, cursor, notes| {
        track::read(&mut draft.track, Some(Sort::File), cursor, notes);
        Ok(())
    }),
    block(&["track_process"], |draft, _, cursor, notes| {
        track::read(&mut draft.track, Some(Sort::Process), cursor, notes);
        Ok(())
    }),
    block(&["track_interface"], |draft, _, cursor, notes| {
        track::read(&mut draft.track, None, cursor, notes);
        Ok(())
    }),
    lost_block(&["track_bfd"], BFD),
    lost(&["use_vmac_addr"], "vipkit has one virtual MAC address for an instance"),
    lost(&["use_ipvlan"], IPVLAN),
    lost(&["preempt_delay"], "vipkit takes over from a lower priority at once"),
    lost(&["no_virtual_ipaddress"], "vipkit has no instance without addresses"),
    value(&["mcast_dst_ip"], |_, said, notes| {
        global::no_other_group(said, notes);
        Ok(())
    }),
    lost(&["skip_check_adv_addr", "lower_prio_no_advert", "higher_prio_send_advert"], CHECKS),
    lost(
        &["owner_ignore_adverts", "kernel_rx_buf_size", "timer_expired_backup", "thread_timer_expired"],
        CHECKS,
    ),
    lost(&["garp_extra_if", "vmac_garp_intvl"], PACING),
    lost(&["dont_track_primary"], "vrrpd always watches the instance's interface"),
    lost(&["linkbeat_use_polling"], "vrrpd hears of the link from the kernel"),
    lost(&["vrf"], "vipkit knows no VRF"),
    lost(&["lvs_sync_daemon_interface"], "connections are not synchronised to the other director"),
    lost(
        &["notify_master", "notify_backup", "notify_fault", "notify_stop", "notify_deleted", "notify"],
        NOTIFY,
    ),
    lost(&["notify_master_rx_lower_pri", "notify_priority_changes", "smtp_alert"], NOTIFY),
];

/// Reads an instance; none if it is one that never runs.
///
/// # Errors
/// It cannot be understood.
pub fn instance(
    beside: Beside<'_>,
    said: &Said,
    cursor: &mut Cursor<'_>,
    notes: &mut Notes,
) -> Result<Option<Instance>, Refusal> {
    let Beside { globals, turn, trackers, delays, groups } = beside;
    let mut draft = Draft {
        rfc9568: globals.rfc9568,
        strict: globals.strict.clone(),
        preference: turn.preference,
        garp: globals.garp.of_instance(),
        ..Draft::default()
    };
    draft.unicast.checked = globals.check_unicast_source;
    cursor.block(KEYWORDS, &mut draft, notes)?;
    turn.preference = draft.preference;
    let name = said.value();
    match &draft.unicast {
        Unicast { first: Some(at), needs_peers, .. } if draft.peers.is_empty() => {
            if *needs_peers {
                let fault = "unicast without peers: keepalived keeps it in fault state";
                notes.leave_out(at, format!("{fault}: vrrp_instance {name} is NOT imported"));
                return Ok(None);
            }
            let now = "unicast without peers: keepalived speaks by multicast, and so does vipkit; say unicast_peer on \
                       all nodes if unicast is meant";
            notes.say(at, now);
        }
        _ => {}
    }
    let entries = std::mem::take(&mut draft.track);
    let mut instance = runs::whole(draft, globals, &mut turn.mac_names, said, notes)?;
    let around = Around { interface: &instance.interface.0, grouped: groups.has(name), delays };
    let whole = |entry: Entry| entry.whole(&around, trackers, notes);
    instance.track = entries.into_iter().filter_map(whole).collect();
    Ok(Some(instance))
}

fn version(draft: &mut Draft, said: &Said, notes: &mut Notes) -> Done {
    match said.number(2..=3, notes)? {
        Some(2) if draft.addresses.family == Some(Family::V6) => {
            notes.say(&said.at, "version 2 after IPv6 addresses: keepalived ignores it");
        }
        Some(version) => draft.version = Some((if version == 2 { 2 } else { 3 }, said.at.clone())),
        None => {}
    }
    Ok(())
}

fn source(draft: &mut Draft, said: &Said, notes: &mut Notes) -> Done {
    match said.value().parse::<IpAddr>() {
        Ok(ip) if draft.addresses.is(Family::of(ip)) => draft.source = Some((ip, said.at.clone())),
        Ok(ip) => notes.say(&said.at, format!("{ip} is of another family: keepalived ignores it")),
        Err(_) => {
            notes.say(&said.at, format!("{:?} is no address: keepalived ignores it", said.value()));
        }
    }
    Ok(())
}

fn priority(draft: &mut Draft, said: &Said, notes: &mut Notes) -> Done {
    // Whether it fits is said once the rest is known.
    let mut silent = Notes::new(notes.intended);
    draft.priority = Some((said.number(1..=255, &mut silent)?, said.at.clone()));
    Ok(())
}

fn interval(draft: &mut Draft, said: &Said, notes: &mut Notes) -> Done {
    if let Some(length) = said.seconds(Duration::from_millis(10), notes)? {
        if length > Duration::from_secs(255) {
            notes.say(
                &said.at,
                format!("advert_int {} is more than 255: keepalived ignores it", said.value()),
            );
        } else {
            draft.interval = Some((length, said.at.clone()));
        }
    }
    Ok(())
}

fn state(draft: &mut Draft, said: &Said, notes: &mut Notes) -> Done {
    draft.master = said.value() == "MASTER";
    if !["MASTER", "BACKUP"].contains(&said.value()) {
        notes.say(&said.at, format!("state {} is none: keepalived takes BACKUP", said.value()));
    }
    Ok(())
}
