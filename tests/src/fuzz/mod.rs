//! Fuzzing on the stable toolchain: the targets of the libraries, the corpus they start from (`corpus/TARGET/*.hex`), and
//! one attempt. Must not know what a target's bytes mean.

mod mutate;

use std::fs;
use std::io;
use std::panic;
use std::path::{Path, PathBuf};

pub use mutate::{INPUT_MAX, mutate};

/// A function that takes any bytes and says what did not hold.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, and that of its corpus.
    pub name: &'static str,
    /// The function. To panic is to say that something did not hold.
    pub run: fn(&[u8]) -> Result<(), String>,
}

/// Every target.
pub const TARGETS: [Target; 4] = [
    Target { name: "answers", run: healthcheckd::shell::fuzz::answers },
    Target { name: "decoder", run: vipkit_core::vrrp::fuzz::decoder },
    Target { name: "hmac", run: vipkit_core::vrrp::fuzz::hmac },
    Target { name: "state_machine", run: vrrpd::fuzz::state_machine },
];

impl Target {
    /// Runs it once.
    ///
    /// # Errors
    /// What did not hold, or that it panicked: the panic has been printed then.
    pub fn attempt(&self, input: &[u8]) -> Result<(), String> {
        panic::catch_unwind(|| (self.run)(input)).unwrap_or_else(|_| Err("it panicked".to_owned()))
    }

    /// Its inputs that are kept, each with its file, in the order of their names.
    ///
    /// # Errors
    /// A folder or file that cannot be read, or is not hex.
    pub fn corpus(&self) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(self.name);
        let entries = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
        let mut files = entries.collect::<io::Result<Vec<PathBuf>>>()?;
        files.sort();
        files.into_iter().map(|file| Ok((file.clone(), read(&file)?))).collect()
    }
}

/// Reads an input: pairs of hex digits with any white space between, and `#` before words for people.
///
/// # Errors
/// A file that cannot be read, or is not hex.
pub fn read(file: &Path) -> io::Result<Vec<u8>> {
    let text = fs::read_to_string(file)?;
    let digits = text.lines().flat_map(|line| line.split('#').next().unwrap_or_default().chars());
    let digits: Option<Vec<u32>> = digits.filter(|c| !c.is_whitespace()).map(|c| c.to_digit(16)).collect();
    let bytes = digits.filter(|digits| digits.len().is_multiple_of(2)).map(|digits| {
        digits.chunks_exact(2).filter_map(|pair| u8::try_from(pair[0] << 4 | pair[1]).ok()).collect()
    });
    bytes.ok_or_else(|| io::Error::other(format!("{} is not hex", file.display())))
}

/// Writes an input as [`read`] reads it, with words about it.
///
/// # Errors
/// A file that cannot be written.
pub fn write(file: &Path, about: &str, input: &[u8]) -> io::Result<()> {
    let mut text: String = about.lines().map(|line| format!("# {line}\n")).collect();
    for line in input.chunks(32) {
        text.extend(line.iter().map(|byte| format!("{byte:02x}")));
        text.push('\n');
    }
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(file, text)
}
