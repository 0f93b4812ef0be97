//! `global_defs`: the name of the node, and what instances take over from here.

use vipkit_core::units::Family;
use vipkit_core::vrrp::group;

use super::block::{Done, Keyword, flag, lost, lost_block, value, values};
use super::garp::{self, Garp};
use super::note::{Notes, Place};
use super::said::Said;

/// What is said for all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Globals {
    /// `router_id`.
    pub router_id: Option<(String, Place)>,
    /// `vrrp_version`, and where it stands if it does.
    pub version: (u8, Option<Place>),
    /// `v3_checksum_as_v2`.
    pub rfc9568: bool,
    /// `vrrp_strict`, where it stands if it is on.
    pub strict: Option<Place>,
    /// `vrrp_check_unicast_src`.
    pub check_unicast_source: bool,
    /// `vmac_prefix`.
    pub mac_prefix: String,
    /// `vrrp_garp_*`.
    pub garp: Garp,
    /// `script_user`.
    pub script_user: Option<String>,
}

impl Default for Globals {
    fn default() -> Self {
        Self {
            router_id: None,
            version: (2, None),
            rfc9568: false,
            strict: None,
            check_unicast_source: false,
            mac_prefix: "vrrp".to_owned(),
            garp: Garp::default(),
            script_user: None,
        }
    }
}

const MAIL: &str = "vipkit sends no mail; `vipctl watch --json` tells of every change";
const SCRIPTS: &str = "vipkit runs no scripts but of checks; `vipctl watch --json` tells of every change";
const USER: &str = "scripts of checks run as healthcheckd's own user, others not at all";
const PROCESS: &str = "how a daemon runs is said by its systemd unit";
const FIREWALL: &str = "vipkit makes an nftables table of its own where no_accept asks for it, and leaves all others \
                        as they are";
const SHOWN: &str = "vipkit's daemons answer on their sockets; see vipctl status";
const CHECKS: &str = "vipkit checks what RFC 9568 says";
const PACING: &str = "vipkit announces 64 frames a turn, and on the instance's interface only";
const IPVS: &str = "ipvs-sync sets services and servers only, and leaves what is not in its configuration";

