//! The commands, one file each, and what they share: the options, asking for objects, and the one way to standard
//! output.

mod call;
mod check;
mod completions;
mod health;
mod import;
mod introspect;
mod realserver;
mod reload;
mod services;
mod status;
mod vrrp;
mod watch;

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use clap::ColorChoice;
use serde::{Deserialize, Serialize};
use vipkit_control::client::ClientError;

use crate::cli::{Cli, Command, Options};
use crate::daemons::Daemon;
use crate::daemons::object::{self, Object};
use crate::failure::{Exit, Failure};
use crate::render::checks::Choice;
use crate::render::json;
use crate::render::notice::SHOWN;
use crate::render::text::{Places, Style};

/// What all commands are run with.
struct Context {
    style: Style,
    /// JSON instead of text.
    json: bool,
    /// A person reads the output.
    terminal: bool,
    timeout: Duration,
}

/// Runs a command.
///
/// # Errors
/// It could not do its work.
pub fn run(cli: &Cli) -> Result<Exit, Failure> {
    let context = Context::new(&cli.options);
    match &cli.command {
        Command::Status => status::run(&context),
        Command::Vrrp { name, all } => vrrp::run(&context, name.as_deref(), *all),
        Command::Services { name } => services::run(&context, name.as_deref()),
        Command::Health { action: Some(action), .. } => health::act(&context, action),
        Command::Health { action: None, name, down, slow, all } => {
            let choice = Choice { down: *down, slow: *slow, all: *all };
            health::show(&context, name.as_deref(), choice)
        }
        Command::Watch { what, reconnect } => watch::run(&context, *what, *reconnect),
        Command::Reload => reload::run(&context),
        Command::Check { file } => check::run(&context, file),
        Command::Call { socket, method, parameters, more } => {
            call::run(&context, socket, method, parameters, *more)
        }
        Command::Introspect { socket, interface } => introspect::run(&context, socket, interface.as_deref()),
        Command::Import { file, intended, out } => import::run(&context, file, *intended, out.as_deref()),
        Command::Completions { shell } => completions::run(*shell),
        Command::Realserver { action } => realserver::run(&context, action),
    }
}

impl Context {
    fn new(options: &Options) -> Self {
        let terminal = io::stdout().is_terminal();
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let colored = match options.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => terminal && !refused,
        };
        let style = if colored { Style::Colored } else { Style::Plain };
        Self { style, json: options.json, terminal, timeout: options.timeout }
    }

    /// How lines about files are written to standard output.
    const fn places(&self) -> Places {
        Places::on(self.terminal)
    }

    /// Prints a value on a line with `--json`, else the text that is made of it.
    fn print<T: Serialize>(&self, value: &T, text: impl FnOnce(&T) -> String) -> Result<(), Failure> {
        write(&if self.json { json::line(value).map_err(io::Error::from)? } else { text(value) })
    }
}

/// The objects of a daemon, or the one of that name.
fn objects<T: Object>(context: &Context, daemon: &Daemon, name: Option<&str>) -> Result<Vec<T>, Failure> {
    let target = daemon.target();
    let mut client = target.connect(context.timeout)?;
    let objects = match name {
        None => object::all(&mut client),
        Some(name) => object::get(&mut client, name).map(|object| vec![object]),
    };
    objects.map_err(|error| no_such::<T>(&error).unwrap_or_else(|| target.failure(error)))
}

fn no_such<T: Object>(error: &ClientError) -> Option<Failure> {
    /// What all interfaces say with this error.
    #[derive(Deserialize)]
    struct NoSuch {
        name: String,
        known: Vec<String>,
    }
    let ClientError::Refused(refusal) = error else { return None };
    if refusal.name != T::NO_SUCH {
        return None;
    }
    let NoSuch { name, known } = refusal.decode().ok()?;
    let known = match known.get(..SHOWN) {
        Some(first) if known.len() > SHOWN => format!("{}, ...: `vipctl {}`", first.join(", "), T::COMMAND),
        _ if known.is_empty() => "none".to_owned(),
        _ => known.join(", "),
    };
    Some(Failure::NoSuch { noun: T::NOUN, name, known })
}

/// Writes to standard output, at once.
fn write(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Failure::from)
}
