//! Units and identities of VRRP as types, so that a centisecond cannot meet a second.
//! No clock here: `Mono` is a count that somebody else reads.

use core::fmt;
use core::net::IpAddr;
use core::num::NonZeroU8;
use core::ops::{Add, Sub};
use core::time::Duration;

/// Family of IP addresses: a virtual router is of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Of an address.
    #[must_use]
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

/// Virtual router identifier, 1-255 (RFC 9568 §5.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vrid(NonZeroU8);

impl Vrid {
    /// A VRID from its number; 0 is none.
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        match NonZeroU8::new(number) {
            Some(n) => Some(Self(n)),
            None => None,
        }
    }

    /// Its number, 1-255.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0.get()
    }
}

impl fmt::Display for Vrid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number().fmt(f)
    }
}

/// Priority of a router (RFC 9568 §5.2.4): 255 owns the addresses, 1-254 back them up, 0 is leaving.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(pub u8);

impl Priority {
    /// The address owner.
    pub const OWNER: Self = Self(255);
    /// Default of a backup (RFC 9568 §6.1).
    pub const DEFAULT: Self = Self(100);
    /// The sender stops taking part (RFC 9568 §5.2.4).
    pub const LEAVING: Self = Self(0);

    /// True for 255.
    #[must_use]
    pub fn is_owner(self) -> bool {
        self == Self::OWNER
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// VRRP version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// RFC 3768.
    V2,
    /// RFC 9568.
    V3,
}

impl Version {
    /// 2 or 3, as on the wire.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::V2 => 2,
            Self::V3 => 3,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number().fmt(f)
    }
}

/// Advertisement_Interval as the wire can carry it, never zero (RFC 9568 §5.2.7 and erratum 8301).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Interval {
    /// Version 2: whole seconds, 1-255 (RFC 3768 §5.3.7).
    Seconds(NonZeroU8),
    /// Version 3: centiseconds, 1-4095 (RFC 9568 §5.2.7).
    Centis(Centis),
}

/// Centiseconds, 1-4095: the twelve bits of Max Advertise Interval (RFC 9568 §5.2.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Centis(u16);

impl Centis {
    /// The longest.
    pub const MAX: Self = Self(4095);

    /// From a count; 0 and more than 4095 are none.
    #[must_use]
    pub const fn new(count: u16) -> Option<Self> {
        if count >= 1 && count <= Self::MAX.0 { Some(Self(count)) } else { None }
    }

    /// The count, 1-4095.
    #[must_use]
    pub const fn count(self) -> u16 {
        self.0
    }
}

impl Interval {
    /// The interval that is exactly this long, if the version's wire format can say it.
    #[must_use]
    pub fn exact(version: Version, length: Duration) -> Option<Self> {
        match version {
            Version::V2 if length.subsec_nanos() == 0 => {
                NonZeroU8::new(u8::try_from(length.as_secs()).ok()?).map(Self::Seconds)
            }
            Version::V3 if length.subsec_nanos().is_multiple_of(10_000_000) => {
                Centis::new(u16::try_from(length.as_millis() / 10).ok()?).map(Self::Centis)
            }
            Version::V2 | Version::V3 => None,
        }
    }

    /// How long it is.
    #[must_use]
    pub fn length(self) -> Duration {
        match self {
            Self::Seconds(s) => Duration::from_secs(u64::from(s.get())),
            Self::Centis(c) => Duration::from_millis(u64::from(c.count()) * 10),
        }
    }

    /// The version whose wire format it belongs to.
    #[must_use]
    pub const fn version(self) -> Version {
        match self {
            Self::Seconds(_) => Version::V2,
            Self::Centis(_) => Version::V3,
        }
    }

    /// Skew_Time at a priority: in version 2 up to a second (RFC 3768 §6.1), in version 3 up to the
    /// Active_Adver_Interval (RFC 9568 §6.1). In microseconds, so that no two priorities tie.
    #[must_use]
    pub fn skew_time(self, priority: Priority) -> Duration {
        let unit = match self {
            Self::Seconds(_) => Duration::from_secs(1),
            Self::Centis(_) => self.length(),
        };
        unit * (256 - u32::from(priority.0)) / 256
    }

    /// Active_Down_Interval at a priority (RFC 9568 §6.1; Master_Down_Interval of RFC 3768 §6.1).
    #[must_use]
    pub fn active_down_interval(self, priority: Priority) -> Duration {
        self.length() * 3 + self.skew_time(priority)
    }
}

/// A moment, in microseconds since some fixed start: what state machines are told instead of reading a clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mono(pub u64);

impl Mono {
    /// From the time since the start.
    #[must_use]
    pub fn at(since_start: Duration) -> Self {
        Self(u64::try_from(since_start.as_micros()).unwrap_or(u64::MAX))
    }

    /// The time since the start.
    #[must_use]
    pub const fn since_start(self) -> Duration {
        Duration::from_micros(self.0)
    }
}

impl Add<Duration> for Mono {
    type Output = Self;
    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl Sub for Mono {
    type Output = Duration;
    /// The time from `earlier` to here; zero if it is later.
    fn sub(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// The time of day, since 1970 in UTC: what is told of a clock that may step, to those who must not read one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wall(pub Duration);

#[cfg(test)]
mod tests {
    use super::*;

    fn centis(count: u16) -> Interval {
        Interval::Centis(Centis::new(count).unwrap())
    }

    #[test]
    fn skew_and_down_interval_follow_the_formulas() {
        // (interval, priority, Skew_Time, Active_Down_Interval) in microseconds
        let v2 = |s| Interval::Seconds(NonZeroU8::new(s).unwrap());
        for (interval, priority, skew, down) in [
            (centis(100), 1, 996_093, 3_996_093),
            (centis(100), 100, 609_375, 3_609_375),
            (centis(100), 254, 7_812, 3_007_812),
            (centis(10), 254, 781, 300_781),
            (centis(20), 100, 121_875, 721_875),
            (v2(1), 100, 609_375, 3_609_375),
            (v2(5), 100, 609_375, 15_609_375),
        ] {
            let priority = Priority(priority);
            assert_eq!(interval.skew_time(priority).as_micros(), skew, "{interval:?} {priority}");
            assert_eq!(interval.active_down_interval(priority).as_micros(), down, "{interval:?} {priority}");
        }
    }

    #[test]
    fn exact_takes_only_what_the_wire_can_say() {
        let ms = Duration::from_millis;
        assert_eq!(Interval::exact(Version::V3, ms(10)), Some(centis(1)));
        assert_eq!(Interval::exact(Version::V3, ms(40_950)), Some(centis(4095)));
        for refused in [ms(0), ms(14), ms(40_960), Duration::from_micros(10_500)] {
            assert_eq!(Interval::exact(Version::V3, refused), None, "{refused:?}");
        }
        assert_eq!(Interval::exact(Version::V2, ms(255_000)).unwrap().length(), ms(255_000));
        for refused in [ms(0), ms(300), ms(2_600), ms(256_000)] {
            assert_eq!(Interval::exact(Version::V2, refused), None, "{refused:?}");
        }
    }

    #[test]
    fn the_ends_of_each_range() {
        assert_eq!(Vrid::new(0), None);
        assert_eq!(Vrid::new(255).unwrap().number(), 255);
        assert_eq!(Centis::new(0), None);
        assert_eq!(Centis::new(4096), None);
        assert_eq!(Mono(5) - Mono(9), Duration::ZERO);
        assert_eq!(Mono(u64::MAX) + Duration::from_secs(1), Mono(u64::MAX));
    }
}
