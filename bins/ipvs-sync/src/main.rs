//! Joins the parts of ipvs-sync: arguments in, exit code out.

use std::process::ExitCode;

use clap::Parser;
use ipvs_sync::cli::Cli;
use ipvs_sync::shell;
use vipkit_daemon::{check, cli};

fn main() -> ExitCode {
    let Cli { options } = Cli::parse();
    let ended = if options.check {
        check::run(&options.config, "services", |config| config.services.len()).map_err(Into::into)
    } else {
        shell::run(&options)
    };
    cli::exit("ipvs-sync", ended)
}
