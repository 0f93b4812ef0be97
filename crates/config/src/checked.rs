//! What has a verdict and a name: each `[check.NAME]` with a target of its own, each server with a `check`, and of how
//! many checks it is made. Runs nothing: it says what is to be run, under which name, and for whom.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use crate::check::{Check, Draft, Kind};
use crate::combining::{Member, Needed, Said};
use crate::conflicts::once;
use crate::context::{Context, quote};
use crate::damping::Damping;
use crate::fault::FAULTS_MAX;
use crate::named;
use crate::section::closest;
use crate::source::At;

/// What a verdict is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// 1 to [`PARTS_MAX`](crate::PARTS_MAX) that differ, in the order of the configuration.
    pub parts: Vec<Part>,
    /// How many of them it takes.
    pub needed: Needed,
    /// How the verdict is kept from swinging.
    pub damping: Damping,
    /// The name of a service and one of its servers, if that is what it is on.
    pub server: Option<(String, SocketAddr)>,
}

/// One of the checks that a verdict is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// NAME of its `[check.NAME]`, else its kind.
    pub label: String,
    /// What is run.
    pub check: Check,
}

/// A verdict on a server that is to be made.
#[derive(Clone)]
pub(crate) struct Judged {
    /// Of the verdict.
    pub name: String,
    pub service: String,
    pub server: SocketAddr,
    pub damping: Damping,
}

/// A check, and the servers that it is run for.
pub(crate) struct Use {
    pub said: Said,
    pub servers: Vec<Judged>,
}

/// Everything with a verdict, by its name. `tracked` are the names of checks that instances follow.
pub(crate) fn all(
    named: &BTreeMap<String, Option<Draft>>,
    uses: &[Use],
    tracked: &[(String, At)],
    cx: &mut Context<'_>,
) -> BTreeMap<String, Checked> {
    let mut verdicts =
        Verdicts { named, unknown: Vec::new(), used: BTreeMap::new(), checks: BTreeMap::new() };
    uses.iter().for_each(|asked| verdicts.of_servers(asked, cx));
    verdicts.followed(tracked, cx);
    verdicts.own(tracked, cx);
    for (name, at) in verdicts.unknown.into_iter().take(FAULTS_MAX) {
        cx.missing(at, format!("there is no check {}", quote(name)), instead_of(name, named));
    }
    verdicts.checks
}

struct Verdicts<'d> {
    named: &'d BTreeMap<String, Option<Draft>>,
    unknown: Vec<(&'d str, At)>,
    /// Named checks that servers use, and one of those servers.
    used: BTreeMap<&'d str, Option<SocketAddr>>,
    checks: BTreeMap<String, Checked>,
}

