//! How many addresses an advert has room for: what goes beyond is held all the same, beside it. Pure arithmetic.

use vipkit_config::Instance;
use vipkit_core::units::{Family, Version};
use vipkit_core::vrrp::{ADDRESSES_MAX, Authentication, HEADER_LENGTH, hmac, v2};
use vipkit_core::{ipv4, ipv6};

/// Addresses that fit into one packet of an interface with this MTU (0 if unknown), at most [`ADDRESSES_MAX`]. An advert
/// has at least one, and fits into no fragment.
#[must_use]
pub fn room(config: &Instance, mtu: u32) -> usize {
    let (ip_header, address) = match config.family() {
        Family::V4 => (ipv4::HEADER_LENGTH, 4),
        Family::V6 => (ipv6::HEADER_LENGTH, 16),
    };
    let behind = match config.advertisement_interval.version() {
        Version::V2 => v2::AUTHENTICATION_LENGTH,
        Version::V3 => 0,
    };
    // Whether it signs or not: the list must not change while HMACs are introduced.
    let trailer = match config.authentication {
        Authentication::Hmac(_) => hmac::TRAILER_LENGTH,
        Authentication::None | Authentication::Pass(_) => 0,
    };
    let mtu = usize::try_from(mtu).ok().filter(|mtu| *mtu > 0).unwrap_or(usize::MAX);
    let room = mtu.saturating_sub(ip_header + HEADER_LENGTH + behind + trailer) / address;
    room.clamp(1, ADDRESSES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use vipkit_config::Source;

    #[test]
    fn an_advert_fits_into_a_packet() {
        let v4 = "addresses = ['192.0.2.80/24']";
        let v6 = "addresses = ['fe80::80/64']";
        for (keys, mtu, expected) in [
            (v4, 1500, 255),
            (v4, 0, 255),
            (v4, 576, (576 - 28) / 4),
            (&format!("{v4}\nversion = 2"), 576, (576 - 36) / 4),
            (v6, 1500, 90),
            (v6, 1280, 77),
            (v6, 9000, 255),
            (v4, 1, 1),
        ] {
            let text = format!("[vrrp.a]\ninterface = 'eth0'\nvirtual_router_id = 1\n{keys}");
            let config = vipkit_config::parse(&[Source { name: "a.toml".to_owned(), text }]).unwrap();
            assert_eq!(room(&config.vrrp["a"], mtu), expected, "{keys} {mtu}");
        }
    }
}
