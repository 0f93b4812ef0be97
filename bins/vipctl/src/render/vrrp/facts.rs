//! What can be said of an instance in a line each, with its label: how it is set, and its timers.

use vipkit_control::vrrp::{Hmac, Instance, State};

use crate::render::check::count;
use crate::render::time;

/// What the instance is and how it is set, what does not apply left out; then the timers.
#[must_use]
pub fn facts(instance: &Instance) -> Vec<(&'static str, String)> {
    let Instance { virtual_router_id, family, version, hmac, .. } = instance;
    let strict = if instance.strict { ", strict" } else { "" };
    let preempts = if instance.preempt { "preempts" } else { "does not preempt" };
    let Instance { priority, effective_priority, .. } = instance;
    let effective = if effective_priority == priority {
        String::new()
    } else {
        format!(", effective {effective_priority}")
    };
    let peers = instance.unicast_peers.len();
    let to = if peers == 0 { "multicast".to_owned() } else { count(peers, "unicast peer") };
    let mode = hmac.as_ref().map(|hmac| format!(", {}", hmac.mode)).unwrap_or_default();
    [
        ("reason", instance.reason.clone()),
        ("virtual router", format!("VRID {virtual_router_id}, {family}, version {version}{strict}")),
        ("priority", format!("{priority}{effective}, {preempts}")),
        ("Accept_Mode", if instance.accept { "on" } else { "off" }.to_owned()),
        ("interface", instance.interface.clone()),
    ]
    .into_iter()
    .chain(virtual_mac(instance))
    .chain([("source", instance.source.clone().unwrap_or_else(|| "none".to_owned())), ("adverts to", to)])
    .chain(instance.checksum.clone().map(|form| ("checksum", form)))
    .chain([("authentication", format!("{}{mode}", instance.authentication))])
    .chain(hmac.iter().flat_map(keys))
    .chain(timers(instance))
    .collect()
}

fn virtual_mac(instance: &Instance) -> Option<(&'static str, String)> {
    let virtual_mac = instance.virtual_mac.as_ref()?;
    let place = match (virtual_mac.present, virtual_mac.up) {
        (false, _) => "absent",
        (true, false) => "down",
        (true, true) => "up",
    };
    let from =
        if virtual_mac.adverts_from == "interface" { &instance.interface } else { &virtual_mac.interface };
    let words = format!("{} on {} ({place}), adverts from {from}", virtual_mac.mac, virtual_mac.interface);
    Some(("virtual MAC", words))
}

fn keys(hmac: &Hmac) -> [(&'static str, String); 2] {
    let key = |id: &u8| if *id == hmac.active_key { format!("{id} (active)") } else { id.to_string() };
    let keys: Vec<_> = hmac.keys.iter().map(key).collect();
    let window = hmac.time_window.map(|window| format!(", window {}", time::seconds(window)));
    let replay = format!("{}{}", hmac.replay_protection, window.unwrap_or_default());
    [("HMAC keys", keys.join(", ")), ("replay protection", replay)]
}

/// The intervals, and the timer that runs.
fn timers(instance: &Instance) -> Vec<(&'static str, String)> {
    let running = match instance.state {
        State::Active => "Adver_Timer",
        State::Initialize | State::Backup | State::Fault => "Active_Down_Timer",
    };
    let mut timers = vec![
        ("Advertisement_Interval", time::seconds(instance.advertisement_interval)),
        ("Active_Adver_Interval", time::seconds(instance.active_adver_interval)),
        ("Skew_Time", time::seconds(instance.skew_time)),
        ("Active_Down_Interval", time::seconds(instance.active_down_interval)),
    ];
    timers.extend(instance.timer.map(|left| (running, format!("fires in {}", time::seconds(left)))));
    timers
}
