//! The texts of the files that `--persist` writes: a sysctl.d(5) file, and a systemd.service(5) that adds the VIPs.
//! Pure; the VIPs of a unit are read back from it, so that they stand in one place.

use super::setting::{ALL, DEFAULT, Settings};
use super::{VIPS_MAX, Vips, vip, words};

/// What our files begin with; others are not touched.
pub const MARK: &str =
    "# Written by `vipctl realserver add --persist`; `vipctl realserver remove` takes it away.\n";

/// Name of the unit.
pub const UNIT: &str = "vipkit-realserver.service";

/// Between the program and the VIPs of a unit.
const ADD: &str = " realserver add ";

/// The settings of interfaces that are yet to come; those that are there are the unit's.
#[must_use]
pub fn sysctl(settings: &Settings) -> String {
    let kept = settings.iter().filter(|(setting, _)| [ALL, DEFAULT].contains(&setting.interface.as_str()));
    let lines = kept.map(|(setting, value)| format!("{setting} = {value}\n"));
    format!("{MARK}{}", lines.collect::<String>())
}

/// The unit. It runs before any interface is configured, so that nobody can ask for a VIP before ARP is quiet. Without
/// systemd's default dependencies: they would have it wait for what on some systems waits for the network.
#[must_use]
pub fn unit(program: &str, state_dir: Option<&str>, vips: &Vips) -> String {
    let environment = state_dir.map(|folder| format!("Environment=VIPKIT_STATE_DIR={folder}\n"));
    format!(
        "{MARK}\
         [Unit]\n\
         Description=VIPs of an LVS-DR real server\n\
         Documentation=man:vipctl(8)\n\
         DefaultDependencies=no\n\
         Wants=network-pre.target\n\
         After=local-fs.target systemd-sysctl.service\n\
         Before=network-pre.target network.target shutdown.target\n\
         Conflicts=shutdown.target\n\
         \n\
         [Service]\n\
         Type=oneshot\n\
         RemainAfterExit=yes\n\
         {}ExecStart={program}{ADD}{}\n\
         \n\
         [Install]\n\
         WantedBy=multi-user.target\n",
        environment.unwrap_or_default(),
        words(vips)
    )
}

/// The VIPs of a unit; `None` if it is not ours.
#[must_use]
pub fn vips(unit: &str) -> Option<Vips> {
    let lines = unit.strip_prefix(MARK)?.lines();
    let added = lines.filter_map(|line| line.strip_prefix("ExecStart=")?.split_once(ADD));
    Some(
        added
            .flat_map(|(_, vips)| vips.split_whitespace())
            .filter_map(|word| vip(word).ok())
            .take(VIPS_MAX)
            .collect(),
    )
}

/// Whether systemd takes a word as it is, without quotes.
#[must_use]
pub fn is_plain(word: &str) -> bool {
    word.chars().all(|c| c.is_alphanumeric() || "/._-+@:,".contains(c))
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::prelude::*;

    use super::super::is_vip;
    use super::super::setting::{Name, Setting};
    use super::*;

    #[test]
    fn the_sysctl_file_is_of_no_interface() {
        let settings = ["all", "default", "eth0"]
            .into_iter()
            .flat_map(|interface| Name::EACH.map(|name| (Setting::new(interface, name), name.wanted())))
            .collect();
        let expected = "\
net.ipv4.conf.all.arp_ignore = 1
net.ipv4.conf.all.arp_announce = 2
net.ipv4.conf.default.arp_ignore = 1
net.ipv4.conf.default.arp_announce = 2
";
        assert_eq!(sysctl(&settings), format!("{MARK}{expected}"));
    }

    #[test]
    fn the_unit_adds_the_vips() {
        let vips = ["192.168.4.15", "fd00::15"].map(|vip| vip.parse().unwrap()).into();
        let text = unit("/usr/bin/vipctl", Some("/tmp/s"), &vips);
        let lines = "Environment=VIPKIT_STATE_DIR=/tmp/s\n\
                     ExecStart=/usr/bin/vipctl realserver add 192.168.4.15 fd00::15\n";
        assert!(text.contains(lines), "{text}");
        assert!(!unit("/usr/bin/vipctl", None, &vips).contains("Environment"));
    }

    #[test]
    fn the_unit_of_somebody_else_has_no_vips_of_ours() {
        assert_eq!(vips("[Service]\nExecStart=/usr/bin/vipctl realserver add 10.0.0.1\n"), None);
    }

    #[test]
    fn what_systemd_would_read_otherwise_is_not_plain() {
        assert!(is_plain("/usr/local/bin/vipctl"));
        for word in ["/a b", "/a%b", "/a$b", "/a\"b", "/a\\b", "/a\nb", "/a;b"] {
            assert!(!is_plain(word), "{word}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text: String) {
            let _ = vips(&text);
            let _ = vips(&format!("{MARK}{text}"));
        }

        #[test]
        fn the_vips_are_read_back(addresses: Vec<IpAddr>) {
            let all: Vips = addresses.into_iter().filter(|address| is_vip(*address)).collect();
            prop_assert_eq!(vips(&unit("/x", None, &all)), Some(all));
        }
    }
}
