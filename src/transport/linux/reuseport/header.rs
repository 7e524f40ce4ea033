//! The part of the program that finds the peer in the header of a proxy.

use libc::sock_filter;

use super::steps::{
    ALU_AND, ALWAYS, HASH, IF_AT_LEAST, IF_EQUAL, LOAD_LEN, LOAD_PAIR, LOAD_WORD, STORE, branch,
    instruction, load_byte, mix_in,
};

/// Where the addresses begin in the payload, and where they end.
const ADDRESSES: u32 = 16;
const IPV4_END: u32 = ADDRESSES + 12;
const IPV6_END: u32 = ADDRESSES + 36;

/// Hashes the client in the header of a datagram, and skips the next `plain` instructions. Goes on with them if there is no
/// client: no header, one of a proxy that speaks for itself, or one that the server refuses.
///
/// The rest of the header is not checked. If it is invalid, the worker drops the datagram.
pub(super) fn unless_plain(plain: usize) -> Vec<sock_filter> {
    let mut ipv4 = port(ADDRESSES + 8);
    ipv4.extend(mix_in(ADDRESSES));

    let words = (ADDRESSES..ADDRESSES + 16).step_by(4);
    let whole: Vec<_> = words.flat_map(mix_in).collect();
    let mut mapped: Vec<_> = mix_in(ADDRESSES + 12).collect();
    mapped.push(instruction(ALWAYS, whole.len() as u32));
    let mut ipv6 = port(ADDRESSES + 32);
    // An IPv4-mapped address is the IPv4 address.
    for (word, bits) in [(0, 0), (4, 0), (8, 0xffff)] {
        let rest = (8 - word) / 2 + mapped.len() as u32;
        ipv6.push(instruction(LOAD_WORD, ADDRESSES + word));
        ipv6.push(branch(bits, 0, rest as u8));
    }
    ipv6.extend(mapped.into_iter().chain(whole));

    ipv6.push(instruction(ALWAYS, plain as u32));
    let behind = ipv6.len() + plain;
    ipv4.push(instruction(ALWAYS, behind as u32));

    let mut steps = vec![Step::Do(instruction(LOAD_LEN, 0)), Step::If(IF_AT_LEAST, IPV4_END)];
    for (at, word) in [(0, 0x0d0a_0d0a), (4, 0x000d_0a51), (8, 0x5549_540a)] {
        steps.extend([Step::Do(instruction(LOAD_WORD, at)), Step::If(IF_EQUAL, word)]);
    }
    // Version 2 with the command to pass on; the family, with any transport.
    steps.extend([Step::Do(load_byte(12)), Step::If(IF_EQUAL, 0x21)]);
    steps.extend([Step::Do(load_byte(13)), Step::Do(instruction(ALU_AND, 0xf0))]);
    let to_ipv6 = [
        Step::If(IF_EQUAL, 0x20),
        Step::Do(instruction(LOAD_LEN, 0)),
        Step::If(IF_AT_LEAST, IPV6_END),
    ];
    let (over_ipv6, over_ipv4) = (to_ipv6.len() as u8 + 1, ipv4.len() as u32);
    steps.push(Step::Do(branch(0x10, over_ipv6, 0)));
    steps.extend(to_ipv6);
    steps.push(Step::Do(instruction(ALWAYS, over_ipv4)));

    let len = steps.len() + ipv4.len() + ipv6.len();
    let program = steps.into_iter().enumerate().map(|(at, step)| match step {
        Step::Do(instruction) => instruction,
        Step::If(code, k) => {
            let otherwise = (len - at - 1) as u8;
            sock_filter { code: code as u16, jt: 0, jf: otherwise, k }
        }
    });
    program.chain(ipv4).chain(ipv6).collect()
}

enum Step {
    Do(sock_filter),
    /// If the condition does not hold, there is no client.
    If(u32, u32),
}

/// Begins the hash with the port.
fn port(at: u32) -> Vec<sock_filter> {
    vec![instruction(LOAD_PAIR, at), instruction(STORE, HASH)]
}
