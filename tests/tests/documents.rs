//! What the documents show is true: configurations are accepted, command lines are understood, links inside a page lead
//! to a heading, and both languages of a page say the same. Looks at files only; that the files are there is `tree`'s.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory};

/// Pages in two languages.
const PAIRS: [(&str, &str); 2] =
    [("README.md", "README.zh-CN.md"), ("docs/tutorial.md", "docs/tutorial.zh-CN.md")];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A fenced block: what it is, and its lines.
#[derive(Debug, PartialEq, Eq)]
struct Block {
    kind: String,
    lines: Vec<String>,
}

/// A page, taken apart as far as the tests need it.
struct Page {
    name: String,
    text: Vec<String>,
    blocks: Vec<Block>,
}

impl Page {
    fn read(name: &str) -> Self {
        let whole = fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut page = Self { name: name.to_owned(), text: Vec::new(), blocks: Vec::new() };
        let mut is_open = false;
        for line in whole.lines() {
            match line.strip_prefix("```") {
                Some(_) if is_open => is_open = false,
                Some(kind) => {
                    is_open = true;
                    page.text.push(line.to_owned());
                    page.blocks.push(Block { kind: kind.to_owned(), lines: Vec::new() });
                }
                None if is_open => page.blocks.last_mut().unwrap().lines.push(line.to_owned()),
                None => page.text.push(line.to_owned()),
            }
        }
        assert!(!is_open, "{name}: a block has no end");
        page
    }

    /// All pages.
    fn all() -> Vec<Self> {
        let mut names = Vec::new();
        for folder in ["", "docs/"] {
            for entry in fs::read_dir(root().join(folder)).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                if name.ends_with(".md") {
                    names.push(format!("{folder}{name}"));
                }
            }
        }
        names.iter().map(|name| Self::read(name)).collect()
    }

    fn headings(&self) -> impl Iterator<Item = &str> {
        self.text.iter().map(String::as_str).filter(|line| line.starts_with('#'))
    }

    /// What a translation leaves as it is, in order: depth of headings, blocks and rows of tables; and with each heading,
    /// sorted, the code and the links under it.
    fn skeleton(&self) -> Vec<String> {
        let mut skeleton = Vec::new();
        let mut kept = BTreeSet::new();
        let mut blocks = self.blocks.iter();
        for line in &self.text {
            if line.starts_with('#') {
                skeleton.extend(std::mem::take(&mut kept));
                skeleton.push(line.split(' ').next().unwrap().to_owned());
            } else if line.starts_with("```") {
                let block = blocks.next().unwrap();
                skeleton.push(line.clone());
                skeleton.extend(block.lines.iter().map(|line| without_comment(&block.kind, line).to_owned()));
            } else if line.starts_with('|') {
                skeleton.push(format!("row of {} cells", line.matches(" |").count()));
            }
            if !line.starts_with("```") {
                kept.extend(line.split('`').skip(1).step_by(2).map(|code| format!("`{code}`")));
                kept.extend(
                    links(line)
                        .map(|target| target.replace(".zh-CN", ""))
                        .filter(|target| !target.contains('#')),
                );
            }
        }
        skeleton.extend(kept);
        skeleton
    }
}

fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split(')').next())
}

/// Only comments are translated, and only these kinds of blocks have some.
fn without_comment<'l>(kind: &str, line: &'l str) -> &'l str {
    let end = match kind {
        "sh" | "toml" if line.starts_with('#') => Some(0),
        "sh" | "toml" => line.find(" #"),
        _ => None,
    };
    end.map_or(line, |end| &line[..end]).trim_end()
}

/// The command lines of a block: of a script all, of a screen what stands after a prompt.
fn command_lines(block: &Block) -> Vec<String> {
    let lines = block.lines.iter();
    match block.kind.as_str() {
        "sh" => lines.map(|line| without_comment("sh", line).to_owned()).collect(),
        "console" => lines.filter_map(|line| Some(line.split_once("]# ")?.1.to_owned())).collect(),
        _ => Vec::new(),
    }
}

/// The commands of a line, as words. Knows quotes, and what ends a command; a redirection ends one too.
fn commands(line: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in line.chars() {
        if quote == Some(c) {
            quote = None;
        } else if quote.is_some() {
            word.get_or_insert_default().push(c);
        } else if c == '\'' || c == '"' {
            quote = Some(c);
            word.get_or_insert_default();
        } else if c == ' ' || "|&;<>".contains(c) {
            commands.last_mut().unwrap().extend(word.take());
            if c != ' ' {
                commands.push(Vec::new());
            }
        } else {
            word.get_or_insert_default().push(c);
        }
    }
    commands.last_mut().unwrap().extend(word);
    commands.retain(|words: &Vec<String>| !words.is_empty());
    commands
}

