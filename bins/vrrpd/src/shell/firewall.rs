//! Keeps the packet filter of closed addresses as it should be: written by nft(8) on a helper thread, and looked at
//! again whenever the kernel's tables change. The table is ours alone; no other is touched.

use std::collections::BTreeSet;
use std::rc::Rc;

use tokio::sync::Notify;
use tracing::{info, warn};
use vipkit_control::common::Notice;
use vipkit_linux::nftables::{self, NftError};

use crate::firewall::{Closed, FAMILY, TABLE, script};

/// What the table should be, and what it was when it was written last.
#[derive(Default)]
pub struct Firewall {
    wanted: Closed,
    written: Option<Written>,
    problem: Option<String>,
    changed: Rc<Notify>,
}

/// The table as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    closed: Closed,
    /// As nft(8) lists it; `None`: there is none.
    listing: Option<String>,
}

impl Firewall {
    /// As it was written before the start.
    #[must_use]
    pub fn new(written: Written) -> Self {
        Self { wanted: written.closed.clone(), written: Some(written), ..Self::default() }
    }

    /// These addresses are to be closed.
    pub fn want(&mut self, closed: Closed) {
        if self.wanted != closed {
            self.wanted = closed;
            self.changed.notify_one();
        }
    }

    /// Told whenever [`Firewall::pending`] is worth a call.
    #[must_use]
    pub fn changed(&self) -> Rc<Notify> {
        self.changed.clone()
    }

    /// What should be there, and what was written last.
    #[must_use]
    pub fn pending(&self) -> (Closed, Option<Written>) {
        (self.wanted.clone(), self.written.clone())
    }

    /// What came of [`settle`].
    pub fn settled(&mut self, result: Result<Written, NftError>) {
        match result {
            Ok(written) => {
                self.problem = None;
                self.written = Some(written);
            }
            Err(error) => {
                let problem = error.to_string();
                if self.problem.as_ref() != Some(&problem) {
                    warn!("addresses with accept = false may accept packets: {problem}");
                }
                self.problem = Some(problem);
            }
        }
    }

    /// What is wrong, for an instance whose addresses are closed.
    #[must_use]
    pub fn notice(&self) -> Option<Notice> {
        self.problem.as_ref().map(|problem| Notice {
            what: format!("its addresses may accept packets: {problem}"),
            remedy: "mend the cause, then `vipctl reload`".to_owned(),
        })
    }
}

/// Makes the table what it should be, unless it is as it was written. Waits for nft(8): not for the loop.
///
/// # Errors
/// nft(8) is missing, or refuses.
pub fn settle(closed: Closed, written: Option<&Written>) -> Result<Written, NftError> {
    if closed.is_empty() && written.is_none_or(|written| written.listing.is_none()) {
        // Without closed addresses nft(8) need not be there.
        return Ok(Written { closed, listing: None });
    }
    let found = nftables::list_table(TABLE)?;
    if let Some(before) = written.filter(|before| before.closed == closed) {
        if before.listing == found {
            return Ok(before.clone());
        }
        warn!("somebody else changed the table {FAMILY} {TABLE} of nftables: writing it anew");
    }
    if closed.is_empty() {
        nftables::delete_table(TABLE)?;
        return Ok(Written { closed, listing: None });
    }
    nftables::replace_table(&script(&closed))?;
    let addresses: BTreeSet<_> = closed.iter().map(|(_, address)| address).collect();
    info!("nftables: packets to closed addresses are dropped by table {FAMILY} {TABLE}: {}", addresses.len());
    let listing = nftables::list_table(TABLE)?;
    Ok(Written { closed, listing })
}

/// Removes the table. Without nft(8) there is nothing to remove it with.
pub fn clear() {
    match nftables::delete_table(TABLE) {
        Ok(()) | Err(NftError::Missing) => {}
        Err(error) => warn!("table {FAMILY} {TABLE} of nftables may be left over: {error}"),
    }
}
