//! The connected Unix socket of a blocking client.

use std::{
    io,
    net::Shutdown,
    os::unix::net::UnixDatagram,
    sync::{Arc, Mutex},
    thread::sleep,
    time::{Duration, Instant},
};

use socket2::{SockAddr, SockRef};

use super::wait::{Interest, Waited, wait};
use crate::{
    Addr, SocketRef,
    lock::locked,
    transport::{
        LONGEST_UNIX, Passed,
        unix::{Inbox, Options, OwnPath, connect::Connected, max_len, send_to_peer},
    },
};

/// The connected Unix socket of a blocking client, in non-blocking mode.
#[derive(Debug)]
pub(super) struct UnixLink {
    /// The path of the socket. Dropped first, while the socket is open.
    own_path: Mutex<Option<OwnPath>>,
    socket: Arc<UnixDatagram>,
    peer: SockAddr,
    inbox: Mutex<Inbox>,
    passes_fds: bool,
}

impl UnixLink {
    pub(super) const LONGEST: usize = LONGEST_UNIX;

    pub(super) fn new(connected: Connected, options: Options) -> Self {
        let Connected { socket, peer, own_path } = connected;
        Self {
            own_path: Mutex::new(own_path),
            socket: Arc::new(socket),
            peer,
            inbox: Mutex::new(Inbox::new(options.control)),
            passes_fds: options.fds,
        }
    }

    pub(super) const fn passes_fds(&self) -> bool {
        self.passes_fds
    }

    pub(super) fn socket_ref(&self) -> SocketRef<'static> {
        SocketRef::blocking_unix(Arc::clone(&self.socket))
    }

    pub(super) fn max_len(&self) -> usize {
        max_len(&self.socket)
    }

    pub(super) fn recv(&self, room: &mut [u8]) -> io::Result<(Addr, usize, Option<Passed>)> {
        locked(&self.inbox).recv(&self.socket, room)
    }

    pub(super) fn send(&self, datagram: &[u8], control: &[u8]) -> io::Result<()> {
        send_to_peer(&self.socket, &self.peer, datagram, control)
    }

    /// Waits until the socket is ready, or until `deadline`.
    pub(super) fn wait(&self, interest: Interest, deadline: Option<Instant>) -> io::Result<Waited> {
        const PAUSE: Duration = Duration::from_millis(1);

        if interest == Interest::Writable && !cfg!(target_os = "linux") {
            // Other systems do not report the queue of the peer, so the caller tries again after a pause.
            sleep(PAUSE);
            return Ok(Waited::Ready);
        }
        wait(&*self.socket, interest, deadline)
    }

    pub(super) fn shut_down(&self) -> io::Result<()> {
        SockRef::from(&self.socket).shutdown(Shutdown::Both)
    }

    /// Removes the path of the socket, though the socket stays open while calls use it.
    pub(super) fn remove_path(&self) {
        drop(locked(&self.own_path).take());
    }
}
