//! Receives responses with `recvmmsg`.
#![allow(unsafe_code)]

use std::{
    mem,
    os::fd::{AsRawFd, OwnedFd},
    ptr,
};

use libc::c_int;

use crate::{control::Control, message::Format, options::Options, send::BATCH};

pub struct Receiver {
    headers: Vec<libc::mmsghdr>,
    /// The headers point here.
    _parts: Vec<libc::iovec>,
    controls: Vec<Control>,
    buffer: Vec<u8>,
    /// Bytes of the buffer for each message.
    room: usize,
    gro: bool,
    format: Format,
    pub calls: u64,
    /// Responses that answer no request.
    pub bad: u64,
}

impl Receiver {
    pub fn new(options: &Options) -> Self {
        // The head is enough, except where the kernel merges several responses.
        let room = if options.gso { 65_536 } else { 64 };
        let mut buffer = vec![0u8; room * BATCH];
        let part =
            |bytes: &mut [u8]| libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: room };
        let mut parts: Vec<_> = buffer.chunks_mut(room).map(part).collect();
        let mut controls = vec![Control::new(); BATCH];
        // SAFETY: all bits of a header may be zero.
        let mut headers: Vec<libc::mmsghdr> = vec![unsafe { mem::zeroed() }; BATCH];
        for (header, (part, control)) in headers.iter_mut().zip(parts.iter_mut().zip(&mut controls))
        {
            header.msg_hdr.msg_iov = part;
            header.msg_hdr.msg_iovlen = 1;
            if options.gso {
                header.msg_hdr.msg_control = control.as_mut_ptr().cast();
                header.msg_hdr.msg_controllen = Control::LEN;
            }
        }
        Self {
            headers,
            _parts: parts,
            controls,
            buffer,
            room,
            gro: options.gso,
            format: options.format,
            calls: 0,
            bad: 0,
        }
    }

    /// Receives up to `max` messages, calls `found(slot, generation)` for each response in them, and returns
    /// how many messages there were.
    pub fn receive(
        &mut self,
        socket: &OwnedFd,
        max: usize,
        flags: c_int,
        mut found: impl FnMut(u32, u32),
    ) -> usize {
        let (fd, max, flags) = (socket.as_raw_fd(), max.min(BATCH) as u32, flags | libc::MSG_TRUNC);
        // SAFETY: there are `BATCH` headers, and they point to what `self` owns.
        let count =
            unsafe { libc::recvmmsg(fd, self.headers.as_mut_ptr(), max, flags, ptr::null_mut()) };
        self.calls += 1;
        let count = count.max(0) as usize;
        for (i, header) in self.headers[..count].iter_mut().enumerate() {
            // With MSG_TRUNC this is the length on the wire, also where the buffer is shorter.
            let len = header.msg_len as usize;
            let buffer = &self.buffer[i * self.room..(i + 1) * self.room];
            let mut segment = len;
            if self.gro {
                segment = self.controls[i].segment(header.msg_hdr.msg_controllen).unwrap_or(len);
                header.msg_hdr.msg_controllen = Control::LEN;
            }
            let mut start = 0;
            while start < len {
                let end = (start + segment).min(len);
                let head = &buffer[start.min(self.room)..end.min(self.room)];
                match self.format.read(head, end - start) {
                    Some((slot, generation)) => found(slot, generation),
                    None => self.bad += 1,
                }
                start = end;
            }
        }
        count
    }
}
