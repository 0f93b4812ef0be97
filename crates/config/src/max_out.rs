//! `max_out` of a service: how many of its servers checks may take out at once, a number or a percentage.

use crate::context::quote;
use crate::section::{Field, Section};
use crate::server::SERVERS_MAX;
use crate::source::At;
use crate::tree::Datum;

/// How many servers of a service checks may take out at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MaxOut {
    /// So many.
    Servers(u32),
    /// So many of a hundred, 0-100.
    Percent(u32),
}

impl MaxOut {
    /// How many of so many servers; a fraction of one does not count.
    #[must_use]
    pub const fn of(self, servers: usize) -> usize {
        match self {
            Self::Servers(number) => number as usize,
            Self::Percent(percent) => servers * percent as usize / 100,
        }
    }

    /// Warns of one that changes nothing, or lets checks change nothing.
    pub(crate) fn warn_idle(self, is_checked: bool, servers: usize, at: At, section: &mut Section<'_, '_>) {
        let allowed = self.of(servers);
        let (what, hint) = if !is_checked {
            ("without a \"check\" changes nothing".to_owned(), "write a check, or remove it")
        } else if allowed == 0 {
            (format!("lets checks take none of {servers} servers out"), "allow one at least")
        } else if allowed >= servers {
            (format!("lets checks take all of {servers} servers out"), "allow fewer, or remove it")
        } else {
            return;
        };
        section.warn(at, &format!("\"max_out\" {what}"), hint);
    }
}

pub(crate) fn read(field: &mut Field<'_, '_>) -> Option<MaxOut> {
    if matches!(field.value.datum, Datum::Integer(_)) {
        let most = u32::try_from(SERVERS_MAX).unwrap_or(u32::MAX);
        return field.count(0..=most, "a service has 256 servers at most").map(MaxOut::Servers);
    }
    let text = field.text()?;
    let percent = text
        .strip_suffix("%")
        .filter(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|number| number.parse().ok())
        .filter(|percent| *percent <= 100);
    if percent.is_none() {
        field.wrong(&quote(text), "write a number without quotes, or a percentage such as \"50%\"");
    }
    percent.map(MaxOut::Percent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_service_refused, service, the_service, warnings};

    #[test]
    fn is_a_number_or_a_percentage() {
        let max_out = |line: &str| the_service(&service(line)).max_out;
        assert_eq!(max_out(""), None);
        assert_eq!(max_out("max_out = 2"), Some(MaxOut::Servers(2)));
        assert_eq!(max_out("max_out = \"50%\""), Some(MaxOut::Percent(50)));
    }

    #[test]
    fn a_fraction_of_a_server_does_not_count() {
        assert_eq!([1, 2, 3, 4].map(|servers| MaxOut::Percent(50).of(servers)), [0, 1, 1, 2]);
        assert_eq!(MaxOut::Servers(2).of(1), 2);
    }

    #[test]
    fn refuses_what_is_neither() {
        let must = "\"max_out\" in [[service]] must be an integer from 0 to 256 or a percentage, not";
        let hint = "write a number without quotes, or a percentage such as \"50%\"";
        assert_service_refused(&[
            ("max_out = 257", &format!("vipkit.toml:6:11: {must} 257; a service has 256 servers at most")),
            ("max_out = \"101%\"", &format!("vipkit.toml:6:11: {must} \"101%\"; {hint}")),
            ("max_out = \"2\"", &format!("vipkit.toml:6:11: {must} \"2\"; {hint}")),
            ("max_out = \"+5%\"", &format!("vipkit.toml:6:11: {must} \"+5%\"; {hint}")),
        ]);
    }

    #[test]
    fn what_changes_nothing_is_a_warning() {
        let warned = |max_out: &str, servers: usize, check: &str| {
            let list: Vec<_> =
                (0..servers).map(|host| format!("{{ address = \"192.0.2.8{host}:80\" }}")).collect();
            warnings(
                &service(&format!("max_out = {max_out}\n{check}\nserver = [{}]", list.join(", ")))
                    .replace("server = [{ address = \"192.0.2.81:80\" }]\n", ""),
            )
        };
        let check = "check = { type = \"tcp\" }";
        let at = "vipkit.toml:5:11: \"max_out\"";
        assert_eq!(warned("1", 2, check), "");
        assert_eq!(
            warned("1", 2, ""),
            format!("{at} without a \"check\" changes nothing in [[service]]; write a check, or remove it")
        );
        assert_eq!(
            warned("\"10%\"", 3, check),
            format!("{at} lets checks take none of 3 servers out in [[service]]; allow one at least")
        );
        assert_eq!(
            warned("2", 2, check),
            format!("{at} lets checks take all of 2 servers out in [[service]]; allow fewer, or remove it")
        );
    }
}
