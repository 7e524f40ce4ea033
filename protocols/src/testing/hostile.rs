//! Datagrams that no honest peer sends.

use fastrand::Rng;

/// Returns places below `len`, evenly spread: all, unless the number of bytes times places is too
/// great.
pub(super) fn places(len: usize) -> impl Iterator<Item = usize> {
    const WORK: usize = 1024 * 1024; // bytes
    let step = (len * len).div_ceil(WORK).max(1);
    (0..len).step_by(step)
}

/// Returns copies with wrong lengths and numbers at each place. In a short datagram it also tries
/// every byte.
pub(super) fn altered(datagram: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let put = move |at, wrong: &[u8]| {
        let mut altered = datagram.to_vec();
        for (byte, wrong) in altered[at..].iter_mut().zip(wrong) {
            *byte = *wrong;
        }
        (altered != datagram).then_some(altered)
    };
    let any = if datagram.len() <= SHORT { 0..=u8::MAX } else { 0..=0 };
    places(datagram.len()).flat_map(move |at| {
        let numbers = WRONG.iter().filter_map(move |wrong| put(at, wrong));
        any.clone().filter_map(move |byte| put(at, &[byte])).chain(numbers)
    })
}

/// Returns a packet with a few edits, among them parts of other packets.
pub(super) fn mixed(random: &mut Rng, datagrams: &[&[u8]]) -> Vec<u8> {
    let mut mixed = random.choice(datagrams).map_or_else(Vec::new, |datagram| datagram.to_vec());
    for _ in 0..random.usize(1..=4) {
        let (start, end) = (random.usize(..=mixed.len()), random.usize(..=mixed.len()));
        let part = start.min(end)..start.max(end);
        match random.u8(..5) {
            0 => drop(mixed.drain(part)),
            1 => mixed.extend_from_within(part),
            2 => {
                let other = random.choice(datagrams).copied().unwrap_or_default();
                let from = random.usize(..=other.len());
                mixed.splice(part, other[from..].iter().copied());
            }
            3 => mixed.insert(start, random.u8(..)),
            _ => {
                if let Some(byte) = mixed.get_mut(start) {
                    *byte ^= 1 << random.u8(..8);
                }
            }
        }
    }
    mixed.truncate(LONGEST);
    mixed
}

/// Returns random bytes: any bytes, small ones (tags and lengths are small), or printable ones.
pub(super) fn random(random: &mut Rng) -> Vec<u8> {
    let bytes = match random.u8(..3) {
        0 => 0..=u8::MAX,
        1 => 0..=15,
        _ => b' '..=b'~',
    };
    let len = random.usize(..64);
    std::iter::repeat_with(|| random.u8(bytes.clone())).take(len).collect()
}

/// Returns the longest datagrams of one repeated byte. In many formats one of them is nested as
/// deep as possible.
pub(super) fn repeated() -> impl Iterator<Item = Vec<u8>> {
    (0..=u8::MAX).map(|byte| vec![byte; LONGEST])
}

const LONGEST: usize = 65_507; // bytes of a UDP datagram over IPv4

const SHORT: usize = 64; // bytes

const WRONG: [&[u8]; 14] = [
    b"\x7f",
    b"\x80",
    b"\xff",
    b"\0\0",
    b"\xff\xff",
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\x10\0\0\0",
    b"\0\0\0\x10",
    b"\0\0\0\0\0\0\0\0",
    b"\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff\xff\xff\xff\xff",
    b"\0\0\0\0\x10\0\0\0",
    b"\0\0\0\x10\0\0\0\0",
];
