//! `[node]`: this machine.

use crate::context::quote;
use crate::section::{About, Absent, Field, Key};

/// This machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Its name in status, 1-64 printable characters; the daemons use the host name if it is none.
    pub name: Option<String>,
}

pub(crate) const KEYS: &[About] = &[NAME.about];

const NAME: Key<String> = Key {
    about: About {
        name: "name",
        kind: "a string of 1 to 64 printable characters",
        absent: Absent::None("the host name"),
        doc: "Name of this machine in status (`router_id` of keepalived).",
    },
    read: name,
};

pub(crate) fn read(field: &mut Field<'_, '_>) -> Option<Node> {
    let mut section = field.section(KEYS)?;
    let name = section.get(&NAME);
    section.finish();
    Some(Node { name })
}

fn name(field: &mut Field<'_, '_>) -> Option<String> {
    let text = field.text()?;
    if (1..=64).contains(&text.chars().count()) && !text.contains(char::is_control) {
        return Some(text.to_owned());
    }
    field.wrong(&quote(text), "leave it out to use the host name");
    None
}

#[cfg(test)]
mod tests {
    use crate::testing::{config, faults};

    #[test]
    fn the_name_is_the_host_name_unless_given() {
        assert_eq!(config("").node.name, None);
        assert_eq!(config("[node]\nname = \"lvs1\"").node.name.as_deref(), Some("lvs1"));
    }

    #[test]
    fn refuses_a_name_that_cannot_be_shown() {
        let hint = "leave it out to use the host name";
        for (name, shown) in
            [("", "\"\""), ("a\\nb", "\"a\\nb\""), (&"x".repeat(65), &format!("\"{}\"...", "x".repeat(64)))]
        {
            assert_eq!(
                faults(&format!("[node]\nname = \"{name}\"")),
                format!(
                    "vipkit.toml:2:8: \"name\" in [node] must be a string of 1 to 64 printable characters, \
                     not {shown}; {hint}"
                )
            );
        }
    }
}
