//! Batches for `recvmmsg` and `sendmmsg`, with GRO and GSO where asked for.
#![allow(unsafe_code)]

use std::{io, mem, os::fd::AsRawFd, ptr};

use libc::{c_int, iovec, mmsghdr, sockaddr_in};

/// The buffer for one control message: the length of segments.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Control([u8; Self::LEN]);

impl Control {
    const LEN: usize = 32;
}

#[repr(C)]
struct Segment {
    len: usize,
    level: c_int,
    kind: c_int,
    size: u16,
    padding: [u16; 3],
}

/// Has the kernel merge datagrams of one length from one client (GRO).
pub fn merge_received(socket: &impl AsRawFd) -> io::Result<()> {
    let on: c_int = 1;
    let (fd, len) = (socket.as_raw_fd(), size_of::<c_int>() as u32);
    // SAFETY: the pointer and the length describe `on`, which lives as long as the call.
    let result =
        unsafe { libc::setsockopt(fd, libc::SOL_UDP, libc::UDP_GRO, (&raw const on).cast(), len) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Receives many datagrams with one system call.
pub struct Received {
    headers: Vec<mmsghdr>,
    /// The headers point here.
    _parts: Vec<iovec>,
    pub names: Vec<sockaddr_in>,
    controls: Vec<Control>,
    buffer: Vec<u8>,
    room: usize,
    gro: bool,
}

// SAFETY: the pointers in the headers and parts point to what the same value owns.
unsafe impl Send for Received {}

impl Received {
    /// For `batch` messages of up to `room` bytes.
    pub fn new(batch: usize, room: usize, gro: bool) -> Self {
        let mut buffer = vec![0u8; batch * room];
        // SAFETY: all bits of an address may be zero.
        let mut names: Vec<sockaddr_in> = vec![unsafe { mem::zeroed() }; batch];
        // SAFETY: all bits of a header may be zero.
        let mut headers: Vec<mmsghdr> = vec![unsafe { mem::zeroed() }; batch];
        let mut controls = vec![Control([0; Control::LEN]); batch];
        let part = |bytes: &mut [u8]| iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: room };
        let mut parts: Vec<iovec> = buffer.chunks_mut(room).map(part).collect();
        for (i, header) in headers.iter_mut().enumerate() {
            let header = &mut header.msg_hdr;
            header.msg_iov = &raw mut parts[i];
            header.msg_iovlen = 1;
            header.msg_name = (&raw mut names[i]).cast();
            header.msg_namelen = 16;
            if gro {
                header.msg_control = controls[i].0.as_mut_ptr().cast();
                header.msg_controllen = Control::LEN;
            }
        }
        Self { headers, _parts: parts, names, controls, buffer, room, gro }
    }

    /// Receives what is there, and returns how many messages that are.
    pub fn receive(&mut self, socket: &impl AsRawFd, flags: c_int) -> io::Result<usize> {
        if self.gro {
            for header in &mut self.headers {
                header.msg_hdr.msg_controllen = Control::LEN;
            }
        }
        let (fd, len) = (socket.as_raw_fd(), self.headers.len() as u32);
        // SAFETY: the headers point to what `self` owns.
        let count =
            unsafe { libc::recvmmsg(fd, self.headers.as_mut_ptr(), len, flags, ptr::null_mut()) };
        if count < 0 { Err(io::Error::last_os_error()) } else { Ok(count as usize) }
    }

    pub fn message(&self, i: usize) -> &[u8] {
        let len = self.headers[i].msg_len as usize;
        &self.buffer[i * self.room..i * self.room + len]
    }

    /// The first `count` messages, with the addresses that they came from.
    pub fn messages(&self, count: usize) -> impl Iterator<Item = (&sockaddr_in, &[u8])> {
        (0..count).map(|i| (&self.names[i], self.message(i)))
    }

    /// The length of the datagrams that the kernel has merged into a message; of one, its own length.
    fn segment(&self, i: usize) -> usize {
        if self.gro && self.headers[i].msg_hdr.msg_controllen >= 20 {
            // SAFETY: the buffer has 32 bytes at an address that 8 divides, and any bytes are valid here.
            let control = unsafe { &*self.controls[i].0.as_ptr().cast::<Segment>() };
            if control.level == libc::SOL_UDP && control.kind == libc::UDP_GRO {
                return usize::from(control.size);
            }
        }
        self.message(i).len()
    }
}

/// Sends many datagrams with one system call.
pub struct Sender {
    headers: Vec<mmsghdr>,
    parts: Vec<iovec>,
    controls: Vec<Control>,
}

// SAFETY: the pointers in the headers and parts are used only in the call that has set them.
unsafe impl Send for Sender {}

impl Sender {
    pub fn new(batch: usize) -> Self {
        Self {
            // SAFETY: all bits of a header may be zero.
            headers: vec![unsafe { mem::zeroed() }; batch],
            parts: vec![iovec { iov_base: ptr::null_mut(), iov_len: 0 }; batch],
            controls: vec![Control([0; Control::LEN]); batch],
        }
    }

    /// Sends messages, each as one datagram.
    pub fn send<'a>(
        &mut self,
        socket: &impl AsRawFd,
        messages: impl Iterator<Item = (&'a sockaddr_in, &'a [u8])>,
    ) {
        let mut count = 0;
        for (name, bytes) in messages {
            self.parts[count] = part(bytes);
            let header = &mut self.headers[count].msg_hdr;
            header.msg_name = ptr::from_ref(name).cast_mut().cast();
            header.msg_namelen = 16;
            header.msg_iov = &raw mut self.parts[count];
            header.msg_iovlen = 1;
            header.msg_control = ptr::null_mut();
            header.msg_controllen = 0;
            count += 1;
        }
        // SAFETY: `'a` is longer than this call, so what the headers point to lives.
        unsafe { self.flush(socket, count) };
    }

    /// Sends the first `count` messages back; those of one length to one client leave as segments (GSO).
    pub fn echo_segments(&mut self, socket: &impl AsRawFd, received: &Received, count: usize) {
        let mut messages = 0;
        let mut i = 0;
        while i < count {
            let size = received.segment(i).max(1);
            let name = &received.names[i];
            let first = i;
            let (mut bytes, mut segments) = (0, 0);
            loop {
                let message = received.message(i);
                self.parts[i] = part(message);
                bytes += message.len();
                segments += message.len().div_ceil(size);
                i += 1;
                // A shorter segment is the last one.
                if i >= count || !message.len().is_multiple_of(size) {
                    break;
                }
                let (next, len) = (&received.names[i], received.message(i).len());
                let same_client =
                    next.sin_port == name.sin_port && next.sin_addr.s_addr == name.sin_addr.s_addr;
                let fits = bytes + len <= 65_000 && segments + len.div_ceil(size) <= 64;
                if !same_client || received.segment(i) != size || !fits {
                    break;
                }
            }
            let header = &mut self.headers[messages].msg_hdr;
            header.msg_name = ptr::from_ref(name).cast_mut().cast();
            header.msg_namelen = 16;
            header.msg_iov = &raw mut self.parts[first];
            header.msg_iovlen = i - first;
            header.msg_control = ptr::null_mut();
            header.msg_controllen = 0;
            if bytes > size {
                let (level, kind) = (libc::SOL_UDP, libc::UDP_SEGMENT);
                let segment = Segment { len: 18, level, kind, size: size as u16, padding: [0; 3] };
                let control = self.controls[messages].0.as_mut_ptr();
                // SAFETY: the buffer has 32 bytes at an address that 8 divides, and the message has 24.
                unsafe { control.cast::<Segment>().write(segment) };
                header.msg_control = control.cast();
                header.msg_controllen = size_of::<Segment>();
            }
            messages += 1;
        }
        // SAFETY: the headers point to what `self` and `received` own.
        unsafe { self.flush(socket, messages) };
    }

    /// Sends the first `count` headers. Drops a message that the socket refuses, and all that are left when the
    /// socket's buffer is full: on loopback it never is, and a server for real links waits here.
    ///
    /// # Safety
    ///
    /// These headers point to what lives as long as this call.
    unsafe fn flush(&mut self, socket: &impl AsRawFd, count: usize) {
        let mut sent = 0;
        while sent < count {
            let rest = &mut self.headers[sent..count];
            // SAFETY: the caller promises that what the headers point to lives.
            let result = unsafe {
                libc::sendmmsg(socket.as_raw_fd(), rest.as_mut_ptr(), rest.len() as u32, 0)
            };
            if result > 0 {
                sent += result as usize;
                continue;
            }
            match io::Error::last_os_error().kind() {
                io::ErrorKind::WouldBlock => return,
                io::ErrorKind::Interrupted => {}
                _ => sent += 1,
            }
        }
    }
}

fn part(bytes: &[u8]) -> iovec {
    iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() }
}
