//! The receive filter of a raw socket: a classic BPF program that passes known virtual router ids (VRIDs).
//! Must not judge anything else: whether an advert is valid is for the receive checks, which count what they refuse.

use std::collections::BTreeSet;

use libc::{BPF_ABS, BPF_B, BPF_IND, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_LDX, BPF_MSH, BPF_RET};
use socket2::SockFilter;
use vipkit_core::units::Family;
use vipkit_core::vrrp;

/// A program that passes packets whose payload is VRRP with one of `vrids`, and drops the rest; with none it drops
/// all. Reads the packet as raw sockets give it, over IPv4 from the IP header on (raw(7)), over IPv6 the payload alone
/// (RFC 3542 §3); a load beyond its end drops it.
pub(crate) fn program(family: Family, vrids: &[u8]) -> Vec<SockFilter> {
    let mut program = match family {
        Family::V4 => vec![
            instruction(BPF_LD | BPF_B | BPF_ABS, 0, IP_PROTOCOL),
            instruction(BPF_JMP | BPF_JEQ | BPF_K, 1, vrrp::PROTOCOL as u32),
            DROP,
            // X = 4 * (byte 0 & 0xf): the length of the IP header, options included.
            instruction(BPF_LDX | BPF_B | BPF_MSH, 0, 0),
            instruction(BPF_LD | BPF_B | BPF_IND, 0, VRID),
        ],
        Family::V6 => vec![instruction(BPF_LD | BPF_B | BPF_ABS, 0, VRID)],
    };
    for vrid in vrids.iter().collect::<BTreeSet<_>>() {
        program.push(SockFilter::new((BPF_JMP | BPF_JEQ | BPF_K) as u16, 0, 1, u32::from(*vrid)));
        program.push(PASS);
    }
    program.push(DROP);
    program
}

/// An instruction that, if a jump, skips `skip` instructions when true.
const fn instruction(code: u32, skip: u8, operand: u32) -> SockFilter {
    SockFilter::new(code as u16, skip, 0, operand)
}

const PASS: SockFilter = instruction(BPF_RET | BPF_K, 0, u32::MAX);
const DROP: SockFilter = instruction(BPF_RET | BPF_K, 0, 0);

/// Offset of the protocol in the IPv4 header (RFC 791 §3.1).
const IP_PROTOCOL: u32 = 9;
/// Offset of the VRID in an advert of any version (RFC 9568 §5.2, RFC 3768 §5.3).
const VRID: u32 = 1;
