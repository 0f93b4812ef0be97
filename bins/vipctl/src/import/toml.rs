//! What was imported as the text of a vipkit.toml, each line with the place that it comes from. Decides nothing.

pub mod check;
pub mod entry;
pub mod value;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use super::garp::Garp;
use super::note::{Later, Place};
use super::server::Server;
use super::service::Service;
use super::vrrp::Instance;
use super::{Imported, Named};

/// Where comments begin, if the line is shorter.
const COMMENTS: usize = 40;

/// A text, and of each of its lines where it comes from.
#[derive(Debug, Default)]
pub struct Page {
    /// The text.
    pub text: String,
    /// By line, from 1.
    pub places: BTreeMap<usize, Place>,
    lines: usize,
}

impl Page {
    fn line(&mut self, text: &str) {
        let _ = writeln!(self.text, "{text}");
        self.lines += 1;
    }

    fn from(&mut self, text: &str, at: &Place) {
        self.line(text);
        self.places.insert(self.lines, at.clone());
    }

    fn commented(&mut self, text: &str, comment: &str, at: &Place) {
        self.from(&format!("{text:<width$}# {comment}", width = COMMENTS.max(text.len() + 1)), at);
    }

    /// A table, which says where it comes from.
    fn table(&mut self, header: &str, at: &Place) {
        self.line("");
        self.commented(header, &format!("from {}", at.short()), at);
    }

    /// A key, which says if it is keepalived's default.
    fn key(&mut self, key: &str, value: &str, said: Option<&Place>, table: &Place) {
        let text = format!("{key} = {value}");
        match said {
            Some(at) => self.from(&text, at),
            None => self.commented(&text, "keepalived's default", table),
        }
    }

    /// A list, on one line if it has one entry; none if it is empty.
    fn list<'p>(&mut self, key: &str, entries: impl Iterator<Item = (String, &'p Place)>, table: &Place) {
        match entries.collect::<Vec<_>>().as_slice() {
            [] => {}
            [(only, at)] => self.from(&format!("{key} = [{only}]"), at),
            all => {
                self.from(&format!("{key} = ["), table);
                all.iter().for_each(|(entry, at)| self.from(&format!("    {entry},"), at));
                self.line("]");
            }
        }
    }

    fn later(&mut self, later: &[Later]) {
        for Later { at, line } in later {
            self.line(&format!("# {}, when both nodes are moved:", at.short()));
            self.line(&format!("# {line}"));
        }
    }
}

/// The text.
#[must_use]
pub fn page(imported: &Imported) -> Page {
    let mut page = Page::default();
    let file = imported.file.rsplit('/').next().unwrap_or_default();
    page.line(&format!("# {file} as keepalived runs it; imported by vipctl."));
    if let Some((name, at)) = &imported.node {
        page.table("[node]", at);
        page.from(&format!("name = {}", quote(name)), at);
    }
    for named in &imported.instances {
        instance(&mut page, named);
    }
    for named in &imported.checks {
        check::named(&mut page, named);
    }
    for named in &imported.services {
        service(&mut page, named);
    }
    page
}

/// A name as part of a header.
fn bare(name: &str) -> String {
    if name.contains('.') { quote(name) } else { name.to_owned() }
}

fn instance(page: &mut Page, Named { name, item }: &Named<Instance>) {
    let Instance { at, interface, virtual_router_id, priority, version, interval, .. } = item;
    page.table(&format!("[vrrp.{}]", bare(name)), at);
    page.key("interface", &quote(&interface.0), Some(&interface.1), at);
    page.key("virtual_router_id", &virtual_router_id.0.to_string(), Some(&virtual_router_id.1), at);
    page.key("priority", &priority.0.to_string(), priority.1.as_ref(), at);
    page.key("version", &version.0.to_string(), version.1.as_ref(), at);
    page.key("advertisement_interval", &duration(interval.0), interval.1.as_ref(), at);
    if !item.preempt {
        page.from("preempt = false", at);
    }
    if item.rfc9568 {
        page.from("checksum = \"rfc9568\"", at);
    }
    if !item.accept {
        page.from("accept = false", at);
    }
    if item.strict {
        page.from("strict = true", at);
    }
    if let Some(authentication) = entry::authentication(&item.authentication, name) {
        page.from(&format!("authentication = {authentication}"), at);
    }
    if let Some((source, at)) = &item.source {
        page.from(&format!("source_address = \"{source}\""), at);
    }
    page.list("unicast_peers", item.peers.iter().map(|peer| (entry::peer(peer), &peer.at)), at);
    if let Some(mac) = &item.mac {
        let value = entry::virtual_mac(mac, virtual_router_id.0, item.family, !item.peers.is_empty());
        page.from(&format!("virtual_mac = {value}"), &mac.at);
    }
    page.list("addresses", item.addresses.iter().map(|entry| (entry::address(entry), &entry.at)), at);
    page.list("routes", item.routes.iter().map(|route| (entry::route(route), &route.at)), at);
    page.list("rules", item.rules.iter().map(|rule| (entry::rule(rule), &rule.at)), at);
    garp(page, &item.garp, at);
    page.list("track", item.track.iter().map(|track| (entry::track(track), &track.at)), at);
    page.later(&item.later);
}

