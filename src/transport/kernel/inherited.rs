//! A descriptor that is known by its number only: duplicated, and closed.
#![allow(unsafe_code)]

use std::{
    io,
    os::fd::{FromRawFd, OwnedFd, RawFd},
};

use crate::error::InheritedError;

/// Returns a duplicate of `fd` with close-on-exec, if `fd` is open and this program can have inherited it.
pub(in crate::transport) fn duplicate(fd: RawFd) -> Result<OwnedFd, InheritedError> {
    const INHERITED: &str = "has close-on-exec set, so this program has opened it, or another part of the \
                             program has taken it";

    // SAFETY: it takes no pointer, and changes nothing. For a number that is not open it fails.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFD) };
    if flags < 0 {
        return Err(InheritedError::unusable(fd, "is not open"));
    }
    // No descriptor with this flag outlives the start of a program, and std sets it on everything it opens.
    if flags & libc::FD_CLOEXEC != 0 {
        return Err(InheritedError::unusable(fd, INHERITED));
    }
    // SAFETY: it takes no pointer, and leaves `fd` as it is. If `fd` was closed meanwhile, it fails.
    let copy = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, fd) };
    if copy < 0 {
        return Err(InheritedError::failed(fd, &io::Error::last_os_error()));
    }
    // SAFETY: the kernel has just made this descriptor, so nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// Closes `fd`, which must be claimed, so that [`duplicate`] has found it open and inherited.
pub(in crate::transport) fn close(fd: RawFd) {
    // SAFETY: the parent process has left `fd` to this program. Its claim is never given back after this, so
    // here is its only owner.
    drop(unsafe { OwnedFd::from_raw_fd(fd) });
}
