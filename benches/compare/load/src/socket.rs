//! Sockets, their options, and readiness of many of them.
#![allow(unsafe_code)]

use std::{
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    ptr,
};

use libc::c_int;

use crate::options::Options;

/// Room for the responses of all clients, so that none is lost here.
const RECEIVE_BUFFER: c_int = 128 << 20;
const ON: c_int = 1;

pub fn open(options: &Options) -> io::Result<OwnedFd> {
    // SAFETY: the call takes no pointers.
    let fd =
        check(unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_NONBLOCK, 0) })?;
    // SAFETY: the descriptor is new, and nothing else owns it.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    let many = options.multi || options.clients <= 64;
    // The first option needs CAP_NET_ADMIN; the second one grants as much as net.core.rmem_max.
    if many && set(&socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &RECEIVE_BUFFER).is_err() {
        set(&socket, libc::SOL_SOCKET, libc::SO_RCVBUF, &RECEIVE_BUFFER)?;
    }
    let ours = address(0, options.src_port);
    let server = address(0x7f00_0001, options.port);
    if options.multi {
        // SAFETY: the address lives as long as the call, and has 16 bytes.
        check(unsafe { libc::bind(fd, (&raw const ours).cast(), 16) })?;
    } else {
        // SAFETY: as above.
        check(unsafe { libc::connect(fd, (&raw const server).cast(), 16) })?;
    }
    if options.gso {
        set(&socket, libc::SOL_UDP, libc::UDP_GRO, &ON)?;
    }
    Ok(socket)
}

/// Waits for responses in the system call from now on, for 50 ms at most.
pub fn set_blocking(socket: &OwnedFd) -> io::Result<()> {
    let fd = socket.as_raw_fd();
    // SAFETY: the calls take no pointers.
    check(unsafe {
        libc::fcntl(fd, libc::F_SETFL, libc::fcntl(fd, libc::F_GETFL) & !libc::O_NONBLOCK)
    })?;
    set(socket, libc::SOL_SOCKET, libc::SO_RCVTIMEO, &libc::timeval { tv_sec: 0, tv_usec: 50_000 })
}

pub fn address(ip: u32, port: u16) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as u16,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: ip.to_be() },
        sin_zero: [0; 8],
    }
}

/// The address of a client, where one socket stands for all: from 127.16.0.0 on.
pub fn client_ip(client: u32) -> u32 {
    0x7f10_0000 + (client & 0x007f_ffff)
}

fn set<T>(socket: &OwnedFd, level: c_int, name: c_int, value: &T) -> io::Result<()> {
    let len = size_of::<T>() as u32;
    // SAFETY: the pointer and the length describe `value`, which lives as long as the call.
    check(unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, name, ptr::from_ref(value).cast(), len)
    })?;
    Ok(())
}

fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Says which of many sockets have received something since they were last asked.
pub struct Poll {
    epoll: OwnedFd,
    events: Vec<libc::epoll_event>,
}

impl Poll {
    pub fn new(sockets: &[OwnedFd]) -> io::Result<Self> {
        // SAFETY: the call takes no pointers.
        let fd = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: the descriptor is new, and nothing else owns it.
        let epoll = unsafe { OwnedFd::from_raw_fd(fd) };
        for (i, socket) in sockets.iter().enumerate() {
            let mut event =
                libc::epoll_event { events: (libc::EPOLLIN | libc::EPOLLET) as u32, u64: i as u64 };
            // SAFETY: the event lives as long as the call.
            check(unsafe {
                libc::epoll_ctl(fd, libc::EPOLL_CTL_ADD, socket.as_raw_fd(), &raw mut event)
            })?;
        }
        Ok(Self { epoll, events: vec![libc::epoll_event { events: 0, u64: 0 }; 64] })
    }

    /// Returns the places of those sockets, 64 at most, without waiting.
    pub fn ready(&mut self) -> impl Iterator<Item = usize> + '_ {
        let (fd, max) = (self.epoll.as_raw_fd(), self.events.len() as c_int);
        // SAFETY: the buffer has room for `max` events.
        let count = unsafe { libc::epoll_wait(fd, self.events.as_mut_ptr(), max, 0) };
        self.events.iter().take(count.max(0) as usize).map(|event| event.u64 as usize)
    }
}
