//! What a codec costs, beside a direct call of a crate.
//!
//! `benches/codecs/plot` makes the table and the plot of `docs/codecs.md` of it.

mod rows;

use criterion::{Criterion, Throughput};

use self::rows::{Row, Work, rows};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();

    for Row { name, ours, itself } in rows() {
        measure(&mut criterion, name, &*ours);
        if let Some(itself) = itself {
            measure(&mut criterion, &format!("{name} itself"), &*itself);
        }
    }

    criterion.final_summary();
}

fn measure(criterion: &mut Criterion, name: &str, work: &dyn Work) {
    let mut datagram = Vec::new();
    work.encode(&mut datagram);

    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Bytes(datagram.len() as u64));
    group.bench_function("decode", |bencher| bencher.iter(|| work.decode(&datagram)));
    group.bench_function("encode", |bencher| bencher.iter(|| work.encode(&mut datagram)));
    group.finish();
}
