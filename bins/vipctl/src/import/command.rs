//! What a script line asks: whether a process or a unit is there, which vipkit looks at by itself, or something that the
//! script alone knows. Runs nothing.

use super::check::Check;
use super::note::Notes;
use super::said::Said;
use super::shell::Line;
use super::toml::value::Value;

/// What the exit code of a script means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0 is up, all else is down.
    Simple,
    /// 2 to 255 is up with a weight, besides.
    Keepalived,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Asked {
    /// Whether there is a process of this name.
    Process(String),
    /// Whether there is one with this in its name.
    Like(String),
    /// Whether there is the process whose number is in this file.
    PidFile(String),
    /// Whether this unit is active.
    Unit(String),
    /// What `pgrep` says, whose privileges do not matter.
    Search(Vec<String>),
}

const SHELL: &str = "keepalived runs no shell since 2.0: there the first command alone decides, with all other words as its \
                     arguments; vipkit runs";
const SIGNALS: &str = "; NOR MAY IT SIGNAL THE PROCESSES OF OTHERS, NOT EVEN WITH 0: IT WOULD BE DOWN ALWAYS: use type = \
                       \"process\"";

/// Makes a check what the line of a script asks; `user` is whom keepalived runs it as, if that is said.
pub fn ask(said: &Said, exit: Exit, user: Option<&str>, check: &mut Check, notes: &mut Notes) {
    let text = text(&said.values);
    let line = Line::cut(&text);
    let shell = line.expands || line.words().is_none();
    let asked = asked(&line, 0);
    if let Some(asked) = &asked {
        let instead = match asked {
            Asked::Process(name) => format!("a look for the process {name}"),
            Asked::Like(name) => {
                format!("a look for the process {name}, by its whole name, not by a part of it")
            }
            Asked::PidFile(path) => format!("a look at the process of {path}"),
            Asked::Unit(unit) => format!("a look at the unit {unit}"),
            Asked::Search(words) => format!("`{}`", words.join(" ")),
        };
        let shell = if shell { format!("; {SHELL} what was meant") } else { String::new() };
        let now =
            format!("`{text}` becomes {instead}: that takes no privileges, which vipkit has not{shell}");
        notes.say(&said.at, now);
    }
    match asked {
        Some(Asked::Process(name) | Asked::Like(name)) => check.is("process", vec![("name", name.into())]),
        Some(Asked::PidFile(path)) => check.is("process", vec![("pid_file", path.into())]),
        Some(Asked::Unit(unit)) => check.is("systemd", vec![("unit", unit.into())]),
        Some(Asked::Search(words)) => script(words, Exit::Simple, check),
        None => {
            let user = user.unwrap_or("root, or as keepalived_script if there is such a user,");
            let signals = if signals(&text) { SIGNALS } else { "" };
            let now = format!(
                "`{text}` runs as {user} today, with vipkit as healthcheckd's own user without privileges: see that it \
                 still can{signals}; what needs more goes through sudo, or says what it found by `vipctl health set` to \
                 a check of type = \"external\""
            );
            notes.say(&said.at, now);
            let words = if shell {
                notes.say(&said.at, format!("`{text}` is of a shell: {SHELL} it by /bin/sh"));
                ["/bin/sh", "-c", &text].map(str::to_owned).to_vec()
            } else {
                argv(&line, said, notes)
            };
            script(words, exit, check);
        }
    }
}

fn script(words: Vec<String>, exit: Exit, check: &mut Check) {
    check.is("script", vec![("command", Value::List(words.into_iter().map(Value::Text).collect()))]);
    if exit == Exit::Keepalived {
        check.with("exit", "keepalived");
    }
}

