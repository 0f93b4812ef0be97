//! Joins the parts of vrrpd: arguments in, exit code out.

use std::process::ExitCode;

use clap::Parser;
use vrrpd::cli::Cli;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let ended = if cli.check { vrrpd::check::run(&cli.config) } else { vrrpd::shell::run(&cli) };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("vrrpd: {error:#}");
            ExitCode::FAILURE
        }
    }
}
