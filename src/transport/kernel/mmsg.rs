//! `recvmmsg`, `sendmmsg` and socket options.
//!
//! Headers are built once. They point to names and control messages that live as long as the headers. The
//! bytes of datagrams are borrowed for the time of one system call.
#![allow(unsafe_code)]

use std::{
    io,
    marker::PhantomData,
    mem,
    os::fd::{AsRawFd, BorrowedFd},
    ptr,
};

use super::{Aligned, unix::passed};
use crate::transport::passed::Passed;

/// The longest name of an IP socket, and the most control messages of a datagram to send, in bytes.
pub(in crate::transport) const NAME: usize = 28;
pub(in crate::transport) const CONTROL: usize = 128;

/// Receives many datagrams with one system call. The name of a source has at most `N` bytes.
#[derive(Debug)]
pub(in crate::transport) struct Receiver<const N: usize> {
    headers: Vec<libc::mmsghdr>,
    slots: Vec<libc::iovec>,
    names: Vec<Aligned<N>>,
    /// `room` bytes for the control messages of each datagram.
    controls: Vec<u8>,
    room: usize,
    /// How many headers the kernel has written to.
    used: usize,
}

// SAFETY: the pointers in the headers and slots point to memory that the same value owns, or to a buffer that
// each call borrows anew; nothing is tied to a thread.
unsafe impl<const N: usize> Send for Receiver<N> {}

impl<const N: usize> Receiver<N> {
    /// Makes a receiver for up to `slots` messages, with `room` bytes for the control messages of each.
    pub(in crate::transport) fn new(slots: usize, room: usize) -> Self {
        let mut this = Self {
            headers: vec![header(); slots],
            slots: vec![libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }; slots],
            names: vec![Aligned::default(); slots],
            // Pages that are never touched cost no memory.
            controls: vec![0; slots * room],
            room,
            used: slots,
        };
        // One pointer into each vector, so that no later borrow of a neighbour makes a pointer invalid.
        let (names, controls) = (this.names.as_mut_ptr(), this.controls.as_mut_ptr());
        let slots = this.slots.as_mut_ptr();
        for (i, header) in this.headers.iter_mut().enumerate() {
            let header = &mut header.msg_hdr;
            header.msg_name = names.wrapping_add(i).cast();
            header.msg_control = controls.wrapping_add(i * room).cast();
            header.msg_iov = slots.wrapping_add(i);
            header.msg_iovlen = 1;
        }
        this
    }

    /// Receives up to `count` messages. `bytes` consists of consecutive slots of `slot` bytes, one per
    /// message. Returns how many messages came.
    ///
    /// # Panics
    ///
    /// Panics if `bytes` has fewer than `count` slots.
    pub(in crate::transport) fn recv(
        &mut self,
        fd: BorrowedFd<'_>,
        bytes: &mut [u8],
        slot: usize,
        count: usize,
    ) -> io::Result<usize> {
        if self.headers.len() < count {
            *self = Self::new(count, self.room);
        }
        let mut rooms = bytes.chunks_exact_mut(slot);
        assert!(count <= rooms.len() && count <= self.headers.len());
        // Resets the lengths, because the kernel wrote there how much it had used.
        for header in &mut self.headers[..self.used] {
            header.msg_hdr.msg_namelen = N as libc::socklen_t;
            header.msg_hdr.msg_controllen = self.room as _;
        }
        for (iov, room) in self.slots.iter_mut().zip(&mut rooms).take(count) {
            iov.iov_base = room.as_mut_ptr().cast();
            iov.iov_len = room.len();
        }
        // After an error, no header has a message.
        self.used = 0;
        let headers = self.headers.as_mut_ptr();
        // SAFETY: the first `count` headers exist; each points to a name, a control buffer and a slot of
        // this value, with their true sizes, and the slot to `slot` bytes that are borrowed mutably
        // until this function returns. No two slots overlap.
        let received = unsafe {
            libc::recvmmsg(
                fd.as_raw_fd(),
                headers,
                count as libc::c_uint,
                // Descriptors of a datagram must not reach the programs that this process starts.
                (libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC) as _,
                ptr::null_mut(),
            )
        };
        self.used = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
        Ok(self.used)
    }

    /// The first `count` messages of the last call.
    pub(in crate::transport) fn messages(
        &self,
        count: usize,
    ) -> impl Iterator<Item = Message<'_, N>> {
        self.headers[..count].iter().zip(&self.names).map(|(header, name)| message(header, name))
    }

    /// Message number `at` of the last call.
    pub(in crate::transport) fn message(&self, at: usize) -> Message<'_, N> {
        message(&self.headers[at], &self.names[at])
    }

    /// Takes the descriptors and credentials of message number `at` of the last call, on a Unix socket.
    ///
    /// # Panics
    ///
    /// Panics if the last call received fewer messages.
    pub(in crate::transport) fn take_passed(&mut self, at: usize) -> Option<Passed> {
        let header = &mut self.headers[..self.used][at].msg_hdr;
        let told = mem::replace(&mut header.msg_controllen, 0) as usize;
        let cut = mem::take(&mut header.msg_flags) & libc::MSG_CTRUNC != 0;
        let control = &self.controls[at * self.room..][..self.room];
        // SAFETY: the kernel has written these control messages for the message. A second call finds none,
        // because their length is 0 now.
        unsafe { passed(control.get(..told).unwrap_or_default(), cut) }
    }

    /// The control messages of `message`, which was number `at` of the last call.
    pub(in crate::transport) fn control(&self, at: usize, message: &Message<'_, N>) -> &[u8] {
        self.controls[at * self.room..][..self.room].get(..message.told).unwrap_or_default()
    }
}