/// The line as one text: what stood in quotes among other words is in quotes again.
fn text(values: &[String]) -> String {
    if let [only] = values {
        return only.clone();
    }
    let quoted = |value: &String| {
        let plain =
            !value.is_empty() && !value.contains(|c: char| c.is_whitespace() || "&|;<>$`\"".contains(c));
        if plain || value.contains('\'') { value.clone() } else { format!("'{value}'") }
    };
    values.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

/// The words of a line without a shell, with the path of its program.
fn argv(line: &Line, said: &Said, notes: &mut Notes) -> Vec<String> {
    let mut words: Vec<String> = line.words().unwrap_or_default().into_iter().map(str::to_owned).collect();
    let program = words.first().cloned().unwrap_or_default();
    if program.starts_with('/') {
        return words;
    }
    if program.contains('/') {
        // keepalived runs in the root folder.
        words.splice(..1, [format!("/{program}")]);
    } else {
        notes.say(
            &said.at,
            format!("{program} has no path, and is looked for when it runs: write its full path"),
        );
        words.insert(0, "/usr/bin/env".to_owned());
    }
    words
}

/// It ends in an attempt to signal somebody.
fn signals(text: &str) -> bool {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .any(|word| matches!(word, "kill" | "killall" | "pkill"))
}

/// What a line asks, if vipkit knows; a shell within a shell counts as far as people go.
fn asked(line: &Line, depth: usize) -> Option<Asked> {
    const DEPTH_MAX: usize = 3;
    let mut line = line.clone();
    line.simplify();
    let words = line.words()?;
    let mut words = words.as_slice();
    while let [first, rest @ ..] = words
        && ["sudo", "exec", "command", "-n"].contains(&base(first))
    {
        words = rest;
    }
    let (program, arguments) = words.split_first()?;
    match (base(program), arguments) {
        ("sh" | "bash" | "dash", ["-c", inner]) if depth < DEPTH_MAX => asked(&Line::cut(inner), depth + 1),
        _ if line.expands => pid_file(words),
        ("killall", _) => killall(arguments),
        ("pidof", _) => {
            let (flags, names) = flags(arguments, "sxqcz");
            let [name] = names else { return None };
            flags.then(|| Asked::Process(base(name).to_owned()))
        }
        ("pgrep", _) => Some(pgrep(arguments)),
        // What it finds with signal 0, pgrep finds without privileges.
        ("pkill", _) => without_signal(arguments).map(|rest| pgrep(&rest)),
        ("systemctl", _) => unit(arguments),
        _ => None,
    }
}

/// `kill -0 $(cat FILE)`, as people write it.
fn pid_file(words: &[&str]) -> Option<Asked> {
    let (program, arguments) = words.split_first()?;
    let (["-0", inner] | ["-s", "0", inner]) = arguments else { return None };
    if base(program) != "kill" {
        return None;
    }
    let inner = match inner.strip_prefix("$(") {
        Some(inner) => inner.strip_suffix(')')?,
        None => inner.strip_prefix('`')?.strip_suffix('`')?,
    };
    let path = inner.trim().strip_prefix("cat ").or_else(|| inner.trim().strip_prefix('<'))?.trim();
    let plain =
        path.starts_with('/') && !path.contains(|c: char| c.is_whitespace() || "'\"$`|;&<>*".contains(c));
    plain.then(|| Asked::PidFile(path.to_owned()))
}

fn killall(arguments: &[&str]) -> Option<Asked> {
    let rest = without_signal(arguments)?;
    let rest: Vec<&str> =
        rest.into_iter().filter(|word| !["--quiet", "--exact", "--verbose"].contains(word)).collect();
    let (flags, names) = flags(&rest, "qevw");
    match names {
        [name] => flags.then(|| Asked::Process(base(name).to_owned())),
        // All must be there.
        [_, _, ..] if flags && names.iter().all(|name| is_plain(name) && name.len() <= COMM_MAX) => {
            let each = names.iter().map(|name| format!("pgrep -x {name}")).collect::<Vec<_>>();
            Some(Asked::Search(["/bin/sh", "-c", &each.join(" && ")].map(str::to_owned).to_vec()))
        }
        _ => None,
    }
}

/// Bytes of a name that the kernel keeps, which is all that `pgrep` sees.
const COMM_MAX: usize = 15;

/// Letters that mean themselves, to a shell and as a regular expression (but for the dot).
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:@".contains(c))
}

