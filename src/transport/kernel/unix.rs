//! `recvmsg` of a Unix socket, the ancillary data of Unix datagrams, and locks on directories.
#![allow(unsafe_code)]

use std::{
    io,
    mem::{self, offset_of},
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
};

use super::Aligned;
#[cfg(any(target_os = "android", target_os = "linux"))]
use crate::transport::passed::Credentials;
use crate::transport::passed::Passed;

/// More bytes than any name of a Unix socket has, with its family.
pub(in crate::transport) const NAME: usize = 112;

const _: () = assert!(NAME >= size_of::<libc::sockaddr_un>());

/// Where the path begins in a name of the kernel.
pub(in crate::transport) const PATH: usize = offset_of!(libc::sockaddr_un, sun_path);

/// The size of the head of a control message, with its padding, and the alignment of its data.
// SAFETY: they only compute a number.
const HEAD: usize = unsafe { libc::CMSG_LEN(0) } as usize;
// SAFETY: the same.
const ALIGN: usize = unsafe { libc::CMSG_SPACE(1) } as usize - HEAD;
/// The space that the credentials of one sender need, and descriptors beside them do not find.
pub(in crate::transport) const CREDENTIALS: usize =
    HEAD + (3 * size_of::<libc::c_int>()).next_multiple_of(ALIGN);
/// The size of the length of a control message: the kernel of Linux writes a `size_t`, others a `socklen_t`.
const LEN: usize =
    if cfg!(any(target_os = "android", target_os = "linux")) { size_of::<usize>() } else { 4 };
const LEVEL: usize = offset_of!(libc::cmsghdr, cmsg_level);
const KIND: usize = offset_of!(libc::cmsghdr, cmsg_type);

/// A received datagram.
#[derive(Debug)]
pub(in crate::transport) struct Received {
    /// How many of its bytes fitted.
    pub(in crate::transport) len: usize,
    /// How many bytes of the name there are.
    pub(in crate::transport) name_len: usize,
    pub(in crate::transport) passed: Option<Passed>,
}

/// Receives one datagram from a socket in non-blocking mode. Without room for control messages, the kernel
/// closes the descriptors that came with the datagram.
pub(in crate::transport) fn recv(
    fd: BorrowedFd<'_>,
    name: &mut Aligned<NAME>,
    bytes: &mut [u8],
    control: &mut [u8],
) -> io::Result<Received> {
    // Descriptors must not reach the programs that this process starts. Other systems have no such flag.
    #[cfg(not(target_vendor = "apple"))]
    const FLAGS: libc::c_int = libc::MSG_CMSG_CLOEXEC;
    #[cfg(target_vendor = "apple")]
    const FLAGS: libc::c_int = 0;

    let mut piece = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    // SAFETY: it consists of integers and pointers, for which all zeros are valid values.
    let mut header: libc::msghdr = unsafe { mem::zeroed() };
    header.msg_name = name.0.as_mut_ptr().cast();
    header.msg_namelen = NAME as libc::socklen_t;
    header.msg_iov = &raw mut piece;
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = control.len() as _;
    // SAFETY: the header points to a name, one piece and a control buffer, with their true sizes. All are
    // borrowed mutably until this function returns, and any bytes are valid in them.
    let len = unsafe { libc::recvmsg(fd.as_raw_fd(), &raw mut header, FLAGS) };
    let len = usize::try_from(len).map_err(|_| io::Error::last_os_error())?;
    let told = (header.msg_controllen as usize).min(control.len());
    let cut = header.msg_flags & libc::MSG_CTRUNC != 0;
    // SAFETY: the kernel has just written these control messages, and nothing else reads them.
    let passed = (!control.is_empty()).then(|| unsafe { passed(&control[..told], cut) }).flatten();
    Ok(Received { len, name_len: header.msg_namelen as usize, passed })
}

