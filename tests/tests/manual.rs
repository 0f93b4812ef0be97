//! The manual pages of the programs against their command lines: each command, argument and option is described, and
//! no other. And what the programs say of themselves with --help: it fits a terminal.

use clap::{Arg, Command, CommandFactory};

use vipctl::cli::Cli;

const HEALTHCHECKD: &str = include_str!("../../docs/man/healthcheckd.8");
const IPVS_SYNC: &str = include_str!("../../docs/man/ipvs-sync.8");
const VIPCTL: &str = include_str!("../../docs/man/vipctl.8");
const VRRPD: &str = include_str!("../../docs/man/vrrpd.8");

/// A command's own arguments as the page writes them, and those of its commands, each once; what clap adds by itself is
/// left out.
fn entries(command: &Command) -> Vec<String> {
    let own = |arg: &&Arg| !["help", "version"].contains(&arg.get_id().as_str());
    let mut entries: Vec<_> = command.get_arguments().filter(own).map(entry).collect();
    for entry in command.get_subcommands().flat_map(self::entries) {
        if !entries.contains(&entry) {
            entries.push(entry);
        }
    }
    entries
}

fn entry(arg: &Arg) -> String {
    let value = arg.get_value_names().map(|names| names.join(" ")).unwrap_or_default();
    let long = arg.get_long().map(|long| format!("\\-\\-{}", long.replace('-', "\\-")));
    match (long, arg.get_action().takes_values()) {
        (Some(long), true) => format!("{long} {value}"),
        (Some(long), false) => long,
        (None, _) => value,
    }
}

/// The entries of a section of the page, without what explains them.
fn documented(section: &str) -> Vec<&str> {
    section.split(".TP\n.B ").skip(1).filter_map(|entry| entry.lines().next()).collect()
}

/// The text under a heading, up to the next.
fn section<'t>(page: &'t str, heading: &str) -> &'t str {
    let (_, after) = page.split_once(&format!(".SH {heading}\n")).expect("a heading");
    after.split_once("\n.SH ").expect("another").0
}

#[test]
fn the_page_of_a_daemon_has_each_option_and_no_other() {
    for (page, command) in [
        (HEALTHCHECKD, healthcheckd::cli::Cli::command()),
        (IPVS_SYNC, ipvs_sync::cli::Cli::command()),
        (VRRPD, vrrpd::cli::Cli::command()),
    ] {
        assert_eq!(documented(section(page, "OPTIONS")), entries(&command), "{}", command.get_name());
    }
}

#[test]
fn the_page_of_vipctl_has_each_command_with_its_arguments_and_no_other() {
    let vipctl = Cli::command();
    let options: Vec<_> = vipctl.get_arguments().filter(|arg| arg.is_global_set()).map(entry).collect();
    assert_eq!(documented(section(VIPCTL, "OPTIONS")), options);
    let sections: Vec<_> = section(VIPCTL, "COMMANDS").split(".SS ").skip(1).collect();
    let names: Vec<_> = sections.iter().filter_map(|section| section.split([' ', '\n']).next()).collect();
    let expected: Vec<_> = vipctl.get_subcommands().map(Command::get_name).collect();
    assert_eq!(names, expected);
    for (section, command) in sections.iter().zip(vipctl.get_subcommands()) {
        assert_eq!(documented(section), entries(command), "{}", command.get_name());
    }
}

/// The helps of a command and of its commands, short and long.
fn helps(command: &mut Command) -> Vec<String> {
    let mut helps = vec![command.render_help().to_string(), command.render_long_help().to_string()];
    helps.extend(command.get_subcommands_mut().flat_map(self::helps));
    helps
}

#[test]
fn every_help_fits_80_columns() {
    let mut count = 0;
    for mut command in [
        healthcheckd::cli::Cli::command(),
        ipvs_sync::cli::Cli::command(),
        vrrpd::cli::Cli::command(),
        Cli::command(),
    ] {
        command.build();
        for help in helps(&mut command) {
            let wide: Vec<_> = help.lines().filter(|line| line.chars().count() > 80).collect();
            assert_eq!(wide, Vec::<&str>::new(), "{help}");
            count += 1;
        }
    }
    assert!(count >= 40, "{count}");
}
