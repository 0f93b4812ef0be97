//! Joins the parts of vipctl: arguments in, exit code out.

use std::process::ExitCode;

use clap::Parser;
use vipctl::cli::Cli;
use vipctl::command;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match command::run(&cli) {
        Ok(exit) => exit.into(),
        Err(failure) => failure.report(),
    }
}
