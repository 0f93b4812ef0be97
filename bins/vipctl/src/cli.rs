//! The command line of vipctl. Says what there is, does nothing.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, ColorChoice, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use serde_json::{Map, Value};
use vipkit_control::health::Judgement;

use crate::realserver::{VIPS_MAX, vip};
use crate::render::text::WIDTH;

/// Shows and steers the vipkit daemons
#[derive(Debug, Parser)]
#[command(name = "vipctl", version, after_help = GENERAL, max_term_width = WIDTH)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// How.
    #[command(flatten)]
    pub options: Options,
}

impl Cli {
    /// Reads a command line, such as that of this process.
    ///
    /// # Errors
    /// It is not understood, or help was asked for.
    pub fn read(
        arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    ) -> Result<Self, clap::Error> {
        let cli = Self::try_parse_from(arguments)?;
        // clap could refuse these too, but only together with the options of all commands.
        if let Command::Health { action: Some(_), name, down, slow, all } = &cli.command
            && (name.is_some() || *down || *slow || *all)
        {
            let words = "run, set, enable and disable take no NAME or option before them";
            return Err(Self::command().error(ErrorKind::ArgumentConflict, words));
        }
        Ok(cli)
    }
}

/// Options of all commands.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Print JSON, one value a line
    #[arg(long, global = true)]
    pub json: bool,
    /// Colour: always, never, or auto, on a terminal
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_possible_values = true)]
    pub color: ColorChoice,
    /// Longest wait for a daemon, such as 500ms
    #[arg(long, global = true, value_name = "TIME", default_value = "5s", value_parser = timeout)]
    pub timeout: Duration,
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Show instances, services and checks, and what is wrong
    #[command(after_help = STATUS)]
    Status,
    /// Show all about the VRRP instances, or about one
    #[command(after_help = VRRP)]
    Vrrp {
        /// Name of the instance
        name: Option<String>,
        /// Show all addresses, and the counters that are zero too
        #[arg(long)]
        all: bool,
    },
    /// Show the services and their servers, or all about one
    #[command(after_help = SERVICES)]
    Services {
        /// Name of the service
        name: Option<String>,
    },
    /// Show the checks, or all about one; run, set, enable or disable one
    #[command(after_help = HEALTH)]
    Health {
        /// What to do instead
        #[command(subcommand)]
        action: Option<Health>,
        /// Name of the check: NAME of [check.NAME], or SERVICE/ADDRESS of a server
        name: Option<String>,
        /// Only those that are down, count as down or could not be run
        #[arg(long, conflicts_with = "name")]
        down: bool,
        /// The slowest first
        #[arg(long, conflicts_with = "name")]
        slow: bool,
        /// Of more than 100 checks, show all
        #[arg(long)]
        all: bool,
    },
    /// Show how everything is, then each change as it happens
    #[command(after_help = WATCH)]
    Watch {
        /// Only checks, services or instances
        #[arg(value_name = "WHAT")]
        what: Option<Watched>,
        /// With --json too: when a daemon goes away, wait for it and begin anew
        #[arg(long)]
        reconnect: bool,
    },
    /// Check the configuration; if it is good, let the daemons read it
    #[command(after_help = RELOAD)]
    Reload,
    /// Check a configuration file, and show all of its faults
    #[command(after_help = CHECK)]
    Check {
        /// The file; conf.d/*.toml beside it belongs to it
        #[arg(default_value = vipkit_config::DEFAULT_PATH)]
        file: PathBuf,
    },
    /// Call a method and print its replies as JSON
    #[command(after_help = CALL)]
    Call {
        /// Name of a daemon, or path of a socket
        socket: String,
        /// Full name of the method
        method: String,
        /// Its parameters
        #[arg(value_name = "JSON", default_value = "{}", value_parser = object)]
        parameters: Map<String, Value>,
        /// Ask for a stream of replies
        #[arg(long)]
        more: bool,
    },
    /// Print what a socket serves: the program, and its interfaces
    #[command(after_help = INTROSPECT)]
    Introspect {
        /// Name of a daemon, or path of a socket
        socket: String,
        /// Only the text of this interface
        interface: Option<String>,
    },
    /// Make a vipkit.toml of a keepalived.conf
    #[command(after_help = IMPORT)]
    Import {
        /// The keepalived.conf; those of several nodes are compared
        #[arg(required = true)]
        file: Vec<PathBuf>,
        /// Import what was probably meant instead of what keepalived runs
        #[arg(long)]
        intended: bool,
        /// Folder for a .toml of each file, named after its router_id, and a .keys
        /// folder for the keys of HMACs
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Print what a shell needs to complete the arguments of vipctl
    #[command(after_help = COMPLETIONS)]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Prepare this host to serve VIPs behind an LVS-DR director
    #[command(after_help = REALSERVER)]
    Realserver {
        /// What to do
        #[command(subcommand)]
        action: Realserver,
    },
}

