//! The multicast groups of a server.

use std::{io, net::IpAddr};

use super::endpoint::Server;
use crate::{
    Interface, SocketRef,
    transport::{Membership, check_group, hears},
};

impl Server {
    /// Joins the multicast group `group` on an interface of this host. From then on, the server receives
    /// datagrams that are sent to the group.
    ///
    /// The server joins on each of its addresses that can receive such datagrams: on wildcard addresses of
    /// the same IP version (`[::]` also for IPv4 groups, if it serves IPv4), and on the group address itself.
    /// Replies leave from a unicast address. The sockets that [`bind`](super::ServerBuilder::bind) makes
    /// receive only the groups that they have joined. An IPv4-mapped group counts as the IPv4 group.
    ///
    /// `"eth0".parse()?` makes an [`Interface`] from its name.
    ///
    /// # Errors
    ///
    /// After an error nothing has changed.
    ///
    /// - [`InvalidInput`](io::ErrorKind::InvalidInput) if `group` is not a multicast address, if its family
    ///   does not allow this form of interface, or if no address of the server can receive it.
    /// - [`AddrInUse`](io::ErrorKind::AddrInUse) if the server has joined the group already.
    /// - [`Unsupported`](io::ErrorKind::Unsupported) on a network in memory.
    /// - Other errors of the kernel.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{Interface, Text, Server};
    /// use std::net::Ipv4Addr;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let group = Ipv4Addr::new(239, 255, 77, 2);
    /// let loopback = Interface::Addr(Ipv4Addr::LOCALHOST);
    /// let server = Server::builder(Text, async |text: String| text).bind("0.0.0.0:0").await?;
    /// server.join_multicast(group, loopback)?;
    /// assert!(server.join_multicast(group, loopback).is_err());
    /// server.leave_multicast(group, loopback)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn join_multicast(&self, group: impl Into<IpAddr>, interface: Interface) -> io::Result<()> {
        let group = group.into().to_canonical();
        join(self.sockets().collect(), group, interface)
    }

    /// Leaves a multicast group that the server has joined on this interface.
    ///
    /// # Errors
    ///
    /// The same as [`join_multicast`](Self::join_multicast), except that the kind is
    /// [`AddrNotAvailable`](io::ErrorKind::AddrNotAvailable) if the server has not joined the group on this
    /// interface.
    pub fn leave_multicast(
        &self,
        group: impl Into<IpAddr>,
        interface: Interface,
    ) -> io::Result<()> {
        let group = group.into().to_canonical();
        let members = members(self.sockets().collect(), group, interface)?;
        let mut left = Ok(());
        for socket in &members {
            // If one socket cannot leave, the others still do.
            let this = Membership::Leave.change(socket, group, interface);
            left = left.and(this);
        }
        left
    }
}

/// Joins `group` on all of `sockets` that can receive it, or on none.
pub(super) fn join(
    sockets: Vec<SocketRef<'_>>,
    group: IpAddr,
    interface: Interface,
) -> io::Result<()> {
    let members = members(sockets, group, interface)?;
    for (joined, socket) in members.iter().enumerate() {
        if let Err(error) = Membership::Join.change(socket, group, interface) {
            for socket in &members[..joined] {
                // It joined a moment ago, so it can leave.
                let _ = Membership::Leave.change(socket, group, interface);
            }
            return Err(error);
        }
    }
    Ok(())
}

/// Returns those of `sockets` that can receive datagrams to `group`. If several sockets have one address,
/// each of them gets a copy of every datagram, and serves the copies from its own peers only.
fn members(
    mut sockets: Vec<SocketRef<'_>>,
    group: IpAddr,
    interface: Interface,
) -> io::Result<Vec<SocketRef<'_>>> {
    let invalid = |text: String| io::Error::new(io::ErrorKind::InvalidInput, text);
    check_group(group, interface).map_err(invalid)?;
    if sockets.is_empty() {
        let text = "a network in memory has no multicast groups";
        return Err(io::Error::new(io::ErrorKind::Unsupported, text));
    }
    sockets.retain(|socket| hears(socket, group));
    if sockets.is_empty() {
        let text = format!("no address of the server can receive {group}: bind a wildcard address");
        return Err(invalid(text));
    }
    Ok(sockets)
}
