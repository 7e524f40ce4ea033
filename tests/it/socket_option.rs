//! Options of sockets that no dependency has.

use std::{
    io,
    os::fd::{AsFd, AsRawFd},
};

/// An option of a socket: its level, its number and a value.
pub type Switch = (i32, i32, i32);

/// Sets any socket option that is a number, like programs do on lent sockets.
#[allow(unsafe_code, reason = "no dependency sets arbitrary socket options")]
pub fn set(socket: &impl AsFd, (level, option, value): Switch) -> io::Result<()> {
    let fd = socket.as_fd().as_raw_fd();
    let len = size_of_val(&value) as libc::socklen_t;
    // SAFETY: the descriptor is borrowed, and the kernel reads one live `c_int`, with its true size.
    match unsafe { libc::setsockopt(fd, level, option, (&raw const value).cast(), len) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
