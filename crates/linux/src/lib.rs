//! Everything vipkit asks of the Linux kernel and of systemd, and nothing else: no protocol, no configuration,
//! no decisions. Plain types in and out, for IPVS those of `vipkit_core::ipvs`; times are [`std::time::Duration`]s
//! since boot.
//!
//! | to | see |
//! |---|---|
//! | tell the time, wait for an instant | [`clock`], [`timer`] |
//! | receive and send VRRP, send frames | [`vrrp_socket`], [`packet_socket`] |
//! | read, change and watch links, addresses, routes and rules | [`route`] |
//! | write and watch a table of nftables | [`nftables`] |
//! | read and change the IPVS table | [`ipvs`] |
//! | read and set an interface's settings | [`sysctl`] |
//! | obey signals, talk to systemd | [`signals`], [`systemd`] |
//! | serve a Unix socket, know who calls | [`listen`], [`peer`] |
//! | run once per network namespace, know what it lacks | [`namespace_lock`], [`capabilities`] |
//! | remember across a restart | [`state_file`], [`heartbeat`] |
//! | have many files open, keep memory in place | [`open_files`], [`memory`] |
//! | end what a child started, see a process end, a file change | [`children`], [`pidfd`], [`inotify`] |
//!
//! Nothing here waits but the `async` functions, and what runs before the loop and says so. What must be called
//! within a tokio runtime says so too.

#![deny(clippy::undocumented_unsafe_blocks)]

pub mod capabilities;
pub mod children;
pub mod clock;
mod generic_netlink;
pub mod heartbeat;
pub mod inotify;
pub mod ipvs;
pub mod listen;
pub mod memory;
pub mod namespace_lock;
mod netlink;
pub mod nftables;
pub mod open_files;
pub mod packet_socket;
pub mod peer;
pub mod pidfd;
mod program;
pub mod route;
pub mod signals;
pub mod state_file;
pub mod sysctl;
pub mod systemd;
pub mod timer;
mod vrid_filter;
pub mod vrrp_socket;

#[cfg(test)]
mod namespace;
