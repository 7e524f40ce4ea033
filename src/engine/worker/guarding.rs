//! What the guard of the server decides about a datagram and its conversation.

use std::sync::Arc;

use super::amplification::Amplification;
use crate::{
    Addr,
    guard::{Budget, Rules},
    peer::Peer,
    socket::SocketState,
};

/// The guard as one worker knows it.
#[derive(Debug, Default)]
pub(super) struct Guarding {
    /// Whether there is a guard.
    pub(super) is_on: bool,
    rules: Option<Arc<Rules>>,
    version: u64,
    /// The budget that the next conversation uses again.
    budget: Option<Arc<Budget>>,
    pub(super) amplification: Amplification,
}

impl Guarding {
    /// Whether this is older than the guard of `socket`.
    pub(super) fn is_outdated(&self, socket: &SocketState) -> bool {
        socket.guard.version() != self.version
    }

    /// Learns the rules of the guard, which have changed. They do not apply to peers on Unix sockets.
    #[cold]
    pub(super) fn learn(&mut self, socket: &SocketState) {
        self.version = socket.guard.version();
        self.rules = socket.rules_for(socket.outbox.transport().local_addr());
        self.is_on = self.rules.is_some();
        self.budget = None;
    }

    /// The rules for answers that no handler sends.
    pub(super) fn rules(&self) -> Option<&Rules> {
        self.rules.as_deref()
    }

    /// Whether the guard refuses the port of a source.
    #[inline(never)]
    pub(super) fn is_reflector(&self, from: &Addr) -> bool {
        let Some(rules) = &self.rules else { return false };
        from.port().is_some_and(|port| rules.refuses_port(port))
    }

    /// Whether the guard would refuse a reply to a peer that is not in conversation.
    #[inline(never)]
    pub(super) fn refuses_reply(&self, from: &Addr) -> bool {
        let Some(rules) = &self.rules else { return false };
        from.ip().is_some_and(|ip| rules.refuses_reply(ip))
    }

    /// Makes the budget of the next conversation. If there is one that can be used again, `peer` is that of the call
    /// that is used again too.
    #[inline(never)]
    pub(super) fn begin<Req, Res>(&mut self, peer: Option<&mut Peer<Req, Res>>) {
        let Some(rules) = &self.rules else { return };
        // Besides the worker, the peer has it. Senders may have it too.
        let users = 1 + usize::from(peer.is_some());
        match &self.budget {
            Some(budget) if budget.has_rules(rules) && Arc::strong_count(budget) <= users => {
                budget.renew();
            }
            _ => self.budget = Some(Budget::new(rules)),
        }
        if let Some(peer) = peer {
            peer.set_budget(self.budget.as_ref());
        }
    }

    /// The budget of the current conversation.
    pub(super) fn budget(&self) -> Option<Arc<Budget>> {
        self.budget.clone()
    }

    /// The current conversation goes on, and keeps its budget.
    pub(super) fn take_budget(&mut self) -> Option<Arc<Budget>> {
        self.budget.take()
    }

    /// Tells the operator that an attacker could use the server to amplify traffic, unless it has a guard or serves a Unix
    /// socket.
    #[cold]
    pub(super) fn tell_amplification(&mut self, socket: &SocketState) {
        let ratio = self.amplification.take();
        let local = socket.outbox.transport().local_addr();
        if !self.is_on && local.ip().is_some() {
            socket.events.amplifies(local, ratio);
        }
    }
}
