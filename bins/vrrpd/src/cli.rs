//! The command line of vrrpd.

use clap::Parser;
use vipkit_daemon::cli::{Options, WIDTH};

/// Moves virtual IP addresses between machines by VRRP (RFC 9568, RFC 3768).
#[derive(Debug, Parser)]
#[command(name = "vrrpd", version, after_help = EXIT_CODES, max_term_width = WIDTH)]
pub struct Cli {
    /// Those of every daemon.
    #[command(flatten)]
    pub options: Options,
}

const EXIT_CODES: &str = "Exit codes: 0 ended as told, or the configuration is good; 1 something failed;\n\
                          2 wrong usage.\nEnvironment: VIPKIT_RUNTIME_DIR, VIPKIT_STATE_DIR.\n\
                          Signals: SIGTERM hands over and ends, SIGHUP reads the configuration again.";