impl<'d> Verdicts<'d> {
    /// What a name stands for; that it stands for nothing is kept in mind.
    fn find(&mut self, name: &'d str, at: At) -> Option<&'d Draft> {
        let draft = self.named.get(name);
        self.unknown.extend(draft.is_none().then_some((name, at)));
        draft?.as_ref()
    }

    fn of_servers(&mut self, Use { said, servers }: &'d Use, cx: &mut Context<'_>) {
        let mut drafts = Vec::new();
        for member in &said.members {
            let (name, draft) = match member {
                Member::Own(draft) => (None, Some(draft)),
                Member::Name(name, at) => {
                    self.used.insert(name, servers.first().map(|judged| judged.server));
                    (Some(name.as_str()), self.find(name, *at))
                }
            };
            drafts.extend(draft.map(|draft| (name, draft, member.at())));
        }
        if drafts.len() < said.members.len() {
            return;
        }
        for &(name, draft, at) in &drafts {
            one_target(draft, name, servers.len(), at, cx);
        }
        for (number, judged) in servers.iter().enumerate() {
            let of = |&(name, draft, _): &(Option<&str>, &Draft, At)| {
                let check = draft.of(Some(judged.server), name.unwrap_or(&judged.name))?;
                Some(Part { label: name.unwrap_or(check.kind.name()).to_owned(), check })
            };
            let parts: Vec<_> = drafts.iter().filter_map(of).collect();
            if number == 0 {
                parts_differ(&parts, &drafts.iter().map(|&(_, _, at)| at).collect::<Vec<_>>(), cx);
            }
            let server = Some((judged.service.clone(), judged.server));
            let checked = Checked { parts, needed: said.needed, damping: judged.damping, server };
            self.checks.insert(judged.name.clone(), checked);
        }
    }

    /// What an instance follows has a verdict of its own.
    fn followed(&mut self, tracked: &'d [(String, At)], cx: &mut Context<'_>) {
        for (name, at) in tracked {
            let draft = self.find(name, *at);
            if draft.is_some_and(|draft| draft.of(None, name).is_none()) {
                let hint = format!("give [check.{name}] a \"target\"");
                cx.fault(*at, format!("the check {name:?} has no target of its own, so no verdict"), hint);
            }
        }
    }

    /// The verdicts of checks with a name.
    fn own(&mut self, tracked: &[(String, At)], cx: &mut Context<'_>) {
        let tracked: BTreeSet<_> = tracked.iter().map(|(name, _)| name.as_str()).collect();
        for (name, draft) in self.named.iter().filter_map(|(name, draft)| Some((name, draft.as_ref()?))) {
            let check = draft.of(None, name);
            let user = self.used.get(name.as_str());
            if check.is_none() && user.is_none() && !tracked.contains(name.as_str()) {
                let hint = "give it a \"target\", or name it as the \"check\" of a service";
                cx.warn(draft.at, (format!("[check.{name}] is run by nobody"), hint.to_owned()));
            }
            // What looks at each server that uses it needs no run without one.
            let is_pattern = || user.is_some_and(|server| draft.of(*server, name) != check);
            if check.is_none() || (is_pattern() && !tracked.contains(name.as_str())) {
                continue;
            }
            let parts = check.map(|check| Part { label: name.clone(), check }).into_iter().collect();
            let checked = Checked { parts, needed: Needed::All, damping: Damping::default(), server: None };
            self.checks.insert(name.clone(), checked);
        }
    }
}

/// Servers are hardly meant to be judged by what one of them answers.
fn one_target(draft: &Draft, name: Option<&str>, servers: usize, at: At, cx: &mut Context<'_>) {
    let target = draft.of(None, name.unwrap_or_default()).map(|check| check.kind);
    if let Some(target) = target.filter(|kind| servers > 1 && kind.host().is_some()) {
        let what = format!("{servers} servers are judged by one target, {}", target.target());
        cx.warn(at, (what, "leave out \"target\": each is checked where it answers".to_owned()));
    }
}

/// Each part is run, or told, apart from the others.
fn parts_differ(parts: &[Part], places: &[At], cx: &mut Context<'_>) {
    let checks = || parts.iter().map(|part| &part.check).zip(places.iter().copied());
    let what = |check: &Check| format!("the same check of {} is in this list", check.kind.target());
    once(checks(), what, "keep one", cx);
    let told = checks().filter_map(|(check, at)| match &check.kind {
        Kind::External(external) => Some((external.name.as_str(), at)),
        _ => None,
    });
    once(
        told,
        |name| format!("what is said of {name:?} is in this list"),
        "give one of the checks a name: [check.NAME]",
        cx,
    );
}

fn instead_of<T>(name: &str, named: &BTreeMap<String, T>) -> String {
    // Looking for a slip among all names, for each that is unknown, would take long.
    const LOOKED_AT_MAX: usize = 256;
    match closest(name, named.keys().take(LOOKED_AT_MAX).map(String::as_str)) {
        Some(close) => format!("did you mean {close:?}?"),
        None if named::is_name(name) => format!("write [check.{name}]"),
        None => format!("a name is {}", named::RULE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, checked, config, faults, service, warnings, web};

    const SERVER: &str = "web/192.0.2.81:80";

    /// The service web with more of a file behind it.
    fn with(line: &str, more: &str) -> String {
        format!("{}\n{more}", service(line))
    }

    /// The service web with two servers.
    fn with_two_servers(lines: &str, more: &str) -> String {
        let servers = "[[service.server]]\naddress = \"192.0.2.81:80\"\n[[service.server]]\naddress = \"192.0.2.82:80\"";
        let text = with(&format!("{lines}\n{servers}"), more);
        text.replace("server = [{ address = \"192.0.2.81:80\" }]\n", "")
    }

    fn names(text: &str) -> Vec<String> {
        config(text).checks.into_keys().collect()
    }

    #[test]
    fn a_server_is_checked_where_it_answers_unless_the_target_is_given() {
        let target = |line: &str, more: &str| check(&with(line, more), SERVER).kind.target();
        assert_eq!(target("check = { type = \"tcp\" }", ""), "192.0.2.81:80");
        assert_eq!(target("check = { type = \"tcp\", target = \"192.0.2.81:8080\" }", ""), "192.0.2.81:8080");
        assert_eq!(target("check = \"up\"", "[check.up]\ntype = \"tcp\""), "192.0.2.81:80");
        let own = "server = [{ address = \"192.0.2.81:80\", check = \"up\" }]";
        assert_eq!(target(own, "[check.up]\ntype = \"tcp\"\ntarget = \"127.0.0.1:1\""), "127.0.0.1:1");
    }

    #[test]
    fn the_check_of_a_server_replaces_that_of_its_service() {
        let text =
            with_two_servers("check = { type = \"tcp\", retries = 7 }", "check = [{ type = \"tcp\" }]");
        assert_eq!(check(&text, SERVER).retries, 7);
        assert_eq!(check(&text, "web/192.0.2.82:80").retries, 2);
    }

    #[test]
    fn a_verdict_has_the_name_of_the_check_or_of_service_and_server() {
        let text = with("check = \"both\"", "[check.both]\ntype = \"tcp\"\ntarget = \"127.0.0.1:80\"");
        let config = config(&text);
        assert_eq!(config.checks.keys().collect::<Vec<_>>(), ["both", SERVER]);
        assert_eq!(config.checks["both"].parts, config.checks[SERVER].parts);
        assert_eq!(config.checks["both"].server, None);
        let server = ("web".to_owned(), "192.0.2.81:80".parse().unwrap());
        assert_eq!(config.checks[SERVER].server, Some(server));
        assert_eq!(config.services["web"].servers[0].check.as_deref(), Some(SERVER));
    }

    #[test]
    fn without_a_check_there_is_no_verdict() {
        let config = config(&service(""));
        assert!(config.checks.is_empty());
        assert_eq!(config.services["web"].servers[0].check, None);
    }

    #[test]
    fn a_check_without_a_target_that_nobody_names_is_a_warning() {
        let unused = "vipkit.toml:1:8: [check.up] is run by nobody; \
                      give it a \"target\", or name it as the \"check\" of a service";
        assert_eq!(warnings("[check.up]\ntype = \"tcp\""), unused);
        assert_eq!(warnings("[check.up]\ntype = \"tcp\"\ntarget = \"127.0.0.1:80\""), "");
        assert_eq!(warnings(&with("check = \"up\"", "[check.up]\ntype = \"tcp\"")), "");
        assert_eq!(warnings(&with("check = { any = [\"up\"] }", "[check.up]\ntype = \"tcp\"")), "");
    }

    #[test]
    fn one_target_for_several_servers_is_a_warning() {
        let text = with_two_servers(
            "[[service.check]]\ntype = \"tcp\"\n[[service.check]]\ntype = \"tcp\"\ntarget = \"127.0.0.1:80\"",
            "",
        );
        let warned = "vipkit.toml:7:1: 2 servers are judged by one target, 127.0.0.1:80; \
                      leave out \"target\": each is checked where it answers";
        assert_eq!(warnings(&text), warned);
        assert_eq!(warnings(&text.replace("[[service.server]]\naddress = \"192.0.2.82:80\"", "")), "");
        assert_eq!(warnings(&text.replace("target = \"127.0.0.1:80\"", "retries = 0")), "");
    }

    #[test]
    fn what_looks_at_this_machine_may_judge_several_servers() {
        let text =
            with_two_servers("check = \"drain\"", "[check.drain]\ntype = \"file\"\nfile = \"/run/drain\"");
        assert_eq!(warnings(&text), "");
        assert_eq!(names(&text), ["drain", SERVER, "web/192.0.2.82:80"]);
    }

    #[test]
    fn a_script_that_looks_at_servers_is_not_run_without_one_unless_it_is_tracked() {
        let script = "[check.ask]\ntype = \"script\"\ncommand = [\"/bin/true\"]\n";
        assert_eq!(names(script), ["ask"]);
        assert_eq!(names(&with("check = \"ask\"", script)), [SERVER]);
        let tracked = format!("{script}{}", web("track = [{ check = \"ask\" }]"));
        assert_eq!(names(&with("check = \"ask\"", &tracked)), ["ask", SERVER]);
    }

    #[test]
    fn what_is_said_of_a_named_check_is_said_of_all_its_servers() {
        let told = |text: &str| {
            let parts = config(text).checks.into_values().flat_map(|checked| checked.parts);
            parts.map(|part| part.check.kind.target()).collect::<Vec<_>>()
        };
        let named = with_two_servers("check = \"drain\"", "[check.drain]\ntype = \"external\"");
        assert_eq!(told(&named), ["drain", "drain", "drain"]);
        let own = with_two_servers("check = { type = \"external\" }", "");
        assert_eq!(told(&own), [SERVER, "web/192.0.2.82:80"]);
    }

    #[test]
    fn refuses_a_list_of_which_two_are_the_same() {
        assert_eq!(
            faults(&with("check = [\"up\", { type = \"tcp\" }]", "[check.up]\ntype = \"tcp\"")),
            "vipkit.toml:6:16: the same check of 192.0.2.81:80 is in this list already, at vipkit.toml:6:10; keep one"
        );
        assert_eq!(
            faults(&with("check = [\"up\", \"up\"]", "[check.up]\ntype = \"tcp\"")),
            "vipkit.toml:6:16: the same check of 192.0.2.81:80 is in this list already, at vipkit.toml:6:10; keep one"
        );
        assert_eq!(
            faults(&with("check = [{ type = \"external\" }, { type = \"external\", fall = 2 }]", "")),
            "vipkit.toml:6:33: what is said of \"web/192.0.2.81:80\" is in this list already, at vipkit.toml:6:10; \
             give one of the checks a name: [check.NAME]"
        );
    }

    #[test]
    fn refuses_a_check_that_is_not_there() {
        let more = "[check.nginx]\ntype = \"tcp\"";
        for (name, hint) in [
            ("ngnix", "did you mean \"nginx\"?"),
            ("mail", "write [check.mail]"),
            ("a/b", "a name is 1 to 64 letters, digits, \"_\", \".\" and \"-\""),
        ] {
            for (line, column) in [
                (format!("check = \"{name}\""), 9),
                (format!("check = [\"nginx\", \"{name}\"]"), 19),
                (format!("check = {{ at_least = 1, of = [\"{name}\"] }}"), 31),
            ] {
                let expected = format!("vipkit.toml:6:{column}: there is no check \"{name}\"; {hint}");
                assert_eq!(faults(&with(&line, more)), expected);
            }
        }
        assert_eq!(
            faults("[check.a]\n[[service]]\ncheck = \"b\"\n[[service.server]]\ncheck = \"c\"")
                .matches("there is no check")
                .count(),
            2
        );
        let swallowed = format!("{}[check.mail\n", service("check = \"mail\"\n"));
        assert_eq!(faults(&swallowed), "vipkit.toml:7:12: unclosed table; expected `]`");
    }

    #[test]
    fn what_is_tracked_has_a_verdict_of_its_own() {
        let tracking = |check: &str| format!("{}\n{check}", web("track = [{ check = \"nginx\" }]"));
        let target = "[check.nginx]\ntype = \"tcp\"\ntarget = \"127.0.0.1:80\"";
        assert_eq!(names(&tracking(target)), ["nginx"]);
        assert_eq!(
            names(&tracking("[check.nginx]\ntype = \"systemd\"\nunit = \"nginx.service\"")),
            ["nginx"]
        );
        assert_eq!(
            faults(&tracking("")),
            "vipkit.toml:5:10: there is no check \"nginx\"; write [check.nginx]"
        );
        let no_target = "[check.nginx]\ntype = \"tcp\"";
        let fault = "vipkit.toml:5:10: the check \"nginx\" has no target of its own, so no verdict; \
                     give [check.nginx] a \"target\"";
        assert_eq!(faults(&tracking(no_target)), fault);
        assert_eq!(faults(&tracking(&with("check = \"nginx\"", no_target))), fault);
        let of_a_server = web("track = [{ check = \"web/192.0.2.81:80\" }]");
        assert_eq!(
            faults(&with("check = { type = \"tcp\" }", &of_a_server)),
            "vipkit.toml:11:10: there is no check \"web/192.0.2.81:80\"; \
             a name is 1 to 64 letters, digits, \"_\", \".\" and \"-\""
        );
    }

    #[test]
    fn damping_is_of_the_server() {
        let text =
            with_two_servers("check = [{ type = \"tcp\" }]\nhold_down = \"10s\"", "hold_down = \"0s\"");
        assert!(checked(&text, SERVER).damping.hold_down.is_some());
        assert_eq!(checked(&text, "web/192.0.2.82:80").damping, Damping::default());
    }
}
