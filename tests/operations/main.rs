//! What operators use: section O of `docs/contract.md`.

#[cfg(feature = "admin")]
mod admin;
mod life;
mod metrics;
#[cfg(feature = "tower")]
mod services;
mod proxy;
