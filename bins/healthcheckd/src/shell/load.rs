//! Reads the configuration, and looks whether this host has what its checks need: the right to mark packets, and files
//! enough. Whether targets answer is not its question.

use std::path::Path;

use vipkit_config::{Config, Fault, Faults, Kind, Place};
use vipkit_daemon::check;
use vipkit_linux::capabilities::{self, Capability};
use vipkit_linux::open_files;

/// Files for all else: clients of the socket, files of the configuration, the log.
const RESERVE: usize = 256;
/// Files for each program that runs: to talk to it, and to hear when it has ended.
const FILES_OF_SCRIPT: usize = 4;

/// The configuration.
///
/// # Errors
/// All of its faults; what it needs and this host does not have.
pub fn load(path: &Path) -> Result<Config, Faults> {
    let config = check::without_credentials(path)?;
    let refused = |(what, hint): (String, String)| {
        let place = Place { file: path.display().to_string(), position: None };
        Err(Fault { place, what, hint: Some(hint) }.into())
    };
    if let Some(name) = marked(&config).filter(|_| !capabilities::missing(&[Capability::NetRaw]).is_empty()) {
        return refused((
            format!("the check {name:?} has a \"mark\", which healthcheckd may not set without CAP_NET_RAW"),
            "install the drop-in healthcheckd-mark.conf, run `systemctl daemon-reload` and restart healthcheckd"
                .to_owned(),
        ));
    }
    let needed = files(&config);
    match open_files::raise(needed) {
        Ok(limit) if limit < needed => refused((
            format!("its checks need {needed} open files, {} more than the limit of {limit}", needed - limit),
            format!(
                "set LimitNOFILE={needed} for healthcheckd (ulimit -n), or a lower in_flight in [health]"
            ),
        )),
        Ok(_) => Ok(config),
        Err(error) => refused((format!("the limit of open files: {error}"), "see getrlimit(2)".to_owned())),
    }
}

/// The first check whose packets are marked.
fn marked(config: &Config) -> Option<&str> {
    let is_marked = |kind: &Kind| kind.path().is_some_and(|path| path.mark.is_some());
    let mut checks = config.checks.iter();
    checks
        .find(|(_, checked)| checked.parts.iter().any(|part| is_marked(&part.check.kind)))
        .map(|(name, _)| name.as_str())
}

/// How many files may be open at once.
fn files(config: &Config) -> usize {
    let kinds = || config.checks.values().flat_map(|checked| &checked.parts).map(|part| &part.check.kind);
    let runs = kinds().count();
    let watched = kinds().filter(|kind| matches!(kind, Kind::Process(_))).count();
    let scripts = kinds().filter(|kind| matches!(kind, Kind::Script(_) | Kind::Unit(_))).count();
    config.health.in_flight.min(runs)
        + watched
        + config.health.scripts.min(scripts) * FILES_OF_SCRIPT
        + RESERVE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::config;

    #[test]
    fn each_check_in_flight_takes_a_file() {
        let text = "[health]\nin_flight = 2\nscripts = 1\n\
            [check.a]\ntype = 'tcp'\ntarget = '127.0.0.1:1'\n[check.b]\ntype = 'tcp'\ntarget = '127.0.0.1:2'\n\
            [check.c]\ntype = 'script'\ncommand = ['/bin/true']\n[check.d]\ntype = 'process'\npid_file = '/run/x.pid'\n";
        assert_eq!(files(&config("")), RESERVE);
        assert_eq!(files(&config(text)), RESERVE + 2 + 1 + FILES_OF_SCRIPT);
    }

    #[test]
    fn the_check_that_is_marked_is_named() {
        let text = "[check.a]\ntype = 'tcp'\ntarget = '127.0.0.1:1'\n\
            [check.b]\ntype = 'tcp'\ntarget = '127.0.0.1:2'\nmark = 7\n";
        assert_eq!(marked(&config(text)), Some("b"));
        assert_eq!(marked(&config(&text.replace("mark = 7", ""))), None);
    }
}
