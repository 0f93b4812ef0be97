//! `vrrp_instance`: what keepalived makes of its keywords once all are read.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::address::{self, Address};
use super::block::{Cursor, Done, Keyword, Said, block, flag, lost, lost_block, value};
use super::garp::{self, Garp};
use super::global::{Globals, STRICT, no_other_down_timer};
use super::lexer;
use super::note::{Later, Notes, Place, Refusal};

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
    /// `priority`, and where it stands if it does.
    pub priority: (u64, Option<Place>),
    /// `version`, and where it stands if it does.
    pub version: (u8, Option<Place>),
    /// Between adverts.
    pub interval: (Duration, Option<Place>),
    /// Not `nopreempt`.
    pub preempt: bool,
    /// `v3_checksum_as_v2`.
    pub rfc9568: bool,
    /// The password that is sent.
    pub password: Option<String>,
    /// `virtual_ipaddress`.
    pub addresses: Vec<Address>,
    /// `garp_*`.
    pub garp: Garp,
    /// For when all nodes are moved.
    pub later: Vec<Later>,
}

/// What was said of an instance.
struct Draft {
    interface: Option<(String, Place)>,
    virtual_router_id: Option<(u64, Place)>,
    priority: Option<(Option<u64>, Place)>,
    version: Option<(u8, Place)>,
    interval: Option<(Duration, Place)>,
    master: bool,
    nopreempt: Option<Place>,
    rfc9568: bool,
    strict: bool,
    auth: Auth,
    addresses: Vec<Address>,
    seen: BTreeSet<Ipv4Addr>,
    garp: Garp,
    ipv6: Option<Place>,
    later: Vec<Later>,
}

#[derive(Default)]
struct Auth {
    kind: Option<(String, Place)>,
    key: Option<(String, Place)>,
}

const NOTIFY: &str = "vipkit runs no scripts and sends no mail; `vipctl watch --json` tells of every change";
const TRACKING: &str = "what it watches no longer changes priority or state, and a weight above 0, which keepalived adds \
                        while all is well, is not added; vrrpd watches the instance's own interface, carrier and \
                        address only";
const UNICAST: &str = "vipkit speaks by multicast only: peers that speak by unicast are not heard, so both nodes would \
                       hold the addresses; do not run this beside keepalived";
const AH: &str = "auth_type AH is not supported by vipkit: peers with AH are not heard, so both nodes would hold the \
                  addresses; do not run this beside keepalived";
const VMAC: &str = "vipkit uses the interface's own MAC address";
const ROUTES: &str = "vipkit sets addresses only";
const CHECKS: &str = "vipkit checks what RFC 9568 says, and sends to 224.0.0.18";
const PACING: &str = "vipkit announces 64 frames a turn, and on the instance's interface only";
const EXCLUDED: &str = "these addresses are NOT brought up by vipkit: it holds only what its adverts say";

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
    value(&["version"], |draft, said, notes| {
        if let Some(version) = said.number(2..=3, notes)? {
            draft.version = Some((if version == 2 { 2 } else { 3 }, said.at.clone()));
        }
        Ok(())
    }),
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
    flag(&["strict_mode"], |draft, said, notes| {
        draft.strict = said.on();
        if draft.strict {
            notes.say(&said.at, STRICT);
        }
        Ok(())
    }),
    block(&["authentication"], |draft, _, cursor, notes| {
        cursor.block(AUTHENTICATION, &mut draft.auth, notes)
    }),
    flag(&["native_ipv6"], native_ipv6),
    block(&["virtual_ipaddress"], addresses),
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
    flag(&["accept", "promote_secondaries", "debug"], |_, _, _| Ok(())),
    lost_block(&["virtual_ipaddress_excluded"], EXCLUDED),
    lost_block(&["virtual_routes", "virtual_rules"], ROUTES),
    lost_block(&["track_interface", "track_script", "track_file", "track_process", "track_bfd"], TRACKING),
    lost_block(&["unicast_peer"], UNICAST),
    lost_block(&["auth_hmac"], "vipkit has no HMAC: peers that enforce it do not hear it"),
    lost(&["unicast_src_ip", "unicast_ttl", "unicast_fault_no_peer", "old_unicast_checksum"], UNICAST),
    lost(&["check_unicast_src"], UNICAST),
    lost(&["use_vmac", "use_vmac_addr", "vmac_xmit_base", "use_ipvlan"], VMAC),
    lost(&["preempt_delay"], "vipkit takes over from a lower priority at once"),
    lost(&["no_accept"], "the addresses of vipkit answer"),
    lost(&["no_virtual_ipaddress"], "vipkit has no instance without addresses"),
    lost(&["mcast_src_ip", "track_src_ip"], "vipkit sends from the first address of the interface"),
    lost(&["mcast_dst_ip"], "vipkit sends to 224.0.0.18 only: with another group it does not hear the peers"),
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

