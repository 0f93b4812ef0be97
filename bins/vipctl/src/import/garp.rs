//! `garp_*` of an instance and `vrrp_garp_*` of all: how often addresses are announced.

use super::block::Done;
use super::note::Notes;
use super::said::Said;

/// Gratuitous ARP as keepalived does it; times are seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Garp {
    /// `garp_master_repeat`.
    pub repeat: u64,
    /// `garp_master_delay`.
    pub delay: u64,
    /// `garp_master_refresh`.
    pub refresh: u64,
    /// `garp_master_refresh_repeat`.
    pub refresh_repeat: u64,
    /// `garp_lower_prio_repeat`; none is as `repeat` of all.
    pub lower_repeat: Option<u64>,
    /// `garp_lower_prio_delay`; none is as `delay` of all.
    pub lower_delay: Option<u64>,
}

impl Default for Garp {
    fn default() -> Self {
        Self { repeat: 5, delay: 5, refresh: 0, refresh_repeat: 1, lower_repeat: None, lower_delay: None }
    }
}

impl Garp {
    /// What an instance begins with: what is said for all.
    #[must_use]
    pub fn of_instance(&self) -> Self {
        Self {
            lower_repeat: self.lower_repeat.or(Some(self.repeat)),
            lower_delay: self.lower_delay.or(Some(self.delay)),
            ..self.clone()
        }
    }
}

/// What keepalived counts in.
const MOST: u64 = u32::MAX as u64;

fn repeat_of(said: &Said, notes: &mut Notes) -> Result<Option<u64>, super::note::Refusal> {
    let number = said.number(0..=MOST, notes)?;
    if number == Some(0) {
        notes.say(&said.at, format!("{} 0: keepalived takes 1", said.name));
    }
    Ok(number.map(|number| number.max(1)))
}

/// Sets `garp_master_repeat`.
///
/// # Errors
/// It is no number.
pub fn repeat(garp: &mut Garp, said: &Said, notes: &mut Notes) -> Done {
    garp.repeat = repeat_of(said, notes)?.unwrap_or(garp.repeat);
    Ok(())
}

/// Sets `garp_master_delay`.
///
/// # Errors
/// It is no number.
pub fn delay(garp: &mut Garp, said: &Said, notes: &mut Notes) -> Done {
    garp.delay = said.number(0..=MOST, notes)?.unwrap_or(garp.delay);
    Ok(())
}

/// Sets `garp_master_refresh`.
///
/// # Errors
/// It is no number.
pub fn refresh(garp: &mut Garp, said: &Said, notes: &mut Notes) -> Done {
    garp.refresh = said.number(0..=MOST, notes)?.unwrap_or(garp.refresh);
    Ok(())
}

/// Sets `garp_master_refresh_repeat`.
///
/// # Errors
/// It is no number.
pub fn refresh_repeat(garp: &mut Garp, said: &Said, notes: &mut Notes) -> Done {
    garp.refresh_repeat = repeat_of(said, notes)?.unwrap_or(garp.refresh_repeat);
    Ok(())
}

/// Sets `garp_lower_prio_repeat`.
///
/// # Errors
/// It is no number.
pub fn lower_repeat(garp: &mut Garp, said: &Said, notes: &mut Notes) -> Done {
    garp.lower_repeat = said.number(0..=MOST, notes)?.or(garp.lower_repeat);
    Ok(())
}

/// Sets `garp_lower_prio_delay`.
///
/// # Errors
/// It is no number.
pub fn lower_delay(garp: &mut Garp, said: &Said, notes: &mut Notes) -> Done {
    garp.lower_delay = said.number(0..=MOST, notes)?.or(garp.lower_delay);
    Ok(())
}
