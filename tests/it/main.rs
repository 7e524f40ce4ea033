//! What a user may rely on, rule by rule: a test names the rule of the contract that it holds.

#![allow(unreachable_pub, reason = "a test binary has no outside")]

mod alone;
#[cfg(target_os = "linux")]
mod icmp;
mod log;
mod support;

mod binding;
mod bounds;
mod client;
#[cfg(feature = "tokio-codec")]
mod codec;
mod dispatch;
mod events;
mod handlers;
mod lifecycle;
mod receiving;
mod sending;
