//! `add`, `remove` and `show` from beginning to end: look, refuse or plan, remember, do, look again.

use std::net::IpAddr;
use std::path::Path;

use vipkit_control::common::Notice;

use super::files::Files;
use super::host::{self, Host};
use super::judge::{judge, obstacles};
use super::memory::Memory;
use super::observed::Observed;
use super::plan::{Op, State, plan};
use super::report::Report;
use super::setting::quiet;
use super::store::Store;
use super::{Vips, whole};

/// Makes the host a real server of these VIPs, also at the next boot if `persist`, by files below `root`.
#[must_use]
pub fn add(vips: &Vips, persist: bool, root: Option<&Path>) -> Report {
    run(|report| {
        let (mut host, before) = begin()?;
        report.verdict.faults = vips.iter().flat_map(|vip| obstacles(*vip, &before)).collect();
        if !report.verdict.faults.is_empty() {
            report.notes.push("nothing was changed".to_owned());
            return Ok(());
        }
        let files = Files::below(root);
        let kept = if persist { Some(files.vips()?) } else { None };

        let actual = before.state();
        let desired = actual.with(vips);
        let store = Store::open()?;
        let known = store.read()?.unwrap_or_default();
        let memory = known.adding(vips, &actual, &desired);
        if memory != known {
            store.write(&memory)?;
        }
        carry_out(&mut host, &plan(&desired, &actual), report)?;

        let after = host.observe()?;
        // Of what is there now: an interface may have come.
        let state = after.state();
        report.verdict = judge(vips, &after);
        report.verdict.faults.extend(left_over(&state.with(vips), &state));
        if let Some(kept) = kept {
            let changes = files.set(&(&kept | vips), &quiet(&after.settings))?;
            changes.into_iter().for_each(|change| report.did(change));
            if root.is_none() && !Path::new(SYSTEMD_RUNS).exists() {
                let note = "systemd does not run here: what was written takes effect where it does";
                report.notes.push(note.to_owned());
            }
        }
        Ok(())
    })
}

/// Takes these VIPs away; with the last, all that `add` did.
#[must_use]
pub fn remove(vips: &Vips, root: Option<&Path>) -> Report {
    run(|report| {
        let (mut host, before) = begin()?;
        let actual = before.state();
        for vip in vips.difference(&actual.vips) {
            let others: Vec<_> = before.places_of(*vip).map(|place| &place.interface).collect();
            report.notes.push(match others.first() {
                None => format!("{vip} is not on lo"),
                Some(interface) => format!("{vip} on {interface} is no VIP of a real server: it stays"),
            });
        }
        let store = Store::open()?;
        let known = store.read()?;
        let left = known.as_ref().map(|memory| memory.removing(vips, &actual)).unwrap_or_default();
        let desired = without(vips, &actual, known.as_ref(), &left);
        if known.is_none() && actual.vips.intersection(vips).any(IpAddr::is_ipv4) {
            report.notes.push(
                "how arp_ignore and arp_announce were before is not known: they stay as they are".to_owned(),
            );
        }
        if let Some(memory) = known.as_ref().filter(|memory| memory.settings != left.settings) {
            for (setting, now) in memory.changed_since(&actual.settings) {
                report.notes.push(format!("{setting} was changed to {now} since: it stays"));
            }
        }
        carry_out(&mut host, &plan(&desired, &actual), report)?;

        let after = host.observe()?;
        report.verdict.faults.extend(left_over(&desired, &after.state()));
        if report.verdict.faults.is_empty() && known.is_some() {
            store.write(&left)?;
        }
        unkeep(&Files::below(root), vips, &after, report)
    })
}

/// Judges the host by these VIPs, or by all that are on lo.
#[must_use]
pub fn show(vips: &Vips) -> Report {
    let observed = Host::open().and_then(|mut host| host.observe());
    observed.map_or_else(Report::failed, |observed| {
        let all = if vips.is_empty() { observed.on_loopback() } else { vips.clone() };
        Report::of(judge(&all, &observed))
    })
}

fn run(work: impl FnOnce(&mut Report) -> Result<(), Notice>) -> Report {
    let mut report = Report { changes: Some(Vec::new()), ..Report::default() };
    if let Err(fault) = work(&mut report) {
        report.verdict.faults.push(fault);
    }
    report.good = report.verdict.is_good();
    report
}

fn begin() -> Result<(Host, Observed), Notice> {
    host::may_change()?;
    let mut host = Host::open()?;
    let observed = host.observe()?;
    Ok((host, observed))
}

/// How it should be without these VIPs: if none is left that needs the settings, those as they were.
fn without(vips: &Vips, actual: &State, known: Option<&Memory>, left: &Memory) -> State {
    let settings = match known {
        Some(memory) if left.settings.is_empty() => memory.restored(&actual.settings),
        _ => actual.settings.clone(),
    };
    State { vips: &actual.vips - vips, settings }
}

/// What failed ends it: what comes after relies on it.
fn carry_out(host: &mut Host, ops: &[Op], report: &mut Report) -> Result<(), Notice> {
    for op in ops {
        host.carry_out(op)?;
        report.did(op);
    }
    Ok(())
}

/// What was done, and is not so.
fn left_over(desired: &State, actual: &State) -> Vec<Notice> {
    let what = |op| match op {
        Op::Set { setting, from, to } => format!("{setting} is {from}, though {to} was written"),
        Op::Add(vip) => format!("{vip}/{} is not on lo, though it was added", whole(vip)),
        Op::Remove(vip) => format!("{vip}/{} is on lo, though it was removed", whole(vip)),
    };
    let remedy = "find out what else sets it: another sysctl.d file, a network manager, a container runtime";
    let notice = |op| Notice { what: what(op), remedy: remedy.to_owned() };
    plan(desired, actual).into_iter().map(notice).collect()
}

fn unkeep(files: &Files, vips: &Vips, after: &Observed, report: &mut Report) -> Result<(), Notice> {
    match files.vips() {
        Ok(kept) => {
            let changes = files.set(&(&kept - vips), &quiet(&after.settings))?;
            changes.into_iter().for_each(|change| report.did(change));
        }
        Err(foreign) => report.notes.push(foreign.what),
    }
    Ok(())
}

/// There while systemd is the init (sd_booted(3)).
const SYSTEMD_RUNS: &str = "/run/systemd/system";