/// `pgrep` of one name; what else it can look at is left to it.
fn pgrep(arguments: &[&str]) -> Asked {
    let words = || std::iter::once("/usr/bin/pgrep").chain(arguments.iter().copied()).map(str::to_owned);
    by_name(arguments).unwrap_or_else(|| Asked::Search(words().collect()))
}

fn by_name(arguments: &[&str]) -> Option<Asked> {
    let rest: Vec<&str> = arguments.iter().copied().filter(|word| *word != "--exact").collect();
    let (flags, names) = flags(&rest, "xlaco");
    let [pattern] = names else { return None };
    let whole = pattern.strip_prefix('^').and_then(|name| name.strip_suffix('$'));
    let name = whole.unwrap_or(pattern);
    let exact =
        arguments.iter().any(|word| *word == "--exact" || word.starts_with('-') && word.contains('x'));
    let asked = if exact || whole.is_some() { Asked::Process } else { Asked::Like };
    (flags && is_plain(name) && !name.contains('/')).then(|| asked(name.to_owned()))
}

fn unit(arguments: &[&str]) -> Option<Asked> {
    let quiet = ["-q", "--quiet", "--no-pager"];
    let words: Vec<&str> = arguments.iter().copied().filter(|word| !quiet.contains(word)).collect();
    let ["is-active" | "status", unit] = words.as_slice() else { return None };
    // As systemctl completes a name.
    let suffix = if unit.contains('.') { "" } else { ".service" };
    (!unit.starts_with('-') && !unit.contains(['*', '?', '[']))
        .then(|| Asked::Unit(format!("{unit}{suffix}")))
}

/// The arguments without signal 0; none if they name no such signal.
fn without_signal<'w>(arguments: &[&'w str]) -> Option<Vec<&'w str>> {
    let mut rest = Vec::new();
    let mut found = false;
    let mut words = arguments.iter().copied();
    while let Some(word) = words.next() {
        match word {
            "-0" | "-s0" | "--signal=0" => found = true,
            "-s" | "--signal" if !found => found = words.next()? == "0",
            _ => rest.push(word),
        }
    }
    found.then_some(rest)
}

/// Whether all that begin with `-` are among these letters, and the words after them.
fn flags<'a, 'w>(arguments: &'a [&'w str], known: &str) -> (bool, &'a [&'w str]) {
    let is_flag = |word: &&str| word.starts_with('-');
    let count = arguments.iter().take_while(|word| is_flag(word)).count();
    let (flags, names) = arguments.split_at(count);
    let fits =
        flags.iter().all(|flag| flag.len() > 1 && flag.chars().skip(1).all(|letter| known.contains(letter)));
    (fits && !names.iter().any(is_flag), names)
}

