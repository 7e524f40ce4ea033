//! Whether the kernel merges datagrams that a socket receives (GRO).

use std::os::fd::AsFd;

use crate::transport::kernel::mmsg;

/// Whether the kernel merges datagrams that `socket` receives.
pub(in crate::transport) fn merges(socket: &impl AsFd) -> bool {
    matches!(mmsg::option(socket.as_fd(), libc::SOL_UDP, libc::UDP_GRO), Ok(1..))
}
