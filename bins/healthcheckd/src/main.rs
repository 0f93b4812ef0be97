//! Joins the parts of healthcheckd: arguments in, exit code out.

use std::env;
use std::process::ExitCode;

use clap::Parser;
use healthcheckd::cli::Cli;
use healthcheckd::shell::{self, keeper};
use vipkit_daemon::{check, cli};

fn main() -> ExitCode {
    if let Some(ended) = keeper::keep_if_asked(env::args_os()) {
        return ended;
    }
    let Cli { options } = Cli::parse();
    let ended = if options.check {
        check::run(&options.config, "checks", |config| config.checks.len()).map_err(Into::into)
    } else {
        shell::run(&options)
    };
    cli::exit("healthcheckd", ended)
}
