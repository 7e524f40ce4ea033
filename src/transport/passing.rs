//! What a Unix datagram to send passes besides its bytes.

use std::os::fd::{AsRawFd, BorrowedFd};

use super::{kernel::unix::append, passed::Credentials};

/// What a datagram to send passes besides its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Passing<'a> {
    Fds(&'a [BorrowedFd<'a>]),
    #[cfg_attr(
        not(any(target_os = "android", target_os = "linux")),
        expect(dead_code, reason = "other systems pass no credentials")
    )]
    Credentials(Credentials),
}

impl Passing<'_> {
    /// The control messages for the kernel. Empty if there is nothing to pass.
    pub(crate) fn control(self) -> Vec<u8> {
        let mut control = Vec::new();
        match self {
            Self::Fds([]) => {}
            Self::Fds(fds) => {
                let numbers: Vec<u8> =
                    fds.iter().flat_map(|fd| fd.as_raw_fd().to_ne_bytes()).collect();
                append(&mut control, libc::SCM_RIGHTS, &numbers);
            }
            #[cfg(any(target_os = "android", target_os = "linux"))]
            Self::Credentials(Credentials { pid, uid, gid }) => {
                let ids = [pid, uid, gid].map(u32::to_ne_bytes).concat();
                append(&mut control, libc::SCM_CREDENTIALS, &ids);
            }
            #[cfg(not(any(target_os = "android", target_os = "linux")))]
            Self::Credentials(_) => {}
        }
        control
    }
}
