//! `vipctl reload`: checks what the daemons would read; only if that is good are they told to read it, one by one.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use vipkit_control::client::ClientError;

use super::Context;
use crate::daemons::{DAEMONS, Daemon};
use crate::failure::{Exit, Failure, Unreachable};
use crate::render;
use crate::render::check::Checked;
use crate::render::reload::{Outcome, Reload, Reloaded};

pub fn run(context: &Context) -> Result<Exit, Failure> {
    let asked: Vec<_> = DAEMONS.iter().map(|daemon| (daemon, configuration(daemon, context))).collect();
    let files: BTreeSet<_> = asked.iter().filter_map(|(_, file)| file.as_ref().ok()).collect();
    let checked: Vec<_> = files.into_iter().map(|file| check(file)).collect();
    let is_good = checked.iter().all(|checked| checked.good);
    let daemons = asked.into_iter().filter_map(|(daemon, file)| {
        let outcome = match file {
            Err(error) => Outcome::Unreachable(error),
            Ok(_) if is_good => tell(daemon, context),
            Ok(_) => return None,
        };
        Some(Reloaded { name: daemon.name, outcome })
    });
    let reload = Reload { daemons: daemons.collect(), checked };
    context.print(&reload, |reload| render::reload::reload(reload, context.style))?;
    Ok(reload.exit())
}

/// The file a daemon runs on.
fn configuration(daemon: &Daemon, context: &Context) -> Result<PathBuf, Unreachable> {
    let target = daemon.target();
    let mut client = target.connect(context.timeout)?;
    let running = (daemon.running)(&mut client).map_err(|error| target.unreachable(&error))?;
    Ok(running.config.into())
}

fn check(file: &Path) -> Checked {
    Checked::new(file, &vipkit_config::load(file))
}

fn tell(daemon: &Daemon, context: &Context) -> Outcome {
    let target = daemon.target();
    let mut client = match target.connect(context.timeout) {
        Ok(client) => client,
        Err(error) => return Outcome::Unreachable(error),
    };
    match (daemon.reload)(&mut client) {
        Ok(reply) => Outcome::Reloaded(reply),
        Err(ClientError::Refused(error)) => Outcome::Refused(error),
        Err(error) => Outcome::Unreachable(target.unreachable(&error)),
    }
}
