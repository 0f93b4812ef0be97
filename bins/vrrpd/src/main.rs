//! Joins the parts of vrrpd: arguments in, exit code out.

use std::process::ExitCode;

use clap::Parser;
use vipkit_daemon::{check, cli};
use vrrpd::cli::Cli;
use vrrpd::shell;

fn main() -> ExitCode {
    let Cli { options } = Cli::parse();
    let ended = if options.check {
        check::run(&options.config, "instances", |config| config.vrrp.len()).map_err(Into::into)
    } else {
        shell::run(&options)
    };
    cli::exit("vrrpd", ended)
}