/// What `vipctl health` does with one check.
#[derive(Clone, Debug, Subcommand)]
pub enum Health {
    /// Run a check once, now, and show each step
    #[command(after_help = HEALTH_RUN)]
    Run {
        /// Name of the check
        name: String,
    },
    /// Tell the verdict of a check of type external
    #[command(after_help = HEALTH_SET)]
    Set {
        /// Name of the check
        name: String,
        /// What to act on; a number is up, with this weight
        #[arg(value_name = "up|down|WEIGHT", value_parser = told)]
        told: Told,
        /// How long it holds, such as 10s; else until it is told anew
        #[arg(long, value_name = "TIME", value_parser = timeout)]
        ttl: Option<Duration>,
    },
    /// Have a check run again
    #[command(after_help = HEALTH_ENABLE)]
    Enable {
        /// Name of the check
        name: String,
    },
    /// Have a check not run; its verdict stays what it was
    #[command(after_help = HEALTH_DISABLE)]
    Disable {
        /// Name of the check
        name: String,
    },
}

/// The verdict of an external check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// What to act on.
    pub judged: Judgement,
    /// With up.
    pub weight: Option<i64>,
}

/// Whose changes `vipctl watch` shows.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Watched {
    /// Checks.
    Health,
    /// Services.
    Services,
    /// VRRP instances.
    Vrrp,
}

/// What `vipctl realserver` does.
#[derive(Clone, Debug, Subcommand)]
pub enum Realserver {
    /// Put addresses on lo, and let ARP neither answer nor announce them
    #[command(after_help = REALSERVER)]
    Add {
        /// Virtual IP addresses, without a prefix
        #[arg(value_name = "VIP", required = true, num_args = 1..=VIPS_MAX, value_parser = vip)]
        vips: Vec<IpAddr>,
        /// Do so at every boot too: write a sysctl.d file and a systemd unit
        #[arg(long)]
        persist: bool,
        /// The folder that stands for / when these files are written or removed
        #[arg(long, value_name = "DIR")]
        root: Option<PathBuf>,
    },
    /// Take addresses off lo; with the last, everything that add did
    #[command(after_help = REALSERVER)]
    Remove {
        /// Virtual IP addresses, without a prefix
        #[arg(value_name = "VIP", required = true, num_args = 1..=VIPS_MAX, value_parser = vip)]
        vips: Vec<IpAddr>,
        /// The folder that stands for / when files of --persist are removed
        #[arg(long, value_name = "DIR")]
        root: Option<PathBuf>,
    },
    /// Show whether this host serves them as it should, and what is wrong
    #[command(after_help = REALSERVER)]
    Show {
        /// Virtual IP addresses; all that are on lo if none is named
        #[arg(value_name = "VIP", num_args = ..=VIPS_MAX, value_parser = vip)]
        vips: Vec<IpAddr>,
    },
}

fn timeout(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err("must be more than nothing".to_owned()),
        Ok(timeout) => Ok(timeout),
        Err(error) => Err(error.to_string()),
    }
}

fn told(text: &str) -> Result<Told, String> {
    match text {
        "up" => Ok(Told { judged: Judgement::Up, weight: None }),
        "down" => Ok(Told { judged: Judgement::Down, weight: None }),
        _ => match text.parse::<u32>() {
            Ok(weight) => Ok(Told { judged: Judgement::Up, weight: Some(weight.into()) }),
            Err(_) => Err("must be up, down or a number".to_owned()),
        },
    }
}

fn object(text: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(text).map_err(|error| format!("must be a JSON object: {error}"))
}

const GENERAL: &str = "\
Exit codes: 0 good; 1 degraded, faulty or refused; 2 a daemon cannot be reached,
or wrong usage.
Environment: VIPKIT_RUNTIME_DIR, the folder of the sockets (default
/run/vipkit); NO_COLOR.";

const STATUS: &str = "\
Exit codes: 0 healthy; 1 degraded; 2 a daemon cannot be reached.
Example: vipctl status || mail -s 'look at the VIPs' admin";

const VRRP: &str = "\
Exit codes: 0 shown; 1 no such instance; 2 vrrpd cannot be reached.
Example: vipctl vrrp web --all";

const SERVICES: &str = "\
Exit codes: 0 shown; 1 no such service; 2 ipvs-sync cannot be reached.
Example: vipctl services web";

const HEALTH: &str = "\
Exit codes: 0 shown; 1 no such check; 2 healthcheckd cannot be reached.
A check that is called as one of the commands: vipctl health -- run
Example: vipctl health --json |
    jq -r '.checks[] | select(.state != \"up\") | .name'";

const HEALTH_RUN: &str = "\
No verdict changes by it.
Exit codes: 0 it passed, each part of it; 1 it did not, or there is no such
check; 2 healthcheckd cannot be reached.
Example: vipctl health run web/192.168.4.100:80";

const HEALTH_SET: &str = "\
Whoever allow of the check names may, and the admins.
Exit codes: 0 set; 1 refused; 2 healthcheckd cannot be reached.
Example: vipctl health set app up --ttl 10s";