/// A received message; its bytes are in its slot.
pub(in crate::transport) struct Message<'r, const N: usize> {
    pub(in crate::transport) name: &'r Aligned<N>,
    /// How many bytes the name has.
    pub(in crate::transport) name_len: usize,
    /// How many bytes of control messages there are.
    pub(in crate::transport) told: usize,
    /// How many of its bytes fitted into the slot.
    pub(in crate::transport) len: usize,
    flags: libc::c_int,
}

impl<const N: usize> Message<'_, N> {
    /// Whether all bytes and all control messages fitted.
    #[inline]
    pub(in crate::transport) const fn is_whole(&self) -> bool {
        self.flags & (libc::MSG_TRUNC | libc::MSG_CTRUNC) == 0
    }
}

#[inline]
fn message<'r, const N: usize>(header: &libc::mmsghdr, name: &'r Aligned<N>) -> Message<'r, N> {
    Message {
        name,
        name_len: header.msg_hdr.msg_namelen as usize,
        told: header.msg_hdr.msg_controllen as _,
        len: header.msg_len as usize,
        flags: header.msg_hdr.msg_flags,
    }
}

/// Sends many datagrams with one system call. The name of a destination has at most `N` bytes.
#[derive(Debug, Default)]
pub(in crate::transport) struct Sender<const N: usize> {
    headers: Vec<libc::mmsghdr>,
    pieces: Vec<libc::iovec>,
    names: Vec<Aligned<N>>,
    controls: Vec<Aligned<CONTROL>>,
}

// SAFETY: the pointers in the headers point to memory that the same value owns. Those in the pieces point to
// bytes that each call borrows anew. Nothing is tied to a thread.
unsafe impl<const N: usize> Send for Sender<N> {}

impl<const N: usize> Sender<N> {
    /// Prepares a call that sends up to `count` datagrams.
    pub(in crate::transport) fn fill<'o>(&mut self, count: usize) -> Filling<'_, 'o, N> {
        if self.headers.len() < count {
            self.grow(count);
        }
        Filling { sender: self, messages: 0, datagrams: 0, bytes: PhantomData }
    }

    #[cold]
    fn grow(&mut self, count: usize) {
        self.headers.resize(count, header());
        self.pieces.resize(count, libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 });
        self.names.resize(count, Aligned::default());
        self.controls.resize(count, Aligned::default());
        // One pointer into each vector, as for a `Receiver`.
        let (names, controls) = (self.names.as_mut_ptr(), self.controls.as_mut_ptr());
        for (i, header) in self.headers.iter_mut().enumerate() {
            header.msg_hdr.msg_name = names.wrapping_add(i).cast();
            header.msg_hdr.msg_control = controls.wrapping_add(i).cast();
        }
    }
}

/// The messages of one call, which borrow the bytes that they send.
pub(in crate::transport) struct Filling<'s, 'o, const N: usize> {
    sender: &'s mut Sender<N>,
    messages: usize,
    datagrams: usize,
    bytes: PhantomData<&'o [u8]>,
}

impl<'o, const N: usize> Filling<'_, 'o, N> {
    /// Adds a message. `name` writes its destination and `control` its control messages; both return how many
    /// bytes they wrote. Its bytes are the `pieces`, one after the other.
    ///
    /// # Panics
    ///
    /// Panics if the call gets more pieces than the `count` of [`fill`](Sender::fill).
    #[inline]
    pub(in crate::transport) fn push(
        &mut self,
        name: impl FnOnce(&mut Aligned<N>) -> libc::socklen_t,
        control: impl FnOnce(&mut Aligned<CONTROL>) -> usize,
        pieces: impl Iterator<Item = &'o [u8]>,
    ) {
        let Sender { headers, pieces: all, names, controls } = &mut *self.sender;
        let (at, first) = (self.messages, self.datagrams);
        for piece in pieces {
            all[self.datagrams] =
                libc::iovec { iov_base: piece.as_ptr().cast_mut().cast(), iov_len: piece.len() };
            self.datagrams += 1;
        }
        // The kernel ignores parts of length 0, so they may hold data of an earlier call.
        let header = &mut headers[at].msg_hdr;
        header.msg_iovlen = (self.datagrams - first) as _;
        header.msg_namelen = name(&mut names[at]);
        header.msg_controllen = control(&mut controls[at]) as _;
        self.messages += 1;
    }

    /// Whether the call has no messages.
    pub(in crate::transport) const fn is_empty(&self) -> bool {
        self.messages == 0
    }

    /// Points the messages to their pieces.
    fn point(&mut self) {
        let Sender { headers, pieces, .. } = &mut *self.sender;
        let mut pieces = pieces.as_mut_ptr();
        for header in &mut headers[..self.messages] {
            header.msg_hdr.msg_iov = pieces;
            pieces = pieces.wrapping_add(header.msg_hdr.msg_iovlen as _);
        }
    }

    /// Sends the messages from number `first` on; returns how many were sent, at least one.
    pub(in crate::transport) fn send(
        &mut self,
        fd: BorrowedFd<'_>,
        first: usize,
    ) -> io::Result<usize> {
        self.point();
        let rest = &mut self.sender.headers[first..self.messages];
        // SAFETY: each header points to a name and a control buffer of the sender, which is borrowed, and
        // to pieces that were added to this call, with their true sizes; the pieces point to bytes that
        // live for 'o, so until after this call. The kernel writes only to `msg_len`.
        let sent = unsafe {
            libc::sendmmsg(
                fd.as_raw_fd(),
                rest.as_mut_ptr(),
                rest.len() as libc::c_uint,
                (libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) as _,
            )
        };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }
}

