//! Joins the parts of healthcheckd: arguments in, exit code out.

use std::process::ExitCode;

use clap::Parser;
use healthcheckd::cli::Cli;
use healthcheckd::shell;
use vipkit_daemon::{check, cli};

fn main() -> ExitCode {
    let Cli { options } = Cli::parse();
    let ended = if options.check {
        check::run(&options.config, "checks", |config| config.checks.len()).map_err(Into::into)
    } else {
        shell::run(&options)
    };
    cli::exit("healthcheckd", ended)
}
