//! A reader of CBOR (RFC 8949) that shares no code with ours. The sets of the working group are CBOR
//! themselves, so the expected values need an independent reader.

use super::any::{Any, float};

/// Returns the value of the bytes, without tags, and with `undefined` as `null`. The bytes must be well-formed.
pub(crate) fn whole(mut bytes: &[u8]) -> Any {
    let any = item(&mut bytes);
    assert!(bytes.is_empty());
    any
}

fn item(bytes: &mut &[u8]) -> Any {
    let initial = piece(bytes, 1)[0];
    let short = initial & 0x1f;
    let argument = match short {
        0..24 => Some(u64::from(short)),
        24..28 => Some(number(piece(bytes, 1 << (short - 24)))),
        31 => None,
        _ => panic!("not well-formed"),
    };
    match (initial >> 5, argument) {
        (0, Some(number)) => Any::Integer(number.into()),
        (1, Some(number)) => Any::Integer(-1 - i128::from(number)),
        (2, _) => Any::Bytes(string(argument, bytes)),
        (3, _) => Any::Text(String::from_utf8(string(argument, bytes)).expect("it is UTF-8")),
        (4, _) => Any::List(elements(argument, bytes, item)),
        (5, _) => Any::Map(elements(argument, bytes, |bytes| (item(bytes), item(bytes)))),
        (6, Some(tag)) => tagged(tag, item(bytes)),
        (7, Some(number)) => match short {
            20 | 21 => Any::Bool(short == 21),
            22 | 23 => Any::Null,
            25 => half(number as u16),
            26 => Any::Float(wide((number as u32).into(), 8, 23)),
            27 => Any::Float(number),
            _ => Any::Simple(number as u8),
        },
        _ => panic!("not well-formed"),
    }
}

fn tagged(tag: u64, content: Any) -> Any {
    match (tag, content) {
        (2, Any::Bytes(digits)) => Any::Integer(number_128(&digits)),
        (3, Any::Bytes(digits)) => Any::Integer(-1 - number_128(&digits)),
        (_, content) => content,
    }
}

fn half(bits: u16) -> Any {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let fraction = f64::from(bits & 0x3ff);
    match i32::from(bits >> 10 & 0x1f) {
        0 => float(sign * fraction * 2_f64.powi(-24)),
        31 => Any::Float(wide(bits.into(), 5, 10)),
        exponent => float(sign * (1024.0 + fraction) * 2_f64.powi(exponent - 25)),
    }
}

/// Converts the bits of a float to those of a double-precision float. A NaN keeps its payload.
fn wide(bits: u64, exponent: u32, fraction: u32) -> u64 {
    let infinite = (1 << exponent) - 1;
    if bits >> fraction & infinite != infinite {
        return f64::from(f32::from_bits(bits as u32)).to_bits();
    }
    let sign = bits >> (exponent + fraction) << 63;
    sign | 0x7ff << 52 | (bits & ((1 << fraction) - 1)) << (52 - fraction)
}

fn string(len: Option<u64>, bytes: &mut &[u8]) -> Vec<u8> {
    let Some(len) = len else {
        return elements(None, bytes, |bytes| match item(bytes) {
            Any::Bytes(piece) => piece,
            Any::Text(piece) => piece.into_bytes(),
            other => panic!("not a piece of a string: {other:?}"),
        })
        .concat();
    };
    piece(bytes, len as usize).to_vec()
}

fn elements<T>(len: Option<u64>, bytes: &mut &[u8], read: impl Fn(&mut &[u8]) -> T) -> Vec<T> {
    let mut elements = Vec::new();
    match len {
        Some(len) => elements.extend((0..len).map(|_| read(bytes))),
        None => {
            while bytes.first() != Some(&0xff) {
                elements.push(read(bytes));
            }
            piece(bytes, 1);
        }
    }
    elements
}

fn piece<'o>(bytes: &mut &'o [u8], len: usize) -> &'o [u8] {
    bytes.split_off(..len).expect("no byte is missing")
}

fn number(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |number, digit| number << 8 | u64::from(*digit))
}

fn number_128(digits: &[u8]) -> i128 {
    digits.iter().fold(0, |number, digit| number << 8 | i128::from(*digit))
}
