//! How much memory a datagram can make the layers allocate that inflate it.

use datagrammar_protocols::{Bzip2, Layer, Lz4, Zlib};

use crate::counting::peak_of;

// P-24
#[test]
fn what_would_inflate_to_64_mib_costs_the_limit_and_64_kib() {
    let bomb = applied(&Zlib::with_limit(0).level(9), &vec![0; 64 * MIB]);
    assert!((64_000..66_000).contains(&bomb.len()), "{} bytes", bomb.len());

    for limit in LIMITS {
        // On a thread of its own, which keeps nothing yet.
        let peak = on_a_new_thread(|| peak_of(|| Zlib::with_limit(limit).undo(&bomb)));

        assert!(peak <= limit + 64 * KIB, "{peak} bytes, where {limit} are the limit");
    }
}

// P-24, as far as bzip2 goes: its blocks have to be there before the first byte comes out.
#[test]
fn what_bzip2_needs_depends_on_the_limit_not_on_the_datagram() {
    let bomb = applied(&Bzip2::with_limit(0), &vec![0; 8 * MIB]);
    assert!(bomb.len() < 100, "{} bytes", bomb.len());

    for limit in LIMITS {
        let blocks = (limit / 80_000 + 1).min(9) * 400_000;

        let peak = peak_of(|| Bzip2::with_limit(limit).undo(&bomb));

        assert!(peak <= limit + blocks + 128 * KIB, "{peak} bytes, where {limit} are the limit");
    }
}

// P-24
#[test]
fn what_lz4_would_inflate_to_16_mib_costs_the_limit() {
    let bomb = applied(&Lz4::with_limit(0), &vec![0; 16 * MIB]);
    assert!((64_000..66_000).contains(&bomb.len()), "{} bytes", bomb.len());

    for limit in LIMITS {
        let peak = peak_of(|| Lz4::with_limit(limit).undo(&bomb));

        assert!(peak <= limit + KIB, "{peak} bytes, where {limit} are the limit");
    }
}

// P-24: what zstd keeps per thread is allocated in C, and not counted.
#[cfg(feature = "zstd")]
#[test]
fn what_zstd_would_inflate_to_2_gib_costs_the_limit() {
    use datagrammar_protocols::Zstd;

    // RFC 8878: no size, a window of 2 MiB, then blocks of 128 KiB that repeat one byte.
    let mut bomb = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58];
    for _ in 0..16_374 {
        bomb.extend([0x02, 0x00, 0x10, 0x00]);
    }
    bomb.extend([0x03, 0x00, 0x10, 0x00]);
    assert_eq!(bomb.len(), 65_506);

    for limit in LIMITS {
        let peak = peak_of(|| Zstd::with_limit(limit).undo(&bomb));

        assert!(peak <= limit + KIB, "{peak} bytes, where {limit} are the limit");
    }
}

// P-5
#[test]
fn a_limit_is_not_allocated_for_what_does_not_need_it() {
    for layer in [&Zlib::with_limit(usize::MAX) as &dyn Layer, &Lz4::with_limit(usize::MAX)] {
        let datagram = applied(layer, b"hello");
        let _ = layer.undo(&datagram); // what a thread keeps

        let peak = peak_of(|| layer.undo(&datagram));

        assert!(peak < KIB, "{peak} bytes");
    }
}

#[test]
fn a_buffer_with_room_is_not_allocated_again() {
    for layer in [&Zlib::with_limit(0) as &dyn Layer, &Lz4::with_limit(0)] {
        let mut datagram = Vec::with_capacity(1_000);
        let mut apply = || {
            datagram.clear();
            datagram.extend_from_slice(b"hello");
            layer.apply(&mut datagram, 0).unwrap();
            Ok(())
        };
        apply().unwrap(); // what a thread keeps

        let peak = peak_of(apply);

        assert!(peak <= 16 * KIB, "{peak} bytes"); // the table of LZ4
    }
}

fn applied(layer: &dyn Layer, payload: &[u8]) -> Vec<u8> {
    let mut datagram = payload.to_vec();
    layer.apply(&mut datagram, 0).expect("the layer can be applied");
    datagram
}

fn on_a_new_thread<T: Send>(run: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| scope.spawn(run).join().expect("the thread returns"))
}

const LIMITS: [usize; 6] = [0, 1_200, 65_507, 300_000, MIB, 10 * MIB];
const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
