//! A server on io_uring: one `recvmsg` for all datagrams, into a ring of buffers, and a `sendmsg` for each.
//!
//! All responses that one wake-up finds are submitted with one `io_uring_enter`.
#![allow(unsafe_code)]

use std::{
    alloc::{Layout, alloc_zeroed},
    mem,
    os::fd::AsRawFd,
    ptr, slice,
    sync::atomic::{AtomicU16, Ordering},
};

use io_uring::{
    IoUring, cqueue, opcode,
    squeue::Entry,
    types::{BufRingEntry, Fd, RecvMsgOut},
};
use libc::{iovec, msghdr, sockaddr_in};

use crate::options::Options;

/// Marks what the one receive operation completes; all else is a send, marked with its buffer.
const RECEIVE: u64 = u64::MAX;

/// `bufs` (512) is the number of buffers, `each` (9216) the longest datagram.
pub fn echo(options: &Options) {
    let socket = options.bind();
    let fd = Fd(socket.as_raw_fd());
    let count = options.number("bufs", 512).next_power_of_two();
    let mut ring: IoUring = IoUring::builder()
        .setup_single_issuer()
        .setup_coop_taskrun()
        .setup_defer_taskrun()
        .setup_cqsize(4096)
        .build(1024)
        .expect("an io_uring");
    let mut buffers = Buffers::new(count, options.number("each", 9216) + 64);
    // SAFETY: the ring holds `count` entries and is never freed.
    unsafe {
        ring.submitter().register_buf_ring_with_flags(buffers.ring as u64, count as u16, 0, 0)
    }
    .expect("a ring of buffers");

    // SAFETY: all bits of a header may be zero.
    let mut template: msghdr = unsafe { mem::zeroed() };
    template.msg_namelen = 16;
    let mut headers: Vec<msghdr> = vec![template; count];
    let mut parts: Vec<iovec> = vec![iovec { iov_base: ptr::null_mut(), iov_len: 0 }; count];
    // SAFETY: all bits of an address may be zero.
    let mut names: Vec<sockaddr_in> = vec![unsafe { mem::zeroed() }; count];
    let receive = opcode::RecvMsgMulti::new(fd, &raw const template, 0).build().user_data(RECEIVE);
    // SAFETY: the template lives as long as this function, which does not return.
    unsafe { submit(&mut ring, &receive) };

    let mut completed: Vec<(u64, i32, u32)> = Vec::with_capacity(4096);
    loop {
        if ring.submit_and_wait(1).is_err() {
            continue;
        }
        completed.clear();
        completed.extend(
            ring.completion().map(|entry| (entry.user_data(), entry.result(), entry.flags())),
        );
        let mut ended = false;
        for &(user_data, result, flags) in &completed {
            if user_data != RECEIVE {
                buffers.give(user_data as u16);
                continue;
            }
            ended |= !cqueue::more(flags);
            let Some(id) = cqueue::buffer_select(flags) else { continue };
            let at = usize::from(id);
            // SAFETY: the kernel has filled this buffer, and does not touch it before it is given back.
            let bytes = unsafe { slice::from_raw_parts(buffers.at(id), result.max(0) as usize) };
            let Ok(message) = RecvMsgOut::parse(bytes, &template) else {
                buffers.give(id);
                continue;
            };
            // SAFETY: the template asks for 16 bytes of address.
            names[at] =
                unsafe { message.name_data().as_ptr().cast::<sockaddr_in>().read_unaligned() };
            let payload = message.payload_data();
            parts[at] =
                iovec { iov_base: payload.as_ptr().cast_mut().cast(), iov_len: payload.len() };
            headers[at].msg_name = (&raw mut names[at]).cast();
            headers[at].msg_iov = &raw mut parts[at];
            headers[at].msg_iovlen = 1;
            let send =
                opcode::SendMsg::new(fd, &raw const headers[at]).build().user_data(u64::from(id));
            // SAFETY: header, address and payload stay as they are until the completion gives the buffer back.
            unsafe { submit(&mut ring, &send) };
        }
        buffers.publish();
        if ended {
            // SAFETY: as above.
            unsafe { submit(&mut ring, &receive) };
        }
    }
}

/// Queues an operation; if the queue is full, it goes to the kernel first.
///
/// # Safety
///
/// What the operation points to lives until it is complete.
unsafe fn submit(ring: &mut IoUring, operation: &Entry) {
    // SAFETY: the caller promises it.
    if unsafe { ring.submission().push(operation) }.is_err() {
        let _ = ring.submit();
        // SAFETY: as above.
        let _ = unsafe { ring.submission().push(operation) };
    }
}

/// Buffers that the kernel chooses from.
struct Buffers {
    ring: *mut BufRingEntry,
    count: usize,
    tail: u16,
    bytes: Vec<u8>,
    room: usize,
}

impl Buffers {
    fn new(count: usize, room: usize) -> Self {
        let layout =
            Layout::from_size_align(count * size_of::<BufRingEntry>(), 4096).expect("a layout");
        // SAFETY: the layout is not empty.
        let ring = unsafe { alloc_zeroed(layout) }.cast();
        let mut this = Self { ring, count, tail: 0, bytes: vec![0; count * room], room };
        for id in 0..count as u16 {
            this.give(id);
        }
        this.publish();
        this
    }

    fn at(&mut self, id: u16) -> *mut u8 {
        self.bytes[usize::from(id) * self.room..].as_mut_ptr()
    }

    /// Gives a buffer back to the kernel, which sees it after `publish`.
    fn give(&mut self, id: u16) {
        let (addr, len) = (self.at(id) as u64, self.room as u32);
        // SAFETY: the place is masked to the length of the ring, and the kernel does not read it yet.
        let entry = unsafe { &mut *self.ring.add(usize::from(self.tail) & (self.count - 1)) };
        entry.set_addr(addr);
        entry.set_len(len);
        entry.set_bid(id);
        self.tail = self.tail.wrapping_add(1);
    }

    fn publish(&self) {
        // SAFETY: the tail lies in the first entry, and is shared with the kernel as an atomic number.
        let tail = unsafe { &*BufRingEntry::tail(self.ring).cast::<AtomicU16>() };
        tail.store(self.tail, Ordering::Release);
    }
}
