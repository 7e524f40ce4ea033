//! What operators use: section O of `docs/contract.md`.
#![allow(unreachable_pub, reason = "a test binary has no outside")]

#[cfg(feature = "admin")]
mod admin;
#[cfg(unix)]
mod child;
#[cfg(unix)]
#[path = "../it/files.rs"]
mod files;
#[cfg(unix)]
mod handover;
mod life;
mod metrics;
mod proxy;
#[cfg(feature = "tower")]
mod services;
#[cfg(all(feature = "signal", unix))]
mod signals;
#[cfg(target_os = "linux")]
#[path = "../it/socket_option.rs"]
mod socket_option;
