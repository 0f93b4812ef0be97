//! Files that a keepalived.conf includes, put in the place of the line that names them. Reads none: it asks for them.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::lexer::{self, Piece, Token};
use super::note::{Notes, Place, Refusal};

/// Files within files.
const DEPTH_MAX: usize = 16;
/// Files in all.
const FILES_MAX: usize = 256;
/// Bytes in all.
const BYTES_MAX: usize = 8 << 20;

/// `include` and its kin.
const KEYWORDS: &[&str] = &["include", "includer", "includem", "includew", "includeb", "includea"];

/// A file that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its path.
    pub path: PathBuf,
    /// What is in it.
    pub text: String,
}

impl File {
    /// Its path as it can be shown.
    #[must_use]
    pub fn name(&self) -> String {
        self.path.display().to_string().replace(char::is_control, "?")
    }
}

/// Where files come from.
pub trait Files {
    /// All files that a pattern names, relative to a folder, in the order of their names.
    ///
    /// # Errors
    /// A sentence on what cannot be read.
    fn matching(&self, folder: &Path, pattern: &str) -> Result<Vec<File>, String>;
}

/// The words and braces of a file and of all that it includes.
///
/// # Errors
/// Something cannot be understood or read.
pub fn pieces(file: &File, files: &dyn Files, notes: &mut Notes) -> Result<Vec<Piece>, Refusal> {
    let mut reader = Reader { files, found: Vec::new(), read: 0, bytes: file.text.len() };
    reader.read(file, 0, notes)?;
    Ok(reader.found)
}

struct Reader<'f> {
    files: &'f dyn Files,
    found: Vec<Piece>,
    read: usize,
    bytes: usize,
}

impl Reader<'_> {
    fn read(&mut self, file: &File, depth: usize, notes: &mut Notes) -> Result<(), Refusal> {
        let name: Rc<str> = file.name().into();
        let folder = file.path.parent().unwrap_or(Path::new("")).to_owned();
        lexer::lines(&name, &file.text, notes, |pieces, notes| match included(&pieces)? {
            Some((at, pattern)) => self.include(&at, &folder, &pattern, depth, notes),
            None => {
                self.found.extend(pieces);
                Ok(())
            }
        })
    }

    fn include(
        &mut self,
        at: &Place,
        folder: &Path,
        pattern: &str,
        depth: usize,
        notes: &mut Notes,
    ) -> Result<(), Refusal> {
        let files = self
            .files
            .matching(folder, pattern)
            .map_err(|what| Refusal::new(at, what, "see that it can be read"))?;
        if files.is_empty() {
            notes.say(at, format!("there is no file {pattern}: keepalived goes on without it"));
        }
        self.read += files.len();
        self.bytes += files.iter().map(|file| file.text.len()).sum::<usize>();
        if depth == DEPTH_MAX || self.read > FILES_MAX || self.bytes > BYTES_MAX {
            let what = format!(
                "more than {FILES_MAX} files, {DEPTH_MAX} within each other, or {BYTES_MAX} bytes in all"
            );
            return Err(Refusal::new(at, what, "include fewer"));
        }
        files.iter().try_for_each(|file| self.read(file, depth + 1, notes))
    }
}

/// The pattern, if this is a line that includes files.
fn included(pieces: &[Piece]) -> Result<Option<(Place, String)>, Refusal> {
    let Some(Piece { at, token: Token::Words(words) }) = pieces.first() else { return Ok(None) };
    let mut words = words.iter();
    if words.next().is_none_or(|keyword| !KEYWORDS.contains(&keyword.as_str())) {
        return Ok(None);
    }
    match words.next().filter(|_| pieces.len() == 1) {
        Some(pattern) => Ok(Some((at.clone(), pattern.clone()))),
        None => Err(Refusal::new(
            at,
            "an include without a file, or with braces",
            "name the files without braces",
        )),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Files that are not there.
    pub struct NoFiles;

    impl Files for NoFiles {
        fn matching(&self, _: &Path, _: &str) -> Result<Vec<File>, String> {
            Ok(Vec::new())
        }
    }

    /// Any name is this file.
    struct One(File);

    impl Files for One {
        fn matching(&self, folder: &Path, pattern: &str) -> Result<Vec<File>, String> {
            assert_eq!((folder, pattern), (Path::new("etc"), "*.conf"));
            Ok(vec![self.0.clone()])
        }
    }

    fn read(text: &str, files: &dyn Files) -> Result<(Vec<Piece>, Vec<String>), Refusal> {
        let mut notes = Notes::new(false);
        let file = File { path: "etc/a.conf".into(), text: text.to_owned() };
        let pieces = pieces(&file, files, &mut notes)?;
        Ok((pieces, notes.all.iter().map(|note| format!("{}: {}", note.at, note.now)).collect()))
    }

    #[test]
    fn what_is_included_stands_in_the_place_of_the_line() {
        let one = One(File { path: "etc/b.conf".into(), text: "b {\n".to_owned() });
        let (pieces, _) = read("a\ninclude *.conf\nc", &one).unwrap();
        let places: Vec<_> = pieces.iter().map(|piece| piece.at.to_string()).collect();
        assert_eq!(places, ["etc/a.conf:1", "etc/b.conf:1", "etc/b.conf:1", "etc/a.conf:3"]);
    }

    #[test]
    fn no_file_is_a_note_and_a_circle_is_refused() {
        let (_, notes) = read("include x", &NoFiles).unwrap();
        assert_eq!(notes, ["etc/a.conf:1: there is no file x: keepalived goes on without it"]);
        let circle = One(File { path: "etc/b.conf".into(), text: "include *.conf".to_owned() });
        assert!(read("include *.conf", &circle).is_err());
    }
}
