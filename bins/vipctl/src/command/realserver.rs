//! `vipctl realserver`: prepares this host to serve VIPs behind a director, and says whether it does. Asks no daemon.

use super::Context;
use crate::cli::Realserver;
use crate::failure::{Exit, Failure};
use crate::realserver::change;
use crate::render;

pub fn run(context: &Context, action: &Realserver) -> Result<Exit, Failure> {
    let report = match action {
        Realserver::Add { vips, persist, root } => {
            change::add(&vips.iter().copied().collect(), *persist, root.as_deref())
        }
        Realserver::Remove { vips, root } => change::remove(&vips.iter().copied().collect(), root.as_deref()),
        Realserver::Show { vips } => change::show(&vips.iter().copied().collect()),
    };
    context.print(&report, |report| render::realserver::realserver(report, context.style))?;
    Ok(if report.good { Exit::Good } else { Exit::Bad })
}
