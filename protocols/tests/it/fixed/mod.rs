//! The fixed layout: bytes, sizes and round trips.

mod text;
mod types;

use std::{error::Error, net::Ipv4Addr, rc::Rc, time::Duration};

use datagrammar_protocols::{DatagramProtocol, ErrorKind, Fixed, FixedText};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{encode, hex};

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Move {
    id: i32,
    port: u16,
    time: u64,
    jumps: bool,
    name: FixedText<10>,
    speed: f64,
}

impl Move {
    fn example() -> Self {
        Self { id: -1, port: 2, time: 3, jumps: true, name: "abc".into(), speed: 1.5 }
    }
}

const MOVE: &str = "ffffffff 0002 0000000000000003 01 61626300000000000000 3ff8000000000000";

// P-29 w8, P-17
#[test]
fn fields_are_in_network_order_without_padding() {
    let fixed: Fixed<Move> = Fixed::new();

    assert_eq!(encode(&fixed, &Move::example()), hex(MOVE));
    assert_eq!(fixed.decode(&hex(MOVE)).unwrap(), Move::example());
}

// P-29 w9
#[test]
fn a_tuple_is_laid_out_as_a_struct() {
    let fixed: Fixed<(FixedText<10>, u32)> = Fixed::new();
    let packet = ("John".into(), 20);

    assert_eq!(encode(&fixed, &packet), hex("4a6f686e000000000000 00000014"));
    assert_eq!(fixed.decode(&encode(&fixed, &packet)).unwrap(), packet);
}

// P-17
#[test]
fn numbers_are_little_endian_on_request() {
    let fixed: Fixed<Move> = Fixed::new().little_endian();
    let bytes = hex("ffffffff 0200 0300000000000000 01 61626300000000000000 000000000000f83f");

    assert_eq!(encode(&fixed, &Move::example()), bytes);
    assert_eq!(fixed.decode(&bytes).unwrap(), Move::example());
}

// P-17, P-2, P-3
#[test]
fn a_datagram_of_another_size_is_refused() {
    let fixed: Fixed<Move> = Fixed::new();
    let bytes = hex(MOVE);
    let longer = [&bytes[..], &[0]].concat();

    for len in 0..bytes.len() {
        let error = fixed.decode(&bytes[..len]).unwrap_err();

        assert_eq!(error.kind(), ErrorKind::Codec);
        assert_eq!(error.to_string(), "invalid fixed layout for the packet type");
        assert_eq!(error.source().unwrap().to_string(), "unexpected end of datagram");
    }
    for (datagram, left) in [(&longer[..], "1 byte"), (&[1; 65_507], "65474 bytes")] {
        let error = fixed.decode(datagram).unwrap_err();

        assert_eq!(error.kind(), ErrorKind::Codec);
        assert_eq!(error.to_string(), "trailing bytes after the packet");
        assert_eq!(error.source().unwrap().to_string(), left);
    }
}

// P-17
#[test]
fn any_byte_except_zero_is_true() {
    let fixed: Fixed<bool> = Fixed::new();

    assert_eq!((encode(&fixed, &false), encode(&fixed, &true)), (vec![0], vec![1]));
    for byte in 0..=u8::MAX {
        assert_eq!(fixed.decode(&[byte]).unwrap(), byte != 0);
    }
}

// P-4
#[test]
fn every_type_of_fixed_size_comes_back() {
    comes_back(&(i8::MIN, i16::MIN, i32::MIN, i64::MIN, i128::MIN), 31);
    comes_back(&(u8::MAX, u16::MAX, u32::MAX, u64::MAX, u128::MAX), 31);
    comes_back(&(f32::MIN_POSITIVE, -0.0_f32, f64::MAX, f64::NEG_INFINITY), 24);
    comes_back(&[[1_u16, 2], [3, 4]], 8);
    comes_back(&[7_u8; 32], 32);
    comes_back(&[[7_u8; 32]; 2], 64);
    comes_back(&(Empty, (), Wrapped(3), std::marker::PhantomData::<u8>), 4);
    comes_back(&Box::new((Ipv4Addr::LOCALHOST, Duration::MAX)), 16);
    comes_back(&(), 0);
    comes_back(&[0_u64; 0], 0);
}

// P-5
#[test]
fn any_bytes_are_refused_or_decode_to_their_packet() {
    let fixed: Fixed<Move> = Fixed::new();
    let mut random = fastrand::Rng::with_seed(17);
    let mut accepted = 0;

    for _ in 0..20_000 {
        let mut datagram = vec![0; random.usize(32..=34)];
        datagram.fill_with(|| random.u8(..128));

        if let Ok(packet) = fixed.decode(&datagram) {
            datagram[14] = packet.jumps.into(); // the byte that is true for every value except 0
            assert_eq!(encode(&fixed, &packet), datagram);
            accepted += 1;
        }
    }
    assert!(accepted > 5_000, "only {accepted} datagrams were packets");
}

#[test]
fn values_beside_each_other_do_not_add_up_to_levels() {
    comes_back(&[[Wrapped(1); 16]; 16], 1024);
}

// P-1
#[test]
fn fields_are_appended() {
    let mut datagram = b"before|".to_vec();

    Fixed::<u16>::new().encode(&0x6162, &mut datagram).unwrap();
    Fixed::<u16>::new().little_endian().encode(&0x6162, &mut datagram).unwrap();

    assert_eq!(datagram, b"before|abba");
}

#[test]
fn the_codec_can_cross_threads_for_all_packet_types() {
    fn is_plain<T: Send + Sync + Copy + std::fmt::Debug + Default>() {}

    is_plain::<Fixed<Rc<u8>>>();
}

#[track_caller]
fn comes_back<T: std::fmt::Debug + DeserializeOwned + PartialEq + Serialize>(
    packet: &T,
    bytes: usize,
) {
    for fixed in [Fixed::<T>::new(), Fixed::new().little_endian()] {
        let datagram = encode(&fixed, packet);

        assert_eq!(datagram.len(), bytes);
        assert_eq!(&fixed.decode(&datagram).unwrap(), packet);
    }
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Empty;

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
struct Wrapped(i32);
