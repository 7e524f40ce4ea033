//! `poll(2)` for one descriptor.
#![allow(unsafe_code)]

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd},
};

/// Waits until `fd` has one of the `events`, for up to `timeout` milliseconds; -1 means without a limit. Returns
/// the events that it has; 0 if the time is over.
pub(crate) fn poll(fd: BorrowedFd<'_>, events: i16, timeout: i32) -> io::Result<i16> {
    let mut fd = libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 };
    // SAFETY: the kernel reads and writes one live `pollfd`. The descriptor is borrowed, so it is open.
    match unsafe { libc::poll(&raw mut fd, 1, timeout) } {
        0 => Ok(0),
        1.. => Ok(fd.revents),
        _ => Err(io::Error::last_os_error()),
    }
}
