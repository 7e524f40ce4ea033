//! The stores, and servers that share them: O-50 to O-55 of `docs/contract.md`.
//!
//! The tests start `redis-server` and `nats-server`. Where one is not installed, its tests are skipped and say so. With
//! `DATAGRAMMAR_REQUIRE_PROGRAMS` in the environment they fail instead.

mod counts;
mod engines;
mod outage;
mod replies;
mod sessions;
mod store;
