//! What layers with keys cost: to make a datagram, to take an honest one, to refuse a forged one.

use std::hint::black_box;

use criterion::Criterion;
use datagrammar_protocols::{Layer, Sealed, Signed};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();

    let signed = Signed::new(&[1; 32].into());
    let rotating = signed.clone().accepting(&[2; 32].into());
    let sealed = Sealed::new(1, &[1; 32].into());
    for len in [32, 1_000] {
        layer(&mut criterion, "signed", len, &signed);
        layer(&mut criterion, "signed, two keys", len, &rotating);
        layer(&mut criterion, "sealed", len, &sealed);
    }

    criterion.final_summary();
}

fn layer(criterion: &mut Criterion, name: &str, len: usize, layer: &impl Layer) {
    let mut honest = vec![0x5a; len];
    layer.apply(&mut honest, 0).expect("the layer can be applied");
    let mut forged = honest.clone();
    *forged.last_mut().expect("a layer with a key adds bytes") ^= 1;
    assert!(layer.undo(&honest).is_ok() && layer.undo(&forged).is_err());
    let mut datagram = Vec::with_capacity(honest.len());

    criterion.bench_function(&format!("{name}/{len} bytes/apply"), |bencher| {
        bencher.iter(|| {
            datagram.clear();
            datagram.resize(len, 0x5a);
            layer.apply(black_box(&mut datagram), 0)
        });
    });
    criterion.bench_function(&format!("{name}/{len} bytes/undo"), |bencher| {
        bencher.iter(|| layer.undo(black_box(&honest)).is_ok());
    });
    criterion.bench_function(&format!("{name}/{len} bytes/refuse"), |bencher| {
        bencher.iter(|| layer.undo(black_box(&forged)).is_ok());
    });
}
