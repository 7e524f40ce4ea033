//! Sends requests with `sendmmsg`.
#![allow(unsafe_code)]

use std::{
    io, mem,
    os::fd::{AsRawFd, OwnedFd},
    ptr,
};

use crate::{
    control::Control,
    fail,
    message::{Format, HEAD},
    options::Options,
    requests::Slot,
    socket,
};

/// The most requests of one system call.
pub const BATCH: usize = 64;

pub struct Sender {
    headers: Vec<libc::mmsghdr>,
    parts: Vec<libc::iovec>,
    heads: Vec<[u8; HEAD]>,
    controls: Vec<Control>,
    server: Box<libc::sockaddr_in>,
    tail: Vec<u8>,
    format: Format,
    max_segments: usize,
    /// Whether each datagram has its client's source address.
    multi: bool,
    pub calls: u64,
}

impl Sender {
    pub fn new(options: &Options) -> Self {
        let size = options.format.size();
        Self {
            // SAFETY: all bits of a header may be zero.
            headers: vec![unsafe { mem::zeroed() }; BATCH],
            parts: vec![libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }; BATCH * 2],
            heads: vec![[0; HEAD]; BATCH],
            controls: vec![Control::new(); BATCH],
            server: Box::new(socket::address(0x7f00_0001, options.port)),
            tail: options.format.tail(),
            format: options.format,
            max_segments: if options.gso { (65_000 / size).clamp(1, 64) } else { 1 },
            multi: options.multi,
            calls: 0,
        }
    }

    /// Sends one request for each slot of `list`, which holds at most `BATCH`.
    pub fn send(&mut self, socket: &OwnedFd, list: &[u32], slots: &[Slot]) {
        let mut messages = 0;
        let mut next = 0;
        while next < list.len() {
            let client = slots[list[next] as usize].client;
            let first = next;
            while next < list.len()
                && next - first < self.max_segments
                && slots[list[next] as usize].client == client
            {
                let slot = list[next];
                let head = &mut self.heads[next];
                self.format.write_head(head, slot, slots[slot as usize].generation);
                self.parts[2 * next] = libc::iovec {
                    iov_base: head.as_mut_ptr().cast(),
                    iov_len: self.format.head_len(),
                };
                self.parts[2 * next + 1] = libc::iovec {
                    iov_base: self.tail.as_mut_ptr().cast(),
                    iov_len: self.tail.len(),
                };
                next += 1;
            }
            let segments = next - first;
            let header = &mut self.headers[messages].msg_hdr;
            header.msg_iov = &raw mut self.parts[2 * first];
            header.msg_iovlen = 2 * segments;
            if self.multi {
                header.msg_name = (&raw mut *self.server).cast();
                header.msg_namelen = 16;
            }
            let control = &mut self.controls[messages];
            let source = self.multi.then(|| socket::client_ip(client));
            let len = control.write(source, (segments > 1).then(|| self.format.size() as u16));
            header.msg_control =
                if len > 0 { control.as_mut_ptr().cast() } else { ptr::null_mut() };
            header.msg_controllen = len;
            messages += 1;
        }
        self.flush(socket, messages);
    }

    fn flush(&mut self, socket: &OwnedFd, messages: usize) {
        let (mut sent, mut failures) = (0, 0);
        while sent < messages {
            let rest = &mut self.headers[sent..messages];
            // SAFETY: `send` has filled these headers, and they point to what `self` owns.
            let count = unsafe {
                libc::sendmmsg(socket.as_raw_fd(), rest.as_mut_ptr(), rest.len() as u32, 0)
            };
            self.calls += 1;
            if count > 0 {
                sent += count as usize;
                continue;
            }
            failures += 1;
            let error = io::Error::last_os_error();
            if failures > 1000 || matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EIO)) {
                fail(&format!("cannot send: {error}"));
            }
        }
    }
}
