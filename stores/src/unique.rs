//! Numbers that no other replica makes.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

/// Seeded by the operating system, once for each process.
static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::new);

static NEXT: AtomicU64 = AtomicU64::new(0);

/// Returns 64 bits that look random. The keyed hash of a counter repeats as rarely as random numbers do.
pub(crate) fn number() -> u64 {
    SEED.hash_one(NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Returns 128 bits that no other call returns, in this process or in another one.
pub(crate) fn owner() -> [u8; 16] {
    let mut owner = [0; 16];
    owner[..8].copy_from_slice(&number().to_be_bytes());
    owner[8..].copy_from_slice(&number().to_be_bytes());
    owner
}
