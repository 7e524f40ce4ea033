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

use std::net::IpAddr;

use libc::sock_filter;

/// Offsets from `IP` on count from the IP header; offsets from 0 on count from the payload of UDP.
const IP: u32 = libc::SKF_NET_OFF.cast_unsigned();

/// Returns a program that returns a number below `workers`, the same number for all datagrams of a peer.
///
/// A peer is an address and a port. If extension headers are between the headers of IPv6 and UDP, which is
/// very rare, a peer is only the address.
pub(super) fn program(workers: u32) -> Vec<sock_filter> {
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

/// The factor for each word: about 2^32 divided by the golden ratio, and odd.
const EACH: u32 = 0x9e37_79b1;
/// The factors of the last steps.
const LAST: [u32; 2] = [0x85eb_ca6b, 0xc2b2_ae35];

/// Mixes the four bytes at `offset` into the hash.
fn mix_in(offset: u32) -> impl Iterator<Item = sock_filter> {
    let load = [
        instruction(LOAD_WORD, offset),
        instruction(TO_X, 0),
        instruction(LOAD, HASH),
        instruction(ALU_XOR_X, 0),
        instruction(ALU_TIMES, EACH),
    ];
    load.into_iter().chain(fold(15)).chain([instruction(STORE, HASH)])
}

/// `a ^= a >> bits`
fn fold(bits: u32) -> [sock_filter; 3] {
    [instruction(TO_X, 0), instruction(ALU_SHIFT_RIGHT, bits), instruction(ALU_XOR_X, 0)]
}

fn load_byte(offset: u32) -> sock_filter {
    instruction(LOAD_BYTE, offset)
}

fn instruction(code: u32, k: u32) -> sock_filter {
    sock_filter { code: code as u16, jt: 0, jf: 0, k }
}

/// Skips `equal` instructions if the accumulator is `k`, and `other` instructions if not.
fn branch(k: u32, equal: u8, other: u8) -> sock_filter {
    sock_filter { code: IF_EQUAL as u16, jt: equal, jf: other, k }
}

/// The memory cell that holds the hash.
const HASH: u32 = 0;

const LOAD_WORD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
const LOAD_PAIR: u32 = libc::BPF_LD | libc::BPF_H | libc::BPF_ABS;
const LOAD_PAIR_FROM_X: u32 = libc::BPF_LD | libc::BPF_H | libc::BPF_IND;
const LOAD_BYTE: u32 = libc::BPF_LD | libc::BPF_B | libc::BPF_ABS;
const LOAD_NUMBER: u32 = libc::BPF_LD | libc::BPF_IMM;
const LOAD: u32 = libc::BPF_LD | libc::BPF_MEM;
const STORE: u32 = libc::BPF_ST;
const TO_X: u32 = libc::BPF_MISC | libc::BPF_TAX;
const ALU_AND: u32 = libc::BPF_ALU | libc::BPF_AND;
const ALU_SHIFT_LEFT: u32 = libc::BPF_ALU | libc::BPF_LSH;
const ALU_SHIFT_RIGHT: u32 = libc::BPF_ALU | libc::BPF_RSH;
const ALU_TIMES: u32 = libc::BPF_ALU | libc::BPF_MUL;
const ALU_MODULO: u32 = libc::BPF_ALU | libc::BPF_MOD;
const ALU_XOR_X: u32 = libc::BPF_ALU | libc::BPF_XOR | libc::BPF_X;
const ALWAYS: u32 = libc::BPF_JMP | libc::BPF_JA;
const IF_EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ;
const RETURN: u32 = libc::BPF_RET | libc::BPF_A;

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

    use fastrand::Rng;

    use super::*;
    use crate::transport::linux::name::Name;

    /// Runs `program` on a packet that begins with the IP header, as the kernel does: a read beyond
    /// the end returns 0.
    fn run(program: &[sock_filter], packet: &[u8]) -> u32 {
        let bytes = |offset: u32, len: usize| {
            let bytes = packet.get(offset.wrapping_sub(IP) as usize..)?.get(..len)?;
            Some(bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
        };
        let (mut a, mut x, mut memory, mut at) = (0_u32, 0_u32, [None; 16], 0);
        loop {
            let sock_filter { code, jt, jf, k } = program[at];
            at += 1;
            let loaded = match u32::from(code) {
                LOAD_WORD => bytes(k, 4),
                LOAD_PAIR => bytes(k, 2),
                LOAD_PAIR_FROM_X => bytes(k.wrapping_add(x), 2),
                LOAD_BYTE => bytes(k, 1),
                LOAD_NUMBER => Some(k),
                LOAD => Some(memory[k as usize].expect("it was stored before")),
                ALU_AND => Some(a & k),
                ALU_SHIFT_LEFT => Some(a << k),
                ALU_SHIFT_RIGHT => Some(a >> k),
                ALU_TIMES => Some(a.wrapping_mul(k)),
                ALU_MODULO => Some(a % k),
                ALU_XOR_X => Some(a ^ x),
                RETURN => return a,
                code => {
                    match code {
                        STORE => memory[k as usize] = Some(a),
                        TO_X => x = a,
                        ALWAYS => at += k as usize,
                        IF_EQUAL => at += usize::from(if a == k { jt } else { jf }),
                        other => panic!("{other:#x} is no instruction of ours"),
                    }
                    Some(a)
                }
            };
            let Some(loaded) = loaded else { return 0 };
            a = loaded;
        }
    }

    fn udp(source: u16) -> [u8; 8] {
        let [high, low] = source.to_be_bytes();
        [high, low, 0x23, 0x28, 0, 8, 0, 0]
    }

    /// An IPv4 datagram with `options` words of options.
    fn ipv4(source: (Ipv4Addr, u16), to: Ipv4Addr, options: u8) -> Vec<u8> {
        let mut packet = vec![0; 20 + 4 * usize::from(options)];
        packet[0] = 0x45 + options;
        packet[9] = 17;
        packet[12..16].copy_from_slice(&source.0.octets());
        packet[16..20].copy_from_slice(&to.octets());
        packet.extend(udp(source.1));
        packet
    }

    /// An IPv6 datagram with the flow label `flow` and the next header `next`.
    fn ipv6(source: (Ipv6Addr, u16), to: Ipv6Addr, flow: u8, next: u8) -> Vec<u8> {
        let mut packet = vec![0; 40];
        packet[0] = 0x60;
        packet[3] = flow;
        packet[6] = next;
        packet[8..24].copy_from_slice(&source.0.octets());
        packet[24..40].copy_from_slice(&to.octets());
        packet.extend(udp(source.1));
        packet
    }

    const V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 7);
    const V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7);
    const UDP: u8 = 17;

    // B-12
    #[test]
    fn a_peer_has_one_worker_for_all_addresses_that_it_sends_to() {
        let program = program(7);

        for port in 0..1_000 {
            let v4 = run(&program, &ipv4((V4, port), Ipv4Addr::LOCALHOST, 0));
            let v6 = run(&program, &ipv6((V6, port), Ipv6Addr::LOCALHOST, 0, UDP));

            assert_eq!(run(&program, &ipv4((V4, port), V4, 0)), v4);
            assert_eq!(run(&program, &ipv6((V6, port), V6, 0, UDP)), v6);
        }
    }

    // B-9, B-12
    #[test]
    fn options_and_a_flow_label_do_not_make_another_peer() {
        let program = program(7);

        for port in 0..1_000 {
            let v4 = run(&program, &ipv4((V4, port), V4, 0));
            let v6 = run(&program, &ipv6((V6, port), V6, 0, UDP));

            assert_eq!(run(&program, &ipv4((V4, port), V4, 10)), v4);
            assert_eq!(run(&program, &ipv6((V6, port), V6, 9, UDP)), v6);
        }
    }

    #[test]
    fn behind_an_ipv6_extension_header_only_the_address_counts() {
        let program = program(7);
        let hop_by_hop = |port| run(&program, &ipv6((V6, port), V6, 0, 0));

        assert!((0..1_000).all(|port| hop_by_hop(port) == hop_by_hop(0)));
    }

    /// How many of the `packets` each worker gets.
    fn shares(workers: u32, packets: impl Iterator<Item = Vec<u8>>) -> Vec<u32> {
        let program = program(workers);
        let mut shares = vec![0; workers as usize];
        packets.for_each(|packet| shares[run(&program, &packet) as usize] += 1);
        shares
    }

    #[test]
    fn peers_are_spread_evenly_whether_they_differ_in_the_port_or_in_the_address() {
        for workers in 1..=16 {
            let fair = 16_000 / workers;
            let by_port = (0..16_000).map(|port| ipv4((V4, 1_024 + port), V4, 0));
            let by_v4 = (0..16_000).map(|n| ipv4(((0x0a00_0000 + n).into(), 5_000), V4, 0));
            let by_v6_port = (0..16_000).map(|port| ipv6((V6, 1_024 + port), V6, 0, UDP));
            let by_network =
                (0..16_000).map(|n| ipv6(((n << 64 | 0xfe80 << 112).into(), 5_000), V6, 0, UDP));

            for share in shares(workers, by_port)
                .into_iter()
                .chain(shares(workers, by_v4))
                .chain(shares(workers, by_v6_port))
                .chain(shares(workers, by_network))
            {
                assert!(share.abs_diff(fair) < fair / 5, "{share} of {fair} with {workers}");
            }
        }
    }

    /// The worker of a peer whose address the kernel reports as `source`.
    fn told(source: SocketAddr, workers: u32) -> u32 {
        let mut name = Name::default();
        name.write(&source, source.is_ipv6());
        let peer = name.peer().unwrap();
        let peer = peer.ip_socket();
        worker_of(peer.ip(), peer.port(), workers)
    }

    // B-12
    #[test]
    fn the_program_and_worker_of_find_the_same_worker_for_a_peer() {
        let mut rng = Rng::with_seed(12);

        for workers in (1..=16).chain([255, 65_521]) {
            let program = program(workers);
            for _ in 0..1_000 {
                let (ip, port) = (Ipv4Addr::from_bits(rng.u32(..)), rng.u16(..));
                let picked = run(&program, &ipv4((ip, port), V4, 0));
                assert_eq!(told((ip, port).into(), workers), picked, "{ip}:{port}");
                // An IPv6 socket sees this address, although the packet has no IPv6 header.
                assert_eq!(told((ip.to_ipv6_mapped(), port).into(), workers), picked);

                let (ip, port) = (Ipv6Addr::from_bits(rng.u128(..)), rng.u16(..));
                let picked = run(&program, &ipv6((ip, port), V6, 0, UDP));
                assert_eq!(told((ip, port).into(), workers), picked, "[{ip}]:{port}");
            }
        }
    }

    #[test]
    fn truncated_packets_go_to_the_first_worker() {
        let packet = ipv4((V4, 5_000), V4, 0);

        assert!((0..16).all(|len| run(&program(7), &packet[..len]) == 0));
    }
}
