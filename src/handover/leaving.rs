//! What the old process of a hand-over remembers of the peers that it is in conversation with, and how its workers are
//! connected with the task that talks to the new process.

use std::collections::HashMap;

use tokio::sync::mpsc;

use super::Kept;
use crate::Addr;

/// The peers of one socket with which the old process is in conversation, each with the number of datagrams that it has taken
/// from the new process.
#[derive(Debug, Default)]
pub(crate) struct Leaving(HashMap<Addr, u64>);

impl Leaving {
    /// These peers are in conversation with this process, and no others.
    pub(crate) fn begin(&mut self, peers: &[Addr]) {
        self.0 = peers.iter().map(|peer| (peer.clone(), 0)).collect();
    }

    /// Whether this process takes a datagram of this peer. If not, it must return it.
    pub(crate) fn takes(&mut self, from: &Addr) -> bool {
        let taken = self.0.get_mut(from);
        taken.map(|taken| *taken += 1).is_some()
    }

    /// The conversations of a peer have ended. Returns how many of its datagrams were taken; `None` if it was told before.
    pub(crate) fn ended(&mut self, peer: &Addr) -> Option<u64> {
        self.0.remove(peer)
    }
}

/// What the worker of a socket is asked to do.
#[derive(Debug)]
pub(crate) enum Order {
    /// Tell which peers are in conversation.
    Tell,
    /// Give this datagram to its conversation, or return it.
    Take(Kept),
    /// Nothing comes any more.
    Finish,
}

/// What the worker of a socket tells.
#[derive(Debug)]
pub(crate) enum Told {
    /// These peers are in conversation. The socket is not read any more.
    InConversation(Vec<Addr>),
    /// The same, because it was asked. What was told before is for the process before.
    Again(Vec<Addr>),
    /// The conversations of a peer have ended. So many datagrams were taken. The rest was not received.
    Ended { peer: Addr, taken: u64, rest: Vec<Kept> },
    /// A datagram of a peer that is not in conversation.
    Returned(Kept),
    /// No peer is in conversation any more.
    Empty,
}

/// How many datagrams wait for a worker at a time. Then the task does not read more from the new process.
const ORDERS: usize = 256;

/// The end of the worker of socket number `socket`.
#[derive(Debug)]
pub(crate) struct WorkerEnd {
    pub(crate) socket: u32,
    pub(crate) orders: mpsc::Receiver<Order>,
    pub(crate) told: mpsc::UnboundedSender<(u32, Told)>,
}

impl WorkerEnd {
    /// Tells the task something. If the task is gone, the new process serves all peers.
    pub(crate) fn tell(&self, told: Told) {
        let _ = self.told.send((self.socket, told));
    }
}

/// What a worker whose socket another process takes over has to remember.
#[derive(Debug)]
pub(crate) struct HandingOver {
    pub(crate) end: WorkerEnd,
    pub(crate) leaving: Leaving,
    /// Whether it was told that there is no conversation.
    pub(crate) told_empty: bool,
    /// Whether nothing comes any more.
    pub(crate) finished: bool,
}

impl HandingOver {
    pub(crate) fn new(end: WorkerEnd) -> Self {
        Self { end, leaving: Leaving::default(), told_empty: false, finished: false }
    }
}

/// Connects the worker of socket number `socket` with the task that receives what is `told`.
pub(crate) fn connect(
    socket: u32,
    told: mpsc::UnboundedSender<(u32, Told)>,
) -> (mpsc::Sender<Order>, WorkerEnd) {
    let (sender, orders) = mpsc::channel(ORDERS);
    (sender, WorkerEnd { socket, orders, told })
}
