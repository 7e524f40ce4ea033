//! A program for the kernel that decides which of several sockets on one address receives a datagram.
//!
//! Without this program, the kernel hashes the source and the destination over all sockets that share the
//! port. Then a peer moves to another socket when a socket is added. On kernels before 5.0 it also moves when
//! it sends to another address of a wildcard. This program, a classic Berkeley packet filter, uses only the
//! source. It picks among the sockets that were there first.
//!
//! It hashes with constants, not with a secret. So a second server that is started to take over from the
//! first one leaves each peer at its socket. An attacker can choose addresses that all belong to one worker,
//! but then the other workers are not affected.

mod header;
mod steps;

use std::net::IpAddr;

use libc::sock_filter;
use steps::{
    ALU_AND, ALU_MODULO, ALU_SHIFT_LEFT, ALU_SHIFT_RIGHT, ALU_TIMES, ALWAYS, EACH, HASH, LOAD,
    LOAD_NUMBER, LOAD_PAIR, LOAD_PAIR_FROM_X, RETURN, STORE, TO_X, branch, fold, instruction,
    load_byte, mix_in,
};

/// Offsets from `IP` on count from the IP header; offsets from 0 on count from the payload of UDP.
const IP: u32 = libc::SKF_NET_OFF.cast_unsigned();

/// Returns a program that returns a number below `workers`, the same number for all datagrams of a peer. With `has_proxies`,
/// a header may say who the peer is. Whether its sender is trusted makes no difference: if not, each worker drops it.
///
/// A peer is an address and a port. If extension headers are between the headers of IPv6 and UDP, which is
/// very rare, a peer is only the address.
pub(super) fn program(workers: u32, has_proxies: bool) -> Vec<sock_filter> {
    let mut ipv4 = vec![
        // The length of the header in words of 4 bytes: options may follow the addresses.
        load_byte(IP),
        instruction(ALU_AND, 0x0f),
        instruction(ALU_SHIFT_LEFT, 2),
        instruction(TO_X, 0),
        instruction(LOAD_PAIR_FROM_X, IP),
        instruction(STORE, HASH),
    ];
    ipv4.extend(mix_in(IP + 12));

    let mut ipv6 = vec![
        load_byte(IP + 6),
        branch(17, 1, 0), // UDP
        instruction(ALWAYS, 2),
        instruction(LOAD_PAIR, IP + 40),
        instruction(ALWAYS, 1),
        instruction(LOAD_NUMBER, 0),
        instruction(STORE, HASH),
    ];
    ipv6.extend((8..24).step_by(4).flat_map(|word| mix_in(IP + word)));

    ipv4.push(instruction(ALWAYS, ipv6.len() as u32));
    let mut program = vec![
        load_byte(IP),
        instruction(ALU_SHIFT_RIGHT, 4),
        branch(4, 0, ipv4.len() as u8), // the version
    ];
    program.append(&mut ipv4);
    program.append(&mut ipv6);
    if has_proxies {
        program.splice(0..0, header::unless_plain(program.len()));
    }
    // The last steps of MurmurHash3. Without them, the low bits would not depend on the high bits.
    program.push(instruction(LOAD, HASH));
    program.extend(fold(16));
    program.push(instruction(ALU_TIMES, LAST[0]));
    program.extend(fold(13));
    program.push(instruction(ALU_TIMES, LAST[1]));
    program.extend(fold(16));
    program.push(instruction(ALU_MODULO, workers));
    program.push(instruction(RETURN, 0));
    program
}

/// What [`program`] returns for a datagram from this address and port.
pub(super) fn worker_of(source: IpAddr, port: u16, workers: u32) -> u32 {
    let fold = |hash: u32, bits: u32| hash ^ hash >> bits;
    let mix = |hash: u32, word: u32| fold((hash ^ word).wrapping_mul(EACH), 15);
    let mut hash = match source {
        IpAddr::V4(ip) => mix(port.into(), ip.to_bits()),
        IpAddr::V6(ip) => {
            let words = [96, 64, 32, 0].map(|below| (ip.to_bits() >> below) as u32);
            words.into_iter().fold(port.into(), mix)
        }
    };
    hash = fold(hash, 16).wrapping_mul(LAST[0]);
    hash = fold(hash, 13).wrapping_mul(LAST[1]);
    fold(hash, 16) % workers
}

/// The factors of the last steps.
const LAST: [u32; 2] = [0x85eb_ca6b, 0xc2b2_ae35];

#[cfg(test)]
mod tests;
