//! The command line of ipvs-sync.

use clap::Parser;
use vipkit_daemon::cli::{Options, WIDTH};

/// Keeps the kernel's IPVS table as the configuration and the verdicts of healthcheckd want it.
#[derive(Debug, Parser)]
#[command(name = "ipvs-sync", version, after_help = AFTER_HELP, max_term_width = WIDTH)]
pub struct Cli {
    /// Those of every daemon.
    #[command(flatten)]
    pub options: Options,
}

const AFTER_HELP: &str = "Exit codes: 0 ended as told, or the configuration is good; 1 something failed;\n\
                          2 wrong usage.\nEnvironment: VIPKIT_RUNTIME_DIR, VIPKIT_STATE_DIR.\n\
                          Signals: SIGTERM ends and leaves the table as it is, SIGHUP reads the\n\
                          configuration again.";
