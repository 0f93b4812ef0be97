//! `vipctl reload`: checks what the daemons would read; only if that is good are they told to read it, one by one. When
//! one refuses, those after it are left as they are: they may depend on what it was to do.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use vipkit_config::Credentials;
use vipkit_control::client::ClientError;

use super::Context;
use crate::daemons::Daemon;
use crate::failure::{Exit, Failure};
use crate::fleet::{Member, muster};
use crate::render;
use crate::render::check::Checked;
use crate::render::reload::{Outcome, Reload, Told};

pub fn run(context: &Context) -> Result<Exit, Failure> {
    let members = muster(context.timeout);
    let running = members.iter().filter_map(|member| member.running.as_ref().ok());
    let files: BTreeSet<_> = running.map(|running| PathBuf::from(&running.config)).collect();
    let checked: Vec<_> = files.iter().map(|file| check(file)).collect();
    let is_good = checked.iter().all(|checked| checked.good);
    let mut daemons: Vec<Told> = Vec::new();
    for Member { daemon, running } in members {
        let is_refused = daemons.iter().any(|told| told.outcome.holds_others());
        let outcome = match running {
            Err(error) => Outcome::Unreachable(error),
            Ok(_) if !is_good => continue,
            Ok(_) if is_refused => Outcome::NotTold,
            Ok(_) => tell(daemon, context),
        };
        daemons.push(Told { name: daemon.name, outcome });
    }
    let reload = Reload { checked, daemons };
    context.print(&reload, |reload| render::reload::reload(reload, context.places(), context.style))?;
    Ok(reload.exit())
}

fn check(file: &Path) -> Checked {
    Checked::new(file, &vipkit_config::load(file, Credentials::Unread))
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
