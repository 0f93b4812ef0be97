//! The tutorial's second lab on a real IPVS table: two directors, two real servers, a client, and what goes wrong.
//! Runs where the kernel has IPVS, else in the virtual machine: `scripts/test vm`.

mod drift;
mod farm;
mod killed;
mod replaced;
mod tutorial;
mod weights;
