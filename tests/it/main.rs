//! Tests of the contract, rule by rule. Each test names the rule that it checks.

#![allow(unreachable_pub, reason = "a test binary has no outside")]

mod alone;
mod clients;
mod files;
#[cfg(target_os = "linux")]
mod icmp;
mod log;
#[cfg(target_os = "linux")]
mod paths;
#[cfg(all(target_os = "linux", not(datagrammar_portable)))]
mod socket_option;
mod support;

mod binding;
#[cfg(feature = "blocking")]
mod blocking;
mod bounds;
mod chunked;
mod client;
#[cfg(feature = "tokio-codec")]
mod codec;
mod dispatch;
mod events;
mod exchange;
mod guard;
mod handlers;
mod lifecycle;
mod receiving;
mod reply_cache;
mod request;
mod robustness;
mod sending;
#[cfg(target_os = "linux")]
pub(crate) mod unix;