/// The last part of a path.
fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::import::note::Place;

    /// The kind and the keys of what a line becomes, and the notes.
    fn read(values: &[&str]) -> (String, String) {
        let second = Duration::from_secs(1);
        let (interval, timeout, retry_delay) = (second, second, second);
        let mut check = Check {
            kind: "",
            keys: Vec::new(),
            interval,
            timeout,
            retries: 0,
            retry_delay,
            rise: 1,
            fall: 1,
        };
        let said = Said {
            at: Place { file: "x".into(), line: 1 },
            name: "script".to_owned(),
            values: values.iter().map(|value| (*value).to_owned()).collect(),
            hidden: false,
        };
        let mut notes = Notes::new(false);
        ask(&said, Exit::Simple, None, &mut check, &mut notes);
        let notes: Vec<_> = notes.all.into_iter().map(|note| note.now).collect();
        (format!("{} {}", check.kind, Value::Table(check.keys)), notes.join("\n"))
    }

    #[test]
    fn a_look_for_a_process_needs_no_script() {
        for line in [
            "killall -0 nginx",
            "/usr/bin/killall -0 nginx",
            "/usr/bin/killall -q -s 0 /usr/sbin/nginx",
            "killall -0 nginx && exit 0 || exit 1",
            "killall --signal 0 nginx >/dev/null 2>&1",
            "sudo -n killall -0 nginx",
            "/bin/sh -c 'killall -0 nginx || exit 1'",
            "bash -c \"sh -c 'killall -0 nginx'\"",
            "pidof nginx",
            "/usr/sbin/pidof -x nginx; exit $?",
            "pgrep nginx",
            "pgrep -x \"nginx\"",
            "/usr/bin/pgrep ^nginx$",
            "pkill -0 nginx",
            "/usr/bin/pkill -0 -x nginx",
        ] {
            let (check, notes) = read(&[line]);
            assert_eq!(check, "process { name = \"nginx\" }", "{line}");
            assert!(notes.contains("becomes a look for the process nginx"), "{line}: {notes}");
        }
        assert_eq!(read(&["/bin/sh", "-c", "pidof nginx || exit 1"]).0, "process { name = \"nginx\" }");
        assert!(read(&["pgrep nginx"]).1.contains("not by a part of it"));
        assert!(!read(&["pgrep -x nginx"]).1.contains("not by a part of it"));
    }

    #[test]
    fn what_would_need_privileges_does_without() {
        for (line, expected) in [
            ("kill -0 $(cat /run/a.pid)", "process { pid_file = \"/run/a.pid\" }"),
            ("/bin/kill -0 `cat /run/a.pid` || exit 1", "process { pid_file = \"/run/a.pid\" }"),
            ("systemctl is-active nginx", "systemd { unit = \"nginx.service\" }"),
            ("/bin/systemctl -q is-active a.socket", "systemd { unit = \"a.socket\" }"),
            ("pkill -0 -f 'java -jar'", "script { command = [\"/usr/bin/pgrep\", \"-f\", \"java -jar\"] }"),
            ("killall -0 a b", "script { command = [\"/bin/sh\", \"-c\", \"pgrep -x a && pgrep -x b\"] }"),
        ] {
            assert_eq!(read(&[line]).0, expected, "{line}");
        }
    }

    #[test]
    fn other_lines_are_scripts() {
        for (line, command, note) in [
            ("/a/b c 'd e'", "\"/a/b\", \"c\", \"d e\"", "runs as root"),
            ("a b", "\"/usr/bin/env\", \"a\", \"b\"", "write its full path"),
            ("a/b", "\"/a/b\"", "runs as root"),
            ("/a | b", "\"/bin/sh\", \"-c\", \"/a | b\"", "is of a shell"),
            ("/a $(b)", "\"/bin/sh\", \"-c\", \"/a $(b)\"", "is of a shell"),
            ("/bin/sh -c 'a; b'", "\"/bin/sh\", \"-c\", \"a; b\"", "runs as root"),
            ("killall -9 a", "\"/usr/bin/env\", \"killall\", \"-9\", \"a\"", "IT WOULD BE DOWN ALWAYS"),
            ("killall -0 a || killall b", "\"/bin/sh\", \"-c\", \"killall -0 a || killall b\"", "ALWAYS"),
        ] {
            let (check, notes) = read(&[line]);
            assert_eq!(check, format!("script {{ command = [{command}] }}"), "{line}");
            assert!(notes.contains(note), "{line}: {notes}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_lines_never_panic(words in prop::collection::vec("[a-z$`'\"()&|;>0 /-]{0,12}", 1..4)) {
            let words: Vec<_> = words.iter().map(String::as_str).collect();
            let _ = read(&words);
        }
    }
}
