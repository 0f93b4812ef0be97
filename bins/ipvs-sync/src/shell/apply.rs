//! The hand of ipvs-sync: opens the kernel's table, reads it, changes it as planned. One round at a time; the state file
//! is written before the table is changed.

use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tracing::debug;
use vipkit_core::units::Family;
use vipkit_daemon::clock::now;
use vipkit_daemon::state::StateFile;
use vipkit_linux::ipvs::{Ipvs, IpvsError};
use vipkit_linux::sysctl;

use super::Shared;
use super::daemon::Trouble;
use super::pace::{Ended, Pace};
use crate::kept::Kept;
use crate::status::notice;
use crate::table::Table;

/// Longest wait for the state file: a dead server must leave the table, disk or no disk.
const SAVE_PATIENCE: Duration = Duration::from_secs(1);
/// A reading that is older is not shown: the numbers of connections in it are not.
const FRESH: Duration = Duration::from_secs(1);

/// Refused commands of a round that are logged for whoever looks into it.
const REFUSED_LINES: usize = 20;

/// Makes the table what it should be.
pub struct Reconciler {
    daemon: Shared,
    hand: Mutex<Hand>,
    file: StateFile,
    boot: String,
}

/// What one round at a time has.
#[derive(Default)]
struct Hand {
    ipvs: Option<Ipvs>,
    saved: Vec<u8>,
    saving: Option<JoinHandle<anyhow::Result<Vec<u8>>>>,
}

impl Reconciler {
    /// Nothing happens yet.
    #[must_use]
    pub fn new(daemon: Shared, file: StateFile, boot: String) -> Self {
        Self { daemon, hand: Mutex::default(), file, boot }
    }

    /// A task: a round whenever something changed, and one with the table read anew when its time has come.
    ///
    /// # Errors
    /// None: it does not end.
    pub async fn run(self: Rc<Self>) -> anyhow::Result<()> {
        let wake = self.daemon.borrow().wake.clone();
        let mut pace = Pace::from(Instant::now());
        loop {
            let read = Instant::now() >= pace.due();
            let ended = self.round(read).await;
            let interval = self.daemon.borrow().config.ipvs.resync_interval;
            pace.ended(ended, read, interval, Instant::now());
            let _ = timeout_at(pace.due(), wake.notified()).await;
        }
    }

    /// Makes sure that what is known of the table is of this second, if it can be read.
    pub async fn refresh(&self) {
        let mut hand = self.hand.lock().await;
        let read_at = self.daemon.borrow().seen.as_ref().map(|seen| seen.at);
        if read_at.is_some_and(|at| now() - at > FRESH) {
            let _ = self.read(&mut hand).await;
        }
    }

    async fn round(&self, read: bool) -> Ended {
        let mut hand = self.hand.lock().await;
        let has_read = match self.look(&mut hand, read).await {
            Ok(has_read) => has_read,
            Err(error) => {
                self.daemon.borrow().skip_round();
                return if error == IpvsError::NotAvailable { Ended::NoIpvs } else { Ended::Failed };
            }
        };
        let round = self.daemon.borrow_mut().begin_round(has_read);
        let Some(round) = round else { return Ended::Failed };
        self.save(&mut hand, &round.kept).await;
        let Some(ipvs) = &mut hand.ipvs else { return Ended::Failed };
        let began = Instant::now();
        let results = ipvs.apply(&round.commands).await;
        if !results.is_empty() {
            debug!("commands: {}, taking {:.3} s", results.len(), began.elapsed().as_secs_f64());
        }
        let refused = round.commands.iter().zip(&results).filter_map(|(c, r)| Some((c, r.as_ref().err()?)));
        refused.take(REFUSED_LINES).for_each(|(command, error)| debug!("{command:?}: {error}"));
        if self.daemon.borrow_mut().end_round(round, results) { Ended::Level } else { Ended::Failed }
    }

    /// The table is known afterwards; read anew if that is asked for. True if it was.
    async fn look(&self, hand: &mut Hand, read: bool) -> Result<bool, IpvsError> {
        let was_open = hand.ipvs.is_some();
        match self.look_once(hand, read).await {
            // The module was unloaded. It may be there again, under another number.
            Err(IpvsError::NotAvailable) if was_open => self.look_once(hand, read).await,
            looked => looked,
        }
    }

    async fn look_once(&self, hand: &mut Hand, read: bool) -> Result<bool, IpvsError> {
        if hand.ipvs.is_none() {
            let opened = Ipvs::open().and_then(|mut ipvs| Ok((ipvs.info()?, ipvs)));
            let (info, ipvs) = opened.inspect_err(|error| self.failed(error))?;
            self.daemon.borrow_mut().has_ipvs(info.version.to_string());
            hand.ipvs = Some(ipvs);
        }
        let read = read || self.daemon.borrow().seen.is_none();
        if read {
            self.read(hand).await?;
        }
        Ok(read)
    }

    async fn read(&self, hand: &mut Hand) -> Result<(), IpvsError> {
        let Some(ipvs) = &mut hand.ipvs else { return Err(IpvsError::NotAvailable) };
        match ipvs.read().await {
            Ok(table) => {
                let mut daemon = self.daemon.borrow_mut();
                daemon.trouble(Trouble::Table, None);
                // Where it cannot be told, nobody is warned.
                let forwards = sysctl::read(Family::V4, "all", "forwarding").map_or(true, |value| value != 0);
                daemon.saw(Table::from(table), forwards);
                Ok(())
            }
            Err(error) => {
                // A new connection will tell.
                hand.ipvs = None;
                self.failed(&error);
                Err(error)
            }
        }
    }

    fn failed(&self, error: &IpvsError) {
        let mut daemon = self.daemon.borrow_mut();
        let remedy = match error {
            IpvsError::NotAvailable => {
                daemon.no_ipvs();
                "load it: `modprobe ip_vs` (for a container, on the host); until then nothing is balanced"
            }
            IpvsError::Netlink(_) | IpvsError::Reply(_) => {
                "it is tried again; if it stays, restart ipvs-sync"
            }
        };
        daemon.trouble(Trouble::Table, Some(notice(&error.to_string(), remedy)));
    }

    /// Sees to it that the state file has this, for so long as there is patience.
    async fn save(&self, hand: &mut Hand, kept: &Kept) {
        let bytes = kept.emit(&self.boot);
        let deadline = Instant::now() + SAVE_PATIENCE;
        let mut trouble = None;
        while trouble.is_none() && (hand.saving.is_some() || hand.saved != bytes) {
            let writing = hand.saving.get_or_insert_with(|| {
                let (file, bytes) = (self.file.clone(), bytes.clone());
                tokio::task::spawn_blocking(move || Ok(file.write(&bytes).map(|()| bytes)?))
            });
            match timeout_at(deadline, writing).await {
                Err(_) => trouble = Some(format!("{} takes long to write", self.file.path().display())),
                Ok(written) => {
                    hand.saving = None;
                    match written.map_err(Into::into).flatten() {
                        Ok(written) => hand.saved = written,
                        Err(error) => trouble = Some(format!("{error:#}")),
                    }
                }
            }
        }
        let remedy = "see to the disk: if ipvs-sync ends now, it will not know which servers are down";
        self.daemon.borrow_mut().trouble(Trouble::StateFile, trouble.map(|what| notice(&what, remedy)));
    }
}
