//! `type = "tcp"`: the target is up if it accepts a TCP connection.

use super::path::{self, CLOSE, Close, Path, TARGET};
use super::{Aim, Kind};
use crate::endpoint::Target;
use crate::section::{About, Section};

/// A TCP connection to a target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tcp {
    /// Where to connect to.
    pub target: Target,
    /// How packets leave.
    pub path: Path,
    /// How the connection is closed.
    pub close: Close,
}

pub(crate) const KEYS: &[About] = &[TARGET.about, CLOSE.about];

pub(super) fn read(section: &mut Section<'_, '_>) -> Option<Aim> {
    let way = path::way(section);
    let close = section.get(&CLOSE)?;
    Some(Box::new(move |server, _| {
        let (target, path) = way.to(server)?;
        Some(Kind::Tcp(Tcp { target, path, close }))
    }))
}

pub(super) fn target(check: &Tcp) -> String {
    check.target.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::check;

    #[test]
    fn connects_to_its_target() {
        let text = "[check.a]\ntype = \"tcp\"\ntarget = \"www.example.net:80\"\nclose = \"reset\"";
        let Kind::Tcp(tcp) = check(text, "a").kind else { panic!("no tcp") };
        assert_eq!((tcp.target.to_string().as_str(), tcp.close), ("www.example.net:80", Close::Reset));
        assert_eq!(tcp.path, Path::default());
    }
}
