//! The keys of `auth_hmac` as files: vipkit.toml is read by many, so it names where each key is. Writes nothing.

use super::Named;
use super::authentication::Authentication;
use super::hmac::{Kept, Key, Secret};
use super::note::Notes;
use super::vrrp::Instance;

/// Where the keys are on a node.
const FOLDER: &str = "/etc/vipkit/keys";

/// A key that stands in a keepalived.conf, as the file that holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFile {
    /// Its name.
    pub name: String,
    /// What is in it.
    pub secret: Secret,
}

/// The name of the file of a key.
fn name(instance: &str, key: &Key) -> String {
    format!("{instance}-{}.key", key.id)
}

/// Where vipkit.toml says that a key is.
#[must_use]
pub fn path(instance: &str, key: &Key) -> String {
    match &key.kept {
        Kept::File(path) if path.starts_with('/') => path.clone(),
        _ => format!("{FOLDER}/{}", name(instance, key)),
    }
}

/// The files that there have to be, and what is to be done about each.
pub fn files(instances: &[Named<Instance>], notes: &mut Notes) -> Vec<KeyFile> {
    let mut files = Vec::new();
    for Named { name: instance, item } in instances {
        let Authentication::Hmac(hmac) = &item.authentication else { continue };
        for key in &hmac.keys {
            let path = path(instance, key);
            let what = match &key.kept {
                Kept::Here(secret) => {
                    let file = KeyFile { name: name(instance, key), secret: secret.clone() };
                    let what = format!(
                        "key {} stays out of vipkit.toml, which names {path}: `vipctl import --out FOLDER` writes it to \
                         FOLDER/NODE.keys/{}; install that there with mode 0640 and group vipkit",
                        key.id, file.name
                    );
                    files.push(file);
                    what
                }
                Kept::File(file) if *file == path => {
                    format!(
                        "key {} is read from {path}: group vipkit must be able to, others must not",
                        key.id
                    )
                }
                Kept::File(file) => format!("key {} is expected at {path}: copy {file} there", key.id),
            };
            notes.say(&key.at, what);
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::import::import;
    use crate::import::include::File;
    use crate::import::include::tests::NoFiles;

    /// A key where something else belongs.
    const MISPLACED: &[&str] = &[
        "KEY",
        "KEY 1",
        "keys 1 KEY",
        "key 1 {\n1 KEY\n}",
        "key 1\nKEY",
        "active_key KEY",
        "active_key 1 KEY",
        "mode KEY",
        "anti_replay KEY",
        "time_window 5 KEY",
        "time_window KEY",
    ];

    #[test]
    fn a_key_in_the_wrong_place_is_not_shown() {
        let key = "Q".repeat(40);
        for lines in MISPLACED {
            let text = format!(
                "vrrp_instance a {{\ninterface eth0\nvirtual_router_id 1\nauth_hmac {{\n{}\n}}\n\
                 virtual_ipaddress {{\n192.0.2.1/24\n}}\n}}\n",
                lines.replace("KEY", &key)
            );
            let shown = match import(&File { path: "x.conf".into(), text }, &NoFiles, false) {
                Ok(imported) => format!("{imported:?}"),
                Err(refusal) => format!("{refusal:?}"),
            };
            assert!(!shown.contains(&key), "{lines}: {shown}");
            assert!(shown.contains("x.conf"), "{shown}");
        }
    }

    proptest! {
        #[test]
        fn no_key_is_shown_whether_it_is_good_or_not(key in "[0-9A-Zf]{9,80}", lines in "[a-z \n]{0,20}") {
            let text = format!(
                "vrrp_instance a {{\ninterface eth0\nvirtual_router_id 1\nauth_hmac {{\n{lines}\nkey 1 {key}\n\
                 key 1 {key}\nkey 2 {key} {key}\nkey {key}\nkey 3 hex:{key}\nactive_key 1\n}}\n\
                 virtual_ipaddress {{\n192.0.2.1/24\n}}\n}}\n"
            );
            let shown = match import(&File { path: "x.conf".into(), text }, &NoFiles, false) {
                Ok(imported) => {
                    let fits = (32..=64).contains(&key.len());
                    let files: Vec<_> =
                        imported.keys.iter().filter(|file| file.secret.reveal() == key).collect();
                    prop_assert_eq!(files.len(), usize::from(fits));
                    format!("{imported:?}")
                }
                Err(refusal) => refusal.to_string(),
            };
            prop_assert!(!shown.contains(&key), "{}", shown);
        }
    }
}