fn header() -> libc::mmsghdr {
    // SAFETY: it consists of integers and pointers, for which all zeros are valid values.
    unsafe { mem::zeroed() }
}

/// Sets an option of a socket to 1.
pub(in crate::transport) fn enable(fd: BorrowedFd<'_>, level: i32, option: i32) -> io::Result<()> {
    set(fd, level, option, 1)
}

/// Sets an option of a socket to 0.
pub(in crate::transport) fn disable(fd: BorrowedFd<'_>, level: i32, option: i32) -> io::Result<()> {
    set(fd, level, option, 0)
}

fn set(fd: BorrowedFd<'_>, level: i32, option: i32, value: libc::c_int) -> io::Result<()> {
    let len = size_of_val(&value) as libc::socklen_t;
    // SAFETY: the kernel reads one live `c_int`, with its true size.
    let set =
        unsafe { libc::setsockopt(fd.as_raw_fd(), level, option, (&raw const value).cast(), len) };
    if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Reads an option of a socket that is a number.
pub(in crate::transport) fn option(
    fd: BorrowedFd<'_>,
    level: i32,
    option: i32,
) -> io::Result<libc::c_int> {
    read(fd, level, option).map(|[value]: [_; 1]| value)
}

/// Reads how many datagrams the kernel has dropped on their way to a socket, modulo 2^32.
pub(in crate::transport) fn drops(fd: BorrowedFd<'_>) -> io::Result<u32> {
    /// `SK_MEMINFO_DROPS`: the last of the numbers that Linux has reported since 4.12.
    const DROPS: usize = 8;

    read(fd, libc::SOL_SOCKET, libc::SO_MEMINFO).map(|info: [_; DROPS + 1]| info[DROPS] as u32)
}

/// How much of the send buffer of a socket is in use, and its size, in bytes as the kernel counts them.
pub(in crate::transport) fn send_buffer(fd: BorrowedFd<'_>) -> io::Result<(usize, usize)> {
    /// `SK_MEMINFO_WMEM_ALLOC`; `SK_MEMINFO_SNDBUF` follows.
    const USED: usize = 2;

    let info: [_; USED + 2] = read(fd, libc::SOL_SOCKET, libc::SO_MEMINFO)?;
    Ok((info[USED] as usize, info[USED + 1] as usize))
}

/// Reads a socket option of one or several numbers. Numbers that the kernel does not fill in are 0.
fn read<const N: usize>(fd: BorrowedFd<'_>, level: i32, option: i32) -> io::Result<[i32; N]> {
    let mut numbers = [0; N];
    let mut len = size_of_val(&numbers) as libc::socklen_t;
    // SAFETY: the kernel writes at most `len` bytes, which is the true size of the live array, and any
    // bytes are numbers.
    let told = unsafe {
        libc::getsockopt(fd.as_raw_fd(), level, option, numbers.as_mut_ptr().cast(), &raw mut len)
    };
    if told == 0 { Ok(numbers) } else { Err(io::Error::last_os_error()) }
}

/// Attaches `program`, which picks one of the sockets that share the port of `fd`, for each datagram.
pub(in crate::transport) fn pick_by(
    fd: BorrowedFd<'_>,
    program: &mut [libc::sock_filter],
) -> io::Result<()> {
    // Of the architectures that Rust supports, only this one has a different number.
    const ATTACH: libc::c_int = if cfg!(target_arch = "sparc64") { 53 } else { 51 };

    let len = program.len().try_into().map_err(io::Error::other)?;
    let program = libc::sock_fprog { len, filter: program.as_mut_ptr() };
    let size = size_of::<libc::sock_fprog>() as libc::socklen_t;
    let program = (&raw const program).cast();
    // SAFETY: the kernel reads one live `sock_fprog` with its true size, and the instructions that it points
    // to, as many as it says; it keeps a copy.
    let set = unsafe { libc::setsockopt(fd.as_raw_fd(), libc::SOL_SOCKET, ATTACH, program, size) };
    if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