/// Our programs.
fn program(name: &str) -> Option<Command> {
    match name {
        "healthcheckd" => Some(healthcheckd::cli::Cli::command()),
        "ipvs-sync" => Some(ipvs_sync::cli::Cli::command()),
        "vipctl" => Some(vipctl::cli::Cli::command()),
        "vrrpd" => Some(vrrpd::cli::Cli::command()),
        _ => None,
    }
}

fn parse(name: &str, text: String) -> vipkit_config::Config {
    let source = vipkit_config::Source { name: name.to_owned(), text };
    vipkit_config::parse(&[source]).unwrap_or_else(|faults| panic!("{faults}"))
}

#[test]
fn lines_are_taken_apart_as_a_shell_would() {
    let line = r#"vipctl call vrrpd io.Get '{"name": "web"}' | jq -r ".a | .b" && a > b"#;
    let expected = [
        &["vipctl", "call", "vrrpd", "io.Get", r#"{"name": "web"}"#][..],
        &["jq", "-r", ".a | .b"],
        &["a"],
        &["b"],
    ];
    assert_eq!(commands(line), expected);
}

#[test]
fn every_configuration_is_accepted_without_a_warning() {
    for page in Page::all() {
        for block in page.blocks.iter().filter(|block| block.kind == "toml") {
            let config = parse(&page.name, block.lines.join("\n"));
            assert_eq!(config.warnings, [], "{}", page.name);
        }
    }
}

#[test]
fn screens_are_of_the_examples() {
    let mut digests = BTreeSet::new();
    for entry in fs::read_dir(root().join("docs/examples")).unwrap() {
        let path = entry.unwrap().path();
        digests.insert(parse("example", fs::read_to_string(path).unwrap()).digest.to_string());
    }
    let mut shown = 0;
    for page in Page::all() {
        for line in page.blocks.iter().filter(|block| block.kind == "console").flat_map(|block| &block.lines)
        {
            if let Some((_, digest)) = line.split_once("digest ") {
                assert!(digests.contains(digest), "{}: no example has {digest}", page.name);
                shown += 1;
            }
        }
    }
    assert!(shown > 10, "{shown}");
}

#[test]
fn every_command_line_is_understood() {
    let mut tried = 0;
    for page in Page::all() {
        let lines = page.blocks.iter().flat_map(command_lines);
        for words in lines.flat_map(|line| commands(&line)) {
            if let Some(program) = program(&words[0]) {
                tried += 1;
                if let Err(error) = program.try_get_matches_from(&words) {
                    panic!("{}: {}: {error}", page.name, words.join(" "));
                }
            } else if words[0].starts_with("scripts/") {
                assert!(root().join(&words[0]).is_file(), "{}: there is no {}", page.name, words[0]);
            }
        }
    }
    assert!(tried > 50, "{tried}");
}

/// A row such as "| `neli` | [crates/linux](crates/linux/src) | … |".
#[test]
fn dependencies_are_where_the_readme_says() {
    let readme = Page::read("README.md");
    for name in ["pnet", "neli", "socket2", "signal-hook", "toml", "serde", "anyhow"] {
        let row = readme.text.iter().find(|line| line.starts_with(&format!("| `{name}` |")));
        let mut places = links(row.unwrap_or_else(|| panic!("no row for {name}"))).peekable();
        assert!(places.peek().is_some(), "{name} is nowhere");
        for place in places {
            assert!(mentions(&root().join(place), &name.replace('-', "_")), "{place} does not use {name}");
        }
    }
}

fn mentions(path: &Path, word: &str) -> bool {
    if path.is_dir() {
        fs::read_dir(path).unwrap().any(|entry| mentions(&entry.unwrap().path(), word))
    } else {
        fs::read_to_string(path).unwrap().contains(word)
    }
}

#[test]
fn links_inside_a_page_lead_to_a_heading() {
    for page in Page::all() {
        let is_kept = |c: &char| c.is_alphanumeric() || [' ', '-', '_'].contains(c);
        let anchor = |heading: &str| -> String {
            let text = heading.trim_start_matches('#').trim().to_lowercase();
            text.chars().filter(is_kept).collect::<String>().replace(' ', "-")
        };
        let anchors: Vec<_> = page.headings().map(anchor).collect();
        for target in page.text.iter().flat_map(|line| links(line)).filter_map(|link| link.strip_prefix('#'))
        {
            assert!(anchors.contains(&target.to_owned()), "{}: no heading for #{target}", page.name);
        }
    }
}

#[test]
fn both_languages_say_the_same() {
    for (one, other) in PAIRS {
        let [one, other] = [one, other].map(Page::read);
        let [ours, theirs] = [&one, &other].map(Page::skeleton);
        for (number, (left, right)) in ours.iter().zip(&theirs).enumerate() {
            let before = &ours[number.saturating_sub(3)..number];
            assert_eq!(left, right, "{} and {} differ after {before:?}", one.name, other.name);
        }
        assert_eq!(ours.len(), theirs.len(), "{} and {}", one.name, other.name);
    }
}
