//! Runs the programs on packets, as the kernel does.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use fastrand::Rng;

use super::{
    steps::{ALU_XOR_X, IF_AT_LEAST, IF_EQUAL, LOAD_BYTE, LOAD_LEN, LOAD_WORD},
    *,
};
use crate::transport::linux::name::Name;

/// Runs `program` on a packet that begins with the IP header, as the kernel does: a read beyond
/// the end returns 0.
fn run(program: &[sock_filter], packet: &[u8]) -> u32 {
    run_with(program, packet, b"")
}

/// Does the same for a packet in front of a payload of UDP.
fn run_with(program: &[sock_filter], packet: &[u8], payload: &[u8]) -> u32 {
    let bytes = |offset: u32, len: usize| {
        let (from, offset) =
            if offset < IP { (payload, offset) } else { (packet, offset.wrapping_sub(IP)) };
        let bytes = from.get(offset as usize..)?.get(..len)?;
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
            LOAD_LEN => Some(payload.len() as u32),
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
                    IF_AT_LEAST => at += usize::from(if a >= k { jt } else { jf }),
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
    let program = program(7, false);

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
    let program = program(7, false);

    for port in 0..1_000 {
        let v4 = run(&program, &ipv4((V4, port), V4, 0));
        let v6 = run(&program, &ipv6((V6, port), V6, 0, UDP));

        assert_eq!(run(&program, &ipv4((V4, port), V4, 10)), v4);
        assert_eq!(run(&program, &ipv6((V6, port), V6, 9, UDP)), v6);
    }
}

#[test]
fn behind_an_ipv6_extension_header_only_the_address_counts() {
    let program = program(7, false);
    let hop_by_hop = |port| run(&program, &ipv6((V6, port), V6, 0, 0));

    assert!((0..1_000).all(|port| hop_by_hop(port) == hop_by_hop(0)));
}

/// How many of the `packets` each worker gets.
fn shares(workers: u32, packets: impl Iterator<Item = Vec<u8>>) -> Vec<u32> {
    let program = program(workers, false);
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
        let program = program(workers, false);
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

    assert!((0..16).all(|len| run(&program(7, false), &packet[..len]) == 0));
}

/// The header of a proxy: version and command, family and transport, addresses.
fn header(version: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
    let fixed = [version, family, 0, addresses.len() as u8];
    [b"\r\n\r\n\0\r\nQUIT\n", &fixed[..], addresses].concat()
}

fn addresses(source: SocketAddr) -> (u8, Vec<u8>) {
    let port = source.port().to_be_bytes();
    match source.ip() {
        IpAddr::V4(ip) => (0x12, [&ip.octets()[..], &[9; 4], &port, &[0, 53]].concat()),
        IpAddr::V6(ip) => (0x22, [&ip.octets()[..], &[9; 16], &port, &[0, 53]].concat()),
    }
}

// B-12, O-24
#[test]
fn a_peer_behind_a_proxy_has_the_worker_that_it_has_without_one() {
    let mut rng = Rng::with_seed(24);

    for workers in (2..=16).chain([65_521]) {
        let program = program(workers, true);
        for n in 0..1_000 {
            let v4 = Ipv4Addr::from_bits(rng.u32(..));
            let ip = match n % 3 {
                0 => IpAddr::V4(v4),
                1 => v4.to_ipv6_mapped().into(),
                _ => Ipv6Addr::from_bits(rng.u128(..)).into(),
            };
            let source = SocketAddr::new(ip, rng.u16(..));
            let (family, bytes) = addresses(source);
            let payload = [&header(0x21, family, &bytes), &b"payload"[..]].concat();

            let told = told(source, workers);
            let proxies = [ipv4((V4, rng.u16(..)), V4, 0), ipv6((V6, rng.u16(..)), V6, 0, UDP)];
            for proxy in proxies {
                assert_eq!(run_with(&program, &proxy, &payload), told, "{source}");
            }
            let SocketAddr::V4(direct) = source else { continue };
            let direct = ipv4((*direct.ip(), direct.port()), V4, 0);
            assert_eq!(run_with(&program, &direct, b"payload"), told, "{source}");
        }
    }
}

// B-12, O-24
#[test]
fn without_the_address_of_a_client_the_source_counts() {
    let (v4, v6) = (addresses(([198, 51, 100, 1], 1).into()).1, addresses((V6, 9).into()).1);
    let valid = header(0x21, 0x12, &v4);
    let mut others = vec![header(0x20, 0x12, &v4), header(0x21, 0, &v4), header(0x21, 0x31, &v6)];
    others.extend((0..valid.len()).map(|len| valid[..len].to_vec()));
    others.extend((16..52).map(|len| header(0x21, 0x22, &v6)[..len].to_vec()));
    others.extend((0..13).map(|at| {
        let mut other = valid.clone();
        other[at] ^= 1;
        other
    }));

    for port in 0..100 {
        let proxy = ipv4((V4, port), V4, 0);
        let plain = run(&program(65_521, false), &proxy);
        for other in &others {
            assert_eq!(run_with(&program(65_521, true), &proxy, other), plain, "{other:02x?}");
        }
        assert_ne!(run_with(&program(65_521, true), &proxy, &valid), plain);
    }
}