/// What differs from vipkit's defaults, which are keepalived's.
fn garp(page: &mut Page, garp: &Garp, at: &Place) {
    let default = Garp::default();
    let seconds = |seconds| duration(Duration::from_secs(seconds));
    let mut keys = Vec::new();
    let mut differs = |key: &str, value: String, default: String| {
        if value != default {
            keys.push(format!("{key} = {value}"));
        }
    };
    differs("repeat", garp.repeat.to_string(), default.repeat.to_string());
    differs("delay", seconds(garp.delay), seconds(default.delay));
    differs("refresh", seconds(garp.refresh), seconds(default.refresh));
    differs("refresh_repeat", garp.refresh_repeat.to_string(), default.refresh_repeat.to_string());
    let lower_repeat = garp.lower_repeat.unwrap_or(garp.repeat);
    differs("lower_priority_repeat", lower_repeat.to_string(), garp.repeat.to_string());
    let lower_delay = garp.lower_delay.unwrap_or(garp.delay);
    differs("lower_priority_delay", seconds(lower_delay), seconds(garp.delay));
    if !keys.is_empty() {
        page.from(&format!("garp = {{ {} }}", keys.join(", ")), at);
    }
}

fn service(page: &mut Page, Named { name, item }: &Named<Service>) {
    let Service { at, address, protocol, scheduler, forward, persistence, servers, later } = item;
    page.table("[[service]]", at);
    page.from(&format!("name = {}", quote(name)), at);
    page.from(&format!("address = \"{address}\""), at);
    page.key("protocol", &quote(protocol.0), protocol.1.as_ref(), at);
    page.key("scheduler", &quote(scheduler.0), scheduler.1.as_ref(), at);
    page.key("forward", &quote(forward.0.name()), forward.1.as_ref(), at);
    if let Some((timeout, netmask, at)) = persistence {
        let netmask = netmask.map(|netmask| format!(", netmask = \"{netmask}\"")).unwrap_or_default();
        page.from(&format!("persistence = {{ timeout = {}{netmask} }}", duration(*timeout)), at);
    }
    if servers.first().is_some_and(|server| server.quiesce) {
        page.from("on_failure = \"quiesce\"", at);
    }
    let shared = shared(item);
    if let Some(server) = shared {
        check::all(page, &server.checks, at);
    }
    page.later(later);
    if let Some(server) = shared {
        page.later(&server.later);
    }
    for server in servers {
        page.table("[[service.server]]", &server.at);
        page.from(&format!("address = \"{}\"", server.address), &server.at);
        page.key("weight", &server.weight.0.to_string(), server.weight.1.as_ref(), &server.at);
        if server.forward != forward.0 {
            page.from(&format!("forward = {}", quote(server.forward.name())), &server.at);
        }
        if shared.is_none() {
            check::all(page, &server.checks, &server.at);
            page.later(&server.later);
        }
    }
}

/// The first server, if all have its checks, and are to have the same later.
fn shared(service: &Service) -> Option<&Server> {
    let said = |server: &Server| {
        let checks: Vec<_> = server.checks.iter().map(|(check, _)| check.clone()).collect();
        let later: Vec<_> = server.later.iter().map(|later| later.line.clone()).collect();
        (checks, later)
    };
    let first = service.servers.first().filter(|server| !server.checks.is_empty())?;
    service.servers.iter().all(|server| said(server) == said(first)).then_some(first)
}

fn duration(length: Duration) -> String {
    /// The longest text of a duration that vipkit.toml takes.
    const MOST: usize = 20;
    let text = humantime::format_duration(length).to_string();
    quote(&if text.len() <= MOST { text } else { format!("{}us", length.as_micros()) })
}

/// A string of TOML.
#[must_use]
pub fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            _ if letter.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(letter));
            }
            _ => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}
