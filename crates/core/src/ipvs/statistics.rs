//! What a service or a destination has carried (linux/ip_vs.h, `IPVS_STATS_ATTR_*`): totals, and rates the kernel
//! averages. Two forms of the same: 64 bits wide, and one whose counts wrap at 32.

use super::ParseError;
use super::attribute::{Attribute, Writer, attributes};

/// Totals since the service or destination was made or its counters were zeroed, and rates per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Statistics {
    /// Connections scheduled.
    pub connections: u64,
    /// Packets from clients.
    pub packets_in: u64,
    /// Packets to clients; 0 unless they come back through this machine.
    pub packets_out: u64,
    /// Bytes from clients.
    pub bytes_in: u64,
    /// Bytes to clients; 0 unless they come back through this machine.
    pub bytes_out: u64,
    /// Connections per second.
    pub connection_rate: u64,
    /// Packets from clients per second.
    pub packet_rate_in: u64,
    /// Packets to clients per second.
    pub packet_rate_out: u64,
    /// Bytes from clients per second.
    pub byte_rate_in: u64,
    /// Bytes to clients per second.
    pub byte_rate_out: u64,
}

impl Statistics {
    /// Reads either form; a count that is missing is 0.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let mut statistics = Self::default();
        for attribute in attributes("statistics", bytes) {
            let attribute = attribute?;
            let place = usize::from(attribute.kind()).checked_sub(usize::from(FIRST));
            if let Some(field) = place.and_then(|place| statistics.fields_mut().into_iter().nth(place)) {
                *field = count(&attribute)?;
            }
        }
        Ok(statistics)
    }

    /// Writes the 64 bit form.
    pub(super) fn emit(mut self, writer: &mut Writer) {
        for (kind, field) in (FIRST..).zip(self.fields_mut()) {
            writer.put(kind, &field.to_ne_bytes());
        }
    }

    /// In the order of their kinds, from [`FIRST`].
    fn fields_mut(&mut self) -> [&mut u64; 10] {
        [
            &mut self.connections,
            &mut self.packets_in,
            &mut self.packets_out,
            &mut self.bytes_in,
            &mut self.bytes_out,
            &mut self.connection_rate,
            &mut self.packet_rate_in,
            &mut self.packet_rate_out,
            &mut self.byte_rate_in,
            &mut self.byte_rate_out,
        ]
    }
}

/// A count of 32 or 64 bits.
fn count(attribute: &Attribute<'_>) -> Result<u64, ParseError> {
    match attribute.bytes().len() {
        4 => attribute.u32("statistics").map(u64::from),
        _ => attribute.array("statistics").map(u64::from_ne_bytes),
    }
}

/// `IPVS_STATS_ATTR_CONNS` (linux/ip_vs.h).
const FIRST: u16 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_the_narrow_form_and_pass_over_padding() {
        let mut writer = Writer::default();
        writer.put_u32(1, 7);
        writer.put(4, &u64::MAX.to_ne_bytes());
        writer.put(11, &[]);
        writer.put_u32(10, 9);
        let expected =
            Statistics { connections: 7, bytes_in: u64::MAX, byte_rate_out: 9, ..Statistics::default() };
        assert_eq!(Statistics::parse(&writer.finish()), Ok(expected));
    }

    #[test]
    fn refuse_a_count_of_another_width() {
        let mut writer = Writer::default();
        writer.put_u16(1, 7);
        let refusal = ParseError::Length { what: "statistics", expected: 8, found: 2 };
        assert_eq!(Statistics::parse(&writer.finish()), Err(refusal));
    }
}
