//! One codec at work, for a tool that counts instructions. `benches/counts` calls it.

#[path = "codecs/rows.rs"]
mod rows;

use std::{env, hint::black_box};

use self::rows::{Message, Protocol, rows};

fn main() {
    // `cargo bench` and `cargo test` start it without a row: nothing to do.
    let arguments: Vec<_> = env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let [name, whose, way, times] = &*arguments else { return };
    let row = rows().into_iter().find(|row| row.name == name).expect("a codec of the bench");
    let protocol = if whose == "ours" { row.ours } else { row.itself };
    let times = times.parse().expect("how many times");
    let message = Message::sample();
    let mut datagram = Vec::new();
    protocol.encode(&message, &mut datagram).expect("the packet can be encoded");

    match &**way {
        "encode" => encode_again(&*protocol, &message, &mut datagram, times),
        _ => decode_again(&*protocol, &datagram, times),
    }
}

// By their names callgrind knows what to count.

#[inline(never)]
fn encode_again(
    protocol: &Protocol<Message>,
    message: &Message,
    datagram: &mut Vec<u8>,
    times: u32,
) {
    for _ in 0..times {
        datagram.clear();
        protocol.encode(black_box(message), datagram).expect("the packet can be encoded");
        black_box(&datagram);
    }
}

#[inline(never)]
fn decode_again(protocol: &Protocol<Message>, datagram: &[u8], times: u32) {
    for _ in 0..times {
        black_box(protocol.decode(black_box(datagram)).expect("a packet was encoded"));
    }
}
