//! One codec at work, for a tool that counts instructions. `benches/codecs/counts` calls it.

mod rows;

use std::env;

use self::rows::{Work, rows};

fn main() {
    // `cargo bench` and `cargo test` start it without a row: nothing to do.
    let arguments: Vec<_> = env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let [name, whose, way, times] = &*arguments else { return };
    let row = rows().into_iter().find(|row| row.name == name).expect("a codec of the bench");
    let work = match &**whose {
        "ours" => row.ours,
        _ => row.itself.expect("a codec beside a crate"),
    };
    let times = times.parse().expect("how many times");
    let mut datagram = Vec::new();
    work.encode(&mut datagram);

    match &**way {
        "encode" => encode_again(&*work, &mut datagram, times),
        _ => decode_again(&*work, &datagram, times),
    }
}

// By their names callgrind knows what to count.

#[inline(never)]
fn encode_again(work: &dyn Work, datagram: &mut Vec<u8>, times: u32) {
    for _ in 0..times {
        work.encode(datagram);
    }
}

#[inline(never)]
fn decode_again(work: &dyn Work, datagram: &[u8], times: u32) {
    for _ in 0..times {
        work.decode(datagram);
    }
}
