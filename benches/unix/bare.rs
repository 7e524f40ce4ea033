//! The leanest echo server over Unix datagrams: a loop of `recvmmsg` and `sendmmsg`.
#![allow(unsafe_code)]

use std::{
    io, mem,
    os::{fd::AsRawFd, unix::net::UnixDatagram},
    ptr,
};

const BATCH: usize = 32;
const ROOM: usize = 2_048;

/// Answers each datagram with the same bytes, for ever.
pub fn echo(socket: &UnixDatagram) -> ! {
    let mut buffer = vec![0_u8; BATCH * ROOM];
    // SAFETY: all bits of an address and of a header may be zero.
    let mut names: Vec<libc::sockaddr_un> = vec![unsafe { mem::zeroed() }; BATCH];
    // SAFETY: the same.
    let mut headers: Vec<libc::mmsghdr> = vec![unsafe { mem::zeroed() }; BATCH];
    let part = |bytes: &mut [u8]| libc::iovec {
        iov_base: bytes.as_mut_ptr().cast(),
        iov_len: bytes.len(),
    };
    let mut parts: Vec<libc::iovec> = buffer.chunks_mut(ROOM).map(part).collect();
    for (i, header) in headers.iter_mut().enumerate() {
        header.msg_hdr.msg_name = (&raw mut names[i]).cast();
        header.msg_hdr.msg_iov = &raw mut parts[i];
        header.msg_hdr.msg_iovlen = 1;
    }
    let fd = socket.as_raw_fd();
    loop {
        for (header, part) in headers.iter_mut().zip(&mut parts) {
            header.msg_hdr.msg_namelen = size_of::<libc::sockaddr_un>() as u32;
            part.iov_len = ROOM;
        }
        let all = headers.as_mut_ptr();
        // SAFETY: the headers point to names, parts and a buffer that live as long as this loop.
        let received = unsafe {
            libc::recvmmsg(fd, all, BATCH as u32, libc::MSG_WAITFORONE as _, ptr::null_mut())
        };
        let Ok(received) = usize::try_from(received) else {
            panic!("{}", io::Error::last_os_error())
        };
        for (header, part) in headers[..received].iter().zip(&mut parts) {
            part.iov_len = header.msg_len as usize;
        }
        // SAFETY: the same; the kernel reads as many bytes as were received.
        let sent = unsafe { libc::sendmmsg(fd, headers.as_mut_ptr(), received as u32, 0) };
        assert_eq!(usize::try_from(sent), Ok(received), "{}", io::Error::last_os_error());
    }
}
