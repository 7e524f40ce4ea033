//! Control messages, which say beside a datagram where it comes from and how long its segments are.
#![allow(unsafe_code)]

use libc::c_int;

/// The buffer for the control messages of one datagram.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
pub struct Control([u8; Self::LEN]);

impl Control {
    pub const LEN: usize = 64;

    pub fn new() -> Self {
        Self([0; Self::LEN])
    }

    pub fn as_mut_ptr(&mut self) -> *mut u8 {
        self.0.as_mut_ptr()
    }

    /// Writes the control messages of a datagram, and returns their length in bytes.
    pub fn write(&mut self, source: Option<u32>, segment: Option<u16>) -> usize {
        let mut len = 0;
        if let Some(ip) = source {
            let message = PacketInfo {
                len: 28,
                level: libc::IPPROTO_IP,
                kind: libc::IP_PKTINFO,
                interface: 0,
                source: ip.to_be(),
                destination: 0,
                padding: 0,
            };
            // SAFETY: the buffer has 64 bytes at an address that 8 divides, and the message has 32.
            unsafe { self.as_mut_ptr().cast::<PacketInfo>().write(message) };
            len += size_of::<PacketInfo>();
        }
        if let Some(size) = segment {
            let message = Segment {
                len: 18,
                level: libc::SOL_UDP,
                kind: libc::UDP_SEGMENT,
                size,
                padding: [0; 3],
            };
            // SAFETY: `len` is 0 or 32, and this message has 24 bytes.
            unsafe { self.as_mut_ptr().add(len).cast::<Segment>().write(message) };
            len += size_of::<Segment>();
        }
        len
    }

    /// Reads the length of the segments that the kernel has merged, from control messages of `len` bytes.
    pub fn segment(&self, len: usize) -> Option<usize> {
        if len < 20 {
            return None;
        }
        // SAFETY: the buffer has 64 bytes at an address that 8 divides, and any bytes are valid here.
        let message = unsafe { &*self.0.as_ptr().cast::<Segment>() };
        (message.level == libc::SOL_UDP && message.kind == libc::UDP_GRO)
            .then_some(usize::from(message.size))
    }
}

#[repr(C)]
struct PacketInfo {
    len: usize,
    level: c_int,
    kind: c_int,
    interface: c_int,
    source: u32,
    destination: u32,
    padding: u32,
}

#[repr(C)]
struct Segment {
    len: usize,
    level: c_int,
    kind: c_int,
    size: u16,
    padding: [u16; 3],
}
