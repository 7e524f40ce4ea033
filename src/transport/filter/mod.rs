//! The kernel filter: a program that drops datagrams before they take room in the buffer of a socket.

#[cfg(any(target_os = "android", target_os = "linux"))]
mod program;

use std::io;

use socket2::Socket;
#[cfg(any(target_os = "android", target_os = "linux"))]
use {
    program::{Instruction, program},
    socket2::SockFilter,
};

use super::SocketRef;
use crate::{OptionError, Shape};

/// A program for the kernel that drops datagrams without a shape. It is empty if all datagrams have that shape.
#[cfg(any(target_os = "android", target_os = "linux"))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter(Vec<Instruction>);

#[cfg(any(target_os = "android", target_os = "linux"))]
impl Filter {
    /// Makes the program.
    pub(crate) fn new(shape: &Shape) -> Result<Self, OptionError> {
        Ok(Self(program(shape)))
    }

    /// Whether there is a program.
    #[cfg_attr(
        any(not(target_os = "linux"), datagrammar_portable),
        expect(dead_code, reason = "only merged datagrams make a difference")
    )]
    pub(super) const fn drops(&self) -> bool {
        !self.0.is_empty()
    }

    /// Makes the kernel run the program for each datagram to a UDP `socket`, instead of another one that it has.
    pub(super) fn attach(&self, socket: &Socket) -> io::Result<()> {
        let program: Vec<_> = self
            .0
            .iter()
            .map(|Instruction { code, jt, jf, k }| SockFilter::new(*code, *jt, *jf, *k))
            .collect();
        let attached = if program.is_empty() {
            match socket.detach_filter() {
                // There is none.
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                detached => detached,
            }
        } else {
            socket.attach_filter(&program)
        };
        Ok(attached.map_err(|error| OptionError::refused("kernel_filter", &error))?)
    }
}

/// The length of the filter that is attached to `socket`, in instructions. It is 0 if the kernel does not tell.
#[cfg(any(target_os = "android", target_os = "linux"))]
pub(crate) fn attached(socket: &SocketRef<'_>) -> Option<usize> {
    use std::os::fd::AsFd;

    super::kernel::filter::len(socket.as_fd())
}

/// There is none on this system.
#[cfg(not(any(target_os = "android", target_os = "linux")))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Filter {}

#[cfg(not(any(target_os = "android", target_os = "linux")))]
impl Filter {
    pub(crate) fn new(_: &Shape) -> Result<Self, OptionError> {
        Err(OptionError::unsupported("kernel_filter", "is true, but only Linux has such filters"))
    }

    pub(super) fn attach(&self, _: &Socket) -> io::Result<()> {
        match *self {}
    }
}

#[cfg(not(any(target_os = "android", target_os = "linux")))]
pub(crate) fn attached(_: &SocketRef<'_>) -> Option<usize> {
    None
}