/// Reads the control messages of a datagram, and takes the descriptors in them. `cut` says whether some did
/// not fit. Returns `None` if there is nothing to hand on.
///
/// # Safety
///
/// The kernel must have written `control` for a received datagram, and this must be the only call for that
/// datagram: each descriptor gets one owner.
pub(in crate::transport) unsafe fn passed(control: &[u8], cut: bool) -> Option<Passed> {
    if control.is_empty() && !cut {
        return None;
    }
    let mut passed = Passed { incomplete: cut, ..Passed::default() };
    for (kind, data) in messages(control) {
        match kind {
            libc::SCM_RIGHTS => {
                // SAFETY: the kernel has opened these descriptors for this process. Nothing else knows their
                // numbers, as the caller promises.
                passed.fds.extend(numbers(data).map(|fd| unsafe { own(fd) }));
            }
            #[cfg(any(target_os = "android", target_os = "linux"))]
            libc::SCM_CREDENTIALS => passed.credentials = Credentials::read(data),
            // A descriptor that the program has asked for with a socket option. Nobody can receive it here, so
            // it is closed.
            #[cfg(any(target_os = "android", target_os = "linux"))]
            SCM_PIDFD => {
                // SAFETY: the same as for other descriptors.
                numbers(data).filter(|fd| *fd >= 0).for_each(|fd| drop(unsafe { own(fd) }));
            }
            _ => {}
        }
    }
    Some(passed)
}

#[cfg(any(target_os = "android", target_os = "linux"))]
const SCM_PIDFD: libc::c_int = 4;

/// The kinds and the data of the control messages of the level `SOL_SOCKET`.
fn messages(mut control: &[u8]) -> impl Iterator<Item = (libc::c_int, &[u8])> {
    let mut next = move || {
        let (head, rest) = (control.get(..HEAD)?, &control[HEAD..]);
        let mut len = [0; size_of::<usize>()];
        if cfg!(target_endian = "little") {
            len[..LEN].copy_from_slice(&head[..LEN]);
        } else {
            len[size_of::<usize>() - LEN..].copy_from_slice(&head[..LEN]);
        }
        let data = rest.get(..usize::from_ne_bytes(len).checked_sub(HEAD)?)?;
        let number = |at: usize| numbers(&head[at..at + 4]).next();
        control = rest.get(data.len().next_multiple_of(ALIGN)..).unwrap_or_default();
        Some((number(LEVEL)?, number(KIND)?, data))
    };
    std::iter::from_fn(move || {
        loop {
            let (level, kind, data) = next()?;
            if level == libc::SOL_SOCKET {
                return Some((kind, data));
            }
        }
    })
}

fn numbers(data: &[u8]) -> impl Iterator<Item = i32> {
    data.as_chunks().0.iter().map(|bytes| i32::from_ne_bytes(*bytes))
}

/// Adds a control message of the level `SOL_SOCKET` to `control`.
pub(in crate::transport) fn append(control: &mut Vec<u8>, kind: libc::c_int, data: &[u8]) {
    let at = control.len();
    control.resize(at + HEAD + data.len().next_multiple_of(ALIGN), 0);
    let message = &mut control[at..];
    let len = (HEAD + data.len()).to_ne_bytes();
    let len = if cfg!(target_endian = "little") { &len[..LEN] } else { &len[len.len() - LEN..] };
    message[..LEN].copy_from_slice(len);
    message[LEVEL..][..4].copy_from_slice(&libc::SOL_SOCKET.to_ne_bytes());
    message[KIND..][..4].copy_from_slice(&kind.to_ne_bytes());
    message[HEAD..][..data.len()].copy_from_slice(data);
}

/// Takes a descriptor that the kernel has opened for this process.
///
/// # Safety
///
/// The descriptor must be open, and have no other owner.
unsafe fn own(fd: RawFd) -> OwnedFd {
    // SAFETY: as the caller promises.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    #[cfg(target_vendor = "apple")]
    let _ = socket2::SockRef::from(&fd).set_cloexec(true);
    fd
}

/// Locks a directory against other programs that use this lock, until `fd` is closed. Does not wait.
pub(in crate::transport) fn lock(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the descriptor is borrowed; the call passes no pointer.
    match unsafe { libc::flock(fd.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // U-15
    #[test]
    fn control_messages_of_other_kinds_are_skipped() {
        let mut control = Vec::new();
        append(&mut control, 77, b"something");
        append(&mut control, libc::SCM_RIGHTS, &[]);

        let kinds: Vec<_> = messages(&control).map(|(kind, data)| (kind, data.len())).collect();

        assert_eq!(kinds, [(77, 9), (libc::SCM_RIGHTS, 0)]);
    }

    //
    #[test]
    fn incomplete_control_messages_are_ignored() {
        let mut control = Vec::new();
        append(&mut control, 77, b"something");

        for len in 0..HEAD + 9 {
            assert_eq!(messages(&control[..len]).count(), 0, "{len}");
        }
        for byte in 0..=255 {
            let _ = messages(&[byte; 100]).count();
        }
    }
}
