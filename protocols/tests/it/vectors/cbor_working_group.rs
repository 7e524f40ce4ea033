//! The vectors of the CBOR working group. Each file is CBOR itself, and contains the bytes to read and the
//! expected values.

use datagrammar_protocols::Cbor;
use serde::de::IgnoredAny;

use super::{
    any::Any,
    cbor::{Data, NESTING, in_an_unknown_field, passed_over},
    file,
    integers::{Whole, of_each_type},
    item::whole,
    on_a_large_stack, read, refused, sets,
};

#[test]
fn good_vectors_are_read_as_values_as_types_and_in_unknown_fields() {
    let Some(sets) = sets() else { return };
    let files = [
        ("rfc8949-appendixA/mt0", 11),
        ("rfc8949-appendixA/mt1", 5),
        ("rfc8949-appendixA/mt2", 2),
        ("rfc8949-appendixA/mt3", 7),
        ("rfc8949-appendixA/mt4", 4),
        ("rfc8949-appendixA/mt5", 5),
        ("rfc8949-appendixA/mt6", 8),
        ("rfc8949-appendixA/mt7-float", 22),
        ("rfc8949-appendixA/mt7-simple", 6),
        ("rfc8949-appendixA/streaming", 11),
        ("rfc8949/good", 88),
        ("spike/spike", 1_165),
    ];

    on_a_large_stack(move || {
        let (mut simple, mut as_integers) = (0, 0);
        for (name, len) in files {
            let vectors = vectors(&file(&sets.join(format!("cborwg/tests/{name}.cbor"))));
            assert_eq!(vectors.len(), len, "{name}");
            for (what, datagram, decoded) in vectors {
                let what = format!("{name}: {what}, {datagram:02x?}");
                let decoded = decoded.expect("a good vector has a value");
                passed_over(&datagram, &what);
                let cbor = Cbor::<Any, ()>::new().nesting_limit(NESTING);
                if decoded.holds_simple() {
                    refused(&cbor, &datagram, &what);
                    simple += 1;
                    continue;
                }
                assert_eq!(read(&cbor, &datagram, &what), decoded, "{what}");
                as_integers += as_a_type(&datagram, &decoded, &what);
            }
        }
        assert_eq!((simple, as_integers), (12, 10 * 1_082));
    });
}

#[test]
fn bad_vectors_are_refused_in_unknown_fields_too() {
    let Some(sets) = sets() else { return };
    on_a_large_stack(move || {
        let vectors = vectors(&file(&sets.join("cborwg/tests/rfc8949/bad.cbor")));
        let mut well_formed = 0;
        for (what, datagram, _) in &vectors {
            if what.starts_with("date: ") {
                // A map inside a date tag is well-formed. Tags that no type asks for are skipped, so only the
                // types of dates refuse it.
                well_formed += 1;
                refused(&Cbor::<String, ()>::new(), datagram, what);
                refused(&Cbor::<f64, ()>::new(), datagram, what);
                continue;
            }
            refused(&Cbor::<Any, ()>::new().nesting_limit(NESTING), datagram, what);
            refused(&Cbor::<IgnoredAny, ()>::new().nesting_limit(NESTING), datagram, what);
            let datagram = in_an_unknown_field(datagram);
            refused(&Cbor::<Data, ()>::new().nesting_limit(NESTING), &datagram, what);
        }
        assert_eq!((vectors.len(), well_formed), (47, 2));
    });
}

/// Returns the description, the bytes and the expected value of each vector.
fn vectors(file: &[u8]) -> Vec<(String, Vec<u8>, Option<Any>)> {
    let file = whole(file);
    let Some(Any::List(tests)) = file.get("tests") else { panic!("the file has no list of tests") };
    let vector = |test: &Any| {
        let (Some(Any::Text(description)), Some(Any::Bytes(encoded))) =
            (test.get("description"), test.get("encoded"))
        else {
            panic!("a vector has no description or no bytes")
        };
        (description.clone(), encoded.clone(), test.get("decoded").cloned())
    };
    tests.iter().map(vector).collect()
}

/// Reads a number as each number type; returns how many integer types it has tried.
fn as_a_type(datagram: &[u8], decoded: &Any, what: &str) -> usize {
    match *decoded {
        Any::Integer(number) => {
            let float = read(&Cbor::<f64, ()>::new(), datagram, what);
            assert_eq!(float, number as f64, "{what}");
            of_each_type!(Cbor, datagram, Some(Whole::new(number)), what)
        }
        Any::Float(bits) => {
            let float = read(&Cbor::<f64, ()>::new(), datagram, what);
            assert_eq!(float.to_bits(), bits, "{what}");
            of_each_type!(Cbor, datagram, Whole::of_float(f64::from_bits(bits)), what)
        }
        _ => 0,
    }
}
