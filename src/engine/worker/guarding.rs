//! What the guard of the server decides about a datagram and its conversation.

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::SystemTime,
};

use tokio::task::AbortHandle;

use super::amplification::Amplification;
use crate::{
    Addr,
    engine::conversations::Conversations,
    guard::{Budget, Rules},
    panic::Panicked,
    peer::Peer,
    socket::SocketState,
    stats::{DropReason, add},
    token::{Envelope, Validation},
    transport::{RecvBatch, Route, SendBatch},
};

/// If peers that are not validated hold more than this part of all places, new ones need a token.
const SCARCE: usize = 4;

/// The guard as one worker knows it.
#[derive(Debug, Default)]
pub(super) struct Guarding {
    /// Whether there is a guard, or address tokens.
    pub(super) is_on: bool,
    /// Whether the datagrams of peers are in envelopes, also over Unix sockets.
    has_envelope: bool,
    /// Whether the current datagram carries a valid token.
    proven: bool,
    validation: Option<Arc<Validation>>,
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
        let local = socket.outbox.transport().local_addr();
        self.validation = socket.validation.clone().filter(|_| local.ip().is_some());
        self.has_envelope =
            socket.validation.as_ref().is_some_and(|validation| validation.has_envelope());
        self.is_on = self.rules.is_some() || self.validation.is_some() || self.has_envelope;
        self.budget = None;
    }

    /// The rules for answers that no handler sends, unless the peer is validated.
    pub(super) fn rules(
        &self,
        from: &Addr,
        conversations: &Conversations<AbortHandle>,
    ) -> Option<&Rules> {
        let rules = self.rules.as_deref()?;
        (!self.proven && !conversations.is_validated(from)).then_some(rules)
    }

    /// Looks at the source of the current datagram, and opens its envelope. Returns why it is dropped, if it is.
    #[inline(never)]
    pub(super) fn meet(
        &mut self,
        current: &mut Current<'_>,
        conversations: &Conversations<AbortHandle>,
    ) -> Option<DropReason> {
        self.proven = false;
        let from = current.received.from(current.at);
        let refuses = |rules: &Rules| from.port().is_some_and(|port| rules.refuses_port(port));
        if self.rules.as_deref().is_some_and(refuses) {
            return Some(DropReason::Refused);
        }
        if self.has_envelope && !Envelope::is_request(current.received.datagram(current.at)) {
            return Some(DropReason::NoEnvelope);
        }
        if let Some(validation) = &self.validation
            && let Some(addr) = from.socket_addr()
        {
            self.proven = current.has_valid_token(validation, addr);
            let talks = conversations.has(from, self.proven);
            if !self.proven && !talks && self.asks_for_token(validation, current.socket) {
                let allowed = |rules: &Rules| rules.allows_reply(addr.ip());
                if self.rules.as_deref().is_none_or(allowed) {
                    current.challenge(validation, addr);
                }
                return Some(DropReason::Unproven);
            }
        }
        if self.has_envelope {
            // From here on, nobody sees the token: a repetition may have another one.
            current.received.strip(current.at, Envelope::REQUEST_HEADER);
        }
        None
    }

    /// Whether a peer needs a token to open a conversation.
    fn asks_for_token(&self, validation: &Validation, socket: &SocketState) -> bool {
        let SocketState { limits, counters, .. } = socket;
        let held = || match &self.rules {
            Some(rules) => rules.unvalidated(),
            None => counters.active_conversations.load(Relaxed),
        };
        validation.is_required() || held() > limits.max_conversations() / SCARCE
    }

    /// Whether the guard would refuse a reply to a peer that is not in conversation.
    #[inline(never)]
    pub(super) fn refuses_reply(&self, from: &Addr) -> bool {
        let Some(rules) = &self.rules else { return false };
        !self.proven && from.ip().is_some_and(|ip| rules.refuses_reply(ip))
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
        if self.proven
            && let Some(budget) = &self.budget
        {
            budget.validate();
        }
        if let Some(peer) = peer {
            peer.set_budget(self.budget.as_ref());
        }
    }

    /// Whether the current datagram carries a valid token.
    pub(super) const fn is_proven(&self) -> bool {
        self.proven
    }

    /// The current datagram is another one, which came with a valid token or without.
    pub(super) const fn set_proven(&mut self, proven: bool) {
        self.proven = proven;
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
        if self.rules.is_none() && local.ip().is_some() {
            socket.events.amplifies(local, ratio);
        }
    }
}

/// The current datagram.
pub(super) struct Current<'a> {
    pub(super) socket: &'a SocketState,
    pub(super) received: &'a mut RecvBatch,
    pub(super) at: usize,
    /// The batch of the worker, for a challenge.
    pub(super) replies: &'a mut SendBatch,
}

impl Current<'_> {
    fn has_valid_token(&self, validation: &Validation, from: SocketAddr) -> bool {
        let valid =
            validation.has_valid_token(self.received.datagram(self.at), from, SystemTime::now());
        valid.unwrap_or_else(|panicked| self.report(&panicked, false))
    }

    /// Sends a challenge, if there is one.
    fn challenge(&mut self, validation: &Validation, from: SocketAddr) {
        let datagram = self.received.datagram(self.at);
        let challenge = validation.challenge(datagram, from, SystemTime::now());
        let challenge = challenge.unwrap_or_else(|panicked| self.report(&panicked, None));
        let Some(challenge) = challenge else { return };
        let local = self.received.ancillary(self.at).local;
        let to = Route { peer: self.received.from(self.at).clone(), local };
        if self.socket.outbox.send_again(self.replies, &to, &challenge) {
            add(&self.socket.counters.challenges, 1);
        }
    }

    /// Logs a panic of the user's code.
    #[cold]
    fn report<T>(&self, panicked: &Panicked, instead: T) -> T {
        let from = self.received.from(self.at);
        self.socket.events.error(from, panicked, "an address token could not be checked");
        instead
    }
}
