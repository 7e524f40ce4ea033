//! Tests of Unix sockets that count descriptors, or set the umask or the current directory.

mod bomb;
mod descriptors;
mod directory;
mod mode;

use std::{
    fs,
    io::{self, IoSlice},
    os::{
        fd::{AsRawFd, BorrowedFd},
        unix::net::UnixDatagram,
    },
    path::Path,
};

use socket2::{MsgHdr, SockAddr, SockRef};

/// How many descriptors this process has.
fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// A runtime with one thread.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Sends a datagram with this descriptor `count` times, as programs without this crate do.
fn send_fds(
    socket: &UnixDatagram,
    to: &Path,
    bytes: &[u8],
    (fd, count): (BorrowedFd<'_>, usize),
) -> io::Result<()> {
    let len = 16 + 4 * count;
    let mut control = len.to_ne_bytes().to_vec();
    control.extend(libc::SOL_SOCKET.to_ne_bytes());
    control.extend(libc::SCM_RIGHTS.to_ne_bytes());
    control.extend(fd.as_raw_fd().to_ne_bytes().repeat(count));
    control.resize(len.next_multiple_of(8), 0);
    let (pieces, to) = ([IoSlice::new(bytes)], SockAddr::unix(to)?);
    let message = MsgHdr::new().with_buffers(&pieces).with_control(&control).with_addr(&to);
    SockRef::from(socket).sendmsg(&message, 0).map(drop)
}
