//! `vipctl import`: reads keepalived.conf files with all that they include, and writes what was made of them. Asks no
//! daemon.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, IsTerminal, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use vipkit_config::FILE_BYTES_MAX;

use super::Context;
use crate::failure::{Exit, Failure};
use crate::import::include::{File, Files};
use crate::import::note::{Place, Refusal};
use crate::import::{self, Imported, compare};
use crate::render::import::{Imports, Node, report};
use crate::render::text::Places;

/// Mode of what is written: a password may be in it, or a key.
const MODE: u32 = 0o640;

pub fn run(
    context: &Context,
    files: &[PathBuf],
    intended: bool,
    out: Option<&Path>,
) -> Result<Exit, Failure> {
    let imports = match imported(files, intended, out) {
        Ok(imports) => imports,
        Err(refusal) => Imports::refused(refusal),
    };
    let places = Places::on(io::stderr().is_terminal());
    eprint!("{}", report(&imports, places, context.style));
    if context.json {
        context.print(&imports, |_| String::new())?;
    } else if let (None, [Node { toml: Some(toml), .. }]) = (out, imports.nodes.as_slice()) {
        super::write(toml)?;
    }
    Ok(if imports.good { Exit::Good } else { Exit::Bad })
}

/// All of them, or none.
fn imported(files: &[PathBuf], intended: bool, out: Option<&Path>) -> Result<Imports, Refusal> {
    let mut nodes: Vec<Imported> = Vec::new();
    for path in files {
        let text = read(path).map_err(|what| Refusal::new(&whole(path), what, "see that it can be read"))?;
        nodes.push(import::import(&File { path: path.clone(), text }, &Disk, intended)?);
    }
    let disagreements = compare::nodes(&nodes);
    let written = match out {
        None => Vec::new(),
        Some(folder) => written(folder, &nodes)?,
    };
    Ok(Imports::new(nodes, disagreements, written))
}

/// A file for each node, and one for each of its keys beside it, none of which was there before.
fn written(folder: &Path, nodes: &[Imported]) -> Result<Vec<PathBuf>, Refusal> {
    let mut paths = Vec::new();
    let mut files: Vec<(PathBuf, &str)> = Vec::new();
    for node in nodes {
        let path = folder.join(format!("{}.toml", stem(node)));
        let keys = folder.join(format!("{}.keys", stem(node)));
        files.push((path.clone(), &node.toml));
        files.extend(node.keys.iter().map(|key| (keys.join(&key.name), key.secret.reveal())));
        paths.push(path);
    }
    let mut taken = BTreeSet::new();
    for (path, _) in &files {
        if path.exists() || !taken.insert(path) {
            let remedy = "remove it, or name another folder; nodes need a router_id of their own";
            return Err(Refusal::new(&whole(path), "the file is there already", remedy));
        }
    }
    files.iter().try_for_each(|(path, text)| write(path, text))?;
    Ok(paths)
}

fn write(path: &Path, text: &str) -> Result<(), Refusal> {
    let folder = path.parent().unwrap_or(Path::new(""));
    fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(MODE)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| failed(path, &error))
}

fn failed(path: &Path, error: &io::Error) -> Refusal {
    Refusal::new(&whole(path), format!("cannot be written: {error}"), "see that you may write there")
}

/// What the file of a node is called: as the node, else as the file that it comes from.
fn stem(node: &Imported) -> String {
    let name = match &node.node {
        Some((name, _)) => name.clone(),
        None => Path::new(&node.file).file_stem().unwrap_or_default().to_string_lossy().into_owned(),
    };
    let name: String =
        name.chars().map(|c| if c.is_alphanumeric() || "_.-".contains(c) { c } else { '-' }).collect();
    name.trim_start_matches('.').to_owned()
}

/// A file as a whole.
fn whole(path: &Path) -> Place {
    Place { file: path.display().to_string().into(), line: 1 }
}

/// Files as they are on this machine.
struct Disk;

impl Files for Disk {
    fn matching(&self, folder: &Path, pattern: &str) -> Result<Vec<File>, String> {
        let pattern = match Path::new(pattern).is_absolute() {
            true => pattern.to_owned(),
            false => format!("{}/{pattern}", glob::Pattern::escape(&folder_name(folder))),
        };
        let paths = glob::glob(&pattern).map_err(|error| format!("{pattern} is no pattern: {error}"))?;
        let file = |path: Result<PathBuf, glob::GlobError>| {
            let path = path.map_err(|error| error.to_string())?;
            Ok(File { text: read(&path).map_err(|what| format!("{}: {what}", path.display()))?, path })
        };
        paths.map(file).collect()
    }
}

fn folder_name(folder: &Path) -> String {
    let name = folder.to_string_lossy();
    if name.is_empty() { ".".to_owned() } else { name.into_owned() }
}

/// The text of a file. What is not UTF-8 is marked: in comments it does not matter.
fn read(path: &Path) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("cannot be read: {error}");
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err("is no regular file".to_owned());
    }
    let most = u64::try_from(FILE_BYTES_MAX).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    fs::File::open(path).and_then(|file| file.take(most + 1).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() > FILE_BYTES_MAX {
        return Err(format!("has more than {FILE_BYTES_MAX} bytes"));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
