//! `vipctl completions`: what a shell needs to complete arguments, made from the command line itself.

use clap::CommandFactory;
use clap_complete::Shell;

use super::write;
use crate::cli::Cli;
use crate::failure::{Exit, Failure};

pub fn run(shell: Shell) -> Result<Exit, Failure> {
    write(&script(shell))?;
    Ok(Exit::Good)
}

fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "vipctl", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn every_shell_completes_every_command() {
        for shell in Shell::value_variants() {
            let script = script(*shell);
            for command in Cli::command().get_subcommands() {
                assert!(script.contains(command.get_name()), "{shell}: {}", command.get_name());
            }
        }
    }
}
