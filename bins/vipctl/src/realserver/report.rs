//! What came of a command: what was done, how the host is now, and what is wrong.

use serde::Serialize;
use vipkit_control::common::Notice;

use super::judge::Verdict;

/// The report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Nothing is wrong.
    pub good: bool,
    /// What was done, in order; `None` for a command that does nothing.
    pub changes: Option<Vec<String>>,
    /// What is worth knowing.
    pub notes: Vec<String>,
    /// How the host is now.
    #[serde(flatten)]
    pub verdict: Verdict,
}

impl Report {
    /// Of a host that is only looked at.
    #[must_use]
    pub fn of(verdict: Verdict) -> Self {
        Self { good: verdict.is_good(), verdict, ..Self::default() }
    }

    /// Of something that failed.
    #[must_use]
    pub fn failed(fault: Notice) -> Self {
        Self::of(Verdict { faults: vec![fault], ..Verdict::default() })
    }

    /// Says what was done.
    pub fn did(&mut self, change: impl ToString) {
        self.changes.get_or_insert_default().push(change.to_string());
    }
}
