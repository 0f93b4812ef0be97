//! The real servers of LVS-DR: they accept what the director forwards to the VIP, so the VIP is an address of theirs,
//! and must never be answered, or announced, by ARP. The way there is desired against observed; a second run does
//! nothing.
//!
//! | what | where |
//! |---|---|
//! | what the kernel has, and what should be | [`observed`], [`setting`], [`plan`] |
//! | what is wrong with it, and why that matters | [`judge`] |
//! | how it was before, and what is done at boot | [`memory`], [`unit`] |
//! | the kernel, the disk | [`host`], [`store`], [`files`] |
//! | all of it in order | [`change`], [`report`] |

pub mod change;
pub mod files;
pub mod host;
pub mod judge;
pub mod memory;
pub mod observed;
pub mod plan;
pub mod report;
pub mod setting;
pub mod store;
pub mod unit;

use std::collections::BTreeSet;
use std::net::IpAddr;

/// Addresses, each once and in order.
pub type Vips = BTreeSet<IpAddr>;

/// Most VIPs of one command.
pub const VIPS_MAX: usize = 256;

/// Reads a virtual IP address.
///
/// # Errors
/// It is none, or one that no service can have.
pub fn vip(text: &str) -> Result<IpAddr, String> {
    let address: IpAddr = text.parse().map_err(|_| {
        if text.contains('/') {
            "must be an address without a prefix: on a real server that is always /32 or /128".to_owned()
        } else {
            "must be an IPv4 or IPv6 address".to_owned()
        }
    })?;
    if is_vip(address) { Ok(address) } else { Err("must be an address that others can reach".to_owned()) }
}

/// Whether a service can be reached at an address from other hosts.
#[must_use]
pub fn is_vip(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [first, ..] = v4.octets();
            first != 0 && first < 240 && !v4.is_loopback() && !v4.is_multicast()
        }
        IpAddr::V6(v6) => {
            !v6.is_unspecified()
                && !v6.is_loopback()
                && !v6.is_multicast()
                && !v6.is_unicast_link_local()
                && v6.to_ipv4_mapped().is_none()
        }
    }
}

/// The prefix that leaves nothing but the address itself.
#[must_use]
pub const fn whole(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// Addresses as arguments of a command.
fn words(vips: &Vips) -> String {
    vips.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_addresses_that_others_can_reach_are_vips() {
        for good in ["192.168.4.15", "10.0.0.1", "2001:db8::15", "fd00::1"] {
            assert_eq!(vip(good).unwrap().to_string(), good);
        }
        for bad in [
            "",
            "web",
            "192.168.4",
            "192.168.4.15/32",
            "0.0.0.0",
            "127.0.0.1",
            "224.0.0.18",
            "255.255.255.255",
            "::",
            "::1",
            "ff02::12",
            "fe80::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(vip(bad).is_err(), "{bad}");
        }
        assert!(vip("192.168.4.15/24").unwrap_err().contains("always /32"));
    }

    proptest! {
        #[test]
        fn any_text_is_read(text: String) {
            let _ = vip(&text);
        }

        #[test]
        fn what_is_a_vip_is_read_back(address: IpAddr) {
            prop_assert_eq!(vip(&address.to_string()).ok(), is_vip(address).then_some(address));
        }
    }
}
