//! What goes into the state machine and what comes out of it. Must not decide anything.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use vipkit_core::units::{Interval, Priority};
use vipkit_core::vrrp::Accepted;

/// What an administrator decides about a virtual router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Priority in elections.
    pub priority: Priority,
    /// Advertisement_Interval; its kind is the version.
    pub interval: Interval,
    /// Preempt_Mode: take over from a router of lower priority.
    pub preempt: bool,
}

/// The state that others see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Not started.
    Initialize,
    /// Listening to the Active router.
    Backup,
    /// Holding the addresses.
    Active,
    /// Held out of the election by something local.
    Fault,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Initialize, Self::Backup, Self::Active, Self::Fault];
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Initialize => "Initialize",
            Self::Backup => "Backup",
            Self::Active => "Active",
            Self::Fault => "Fault",
        })
    }
}

/// What happens to a virtual router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// It may take part.
    Startup,
    /// It was Active a moment ago in another life of this program, its addresses are in place: it goes on.
    Adopt,
    /// An advert that passed every check. `local` is the address our own adverts come from.
    Advert {
        /// What was received.
        accepted: &'a Accepted,
        /// Our primary address.
        local: IpAddr,
    },
    /// The moment [`Fsm::deadline`](super::Fsm::deadline) named has come. Early or repeated calls do no harm.
    Timer,
    /// It must not take part.
    Fault,
    /// The administrator decided anew; the interval's version stays.
    Settings(Settings),
    /// It stops.
    Shutdown,
}

/// What the router must do, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send an advert of this priority.
    Send(Priority),
    /// Put the addresses on the interface and announce them.
    Hold,
    /// Take the addresses off the interface.
    Withdraw,
    /// Announce the addresses again: somebody else spoke for them.
    Reassert,
    /// It changed state.
    Transition {
        /// State before.
        from: State,
        /// State now.
        to: State,
        /// Why.
        reason: Reason,
    },
}

/// Why a router changed state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It was started and waits for adverts.
    Started,
    /// It owns the addresses (priority 255).
    Owner,
    /// It was Active before the program was started again.
    Adopted,
    /// Nobody was heard for this long.
    NoAdvert(Duration),
    /// The Active router said that it leaves.
    PeerLeft(IpAddr),
    /// The Active router has a lower priority.
    Preempts(IpAddr, Priority),
    /// A router of higher priority is there.
    HigherPriority(IpAddr, Priority),
    /// A router of the same priority and a higher address is there.
    HigherAddress(IpAddr),
    /// Something local is wrong; the faults say what.
    Fault,
    /// All faults are gone.
    FaultsGone,
    /// The program or the instance was told to stop.
    Shutdown,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started => write!(f, "started"),
            Self::Owner => write!(f, "owner of the addresses (priority 255)"),
            Self::Adopted => write!(f, "was Active before the restart"),
            Self::NoAdvert(span) => write!(f, "no advert for {:.3} s", span.as_secs_f64()),
            Self::PeerLeft(peer) => write!(f, "{peer} left (priority 0)"),
            Self::Preempts(peer, priority) => write!(f, "preempts {peer} (priority {priority})"),
            Self::HigherPriority(peer, priority) => write!(f, "{peer} has priority {priority}"),
            Self::HigherAddress(peer) => write!(f, "{peer} has the same priority and the higher address"),
            Self::Fault => write!(f, "fault"),
            Self::FaultsGone => write!(f, "all faults gone"),
            Self::Shutdown => write!(f, "stopped"),
        }
    }
}
