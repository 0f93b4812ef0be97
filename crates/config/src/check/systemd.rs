//! `type = "systemd"`: a unit of systemd is active.

use super::{Aim, Kind};
use crate::context::quote;
use crate::section::{About, Absent, Field, Key, Section};

/// A unit of systemd.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Unit {
    /// Its name, such as `nginx.service`.
    pub unit: String,
}

pub(crate) const KEYS: &[About] = &[UNIT.about];

const UNIT: Key<String> = Key {
    about: About {
        name: "unit",
        kind: "the name of a unit",
        absent: Absent::Required,
        doc: "Unit of systemd, such as `\"nginx.service\"`; without a suffix it is a service.",
    },
    read: unit,
};

pub(super) fn read(section: &mut Section<'_, '_>) -> Option<Aim> {
    let unit = section.get(&UNIT)?;
    Some(Box::new(move |_, _| Some(Kind::Unit(Unit { unit: unit.clone() }))))
}

/// A name that `unit_name_is_valid` of systemd takes, with the suffix of a service if it has none.
fn unit(field: &mut Field<'_, '_>) -> Option<String> {
    const SUFFIXES: [&str; 11] = [
        ".service",
        ".socket",
        ".target",
        ".device",
        ".mount",
        ".automount",
        ".swap",
        ".timer",
        ".path",
        ".slice",
        ".scope",
    ];
    const NAME_MAX: usize = 255;
    let text = field.text()?;
    let stem = SUFFIXES.iter().find_map(|suffix| text.strip_suffix(suffix));
    let name = if stem.is_some() { text.to_owned() } else { format!("{text}.service") };
    let stem = stem.unwrap_or(text);
    let valid = |c: char| c.is_ascii_alphanumeric() || ":_.\\@-".contains(c);
    if stem.is_empty() || stem.starts_with('@') || name.len() > NAME_MAX || !stem.chars().all(valid) {
        field.wrong(&quote(text), "letters, digits, \":\", \"_\", \".\", \"@\", \"\\\" and \"-\"");
        return None;
    }
    if stem.ends_with('@') {
        field.fault(&format!("has {}, a template", quote(text)), "write the instance after the \"@\"");
        return None;
    }
    Some(name)
}

pub(super) fn target(check: &Unit) -> String {
    check.unit.clone()
}

#[cfg(test)]
mod tests {
    use crate::testing::{check, faults};

    fn text(unit: &str) -> String {
        format!("[check.a]\ntype = \"systemd\"\nunit = '{unit}'")
    }

    #[test]
    fn a_unit_is_a_service_unless_it_says_otherwise() {
        for (unit, expected) in [
            ("nginx", "nginx.service"),
            ("php8.3-fpm", "php8.3-fpm.service"),
            ("nginx.service", "nginx.service"),
            ("sshd.socket", "sshd.socket"),
            ("postgresql@16-main", "postgresql@16-main.service"),
            (r"srv-data\x2d1.mount", r"srv-data\x2d1.mount"),
        ] {
            assert_eq!(check(&text(unit), "a").kind.target(), expected);
        }
    }

    #[test]
    fn refuses_what_is_no_unit() {
        for unit in ["", ".service", "a b", "/a", "@a", "é", &"a".repeat(248)] {
            assert!(faults(&text(unit)).contains("must be the name of a unit, not"), "{unit}");
        }
        assert_eq!(
            faults(&text("getty@.service")),
            "vipkit.toml:3:8: \"unit\" in [check.a] has \"getty@.service\", a template; \
             write the instance after the \"@\""
        );
    }
}
