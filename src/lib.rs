//! Typed datagram protocols for tokio.
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod addr;
mod client;
mod error;
mod events;
mod figures;
mod handler;
mod limits;
mod panic;
mod peer;
mod server;
mod service;
#[cfg(feature = "testing")]
pub mod testing;
mod transport;

pub use addr::PeerAddr;
pub use client::{Packets, UdpClient, UdpClientBuilder};
pub use error::{RecvError, SendError, ServeError};
pub use figures::{DropReason, Figures};
pub use handler::{BoxHandler, Handler, ReplyIf, reply_if};
pub use limits::{Limits, Overflow};
pub use peer::{Peer, PeerSender};
pub use server::{BindAddrs, UdpServer, UdpServerBuilder};
pub use service::{ServerHandle, Service};
pub use transport::socket::BoundSocket;

pub use datagrammar_protocols::*;
