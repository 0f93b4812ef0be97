//! `vipctl introspect`: the program behind a socket, and the text of its interfaces.

use serde::Serialize;
use vipkit_control::service::Info;

use super::text::{Style, Text, plain};

/// The text of an interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its `.varlink` file.
    pub description: String,
}

/// As text; without `info` only the interfaces.
#[must_use]
pub fn introspect(info: Option<&Info>, interfaces: &[Interface], style: Style) -> String {
    let mut text = Text::new(style);
    if let Some(Info { vendor, product, version, url, interfaces }) = info {
        let facts = [
            ("vendor", vendor.clone()),
            ("product", product.clone()),
            ("version", version.clone()),
            ("url", url.clone()),
            ("interfaces", interfaces.join(" ")),
        ];
        for (label, words) in facts {
            text.entry(plain(label), plain(words), 0, 12);
        }
    }
    for (number, Interface { description, .. }) in interfaces.iter().enumerate() {
        if number > 0 || info.is_some() {
            text.end();
        }
        for line in description.lines() {
            text.say(&line.replace('\t', "    ")).end();
        }
    }
    text.finish()
}

/// As JSON.
#[must_use]
pub fn json<'a>(info: Option<&'a Info>, interfaces: &'a [Interface]) -> impl Serialize + 'a {
    #[derive(Serialize)]
    struct All<'a> {
        #[serde(skip_serializing_if = "Option::is_none")]
        info: Option<&'a Info>,
        interfaces: &'a [Interface],
    }
    All { info, interfaces }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_comes_first_and_the_texts_keep_their_lines() {
        let info = Info {
            vendor: "vipkit".to_owned(),
            product: "vrrpd".to_owned(),
            version: "0.1.0".to_owned(),
            url: "https://example.org".to_owned(),
            interfaces: vec!["a.B".to_owned(), "c.D".to_owned()],
        };
        let one = Interface {
            name: "a.B".to_owned(),
            description: "interface a.B\n\n\tmethod\x1b[2J C()".to_owned(),
        };
        let texts = "interface a.B\n\n    method\u{fffd}[2J C()\n";
        let head = "\
vendor      vipkit
product     vrrpd
version     0.1.0
url         https://example.org
interfaces  a.B c.D
";
        let interfaces = [one];
        assert_eq!(introspect(Some(&info), &interfaces, Style::Plain), format!("{head}\n{texts}"));
        assert_eq!(introspect(None, &interfaces, Style::Plain), texts);
        let both = [interfaces[0].clone(), interfaces[0].clone()];
        assert_eq!(introspect(None, &both, Style::Plain), format!("{texts}\n{texts}"));
    }
}
