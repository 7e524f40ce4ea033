//! The errors of servers and clients, one type for each operation.

mod addr;
mod bind;
mod client_exchange;
mod connect;
#[cfg(unix)]
mod inherited;
mod ip_network;
mod limit;
mod option;
mod peer_exchange;
mod recv;
mod request;
mod send;
mod sender;
mod serve;
mod spawn;
#[cfg(unix)]
mod take_over;
mod token_secret;

pub use addr::AddrError;
pub use bind::BindError;
pub use client_exchange::ClientExchangeError;
pub use connect::ConnectError;
#[cfg(unix)]
pub use inherited::InheritedError;
pub use ip_network::IpNetworkError;
pub use limit::LimitError;
pub use option::OptionError;
pub use peer_exchange::PeerExchangeError;
pub use recv::{ClientRecvError, RecvError};
pub use request::RequestError;
pub use send::{ClientSendError, SendError};
pub use sender::SenderError;
pub use serve::ServeError;
pub use spawn::SpawnError;
#[cfg(unix)]
pub use take_over::TakeOverError;
pub use token_secret::TokenSecretError;
