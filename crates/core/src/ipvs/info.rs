//! What the kernel's IPVS is (linux/ip_vs.h, `IPVS_INFO_ATTR_*`).

use core::fmt;

use super::ParseError;
use super::attribute::{Other, Writer, attributes};

/// The kernel's IPVS.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Info {
    /// Its version.
    pub version: Version,
    /// Buckets of the connection table.
    pub table_size: u32,
    /// What else it says.
    pub other: Vec<Other>,
}

/// The version of IPVS, a byte each for major, minor and patch (linux/ip_vs.h, `NVERSION`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u32);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [_, major, minor, patch] = self.0.to_be_bytes();
        write!(f, "{major}.{minor}.{patch}")
    }
}

impl Info {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let (mut version, mut table_size, mut other) = (None, None, Vec::new());
        for attribute in attributes("information", bytes) {
            let attribute = attribute?;
            match attribute.kind() {
                VERSION => version = Some(Version(attribute.u32("version")?)),
                TABLE_SIZE => table_size = Some(attribute.u32("connection table size")?),
                _ => other.push(attribute.to_other()),
            }
        }
        Ok(Self {
            version: version.ok_or(ParseError::Missing { what: "version" })?,
            table_size: table_size.ok_or(ParseError::Missing { what: "connection table size" })?,
            other,
        })
    }

    pub(super) fn emit(&self, writer: &mut Writer) {
        writer.put_u32(VERSION, self.version.0);
        writer.put_u32(TABLE_SIZE, self.table_size);
        writer.put_others(&self.other);
    }
}

/// `IPVS_INFO_ATTR_*` (linux/ip_vs.h).
const VERSION: u16 = 1;
const TABLE_SIZE: u16 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_reads_as_people_write_it() {
        assert_eq!(Version(0x01_02_01).to_string(), "1.2.1");
    }

    #[test]
    fn refuse_information_without_a_version() {
        assert_eq!(Info::parse(&[]), Err(ParseError::Missing { what: "version" }));
    }
}
