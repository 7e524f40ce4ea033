//! What operators use: section O of `docs/contract.md`.

mod life;
mod metrics;