const AUTHENTICATION: &[Keyword<Auth>] = &[
    value(&["auth_type"], |auth, said, _| {
        auth.kind = Some((said.value().to_owned(), said.at.clone()));
        Ok(())
    }),
    value(&["auth_pass"], |auth, said, _| {
        auth.key = Some((said.value().to_owned(), said.at.clone()));
        Ok(())
    }),
];

/// Reads an instance; none if it is one that vipkit cannot run.
///
/// # Errors
/// It cannot be understood.
pub fn instance(
    globals: &Globals,
    said: &Said,
    cursor: &mut Cursor<'_>,
    notes: &mut Notes,
) -> Result<Option<Instance>, Refusal> {
    let mut draft = Draft {
        interface: None,
        virtual_router_id: None,
        priority: None,
        version: None,
        interval: None,
        master: false,
        nopreempt: None,
        rfc9568: globals.rfc9568,
        strict: globals.strict,
        auth: Auth::default(),
        addresses: Vec::new(),
        seen: BTreeSet::new(),
        garp: globals.garp.of_instance(),
        ipv6: None,
        later: Vec::new(),
    };
    cursor.block(KEYWORDS, &mut draft, notes)?;
    if let Some(at) = &draft.ipv6 {
        notes.leave_out(at, format!("IPv6 is not supported: vrrp_instance {} is NOT imported", said.value()));
        return Ok(None);
    }
    whole(draft, globals, said, notes).map(Some)
}

fn whole(mut draft: Draft, globals: &Globals, said: &Said, notes: &mut Notes) -> Result<Instance, Refusal> {
    let lacks = |keyword: &str| {
        let what = format!("vrrp_instance {} has no {keyword}", said.value());
        Refusal::new(&said.at, what, format!("add {keyword} to it"))
    };
    let interface = draft.interface.take().ok_or_else(|| lacks("interface"))?;
    let virtual_router_id = draft.virtual_router_id.take().ok_or_else(|| lacks("virtual_router_id"))?;
    if draft.addresses.is_empty() {
        return Err(lacks("virtual_ipaddress"));
    }
    let version =
        draft.version.take().map_or_else(|| globals.version.clone(), |(version, at)| (version, Some(at)));
    let interval = carried(version.0, draft.interval.take(), notes);
    let priority = draft.running_priority(said, notes);
    let preempt = draft.preempt(priority.0, notes);
    let password = draft.password(version.0, notes);
    let rfc9568 = draft.rfc9568 && version.0 == 3;
    Ok(Instance {
        name: said.value().to_owned(),
        at: said.at.clone(),
        interface,
        virtual_router_id,
        priority,
        version,
        interval,
        preempt,
        rfc9568,
        password,
        addresses: draft.addresses,
        garp: if draft.strict {
            Garp { lower_repeat: Some(0), lower_delay: Some(0), ..draft.garp }
        } else {
            draft.garp
        },
        later: draft.later,
    })
}

/// The interval as the adverts of the version carry it.
fn carried(version: u8, said: Option<(Duration, Place)>, notes: &mut Notes) -> (Duration, Option<Place>) {
    let Some((length, at)) = said else { return (Duration::from_secs(1), None) };
    let (unit, most) = if version == 2 { (1_000_000, 255) } else { (10_000, 4095) };
    let units = (length.as_micros() + unit / 2) / unit;
    let rounded = Duration::from_micros(u64::try_from(units.clamp(1, most) * unit).unwrap_or(u64::MAX));
    if rounded != length {
        let now = format!(
            "version {version} cannot carry an advert_int of {} s: keepalived runs with {} s",
            length.as_secs_f64(),
            rounded.as_secs_f64()
        );
        notes.say(&at, now);
    }
    (rounded, Some(at))
}

