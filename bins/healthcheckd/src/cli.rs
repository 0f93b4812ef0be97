//! The command line of healthcheckd.

use clap::Parser;
use vipkit_daemon::cli::{AFTER_HELP, Options, WIDTH};

/// Runs checks, and judges which servers are up.
#[derive(Debug, Parser)]
#[command(name = "healthcheckd", version, after_help = AFTER_HELP, max_term_width = WIDTH)]
pub struct Cli {
    /// Those of every daemon.
    #[command(flatten)]
    pub options: Options,
}
