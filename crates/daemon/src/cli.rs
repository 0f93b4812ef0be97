//! The part of the command line that all daemons have, and how they end. Each adds its own name and help.

use std::fmt::Display;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use tracing::level_filters::LevelFilter;

/// Widest that a line of help gets.
pub const WIDTH: usize = 80;

/// Options of every daemon.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Configuration; conf.d/*.toml beside it belongs to it
    #[arg(long, value_name = "FILE", default_value = vipkit_config::DEFAULT_PATH)]
    pub config: PathBuf,
    /// Check the configuration, print all of its faults, and exit
    #[arg(long)]
    pub check: bool,
    /// How much to log
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub log_level: LogLevel,
}

/// How much to log.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LogLevel {
    /// What makes the daemon end.
    Error,
    /// And what somebody should look at.
    Warn,
    /// And every change of state.
    Info,
    /// And what the kernel refused.
    Debug,
}

impl From<LogLevel> for LevelFilter {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
        }
    }
}

/// The end of a daemon's help, unless its SIGTERM does more.
pub const AFTER_HELP: &str = "Exit codes: 0 ended as told, or the configuration is good; 1 something failed;\n\
                              2 wrong usage.\nEnvironment: VIPKIT_RUNTIME_DIR, VIPKIT_STATE_DIR.\n\
                              Signals: SIGTERM ends, SIGHUP reads the configuration again.";

/// The exit code of a daemon's end; what went wrong goes to standard error, a line with all of its causes.
pub fn exit<E: Display>(daemon: &str, ended: Result<(), E>) -> ExitCode {
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{daemon}: {error:#}");
            ExitCode::FAILURE
        }
    }
}