/// Its keywords.
pub const KEYWORDS: &[Keyword<Globals>] = &[
    value(&["router_id"], router_id),
    value(&["vrrp_version"], version),
    flag(&["v3_checksum_as_v2"], checksum),
    flag(&["vrrp_strict"], strict),
    flag(&["vrrp_min_garp"], |globals, said, _| {
        if said.on() {
            globals.garp = Garp { repeat: 1, delay: 0, refresh_repeat: 1, ..globals.garp.clone() };
        }
        Ok(())
    }),
    value(&["vrrp_garp_master_repeat"], |globals, said, notes| garp::repeat(&mut globals.garp, said, notes)),
    value(&["vrrp_garp_master_delay"], |globals, said, notes| garp::delay(&mut globals.garp, said, notes)),
    value(&["vrrp_garp_master_refresh"], |globals, said, notes| {
        garp::refresh(&mut globals.garp, said, notes)
    }),
    value(&["vrrp_garp_master_refresh_repeat"], |globals, said, notes| {
        garp::refresh_repeat(&mut globals.garp, said, notes)
    }),
    value(&["vrrp_garp_lower_prio_repeat"], |globals, said, notes| {
        garp::lower_repeat(&mut globals.garp, said, notes)
    }),
    value(&["vrrp_garp_lower_prio_delay"], |globals, said, notes| {
        garp::lower_delay(&mut globals.garp, said, notes)
    }),
    value(&["vrrp_down_timer_adverts"], down_timer),
    lost(&["vrrp_garp_interval", "vrrp_gna_interval", "vrrp_garp_extra_if", "vrrp_vmac_garp_intvl"], PACING),
    lost_block(&["notification_email"], MAIL),
    lost(&["notification_email_from", "smtp_server", "smtp_helo_name", "smtp_connect_timeout"], MAIL),
    lost(
        &["smtp_alert", "smtp_alert_vrrp", "smtp_alert_checker", "no_email_faults", "no_checker_emails"],
        MAIL,
    ),
    lost(&["enable_script_security", "use_symlink_paths", "set_supplementary_groups"], USER),
    values(&["script_user"], |globals, said, notes| {
        globals.script_user = Some(said.value().to_owned());
        notes.say(&said.at, format!("script_user is not carried over: {USER}"));
        Ok(())
    }),
    lost(
        &["startup_script", "startup_script_timeout", "shutdown_script", "shutdown_script_timeout"],
        SCRIPTS,
    ),
    lost(&["notify_fifo", "notify_fifo_script", "vrrp_notify_fifo", "vrrp_notify_fifo_script"], SCRIPTS),
    lost(&["lvs_notify_fifo", "lvs_notify_fifo_script", "vrrp_notify_priority_changes"], SCRIPTS),
    lost(&["fifo_write_vrrp_states_on_reload", "rs_init_notifies"], SCRIPTS),
    lost(&["process_names", "process_name", "vrrp_process_name", "checker_process_name"], PROCESS),
    lost(&["lvs_process_name", "bfd_process_name", "umask", "max_auto_priority"], PROCESS),
    lost(&["min_auto_priority_delay", "vrrp_priority", "checker_priority", "bfd_priority"], PROCESS),
    lost(&["vrrp_no_swap", "checker_no_swap", "bfd_no_swap", "vrrp_rt_priority"], PROCESS),
    lost(&["checker_rt_priority", "bfd_rt_priority", "vrrp_cpu_affinity", "checker_cpu_affinity"], PROCESS),
    lost(&["bfd_cpu_affinity", "vrrp_rlimit_rttime", "checker_rlimit_rttime", "bfd_rlimit_rttime"], PROCESS),
    lost(&["vrrp_rlimit_rtime", "checker_rlimit_rtime", "bfd_rlimit_rtime"], PROCESS),
    lost(&["config_save_dir", "tmp_config_directory", "random_seed", "include_check"], PROCESS),
    lost(&["reload_check_config", "reload_time_file", "reload_repeat", "reload_file"], PROCESS),
    lost(&["vrrp_netlink_cmd_rcv_bufs", "vrrp_netlink_cmd_rcv_bufs_force"], PROCESS),
    lost(&["vrrp_netlink_monitor_rcv_bufs", "vrrp_netlink_monitor_rcv_bufs_force"], PROCESS),
    lost(&["lvs_netlink_cmd_rcv_bufs", "lvs_netlink_cmd_rcv_bufs_force"], PROCESS),
    lost(&["lvs_netlink_monitor_rcv_bufs", "lvs_netlink_monitor_rcv_bufs_force"], PROCESS),
    lost(&["process_monitor_rcv_bufs", "process_monitor_rcv_bufs_force"], PROCESS),
    lost(&["vrrp_rx_bufs_policy", "vrrp_rx_bufs_multiplier"], PROCESS),
    lost(&["vrrp_iptables", "vrrp_ipsets", "nftables", "nftables_priority", "nftables_counters"], FIREWALL),
    lost(&["nftables_ifindex", "nftables_ipvs", "nftables_ipvs_priority"], FIREWALL),
    lost(&["nftables_ipvs_start_fwmark"], FIREWALL),
    lost(&["snmp_socket", "enable_snmp_vrrp", "enable_snmp_keepalived", "enable_snmp_checker"], SHOWN),
    lost(&["enable_snmp_rfc", "enable_snmp_rfcv2", "enable_snmp_rfcv3", "enable_traps"], SHOWN),
    lost(&["snmp_vs_stats_update_interval", "snmp_rs_stats_update_interval"], SHOWN),
    lost(&["enable_dbus", "dbus_service_name", "dbus_no_interface_name"], SHOWN),
    lost(&["data_use_instance", "state_dump_file", "stats_dump_file", "json_dump_file"], SHOWN),
    lost(&["json_version", "iproute_usr_dir", "iproute_etc_dir", "checker_log_all_failures"], SHOWN),
    lost(&["log_unknown_vrids"], SHOWN),
    value(&["vrrp_mcast_group4", "vrrp_mcast_group6"], |_, said, notes| {
        no_other_group(said, notes);
        Ok(())
    }),
    flag(&["vrrp_check_unicast_src"], |globals, _, _| {
        globals.check_unicast_source = true;
        Ok(())
    }),
    value(&["vmac_prefix"], |globals, said, _| {
        said.value().clone_into(&mut globals.mac_prefix);
        Ok(())
    }),
    lost(&["vrrp_skip_check_adv_addr"], CHECKS),
    lost(&["vrrp_lower_prio_no_advert", "vrrp_higher_prio_send_advert"], CHECKS),
    lost(&["vrrp_owner_ignore_adverts", "disable_local_igmp"], CHECKS),
    lost(&["dynamic_interfaces"], "vipkit always waits for interfaces that come later"),
    lost(&["default_interface"], "it is for static addresses, which vipkit does not set"),
    lost(&["vmac_addr_prefix"], "vipkit has one virtual MAC address for an instance"),
    lost(&["vrrp_startup_delay", "vrrp_delay_after_boot"], "vrrpd takes part at once when it starts"),
    lost(&["lvs_sync_daemon"], "connections are not synchronised to the other director"),
    lost(&["lvs_timeouts", "lvs_flush", "lvs_flush_on_stop", "lvs_flush_onstop"], IPVS),
];

fn router_id(globals: &mut Globals, said: &Said, _: &mut Notes) -> Done {
    globals.router_id = Some((said.value().to_owned(), said.at.clone()));
    Ok(())
}

fn version(globals: &mut Globals, said: &Said, notes: &mut Notes) -> Done {
    if let Some(version) = said.number(2..=3, notes)? {
        globals.version = (if version == 2 { 2 } else { 3 }, Some(said.at.clone()));
    }
    Ok(())
}

fn checksum(globals: &mut Globals, said: &Said, notes: &mut Notes) -> Done {
    globals.rfc9568 = true;
    if !said.on() {
        let now = format!("{} {}: keepalived ignores the value, so it is on", said.name, said.value());
        notes.say(&said.at, now);
    }
    Ok(())
}

fn strict(globals: &mut Globals, said: &Said, _: &mut Notes) -> Done {
    globals.strict = said.on().then(|| said.at.clone());
    Ok(())
}

fn down_timer(_: &mut Globals, said: &Said, notes: &mut Notes) -> Done {
    no_other_down_timer(said, notes);
    Ok(())
}

/// vipkit counts three adverts, as the RFCs say.
pub fn no_other_down_timer(said: &Said, notes: &mut Notes) {
    if said.value() != "3" {
        notes.say(
            &said.at,
            format!("{} is not carried over: vipkit takes over after three missed adverts", said.name),
        );
    }
}

/// vipkit speaks to the groups of the RFCs, which are keepalived's own as well.
pub fn no_other_group(said: &Said, notes: &mut Notes) {
    let standard = said.value().parse().is_ok_and(|ip| group(Family::of(ip)) == ip);
    if !standard {
        let now = format!(
            "{} {} is not carried over: vipkit speaks to {} and {} only: with another group it does not hear the \
             peers, so both nodes would hold the addresses; do not run this beside keepalived",
            said.name,
            said.value(),
            group(Family::V4),
            group(Family::V6)
        );
        notes.say(&said.at, now);
    }
}
