//! A sender to one peer, which works without a conversation.

use std::{
    any::Any,
    borrow::Borrow,
    fmt,
    hash::{Hash, Hasher},
    sync::{Arc, Weak},
};

use super::{
    protocol::{Encode, Protocol},
    send::SendPath,
};
use crate::{Addr, SendError, guard::Budget, socket::SocketState, transport::Route};

/// Sends packets to one peer, from any task or thread, while the server serves.
///
/// [`Peer::sender`](crate::Peer::sender) makes a sender that still works when the conversation has ended, for
/// example to push news to a subscriber. [`ServerHandle::sender`](crate::ServerHandle::sender) makes a sender
/// to a peer that has not sent anything yet.
///
/// A sender is cheap to clone. Two senders are equal if they send to the same peer from the same socket. A
/// sender does not keep the conversation or the server alive. To send a packet to many peers, call `send` of
/// each sender in a loop. Each call encodes the packet again. If that takes too much time, let the protocol
/// send [`Bytes`](crate::Bytes) (`Split::new(Json::<Input>::new(), Raw)`), and encode the packet once.
///
/// # Examples
///
/// A hub that sends each message to all members. A peer is a member while its conversation lasts. So the
/// [limit](crate::Limits::max_conversations) of conversations limits the members too:
///
/// ```
/// use datagrammar::{BoxError, Handler, Peer, PeerSender};
/// use std::{collections::HashSet, sync::Mutex};
///
/// #[derive(Default)]
/// struct Hub(Mutex<HashSet<PeerSender<String>>>);
///
/// /// Removes the member when its conversation ends, also if it panics.
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
///                 // Not `?`: an error of one member must not end the conversation of another.
///                 let _ = member.send(&message).await;
///             }
///         }
///     }
/// }
/// ```
#[doc(alias = "broadcast")]
#[doc(alias = "push")]
pub struct PeerSender<Res> {
    socket: Weak<SocketState>,
    protocol: Weak<dyn Encode<Res>>,
    route: Route,
    /// A [`Budget`]. It has no part in equality, and clippy must not think that it has: senders are keys of maps.
    budget: Option<Arc<dyn Any + Send + Sync>>,
}

impl<Res> PeerSender<Res> {
    pub(super) fn new(
        socket: &Arc<SocketState>,
        protocol: Weak<dyn Encode<Res>>,
        route: Route,
        budget: Option<Arc<Budget>>,
    ) -> Self {
        let budget = budget.map(|budget| -> Arc<dyn Any + Send + Sync> { budget });
        Self { socket: Arc::downgrade(socket), protocol, route, budget }
    }

    /// Sends `packet`, or a reference to one, to the peer. It leaves from the address that the peer knows.
    ///
    /// It returns when the server has accepted the datagram, as [`Peer::send`](crate::Peer::send) does. Senders to
    /// a peer on a Unix socket that does not read wait in a line, and those to other peers do not wait.
    ///
    /// # Errors
    ///
    /// - [`SendError::Closed`] while the server does not serve.
    /// - [`SendError::Encode`] if the protocol cannot encode the packet.
    /// - [`SendError::TooLarge`] if the datagram is longer than the transport can carry.
    /// - [`SendError::OverBudget`] and [`SendError::OverRate`] if the server has a [guard](crate::Guard), and the peer is
    ///   not validated. A sender that [`ServerHandle::sender`](crate::ServerHandle::sender) has made has no such limit.
    /// - [`SendError::Io`], over a Unix socket only, if the peer has closed its socket, has no name, or did not
    ///   read in time.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the whole datagram was sent, or nothing.
    pub async fn send(&self, packet: impl Borrow<Res>) -> Result<(), SendError> {
        self.path()?.send(packet).await
    }

    pub(super) fn path(&self) -> Result<SendPath<dyn Encode<Res>>, SendError> {
        let socket = self.socket.upgrade().ok_or(SendError::Closed)?;
        let protocol = self.protocol.upgrade().ok_or(SendError::Closed)?;
        let budget = self.budget.clone().and_then(|budget| budget.downcast().ok());
        let route = self.route.clone();
        Ok(SendPath { socket, protocol, route, budget })
    }

    /// Returns whether the server does not serve, or was dropped. Then `send` fails.
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
        Self { socket, protocol, route: self.route.clone(), budget: self.budget.clone() }
    }
}

impl<Res> PartialEq for PeerSender<Res> {
    fn eq(&self, other: &Self) -> bool {
        // A sender's `Weak` keeps the allocation, so no other socket can have the same address in memory.
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

/// The encoding half of a server's protocol, for code that only knows the type of the packets it sends.
pub(crate) struct Encoder<Res>(Weak<dyn Encode<Res>>);

impl<Res: 'static> Encoder<Res> {
    pub(crate) fn new<Req: 'static>(protocol: &Arc<Protocol<Req, Res>>) -> Self {
        let protocol: Weak<Protocol<Req, Res>> = Arc::downgrade(protocol);
        Self(protocol)
    }
}

/// Returns a sender from `socket` to `peer`.
pub(crate) fn to<Res>(
    peer: Addr,
    socket: &Arc<SocketState>,
    encoder: &Encoder<Res>,
) -> PeerSender<Res> {
    PeerSender::new(socket, Weak::clone(&encoder.0), peer.into(), None)
}
