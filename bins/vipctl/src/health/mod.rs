//! Whether what the daemons say of themselves is well. Pure: reports in, a verdict out.
//! A daemon finds its own faults; here is only what contradicts itself in what it shows, or what another shows.

mod check;
mod instance;
mod service;

use serde::Serialize;

use crate::daemons::{Report, Seen};
use crate::digests;
use crate::failure::Exit;

pub use check::{Standing, is_down, of_check};
pub use instance::{is_held_wrongly, is_misplaced, misplaced, of_instance};
pub use service::{doubt, is_out_of_place, of_server, of_service, out_of_place};

/// A verdict; the greater, the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// Nothing needs attention.
    Healthy,
    /// Something does.
    Degraded,
    /// A daemon cannot be asked.
    Unreachable,
}

impl Health {
    const fn healthy_if(well: bool) -> Self {
        if well { Self::Healthy } else { Self::Degraded }
    }
}

impl From<Health> for Exit {
    fn from(health: Health) -> Self {
        match health {
            Health::Healthy => Self::Good,
            Health::Degraded => Self::Bad,
            Health::Unreachable => Self::Unreachable,
        }
    }
}

/// Of all daemons together: the worst, and that they run on one configuration.
#[must_use]
pub fn of_all(reports: &[Report]) -> Health {
    let agree = Health::healthy_if(digests(reports).len() <= 1);
    reports.iter().map(of_report).fold(agree, Health::max)
}

/// Of one daemon.
#[must_use]
pub fn of_report(report: &Report) -> Health {
    match &report.seen {
        Err(_) => Health::Unreachable,
        Ok(seen) => of_seen(seen),
    }
}

/// Of what a daemon showed.
#[must_use]
pub fn of_seen(seen: &Seen) -> Health {
    let objects = match seen {
        Seen::Health { checks, .. } => worst(checks, of_check),
        Seen::Ipvs { services, .. } => worst(services, of_service),
        Seen::Vrrp { instances, .. } => worst(instances, of_instance),
    };
    let daemon = match seen {
        Seen::Ipvs { daemon, services } => {
            Health::healthy_if(daemon.faults.is_empty() && doubt(daemon, services).is_none())
        }
        Seen::Health { .. } | Seen::Vrrp { .. } => Health::Healthy,
    };
    objects.max(daemon)
}

fn worst<T>(objects: &[T], of: impl Fn(&T) -> Health) -> Health {
    objects.iter().map(of).max().unwrap_or(Health::Healthy)
}

/// Which daemons run on which configuration.
#[must_use]
pub fn digests(reports: &[Report]) -> Vec<digests::Group<'_>> {
    digests::groups(reports.iter().filter_map(|report| {
        let seen = report.seen.as_ref().ok()?;
        Some((seen.running().digest.as_str(), report.name))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{
        active, backup, check, fault, health_report, ipvs_daemon, ipvs_report, notice, report, service,
        unreachable,
    };

    #[test]
    fn a_pair_that_works_is_healthy() {
        assert_eq!(of_all(&[report(vec![active("a"), backup("b")])]), Health::Healthy);
        assert_eq!(of_all(&[report(vec![])]), Health::Healthy);
        assert_eq!(
            of_all(&[
                health_report(vec![check("a")]),
                ipvs_report(vec![service("web")]),
                report(vec![active("a")])
            ]),
            Health::Healthy
        );
    }

    #[test]
    fn the_worst_counts() {
        assert_eq!(of_all(&[report(vec![active("a"), fault("b")])]), Health::Degraded);
        assert_eq!(of_all(&[unreachable(), report(vec![active("a")])]), Health::Unreachable);
        assert_eq!(Exit::from(Health::Unreachable) as u8, 2);
    }

    #[test]
    fn daemons_that_run_on_different_configurations_are_degraded() {
        let mut other = health_report(vec![]);
        let Ok(Seen::Health { daemon, .. }) = &mut other.seen else { panic!("seen") };
        daemon.running.digest = "111111111111".to_owned();
        assert_eq!(of_report(&other), Health::Healthy);
        let all = [other, report(vec![])];
        assert_eq!(of_all(&all), Health::Degraded);
        assert_eq!(digests(&all), [("111111111111", vec!["healthcheckd"]), ("0a1b2c3d4e5f", vec!["vrrpd"])]);
    }

    #[test]
    fn what_keeps_ipvs_sync_from_its_job_counts_without_a_service_too() {
        let mut daemon = ipvs_daemon();
        daemon.faults.push(notice("no IPVS", "modprobe"));
        assert_eq!(of_seen(&Seen::Ipvs { daemon, services: vec![] }), Health::Degraded);
    }
}
