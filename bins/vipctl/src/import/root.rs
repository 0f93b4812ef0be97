//! What stands outside all blocks.

use super::block::{Cursor, Done, Keyword, block, flag, lost, lost_block};
use super::global::{self, Globals};
use super::note::{Notes, Refusal};
use super::said::Said;
use super::service::{self, Service};
use super::ssl::{self, Ssl};
use super::track::{self, Delays, Groups};
use super::tracker::{self, Trackers};
use super::vrrp::{self, Instance, Turn};

/// A whole keepalived.conf.
#[derive(Default)]
pub struct Root {
    /// `global_defs`.
    pub globals: Globals,
    /// Each `vrrp_instance` that vipkit can run.
    pub instances: Vec<Instance>,
    /// Each `virtual_server` that vipkit can run.
    pub services: Vec<Service>,
    /// What instances take in turn.
    pub turn: Turn,
    /// What instances may track.
    pub trackers: Trackers,
    /// `SSL`.
    pub ssl: Ssl,
    /// `interface_up_down_delays`.
    pub delays: Delays,
    /// `vrrp_sync_group`.
    pub groups: Groups,
}

const GROUP: &str = "ITS INSTANCES NO LONGER CHANGE STATE TOGETHER: each goes by its own interface and peers";
const STATIC: &str = "vipkit does not set it: leave it to the configuration of the network";
const NAMESPACE: &str = "a vipkit daemon runs in the namespace that it is started in";

/// Its keywords.
pub const KEYWORDS: &[Keyword<Root>] = &[
    block(&["global_defs"], |root, _, cursor, notes| {
        cursor.block(global::KEYWORDS, &mut root.globals, notes)
    }),
    block(&["vrrp_instance"], instance),
    block(&["virtual_server"], service),
    block(&["vrrp_sync_group"], |root, said, cursor, notes| {
        notes.say(&said.at, format!("vrrp_sync_group is not carried over: {GROUP}"));
        root.groups.read(cursor, notes);
        Ok(())
    }),
    lost_block(&["virtual_server_group"], "virtual_servers with a group are not imported"),
    block(&["vrrp_script"], |root, said, cursor, notes| {
        tracker::script(&mut root.trackers, root.globals.script_user.as_deref(), said, cursor, notes)
    }),
    block(&["track_file", "vrrp_track_file"], |root, said, cursor, notes| {
        tracker::file(&mut root.trackers, said, cursor, notes)
    }),
    block(&["vrrp_track_process"], |root, said, cursor, notes| {
        tracker::process(&mut root.trackers, said, cursor, notes)
    }),
    block(&["SSL"], |root, _, cursor, notes| cursor.block(ssl::KEYWORDS, &mut root.ssl, notes)),
    block(&["interface_up_down_delays"], |root, _, cursor, notes| {
        track::delays(&mut root.delays, cursor, notes)
    }),
    lost_block(&["bfd_instance"], "vipkit has no BFD"),
    lost_block(&["static_ipaddress", "static_routes", "static_rules", "track_group"], STATIC),
    lost_block(&["garp_group"], "vipkit paces its announcements by itself"),
    lost_block(&["linkbeat_interfaces"], "vrrpd hears of links from the kernel, at once"),
    lost(&["linkbeat_use_polling"], "vrrpd hears of links from the kernel, at once"),
    lost(&["net_namespace", "net_namespace_ipvs", "namespace_with_ipsets"], NAMESPACE),
    // How keepalived's own processes run.
    flag(&["instance", "use_pid_dir", "child_wait_time"], |_, _, _| Ok(())),
];

fn instance(root: &mut Root, said: &Said, cursor: &mut Cursor<'_>, notes: &mut Notes) -> Done {
    if said.values.is_empty() {
        let what = "vrrp_instance has no name: keepalived does not start with this";
        return Err(Refusal::new(&said.at, what, "give it one"));
    }
    if root.instances.iter().any(|other| other.name == said.value()) {
        notes.say(&said.at, format!("vrrp_instance {} is there already: keepalived skips it", said.value()));
        cursor.values(notes);
        return Ok(());
    }
    let beside = vrrp::Beside {
        globals: &root.globals,
        turn: &mut root.turn,
        trackers: &mut root.trackers,
        delays: &root.delays,
        groups: &root.groups,
    };
    root.instances.extend(vrrp::instance(beside, said, cursor, notes)?);
    Ok(())
}

fn service(root: &mut Root, said: &Said, cursor: &mut Cursor<'_>, notes: &mut Notes) -> Done {
    let beside = service::Beside { ssl: &root.ssl, user: root.globals.script_user.as_deref() };
    let Some(service) = service::service(&beside, said, cursor, notes)? else { return Ok(()) };
    let same = |other: &&Service| (other.address, other.protocol.0) == (service.address, service.protocol.0);
    if let Some(other) = root.services.iter().find(same) {
        let what = format!(
            "virtual_server {} is at {} too: keepalived makes one service of both",
            service.address, other.at
        );
        return Err(Refusal::new(&said.at, what, "join the two"));
    }
    root.services.push(service);
    Ok(())
}
