//! What comes with a received Unix datagram besides its bytes: descriptors and credentials.

use std::os::fd::OwnedFd;

use crate::{Addr, reply_cache::Ticket};

/// What a peer has passed with one datagram, and its ticket. Dropping it closes the descriptors.
#[derive(Debug, Default)]
pub(crate) struct Passed {
    pub(crate) fds: Vec<OwnedFd>,
    pub(crate) credentials: Option<Credentials>,
    /// Whether descriptors are missing, because the control buffer was too small.
    pub(crate) incomplete: bool,
    /// The ticket of a request that the reply cache knows, until a handler receives it.
    pub(crate) ticket: Option<Ticket>,
    /// The source of a datagram that waits, if the server trusts proxies: two datagrams of a peer may come through two.
    pub(crate) from: Option<Box<Addr>>,
}

impl Passed {
    /// How many descriptors there are.
    pub(crate) fn count(&self) -> usize {
        self.fds.len()
    }
}

/// The process, user and group of the peer that has sent a datagram over a Unix socket.
///
/// The kernel checks them: only a privileged process can send other ids than its own.
/// [`Unix::recv_credentials`](crate::Unix::recv_credentials) makes a server receive them, and
/// [`Peer::credentials`](crate::Peer::credentials) returns them. They exist on Linux only.
///
/// # Examples
///
/// ```
/// use datagrammar::Credentials;
///
/// // For `send_with_credentials`: a privileged process may choose the ids that its peer sees.
/// let nobody = Credentials::new(65_534, 65_534);
/// assert_eq!((nobody.uid(), nobody.gid()), (65_534, 65_534));
/// assert_eq!(nobody.pid(), std::process::id());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Credentials {
    pub(super) pid: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Credentials {
    /// Makes credentials of this process with these user and group ids.
    #[must_use]
    pub fn new(uid: u32, gid: u32) -> Self {
        Self { pid: std::process::id(), uid, gid }
    }

    /// Sets the process id.
    #[must_use]
    pub const fn with_pid(mut self, pid: u32) -> Self {
        self.pid = pid;
        self
    }

    /// Returns the process id. It is 0 if the process is in a namespace that this process cannot see.
    #[must_use]
    pub const fn pid(&self) -> u32 {
        self.pid
    }

    /// Returns the user id.
    #[must_use]
    pub const fn uid(&self) -> u32 {
        self.uid
    }

    /// Returns the group id.
    #[must_use]
    pub const fn gid(&self) -> u32 {
        self.gid
    }

    /// Reads a `struct ucred`.
    #[cfg(any(target_os = "android", target_os = "linux"))]
    pub(super) fn read(data: &[u8]) -> Option<Self> {
        let [pid, uid, gid] = *data.as_chunks().0.first_chunk()?;
        let [pid, uid, gid] = [pid, uid, gid].map(u32::from_ne_bytes);
        Some(Self { pid, uid, gid })
    }
}
