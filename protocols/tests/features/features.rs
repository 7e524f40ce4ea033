//! The tests of JSON once more, in a program where the features of serde_json are on that change what it
//! reads: one crate of a program sets them for all.

#[path = "../it/json.rs"]
mod json;
#[path = "../it/json_numbers.rs"]
mod json_numbers;
#[path = "../it/json_strict.rs"]
mod json_strict;

use datagrammar_protocols::DatagramProtocol;

#[test]
fn the_features_are_on() {
    let number = "1e400".parse::<serde_json::Number>();

    assert!(number.is_ok_and(|number| number.to_string() == "1e+400" || number.as_f64().is_none()));
}

fn encode<P: DatagramProtocol>(protocol: &P, packet: &P::Outgoing) -> Vec<u8> {
    let mut datagram = Vec::new();
    protocol.encode(packet, &mut datagram).expect("the packet can be encoded");
    datagram
}

fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<_> = digits.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
}

fn on_small_stack(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(2 * 1024 * 1024).spawn(test);
    thread.expect("a thread can be started").join().expect("the test passes");
}
