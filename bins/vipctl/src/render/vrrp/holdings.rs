//! What an instance holds: its addresses, and the routes and rules that go with them. A few are listed; of many it is
//! said how many are there, and those that are not where they should be come first.

use vipkit_control::vrrp::{Held, Instance, State};

use super::{Extent, LABEL};
use crate::health;
use crate::render::notice::{self, INDENT, SHOWN};
use crate::render::text::{Cell, Text, Tone, plain};

/// All three; routes and rules only if there are some.
pub fn show(text: &mut Text, instance: &Instance, extent: Extent) {
    let Instance { name, state, address_count, addresses_present, .. } = instance;
    let addresses =
        Holdings { cells: notice::addresses(instance), all: *address_count, present: *addresses_present };
    addresses.show(text, "addresses", name, *state, extent);
    for (label, held) in [("routes", &instance.routes), ("rules", &instance.rules)] {
        if !held.is_empty() {
            Holdings::held(held, *state).show(text, label, name, *state, extent);
        }
    }
}

/// Those of a kind, those in the wrong place first.
struct Holdings {
    cells: Vec<Cell>,
    all: u64,
    present: u64,
}

impl Holdings {
    fn held(held: &[Held], state: State) -> Self {
        let (wrong, right): (Vec<_>, Vec<_>) =
            held.iter().partition(|held| health::is_held_wrongly(held, state));
        let cell = |held: &Held| {
            let place = if held.present { "present" } else { "absent" };
            let tone = match (health::is_held_wrongly(held, state), held.present) {
                (true, _) => Tone::Bad,
                (false, true) => Tone::Good,
                (false, false) => Tone::Faint,
            };
            (tone, format!("{} {place}", held.what))
        };
        let present = held.iter().filter(|held| held.present).count();
        Self {
            cells: wrong.into_iter().chain(right).map(cell).collect(),
            all: held.len() as u64,
            present: present as u64,
        }
    }

    fn show(self, text: &mut Text, label: &str, name: &str, state: State, extent: Extent) {
        let Self { mut cells, all, present } = self;
        if cells.is_empty() {
            return text.entry(plain(label), (Tone::Faint, "none".to_owned()), INDENT, LABEL);
        }
        if cells.len() > SHOWN {
            text.entry(plain(label), notice::tally(all, present, state), INDENT, LABEL);
        } else {
            text.skip(INDENT).say(label).end();
        }
        cells.truncate(extent.listed());
        let more = all.saturating_sub(cells.len() as u64);
        if more > 0 {
            cells.push((Tone::Faint, format!("and {more} more: `vipctl vrrp {name}{}`", extent.wider())));
        }
        text.table(&cells.into_iter().map(|cell| vec![cell]).collect::<Vec<_>>(), INDENT * 2);
    }
}
