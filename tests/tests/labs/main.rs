//! The real programs on a real kernel: what an administrator and a client see of them, in networks of namespaces.
//! Every scenario runs as root, and once more with nothing but CAP_NET_ADMIN and CAP_NET_RAW.

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

mod addresses;
mod configuration;
mod fixture;
mod flood;
mod interface;
mod interop;
mod lonely;
mod migrate;
mod mishaps;
mod realserver;
mod refused;
mod restart;
mod socket;
mod split;
mod tutorial;
