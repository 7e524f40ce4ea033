//! Options that IPv4 and IPv6 have each of their own.

use std::io;

use socket2::Socket;

use crate::{Ecn, TrafficClass};

/// A socket and the families whose datagrams it carries.
pub(super) struct Families<'a> {
    pub(super) socket: &'a Socket,
    pub(super) ipv6: bool,
    pub(super) dual: bool,
}

impl Families<'_> {
    /// Sets an option that IPv4 and IPv6 have each of their own.
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
            // Not every other system has these options on a socket of IPv6.
            if cfg!(target_os = "linux") {
                set?;
            }
        }
        Ok(())
    }
}

/// Has `socket` hear the groups that it joins, and no others: by default Linux hands it whatever any
/// program on the host has joined. Kernels before 4.20 do not know of it for IPv6.
#[cfg(target_os = "linux")]
pub(super) fn only_own_groups(socket: &Socket, ipv6: bool) {
    let _ = socket.set_multicast_all_v4(false);
    if ipv6 {
        let _ = socket.set_multicast_all_v6(false);
    }
}

/// How datagrams are to be marked, as far as somebody has asked.
pub(super) type Marks = (Option<u8>, Option<Ecn>);

/// The byte of `marks`; what nobody has asked for stays as `current` has it.
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

/// Has the kernel tell beside each datagram how it is marked, where somebody listens.
#[cfg(all(target_os = "linux", not(datagrammar_portable)))]
pub(super) fn tell_traffic_class(families: &Families<'_>, told: bool) -> io::Result<()> {
    families.set([Socket::set_recv_tos_v4, Socket::set_recv_tclass_v6], told)
}

#[cfg(not(all(target_os = "linux", not(datagrammar_portable))))]
pub(super) const fn tell_traffic_class(_: &Families<'_>, _: bool) -> io::Result<()> {
    Ok(())
}
