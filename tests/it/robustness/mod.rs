//! The tests of docs/robustness.md that are about quantity. Here they are small; `.ci/nightly robustness` runs them in
//! the sizes of that page.

mod chatty;
mod flood;
mod impaired;
#[cfg(target_os = "linux")]
mod killed;
mod loops;
mod malformed;
mod panics;
mod restart;
mod shutdown;
mod soak;

use std::env;

/// How often a test does what it does: `small` times, unless the environment has another number.
pub fn times(variable: &str, small: u64) -> u64 {
    env::var(variable).map_or(small, |number| number.parse().expect("a number"))
}