impl Draft {
    fn running_priority(&mut self, said: &Said, notes: &mut Notes) -> (u64, Option<Place>) {
        const DEFAULT: u64 = 100;
        const HIGHEST: u64 = 254;
        const OWNER: u64 = 255;
        let what = "the highest that is not the owner's";
        let (now, running, at) = match self.priority.take() {
            Some((Some(priority), at)) => return (priority, Some(at)),
            Some((None, at)) => ("the priority is not from 1 to 255: keepalived runs with 100", DEFAULT, at),
            None if self.master => {
                let now =
                    "no priority with state MASTER: keepalived runs with 255, as the owner of the addresses";
                (now, OWNER, said.at.clone())
            }
            None => return (DEFAULT, None),
        };
        let applied = notes.doubt(&at, now, what, format!("priority = {HIGHEST}"), &mut self.later);
        (if applied { HIGHEST } else { running }, Some(at))
    }

    fn preempt(&mut self, priority: u64, notes: &mut Notes) -> bool {
        let Some(at) = self.nopreempt.take() else { return true };
        if priority == 255 {
            notes.say(&at, "nopreempt at priority 255: keepalived ignores it, the owner always takes over");
            return true;
        }
        if !self.master {
            return false;
        }
        let now = "nopreempt with state MASTER: keepalived ignores it, so this node takes the addresses back";
        !notes.doubt(&at, now, "no taking back", "preempt = false", &mut self.later)
    }

    fn password(&mut self, version: u8, notes: &mut Notes) -> Option<String> {
        let Auth { kind, key } = std::mem::take(&mut self.auth);
        let (kind, at) = kind?;
        if version == 3 {
            notes.say(&at, "authentication in version 3: there is none, keepalived ignores it");
            return None;
        }
        let Some((key, key_at)) = key.filter(|(key, _)| !key.is_empty()) else {
            notes.say(&at, "authentication without auth_pass: keepalived runs without authentication");
            return None;
        };
        let (cut, _) = lexer::cut(&key, PASSWORD_MAX);
        if cut != key {
            notes.say(&key_at, "auth_pass has more than 8 bytes: keepalived uses the first 8");
        }
        let line = format!("authentication = {{ type = \"pass\", key = {} }}", super::toml::quote(cut));
        let reason = if self.strict {
            "in strict mode keepalived runs without authentication".to_owned()
        } else if kind == "PASS" {
            return Some(cut.to_owned());
        } else if kind == "AH" {
            notes.say(&at, AH);
            return None;
        } else {
            format!(
                "auth_type {kind} is none: keepalived knows PASS in capital letters, and runs without authentication"
            )
        };
        notes.doubt(&at, reason, "the simple password", line, &mut self.later).then(|| cut.to_owned())
    }
}

/// Bytes of a password that go into an advert.
const PASSWORD_MAX: usize = 8;

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

/// It decides unless an IPv4 address came first.
fn native_ipv6(draft: &mut Draft, said: &Said, notes: &mut Notes) -> Done {
    if draft.addresses.is_empty() {
        draft.ipv6.get_or_insert_with(|| said.at.clone());
    } else {
        notes.say(&said.at, "native_ipv6 after IPv4 addresses: keepalived ignores it");
    }
    Ok(())
}

/// The first address says of which family all are.
fn addresses(draft: &mut Draft, _: &Said, cursor: &mut Cursor<'_>, notes: &mut Notes) -> Done {
    for said in cursor.values(notes) {
        let text = said.name.split('/').next().unwrap_or_default();
        if text.parse::<Ipv6Addr>().is_ok() {
            if draft.addresses.is_empty() && draft.ipv6.is_none() {
                draft.ipv6 = Some(said.at.clone());
            } else if draft.ipv6.is_none() {
                notes.say(&said.at, format!("{text} is of another family: keepalived ignores it"));
            }
        } else if text.parse::<Ipv4Addr>().is_ok() && draft.ipv6.is_some() {
            notes.say(&said.at, format!("{text} is of another family: keepalived ignores it"));
        } else if let Some(address) = address::read(&said, draft.interface.as_ref(), notes) {
            if draft.seen.insert(address.address) {
                draft.addresses.push(address);
            } else {
                notes.say(&said.at, format!("{text} is there already: keepalived ignores it"));
            }
        }
    }
    Ok(())
}
