//! `type = "file"`: a file has a number, which is a weight.

use std::path::PathBuf;

use super::{Aim, Kind, text};
use crate::section::{About, Absent, Key, Section};

/// A file with a number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct File {
    /// The file, by an absolute path.
    pub file: PathBuf,
}

pub(crate) const KEYS: &[About] = &[FILE.about];

const FILE: Key<PathBuf> = Key {
    about: About {
        name: "file",
        kind: "the absolute path of a file",
        absent: Absent::Required,
        doc: "File that holds an integer from -65535 to 65535.",
    },
    read: text::path,
};

pub(super) fn read(section: &mut Section<'_, '_>) -> Option<Aim> {
    let file = section.get(&FILE)?;
    Some(Box::new(move |_, _| Some(Kind::File(File { file: file.clone() }))))
}

pub(super) fn target(check: &File) -> String {
    check.file.display().to_string()
}

#[cfg(test)]
mod tests {
    use crate::testing::{check, faults};

    #[test]
    fn a_file_has_an_absolute_path() {
        let text = |file: &str| format!("[check.a]\ntype = \"file\"\nfile = \"{file}\"");
        assert_eq!(check(&text("/run/weight"), "a").kind.target(), "/run/weight");
        for (file, hint) in [("weight", "start it with /"), ("/a\\u0000b", "no file can be called that")] {
            let must = "\"file\" in [check.a] must be the absolute path of a file";
            assert_eq!(
                faults(&text(file)),
                format!("vipkit.toml:3:8: {must}, not \"{}\"; {hint}", file.replace("u0000", "0"))
            );
        }
    }
}
