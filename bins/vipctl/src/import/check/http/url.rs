//! `url` of an `HTTP_GET` or `SSL_GET`: a request, and what must be answered.

use crate::import::block::{Done, Keyword, flag, lost, value, values};
use crate::import::note::{Notes, Place};
use crate::import::said::Said;
use crate::import::toml::value::{Keys, Value};

/// A `url`.
#[derive(Debug)]
pub(super) struct Url {
    at: Place,
    path: String,
    status: Vec<Value>,
    pub(super) virtualhost: Option<String>,
    regex: Option<(String, Place)>,
    no_match: bool,
    /// What stands before a regular expression instead of `regex_options`.
    flags: String,
}

const DIGEST: &str = "MD5 is nothing that vipkit compares: THE ANSWER IS CHECKED WITHOUT IT; body_sha256 is nearest, with \
                      what `curl -s URL | sha256sum` says";
const REGEX: &str =
    "vipkit looks at the first part of the body, and by itself bounds the work of an expression";

pub(super) const KEYWORDS: &[Keyword<Url>] = &[
    value(&["path"], |url, said, _| {
        said.value().clone_into(&mut url.path);
        Ok(())
    }),
    lost(&["digest"], DIGEST),
    values(&["status_code"], status),
    value(&["virtualhost"], |url, said, _| {
        url.virtualhost = Some(said.value().to_owned());
        Ok(())
    }),
    value(&["regex"], |url, said, _| {
        url.regex = Some((said.value().to_owned(), said.at.clone()));
        Ok(())
    }),
    flag(&["regex_no_match"], |url, _, _| {
        url.no_match = true;
        Ok(())
    }),
    values(&["regex_options"], options),
    values(&["regex_min_offset", "regex_max_offset", "regex_stack"], |_, said, notes| {
        notes.say(&said.at, format!("{} is not carried over: {REGEX}", said.name));
        Ok(())
    }),
    flag(&["tls_compliant"], |_, _, _| Ok(())),
];

fn status(url: &mut Url, said: &Said, notes: &mut Notes) -> Done {
    for word in &said.values {
        let (from, to) = word.split_once('-').unwrap_or((word, word));
        let [from, to] = [from, to].map(|code| code.parse().ok().filter(|code| (100..=599).contains(code)));
        match (from, to) {
            (Some(from), Some(to)) if from == to => url.status.push(Value::Whole(from)),
            (Some(from), Some(to)) if from < to => url.status.push(Value::Text(format!("{from}-{to}"))),
            _ => notes.say(&said.at, format!("status_code {word} is none: keepalived ignores it")),
        }
    }
    Ok(())
}

fn options(url: &mut Url, said: &Said, notes: &mut Notes) -> Done {
    const FLAGS: &[(&str, char)] =
        &[("caseless", 'i'), ("dotall", 's'), ("multiline", 'm'), ("extended", 'x'), ("ungreedy", 'U')];
    for word in said.values.iter().flat_map(|value| value.split_ascii_whitespace()) {
        match FLAGS.iter().find(|(name, _)| *name == word) {
            Some((_, flag)) => url.flags.push(*flag),
            None => notes.say(&said.at, format!("regex_options {word} is not carried over: vipkit has none")),
        }
    }
    Ok(())
}

impl Url {
    pub(super) fn begin(at: &Place) -> Self {
        Self {
            at: at.clone(),
            path: String::new(),
            status: Vec::new(),
            virtualhost: None,
            regex: None,
            no_match: false,
            flags: String::new(),
        }
    }

    /// None if keepalived ignores it; what must not be in a body can be said of plain text only.
    pub(super) fn whole(mut self, notes: &mut Notes) -> Option<Self> {
        if self.path.is_empty() {
            notes.say(&self.at, "a url without a path: keepalived ignores it");
            return None;
        }
        let lost = self.regex.take_if(|(regex, _)| {
            self.no_match && !(is_plain(regex) && self.flags.is_empty()) || regex.is_empty()
        });
        if let Some((_, at)) = lost {
            let now = "regex_no_match is not carried over: vipkit has body_lacks, for plain text; THE ANSWER IS \
                       CHECKED WITHOUT IT";
            notes.say(&at, now);
        }
        Some(self)
    }

    /// The keys of its request, to this host unless it names one.
    pub(super) fn keys(&self, host: Option<&str>) -> Keys {
        let mut keys: Keys = vec![("path", self.path.as_str().into())];
        keys.extend(self.virtualhost.as_deref().or(host).map(|host| ("host", host.into())));
        let default = || vec!["200-299".into()];
        keys.push((
            "status",
            Value::List(if self.status.is_empty() { default() } else { self.status.clone() }),
        ));
        if let Some((regex, _)) = &self.regex {
            keys.push(if self.no_match {
                ("body_lacks", regex.as_str().into())
            } else if self.flags.is_empty() {
                ("body_matches", regex.as_str().into())
            } else {
                ("body_matches", format!("(?{}){regex}", self.flags).into())
            });
        }
        keys
    }
}

/// It matches itself and nothing else.
fn is_plain(regex: &str) -> bool {
    !regex.contains(['\\', '.', '+', '*', '?', '(', ')', '|', '[', ']', '{', '}', '^', '$'])
}