const HEALTH_ENABLE: &str = "\
Exit codes: 0 enabled; 1 refused; 2 healthcheckd cannot be reached.
Example: vipctl health enable web/192.168.4.100:80";

const HEALTH_DISABLE: &str = "\
It stays disabled over restarts and reloads.
Exit codes: 0 disabled; 1 refused; 2 healthcheckd cannot be reached.
Example: vipctl health disable web/192.168.4.100:80";

const WATCH: &str = "\
Text goes on when a daemon comes back. --json ends with the first that goes
away; each line is a reply of the Monitor of io.vipkit.Health, io.vipkit.Ipvs or
io.vipkit.Vrrp, and \"from\" in it names the daemon.
Exit codes: 2 a daemon cannot be reached or has gone away.
Example: vipctl watch --json |
    jq -c 'select(.from == \"vrrpd\") | .instances[] | [.name, .state]'";

const RELOAD: &str = "\
Exit codes: 0 all daemons run the new configuration; 1 it is faulty, or one
refused it or cannot reload; 2 one cannot be reached.
Example: vipctl reload && vipctl status";

const CHECK: &str = "\
Exit codes: 0 good; 1 faulty.
Example: vipctl check ./vipkit.toml";

const CALL: &str = "\
Exit codes: 0 answered; 1 answered with an error; 2 the socket cannot be
reached.
Example: vipctl call vrrpd io.vipkit.Vrrp.Get '{\"name\": \"web\"}'";

const INTROSPECT: &str = "\
Exit codes: 0 answered; 1 answered with an error; 2 the socket cannot be
reached.
Example: vipctl introspect vrrpd io.vipkit.Vrrp";

const IMPORT: &str = "\
The result does what keepalived does with the file today, so that a pair can be
moved one node at a time. What was probably meant is said on standard error, and
in comments. Of several files without --out, only what is said is shown. A key
of auth_hmac stays out of the result, which names a file for it: --out writes
that to DIR/NODE.keys, with mode 0640.
Exit codes: 0 imported; 1 a file cannot be understood or carried over, nothing
is written; 2 wrong usage.
Example: vipctl import /etc/keepalived/keepalived.conf > vipkit.toml";

const COMPLETIONS: &str = "\
Exit codes: 0 printed.
Example: vipctl completions bash > /etc/bash_completion.d/vipctl";

const REALSERVER: &str = "\
Exit codes: 0 good; 1 something is wrong, or was refused.
Environment: VIPKIT_STATE_DIR, the folder of what it remembers (default
/var/lib/vipkit).
Example: vipctl realserver add 192.168.4.15 --persist";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_an_external_check_is_told() {
        let told = |judged, weight| Ok(Told { judged, weight });
        assert_eq!(super::told("up"), told(Judgement::Up, None));
        assert_eq!(super::told("down"), told(Judgement::Down, None));
        assert_eq!(super::told("50"), told(Judgement::Up, Some(50)));
        assert_eq!(super::told("0"), told(Judgement::Up, Some(0)));
        for wrong in ["", "Up", "-1", "50%", "1.5"] {
            assert!(super::told(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_check_may_be_called_as_a_command() {
        let health = |arguments: &[&str]| {
            let command = Cli::read([&["vipctl", "health"], arguments].concat()).unwrap().command;
            let Command::Health { action, name, .. } = command else { panic!("{command:?}") };
            (action.is_some(), name)
        };
        assert_eq!(health(&["run", "web"]), (true, None));
        assert_eq!(health(&["--", "run"]), (false, Some("run".to_owned())));
        assert_eq!(health(&["--json", "run", "web"]), (true, None));
        assert_eq!(health(&["run", "--json", "run"]), (true, None));
    }

    #[test]
    fn every_command_has_an_example_and_exit_codes() {
        for command in Cli::command().get_subcommands() {
            let help = command.get_after_help().expect("after_help").to_string();
            assert!(help.contains("Exit codes: "), "{}", command.get_name());
            assert!(
                help.contains(&format!("Example: vipctl {}", command.get_name())),
                "{}",
                command.get_name()
            );
        }
    }

    #[test]
    fn wrong_values_are_refused() {
        for arguments in [
            &["vipctl", "status", "--timeout", "0s"][..],
            &["vipctl", "status", "--timeout", "soon"],
            &["vipctl", "call", "vrrpd", "a.B", "[]"],
            &["vipctl", "call", "vrrpd", "a.B", "{"],
            &["vipctl", "health", "web", "--down"],
            &["vipctl", "health", "web", "run", "web"],
            &["vipctl", "health", "--down", "run", "web"],
            &["vipctl", "health", "run"],
            &["vipctl", "health", "set", "app", "well"],
            &["vipctl", "health", "set", "app", "up", "--ttl", "0s"],
            &["vipctl", "watch", "checks"],
            &["vipctl", "realserver", "add"],
            &["vipctl", "realserver", "add", "192.168.4.15/24"],
            &["vipctl", "realserver", "remove", "127.0.0.1"],
            &["vipctl"],
        ] {
            assert!(Cli::read(arguments).is_err(), "{arguments:?}");
        }
    }
}
