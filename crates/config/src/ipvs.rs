//! `[ipvs]`: how the kernel's IPVS table is kept as it should be.

use std::time::Duration;

use crate::duration::{HOUR, SECOND, between};
use crate::section::{About, Absent, Field, Key};

/// How the kernel's table is kept as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ipvs {
    /// How often the table is read back and repaired, 1 s to an hour.
    pub resync_interval: Duration,
}

pub(crate) const KEYS: &[About] = &[RESYNC_INTERVAL.about];

const RESYNC_INTERVAL: Key<Duration> = Key {
    about: About {
        name: "resync_interval",
        kind: "a duration from a second to an hour",
        absent: Absent::Default("\"10s\""),
        doc: "How often the kernel's table is read back, and repaired if somebody else changed it.",
    },
    read: |field| between(field, SECOND..=HOUR),
};

pub(crate) fn read(field: &mut Field<'_, '_>) -> Option<Ipvs> {
    let mut section = field.section(KEYS)?;
    let resync_interval = section.get(&RESYNC_INTERVAL);
    section.finish();
    Some(Ipvs { resync_interval: resync_interval? })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::testing::{config, faults};

    #[test]
    fn the_table_is_read_back_every_ten_seconds_unless_told_otherwise() {
        assert_eq!(config("").ipvs.resync_interval, Duration::from_secs(10));
        assert_eq!(
            config("[ipvs]\nresync_interval = \"1h\"").ipvs.resync_interval,
            Duration::from_secs(3600)
        );
    }

    #[test]
    fn refuses_what_is_out_of_range() {
        assert_eq!(
            faults("[ipvs]\nresync_interval = \"2h\""),
            "vipkit.toml:2:19: \"resync_interval\" in [ipvs] must be a duration from a second to an hour, \
             not \"2h\"; the nearest is \"1h\""
        );
    }
}
