//! The real programs on a real kernel: what an administrator and a client see of them, in networks of namespaces.
//! Scenarios run with nothing but CAP_NET_ADMIN and CAP_NET_RAW, and once more as root where that could differ.

/// Makes two tests of each scenario.
macro_rules! as_root_and_with_two_capabilities {
    ($($scenario:ident),+ $(,)?) => { $(
        mod $scenario {
            use vipkit_tests::lab::vrrpd::Privilege;

            #[test]
            #[ignore = "needs root and network namespaces: scripts/test namespaces"]
            fn as_root() {
                super::$scenario(Privilege::Root);
            }

            #[test]
            #[ignore = "needs root and network namespaces: scripts/test namespaces"]
            fn with_two_capabilities() {
                super::$scenario(Privilege::TwoCapabilities);
            }
        }
    )+ };
}

/// Makes one test of each scenario.
macro_rules! with_two_capabilities {
    ($($scenario:ident),+ $(,)?) => { $(
        mod $scenario {
            #[test]
            #[ignore = "needs root and network namespaces: scripts/test namespaces"]
            fn with_two_capabilities() {
                super::$scenario(vipkit_tests::lab::vrrpd::Privilege::TwoCapabilities);
            }
        }
    )+ };
}

/// Makes one test of each scenario that takes root to set up.
macro_rules! as_root {
    ($($scenario:ident),+ $(,)?) => { $(
        mod $scenario {
            #[test]
            #[ignore = "needs root and network namespaces: scripts/test namespaces"]
            fn as_root() {
                super::$scenario(vipkit_tests::lab::vrrpd::Privilege::Root);
            }
        }
    )+ };
}

mod accept;
mod addresses;
mod configuration;
mod fixture;
mod flood;
mod hmac;
mod interface;
mod interop;
mod ipv6;
mod lonely;
mod many;
mod migrate;
mod mishaps;
mod realserver;
mod refused;
mod restart;
mod routing;
mod socket;
mod split;
mod tracking;
mod tutorial;
mod unicast;
mod virtual_mac;
