//! What operators use: section O of `docs/contract.md`.
#![allow(unreachable_pub, reason = "a test binary has no outside")]

#[cfg(feature = "admin")]
mod admin;
mod life;
mod metrics;
mod proxy;
#[cfg(feature = "tower")]
mod services;
#[cfg(unix)]
mod handover;
