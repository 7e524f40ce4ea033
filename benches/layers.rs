//! What a layer costs: the bytes it adds or saves, and its time both ways.

use std::hint::black_box;

use criterion::Criterion;
use datagrammar_protocols::{Base64, Bzip2, Crc32c, Layer, Lz4, Prefix, Sha256Digest, Zlib, Zstd};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();

    let dictionary = packets(0..12);
    let layers: &[(&str, &dyn Layer)] = &[
        ("prefix", &Prefix::new(*b"ours")),
        ("crc32c", &Crc32c),
        ("sha256", &Sha256Digest),
        ("base64", &Base64::new()),
        ("lz4", &Lz4::with_limit(65_507)),
        ("zstd", &Zstd::with_limit(65_507)),
        ("zstd dictionary", &Zstd::with_limit(65_507).dictionary(&dictionary)),
        ("zlib 1", &Zlib::with_limit(65_507).level(1)),
        ("zlib", &Zlib::with_limit(65_507)),
        ("zlib 9", &Zlib::with_limit(65_507).level(9)),
        ("bzip2", &Bzip2::with_limit(65_507)),
    ];
    for &(name, layer) in layers {
        for payload in [packets(20..21), packets(20..30), packets(20..600)] {
            bench(&mut criterion, name, layer, &payload);
        }
    }

    criterion.final_summary();
}

fn bench(criterion: &mut Criterion, name: &str, layer: &dyn Layer, payload: &[u8]) {
    let mut datagram = payload.to_vec();
    layer.apply(&mut datagram, 0).expect("the layer can be applied");
    let lengths = format!("{name}: {} to {} bytes", payload.len(), datagram.len());

    criterion.bench_function(&format!("{lengths}/undo"), |bencher| {
        bencher.iter(|| layer.undo(black_box(&datagram)).map(|payload| payload.len()));
    });
    criterion.bench_function(&format!("{lengths}/apply"), |bencher| {
        bencher.iter(|| {
            datagram.clear();
            datagram.extend_from_slice(black_box(payload));
            layer.apply(&mut datagram, 0)
        });
    });
}

/// Packets as a sensor sends them, about 100 bytes of JSON each.
fn packets(numbers: std::ops::Range<u64>) -> Vec<u8> {
    let packet = |number: u64| {
        let random = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        let (room, celsius, pascal) = (number % 7, random % 400, 95_000 + random % 9_973);
        format!(
            r#"{{"id":{random},"sensor":"house/room-{room}/window","celsius":{}.{},"pascal":{pascal},"battery":"good"}}"#,
            celsius / 10,
            celsius % 10
        )
    };
    numbers.map(packet).collect::<String>().into_bytes()
}
