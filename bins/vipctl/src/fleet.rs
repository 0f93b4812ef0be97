//! Which daemons there should be on this node: those that are there, and those without which its configuration is not
//! served. A node needs no daemon that has nothing to do.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use vipkit_config::{Config, Credentials, DEFAULT_PATH};
use vipkit_control::common::Running;

use crate::daemons::{DAEMONS, Daemon, Report, vrrpd};
use crate::failure::{Sign, Unreachable};

/// A daemon that there should be, and what it says of itself.
#[derive(Debug)]
pub struct Member {
    /// The daemon.
    pub daemon: &'static Daemon,
    /// What runs, or why nothing is known of it.
    pub running: Result<Running, Unreachable>,
}

impl Member {
    /// Asks how it is; who did not answer before is not asked again.
    #[must_use]
    pub fn report(self, timeout: Duration) -> Report {
        let Self { daemon, running } = self;
        let seen = running.and_then(|_| daemon.ask(timeout, daemon.look));
        Report { name: daemon.name, socket: daemon.target().path().to_owned(), seen }
    }
}

/// Asks all daemons what runs; those that there should be, one at least, in the order in which they are reloaded.
/// The configuration is that which they run on, else that at the default path; if it cannot be read, or is faulty,
/// the sockets tell.
#[must_use]
pub fn muster(timeout: Duration) -> Vec<Member> {
    let ask = |daemon: &'static Daemon| Member { daemon, running: daemon.ask(timeout, daemon.running) };
    let members: Vec<_> = DAEMONS.iter().map(ask).collect();
    let load = |path: &PathBuf| vipkit_config::load(path, Credentials::Unread);
    let configs = configurations(&members).iter().map(load).collect();
    let configs = Result::<Vec<_>, _>::ok(configs);
    let mut expected = expected(members, configs.as_deref());
    if configs.is_none() {
        expected.iter_mut().for_each(check_first);
    }
    expected
}

/// Without a good configuration no daemon starts.
fn check_first(member: &mut Member) {
    if let Err(Unreachable { remedy, sign: Sign::Nothing | Sign::Socket, .. }) = &mut member.running {
        *remedy = format!("`vipctl check` finds what is wrong with the configuration; then {remedy}");
    }
}

/// The files that the members run on.
fn configurations(members: &[Member]) -> BTreeSet<PathBuf> {
    let running = members.iter().filter_map(|member| member.running.as_ref().ok());
    let mut files: BTreeSet<_> = running.map(|running| PathBuf::from(&running.config)).collect();
    if files.is_empty() {
        files.insert(Path::new(DEFAULT_PATH).to_owned());
    }
    files
}

/// The members that there should be under these configurations; none: they are not known.
fn expected(members: Vec<Member>, configs: Option<&[Config]>) -> Vec<Member> {
    let has_work = |daemon: &Daemon| configs.map(|configs| configs.iter().any(daemon.has_work));
    let mut expected = Vec::new();
    let mut last = None;
    for member in members {
        if is_expected(&member.running, has_work(member.daemon)) {
            expected.push(member);
        } else if member.daemon.name == vrrpd::ROW.name {
            last = Some(member);
        }
    }
    // Where nothing at all is known, this is what most nodes run.
    if expected.is_empty() {
        expected.extend(last);
    }
    expected
}

fn is_expected<T>(asked: &Result<T, Unreachable>, has_work: Option<bool>) -> bool {
    match asked {
        Ok(_) | Err(Unreachable { sign: Sign::Server, .. }) => true,
        // What was left behind tells only where nothing better is known.
        Err(Unreachable { sign: Sign::Socket, .. }) => has_work.unwrap_or(true),
        Err(Unreachable { sign: Sign::Nothing, .. }) => has_work.unwrap_or(false),
    }
}

#[cfg(test)]
mod tests {
    use vipkit_config::{Source, parse};

    use super::*;
    use crate::testing::{gone, running};

    const VRRP: &str =
        "[vrrp.web]\ninterface = \"eth0\"\nvirtual_router_id = 51\naddresses = [\"192.168.4.15/24\"]\n";
    const SERVICE: &str = "[[service]]\nname = \"web\"\naddress = \"192.168.4.15:80\"\nscheduler = \"wrr\"\nforward = \"dr\"\n\
                           [[service.server]]\naddress = \"192.168.4.100:80\"\n";
    const CHECKED: &str = "check = { type = \"tcp\" }\n";

    /// The daemons expected, with what is there of healthcheckd, ipvs-sync and vrrpd; none: they answer.
    fn of(config: Option<&str>, there: [Option<Sign>; 3]) -> Vec<&'static str> {
        let config = config.map(|text| {
            let source = Source { name: "vipkit.toml".to_owned(), text: text.to_owned() };
            parse(&[source]).unwrap_or_else(|faults| panic!("{faults}"))
        });
        let members = DAEMONS.iter().zip(there).map(|(daemon, sign)| {
            let running = sign.map_or_else(|| Ok(running()), |sign| Err(gone(daemon.name, sign)));
            Member { daemon, running }
        });
        let expected = expected(members.collect(), config.as_ref().map(std::slice::from_ref));
        expected.into_iter().map(|member| member.daemon.name).collect()
    }

    const ALL: [&str; 3] = ["healthcheckd", "ipvs-sync", "vrrpd"];
    const NOTHING: Option<Sign> = Some(Sign::Nothing);
    const SOCKET: Option<Sign> = Some(Sign::Socket);

    #[test]
    fn a_node_needs_what_its_configuration_has() {
        let none = [NOTHING; 3];
        assert_eq!(of(Some(VRRP), none), ["vrrpd"]);
        assert_eq!(of(Some(SERVICE), none), ["ipvs-sync"]);
        assert_eq!(of(Some(&[SERVICE, CHECKED].concat()), none), ["healthcheckd", "ipvs-sync"]);
        assert_eq!(of(Some(&[SERVICE, CHECKED, VRRP].concat()), none), ALL);
    }

    #[test]
    fn who_is_there_is_expected_needed_or_not() {
        assert_eq!(of(Some(VRRP), [None; 3]), ALL);
        assert_eq!(of(Some(VRRP), [NOTHING, Some(Sign::Server), None]), ["ipvs-sync", "vrrpd"]);
        assert_eq!(of(Some(VRRP), [SOCKET, NOTHING, None]), ["vrrpd"], "left behind");
    }

    #[test]
    fn without_a_configuration_the_sockets_tell() {
        assert_eq!(of(None, [NOTHING, NOTHING, None]), ["vrrpd"]);
        assert_eq!(of(None, [SOCKET, SOCKET, NOTHING]), ["healthcheckd", "ipvs-sync"]);
    }

    #[test]
    fn one_is_always_expected() {
        assert_eq!(of(None, [NOTHING; 3]), ["vrrpd"]);
        assert_eq!(of(Some(""), [NOTHING; 3]), ["vrrpd"]);
    }

    #[test]
    fn without_a_good_configuration_that_is_the_first_remedy() {
        let remedy = |sign| {
            let mut member = Member { daemon: &DAEMONS[2], running: Err(gone("vrrpd", sign)) };
            check_first(&mut member);
            member.running.unwrap_err().remedy
        };
        let first = "`vipctl check` finds what is wrong with the configuration; then `systemctl start vrrpd`";
        assert_eq!([remedy(Sign::Nothing), remedy(Sign::Socket)], [first; 2]);
        assert_eq!(remedy(Sign::Server), "`systemctl start vrrpd`");
    }
}
