//! Options that exist separately for IPv4 and IPv6.

use std::io;

use socket2::Socket;

use crate::{Ecn, TrafficClass};

/// A socket, and the address families whose datagrams it carries.
pub(super) struct Families<'a> {
    pub(super) socket: &'a Socket,
    pub(super) ipv6: bool,
    pub(super) dual: bool,
}

impl Families<'_> {
    /// Sets an option that exists separately for IPv4 and IPv6.
    pub(super) fn set<T: Copy>(
        &self,
        [ipv4, ipv6]: [fn(&Socket, T) -> io::Result<()>; 2],
        value: T,
    ) -> io::Result<()> {
        if !self.ipv6 {
            return ipv4(self.socket, value);
        }
        ipv6(self.socket, value)?;
        if self.dual {
            let set = ipv4(self.socket, value);
            // Some other systems do not have the IPv4 options on an IPv6 socket.
            if cfg!(target_os = "linux") {
                set?;
            }
        }
        Ok(())
    }
}

/// Makes `socket` receive only the groups that it joins. By default Linux delivers all groups that any
/// program on the host has joined. Kernels before 4.20 do not have this option for IPv6, so errors are
/// ignored.
#[cfg(target_os = "linux")]
pub(super) fn only_own_groups(socket: &Socket, ipv6: bool) {
    let _ = socket.set_multicast_all_v4(false);
    if ipv6 {
        let _ = socket.set_multicast_all_v6(false);
    }
}

/// The requested marks of sent datagrams: DSCP and ECN.
pub(super) type Marks = (Option<u8>, Option<Ecn>);

/// Returns the byte of `marks`. A part that was not requested keeps its `current` value.
fn class((dscp, ecn): Marks, current: impl FnOnce() -> io::Result<u32>) -> io::Result<u32> {
    let class = match (dscp, ecn) {
        (Some(dscp), Some(ecn)) => TrafficClass::new(dscp, ecn),
        _ => {
            let current = TrafficClass::from(current()? as u8);
            let (kept_dscp, kept_ecn) = (current.dscp(), current.ecn());
            TrafficClass::new(dscp.unwrap_or(kept_dscp), ecn.unwrap_or(kept_ecn))
        }
    };
    Ok(u8::from(class).into())
}

pub(super) fn mark_v4(socket: &Socket, marks: Marks) -> io::Result<()> {
    socket.set_tos_v4(class(marks, || socket.tos_v4())?)
}

#[cfg(unix)]
pub(super) fn mark_v6(socket: &Socket, marks: Marks) -> io::Result<()> {
    socket.set_tclass_v6(class(marks, || socket.tclass_v6())?)
}

#[cfg(not(unix))]
pub(super) fn mark_v6(_: &Socket, _: Marks) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Makes the kernel report the traffic class of each received datagram, if the batched calls read it.
#[cfg(all(target_os = "linux", not(datagrammar_portable)))]
pub(super) fn tell_traffic_class(families: &Families<'_>, told: bool) -> io::Result<()> {
    families.set([Socket::set_recv_tos_v4, Socket::set_recv_tclass_v6], told)
}

#[cfg(not(all(target_os = "linux", not(datagrammar_portable))))]
pub(super) const fn tell_traffic_class(_: &Families<'_>, _: bool) -> io::Result<()> {
    Ok(())
}
