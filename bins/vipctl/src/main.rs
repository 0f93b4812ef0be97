//! Joins the parts of vipctl: arguments in, exit code out.

use std::process::ExitCode;

use vipctl::cli::Cli;
use vipctl::command;

fn main() -> ExitCode {
    let cli = Cli::read(std::env::args_os()).unwrap_or_else(|error| error.exit());
    match command::run(&cli) {
        Ok(exit) => exit.into(),
        Err(failure) => failure.report(),
    }
}
