//! `vipctl check`: a configuration with its faults, each on a line as compilers write them.

use std::fmt;
use std::path::Path;

use serde::Serialize;
use vipkit_config::{Config, Faults};
use vipkit_control::common::Fault;

use super::notice::INDENT;
use super::text::{Places, Style, Text, Tone, plain};

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// The file.
    pub file: String,
    /// It is good: there are no faults.
    pub good: bool,
    /// What there is, if it is good.
    #[serde(flatten)]
    pub contents: Option<Contents>,
    /// Of the configuration, if it is good.
    pub digest: Option<String>,
    /// All of them; line and column 0 are the file as a whole.
    pub faults: Vec<Fault>,
    /// What is allowed, but hardly meant.
    pub warnings: Vec<Fault>,
}

/// How much a configuration has of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Contents {
    /// VRRP instances.
    pub instances: usize,
    /// Services.
    pub services: usize,
    /// Checks, those of servers included.
    pub checks: usize,
}

impl Contents {
    fn of(config: &Config) -> Self {
        Self { instances: config.vrrp.len(), services: config.services.len(), checks: config.checks.len() }
    }
}

impl fmt::Display for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { instances, services, checks } = *self;
        let all = [count(instances, "instance"), count(services, "service"), count(checks, "check")];
        f.write_str(&all.join(", "))
    }
}

impl Checked {
    /// Of a file that was loaded, or not.
    #[must_use]
    pub fn new(file: &Path, loaded: &Result<Config, Faults>) -> Self {
        let config = loaded.as_ref().ok();
        Self {
            file: file.display().to_string(),
            good: config.is_some(),
            contents: config.map(Contents::of),
            digest: config.map(|config| config.digest.to_string()),
            faults: loaded.as_ref().err().into_iter().flatten().map(fault).collect(),
            warnings: config.into_iter().flat_map(|config| &config.warnings).map(fault).collect(),
        }
    }
}

fn fault(fault: &vipkit_config::Fault) -> Fault {
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let position = fault.place.position;
    Fault {
        file: fault.place.file.clone(),
        line: position.map_or(0, |position| number(position.line)),
        column: position.map_or(0, |position| number(position.column)),
        what: fault.what.clone(),
        hint: fault.hint.clone().unwrap_or_default(),
    }
}

/// As text.
#[must_use]
pub fn check(checked: &Checked, places: Places, style: Style) -> String {
    let mut text = Text::new(style);
    let Checked { file, contents, digest, faults, warnings, .. } = checked;
    checked_lines(&mut text, checked, places);
    let (tone, verdict) = match digest {
        Some(digest) => (Tone::Good, format!("good, digest {digest}")),
        None => (Tone::Bad, count(faults.len(), "fault")),
    };
    text.say(file).say(": ").put(tone, &verdict);
    if !warnings.is_empty() {
        text.say(", ").put(Tone::Odd, &count(warnings.len(), "warning"));
    }
    text.end();
    if let Some(contents) = contents {
        text.below(&contents.to_string(), INDENT);
    }
    text.finish()
}

/// The lines of warnings and faults.
pub fn checked_lines(text: &mut Text, Checked { faults, warnings, .. }: &Checked, places: Places) {
    lines(text, (Tone::Odd, "warning: "), warnings, places);
    lines(text, (Tone::Bad, ""), faults, places);
}

/// A line for each: `file:line:column: what; hint`.
pub fn lines(text: &mut Text, (tone, label): (Tone, &str), faults: &[Fault], places: Places) {
    for Fault { file, line, column, what, hint } in faults {
        let at = if *line > 0 { format!("{file}:{line}:{column}: ") } else { format!("{file}: ") };
        let hint = if hint.is_empty() { String::new() } else { format!("; {hint}") };
        text.place(&[plain(at), (tone, label.to_owned()), plain(format!("{what}{hint}"))], places);
    }
}

/// A number and a noun that goes with it.
#[must_use]
pub fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use vipkit_config::{Source, parse};

    use super::*;

    const GOOD: &str =
        "[vrrp.web]\ninterface = \"eth0\"\nvirtual_router_id = 51\naddresses = [\"192.168.4.80/24\"]\n";

    fn checked(text: &str) -> Checked {
        let source = Source { name: "vipkit.toml".to_owned(), text: text.to_owned() };
        Checked::new(Path::new("vipkit.toml"), &parse(&[source]))
    }

    #[test]
    fn a_good_file_has_contents_and_a_digest() {
        let checked = checked(GOOD);
        let digest = checked.digest.clone().unwrap();
        assert!(checked.good);
        assert_eq!(
            check(&checked, Places::Whole, Style::Plain),
            format!("vipkit.toml: good, digest {digest}\n  1 instance, 0 services, 0 checks\n")
        );
    }

    #[test]
    fn services_and_checks_are_counted() {
        let service = "[[service]]\nname = \"web\"\naddress = \"192.168.4.15:80\"\nscheduler = \"wrr\"\nforward = \"dr\"\n\
                       check = { type = \"tcp\" }\n\
                       server = [{ address = \"192.168.4.100:80\" }, { address = \"192.168.4.200:80\" }]\n";
        let checked = checked(&[GOOD, service].concat());
        assert_eq!(checked.faults, []);
        assert_eq!(checked.contents.unwrap().to_string(), "1 instance, 1 service, 2 checks");
    }

    #[test]
    fn all_faults_are_shown_and_counted() {
        let checked = checked("[vrrp.web]\nprioriy = 1\nvirtual_router_id = 0\n");
        let text = check(&checked, Places::Whole, Style::Plain);
        assert!(text.starts_with("vipkit.toml:1:"), "{text}");
        assert!(
            text.contains(
                "\nvipkit.toml:2:1: unknown key \"prioriy\" in [vrrp.web]; did you mean \"priority\"?\n"
            ),
            "{text}"
        );
        let faults = checked.faults.len();
        assert_eq!(text.lines().count(), faults + 1);
        assert!(text.ends_with(&format!("\nvipkit.toml: {faults} faults\n")), "{text}");
        assert_eq!((checked.good, checked.digest), (false, None));
    }

    #[test]
    fn a_fault_of_the_whole_file_has_no_line_and_a_warning_is_no_fault() {
        let fault = |what: &str| Fault {
            file: "a".to_owned(),
            line: 0,
            column: 0,
            what: what.to_owned(),
            hint: String::new(),
        };
        let checked = Checked { warnings: vec![fault("odd")], ..checked(GOOD) };
        let text = check(&checked, Places::Whole, Style::Plain);
        assert!(
            text.starts_with("a: warning: odd\nvipkit.toml: good, ")
                && text.contains(", 1 warning\n  1 instance"),
            "{text}"
        );
    }
}
