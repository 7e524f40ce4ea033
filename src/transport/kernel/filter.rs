//! The length of a socket's filter.
#![allow(unsafe_code)]

use std::{
    os::fd::{AsRawFd, BorrowedFd},
    ptr,
};

/// Returns how many instructions the filter of a socket has, or `None` if it has none. Returns 0 for a program of
/// the extended form (eBPF), whose length the kernel does not tell.
pub(in crate::transport) fn len(fd: BorrowedFd<'_>) -> Option<usize> {
    let mut len: libc::socklen_t = 0;
    // SAFETY: with a length of 0, the kernel writes nothing to the null pointer. It writes the number of
    // instructions to `len`, which is live.
    let told = unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_GET_FILTER,
            ptr::null_mut(),
            &raw mut len,
        )
    };
    match told {
        0 => (len > 0).then_some(len as usize),
        _ => {
            let is_extended = std::io::Error::last_os_error().raw_os_error() == Some(libc::EACCES);
            is_extended.then_some(0)
        }
    }
}
