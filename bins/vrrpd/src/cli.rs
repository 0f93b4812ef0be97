//! The command line of vrrpd.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use tracing::level_filters::LevelFilter;

/// Moves virtual IP addresses between machines by VRRP (RFC 9568, RFC 3768).
#[derive(Debug, Parser)]
#[command(name = "vrrpd", version, after_help = EXIT_CODES)]
pub struct Cli {
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
    /// What makes vrrpd end.
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

const EXIT_CODES: &str = "Exit codes: 0 ended as told, or the configuration is good; 1 something failed; \
                          2 wrong usage.\nEnvironment: VIPKIT_RUNTIME_DIR, VIPKIT_STATE_DIR.\n\
                          Signals: SIGTERM hands over and ends, SIGHUP reads the configuration again.";
