//! `lvs_method`, or `lb_kind`: how packets reach a server.

use super::block::Done;
use super::note::{Later, Notes, Refusal};
use super::said::Said;

/// A forwarding method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forward {
    /// NAT
    Nat,
    /// DR
    Dr,
    /// TUN
    Tunnel,
}

impl Forward {
    const ALL: [Self; 3] = [Self::Nat, Self::Dr, Self::Tunnel];

    /// Its name in keepalived.conf.
    #[must_use]
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::Nat => "NAT",
            Self::Dr => "DR",
            Self::Tunnel => "TUN",
        }
    }

    /// Its name in vipkit.toml.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nat => "nat",
            Self::Dr => "dr",
            Self::Tunnel => "tunnel",
        }
    }
}

/// A block that says how packets reach servers.
pub trait Forwards {
    /// What it says, and what it is to say later.
    fn forward(&mut self) -> (&mut Option<Forward>, &mut Vec<Later>);
}

/// Sets the method; keepalived takes capital letters only, and ignores the rest.
///
/// # Errors
/// A tunnel that is not IP in IP.
pub fn set<T: Forwards>(block: &mut T, said: &Said, notes: &mut Notes) -> Done {
    let (forward, later) = block.forward();
    let (method, options) = (said.value(), said.values.get(1..).unwrap_or_default());
    if let Some(exact) = Forward::ALL.into_iter().find(|forward| forward.keyword() == method) {
        *forward = Some(exact);
        let options: Vec<_> = options.iter().map(String::as_str).collect();
        if exact == Forward::Tunnel && !matches!(options[..], [] | ["type", "ipip"]) {
            let what = format!("a tunnel of {}", options.join(" "));
            return Err(Refusal::new(&said.at, what, "vipkit tunnels IP in IP only"));
        }
        return Ok(());
    }
    let running = forward.unwrap_or(Forward::Nat).keyword();
    let now = format!(
        "{} {method} is none: keepalived ignores it, and runs {running} unless another is said",
        said.name
    );
    let alike = Forward::ALL.into_iter().find(|forward| forward.keyword().eq_ignore_ascii_case(method));
    match alike {
        None => notes.say(&said.at, now),
        Some(alike) => {
            let line = format!("forward = \"{}\"", alike.name());
            if notes.doubt(&said.at, now, alike.keyword(), line, later) {
                *forward = Some(alike);
            }
        }
    }
    Ok(())
}
