//! What the tests of this crate share: a valid instance and a valid service to change one line of, and faults
//! as text.

use crate::check::Check;
use crate::checked::Checked;
use crate::config::{Config, parse};
use crate::instance::Instance;
use crate::service::Service;
use crate::source::Source;

const WEB: &str = "[vrrp.web]
interface = \"eth0\"
virtual_router_id = 51
addresses = [\"192.0.2.80/24\"]
";

const SERVICE: &str = "[[service]]
name = \"web\"
address = \"192.0.2.80:80\"
forward = \"dr\"
server = [{ address = \"192.0.2.81:80\" }]
";

pub fn sources(texts: &[&str]) -> Vec<Source> {
    let name = |number| if number == 0 { "vipkit.toml".into() } else { format!("conf.d/{number}.toml") };
    let source = |(number, text): (usize, &&str)| Source { name: name(number), text: (*text).into() };
    texts.iter().enumerate().map(source).collect()
}

pub fn config(text: &str) -> Config {
    parse(&sources(&[text])).unwrap_or_else(|faults| panic!("{faults}\nin\n{text}"))
}

/// The faults of one file, one a line.
pub fn faults(text: &str) -> String {
    faults_of(&[text])
}

/// The faults of vipkit.toml and conf.d/1.toml, conf.d/2.toml ...
pub fn faults_of(texts: &[&str]) -> String {
    match parse(&sources(texts)) {
        Ok(_) => panic!("no fault in\n{texts:?}"),
        Err(faults) => faults.to_string(),
    }
}

/// A valid instance, `[vrrp.web]`, with one of its lines changed, or one added as line 5 and following.
pub fn web(line: &str) -> String {
    with(WEB, line)
}

/// A valid service, `web`, with one of its lines changed, or one added as line 6 and following.
pub fn service(line: &str) -> String {
    with(SERVICE, line)
}

/// The service of a file that names one, `web`.
pub fn the_service(text: &str) -> Service {
    config(text).services.remove("web").expect("a service web")
}

/// What has this name.
pub fn checked(text: &str, name: &str) -> Checked {
    config(text).checks.remove(name).expect("a check")
}

/// The check of this name, which is made of one.
pub fn check(text: &str, name: &str) -> Check {
    let [part] = checked(text, name).parts.try_into().expect("one part");
    part.check
}

/// The warnings of a valid file, one a line.
pub fn warnings(text: &str) -> String {
    config(text).warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Each of `(line, faults)`, the line in a valid service.
pub fn assert_service_refused(rows: &[(&str, &str)]) {
    for (line, expected) in rows {
        assert_eq!(faults(&service(line)), *expected, "for {line}");
    }
}

fn with(text: &str, line: &str) -> String {
    let key = |line: &str| line.split('=').next().map(|key| key.trim().to_owned());
    let mut lines: Vec<_> = text.lines().collect();
    match lines.iter_mut().find(|other| key(other) == key(line)) {
        Some(other) => *other = line,
        None => lines.push(line),
    }
    lines.join("\n")
}

/// The instance of a file that names one, `[vrrp.web]`.
pub fn instance(text: &str) -> Instance {
    config(text).vrrp.remove("web").expect("an instance web")
}

/// Each of `(line, faults)`, the line in a valid instance.
pub fn assert_refused(rows: &[(&str, &str)]) {
    for (line, expected) in rows {
        assert_eq!(faults(&web(line)), *expected, "for {line}");
    }
}
