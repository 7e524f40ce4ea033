//! Hand-over of the sockets of a server from one process to the next, the messages, the connection,
//! what each side remembers, and how its workers take part.

pub(crate) mod connection;
pub(crate) mod format;
pub(crate) mod intake;
pub(crate) mod leaving;
pub(crate) mod listener;
pub(crate) mod succession;
mod table;

use crate::{Addr, transport::Ancillary};

/// A datagram that travels between the two processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) from: Addr,
    pub(crate) ancillary: Ancillary,
    pub(crate) bytes: Vec<u8>,
}
