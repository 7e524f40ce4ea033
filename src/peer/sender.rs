//! A sender for one peer that outlives the conversation.

use std::{
    borrow::Borrow,
    fmt,
    hash::{Hash, Hasher},
    sync::{Arc, Weak},
};

use super::{
    protocol::{Encode, Protocol},
    send::SendPath,
};
use crate::{Addr, SendError, socket::SocketState, transport::Route};

/// Sends packets to one peer, from anywhere and at any time while the server serves.
///
/// [`Peer::sender`](crate::Peer::sender) makes one that outlives the conversation, to push news to a subscriber.
/// [`ServerHandle::sender`](crate::ServerHandle::sender) makes one for a peer that has not spoken. Two senders are
/// equal when they send to the same peer from the same socket. A sender keeps nothing alive, neither the
/// conversation nor the server.
///
/// # Examples
///
/// A hub that sends each message to all members. A peer is a member as long as its conversation lasts, so the
/// [limits](crate::Limits) of conversations bound the members too:
///
/// ```
/// use datagrammar::{BoxError, Handler, Peer, PeerSender};
/// use std::{collections::HashSet, sync::Mutex};
///
/// #[derive(Default)]
/// struct Hub(Mutex<HashSet<PeerSender<String>>>);
///
/// /// Takes the member out however its conversation ends.
/// struct Member<'a>(&'a Hub, PeerSender<String>);
///
/// impl Drop for Member<'_> {
///     fn drop(&mut self) {
///         self.0.0.lock().unwrap().remove(&self.1);
///     }
/// }
///
/// impl Handler<String, String> for Hub {
///     async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
///         let greeting = peer.recv().await?;
///         peer.send(format!("{greeting} to you")).await?;
///         self.0.lock().unwrap().insert(peer.sender());
///         let _member = Member(self, peer.sender());
///         loop {
///             let message = peer.recv().await?;
///             let members: Vec<_> = self.0.lock().unwrap().iter().cloned().collect();
///             for member in members {
///                 member.send(&message).await?;
///             }
///         }
///     }
/// }
/// ```
pub struct PeerSender<Res> {
    socket: Weak<SocketState>,
    protocol: Weak<dyn Encode<Res>>,
    route: Route,
}

impl<Res> PeerSender<Res> {
    pub(super) fn new(
        socket: &Arc<SocketState>,
        protocol: Weak<dyn Encode<Res>>,
        route: Route,
    ) -> Self {
        Self { socket: Arc::downgrade(socket), protocol, route }
    }

    /// Sends `packet`, or a reference to one, to the peer, from the address the peer knows.
    ///
    /// It returns once the datagram is accepted for sending, see [`Peer::send`](crate::Peer::send).
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`] while nothing is served, [`SendError::Encode`] and
    /// [`SendError::TooLarge`] if the packet cannot go out as a datagram.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the datagram was sent whole or not at all.
    pub async fn send(&self, packet: impl Borrow<Res>) -> Result<(), SendError> {
        let socket = self.socket.upgrade().ok_or(SendError::Closed)?;
        let protocol = self.protocol.upgrade().ok_or(SendError::Closed)?;
        SendPath { socket, protocol, route: self.route.clone() }.send(packet).await
    }

    /// Returns whether the server has stopped serving, or is gone: then `send` fails.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.socket.upgrade().is_none_or(|socket| !socket.outbox.is_open())
    }

    /// Returns the address of the peer.
    #[must_use]
    pub const fn addr(&self) -> &Addr {
        &self.route.peer
    }
}

impl<Res> Clone for PeerSender<Res> {
    fn clone(&self) -> Self {
        let (socket, protocol) = (Weak::clone(&self.socket), Weak::clone(&self.protocol));
        Self { socket, protocol, route: self.route.clone() }
    }
}

impl<Res> PartialEq for PeerSender<Res> {
    fn eq(&self, other: &Self) -> bool {
        // While anybody has a sender, no other socket is at this place in memory.
        self.socket.ptr_eq(&other.socket) && self.addr() == other.addr()
    }
}

impl<Res> Eq for PeerSender<Res> {}

impl<Res> Hash for PeerSender<Res> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.socket.as_ptr(), self.addr()).hash(state);
    }
}

impl<Res> fmt::Debug for PeerSender<Res> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerSender").field("addr", self.addr()).finish_non_exhaustive()
    }
}

/// The half of a server's protocol that encodes, for code that names the type of the packets that it sends.
pub(crate) struct Encoder<Res>(Weak<dyn Encode<Res>>);

impl<Res: 'static> Encoder<Res> {
    pub(crate) fn new<Req: 'static>(protocol: &Arc<Protocol<Req, Res>>) -> Self {
        let protocol: Weak<Protocol<Req, Res>> = Arc::downgrade(protocol);
        Self(protocol)
    }
}

/// A sender from `socket` to `peer`.
pub(crate) fn to<Res>(
    peer: Addr,
    socket: &Arc<SocketState>,
    encoder: &Encoder<Res>,
) -> PeerSender<Res> {
    PeerSender::new(socket, Weak::clone(&encoder.0), peer.into())
}
