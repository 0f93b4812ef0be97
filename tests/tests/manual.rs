//! The manual pages of the programs against their command lines: each command, argument and option is described, and
//! no other.

use clap::{Arg, Command, CommandFactory};

use vipctl::cli::Cli;

const VIPCTL: &str = include_str!("../../docs/man/vipctl.8");
const VRRPD: &str = include_str!("../../docs/man/vrrpd.8");

/// A command's own arguments as the page writes them; what clap adds by itself is left out.
fn entries(command: &Command) -> Vec<String> {
    let own = |arg: &&Arg| !["help", "version"].contains(&arg.get_id().as_str());
    command.get_arguments().filter(own).map(entry).collect()
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
fn the_page_of_vrrpd_has_each_option_and_no_other() {
    assert_eq!(documented(section(VRRPD, "OPTIONS")), entries(&vrrpd::cli::Cli::command()));
}

#[test]
fn the_page_of_vipctl_has_each_command_with_its_arguments_and_no_other() {
    let vipctl = Cli::command();
    assert_eq!(documented(section(VIPCTL, "OPTIONS")), entries(&vipctl));
    let sections: Vec<_> = section(VIPCTL, "COMMANDS").split(".SS ").skip(1).collect();
    let names: Vec<_> = sections.iter().filter_map(|section| section.split([' ', '\n']).next()).collect();
    let expected: Vec<_> = vipctl.get_subcommands().map(Command::get_name).collect();
    assert_eq!(names, expected);
    for (section, command) in sections.iter().zip(vipctl.get_subcommands()) {
        assert_eq!(documented(section), entries(command), "{}", command.get_name());
    }
}
