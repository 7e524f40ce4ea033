//! The ticket of a new request, which asks the reply store, if there is one.

use std::{
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::sync::oneshot;

use super::{
    StoreFailure,
    reply::Reply,
    shared::Shared,
    store::{Begun, Claim, Storing},
};
use crate::{Addr, panic};

/// Travels with a request until a handler receives it. If the request is dropped before that, so is its ticket, and
/// the reply cache and the reply store forget the request.
#[derive(Debug)]
pub(crate) struct Ticket {
    shared: Arc<Shared>,
    /// The number of the request in the table, or `DONE`. An `Option` would take more memory.
    number: u64,
    asking: Option<Box<Asking>>,
}

/// No request has this number.
const DONE: u64 = u64::MAX;

/// What the reply store says about a request.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It is new, so a handler may receive it.
    New,
    /// Another server has begun it.
    InProgress,
    /// Another server has sent this reply.
    Answered(Reply),
    /// Nothing, because the store has failed, and the request must not be served.
    Unknown,
}

/// A request that the store was asked about.
#[derive(Debug)]
struct Asking {
    id: u64,
    claim: Option<Arc<dyn Claim>>,
    answer: Answer,
}

#[derive(Debug)]
enum Answer {
    /// The call runs in a task of its own. So it ends also while the handler does something else.
    Pending(oneshot::Receiver<Option<Begun>>),
    /// The store may know the request by this claim.
    Ours,
    /// The store knows the request by the claim of another server.
    Theirs,
}

impl Ticket {
    pub(super) const fn new(shared: Arc<Shared>, number: u64) -> Self {
        Self { shared, number, asking: None }
    }

    /// Asks the reply store about the request, which is this datagram. Without a store, and after it was asked, the
    /// request is new. `in_chunks` says whether a reply is sent in chunks.
    pub(crate) fn poll_ask(
        &mut self,
        peer: &Addr,
        datagram: &[u8],
        in_chunks: impl FnOnce(&[u8]) -> bool,
        cx: &mut Context<'_>,
    ) -> Poll<Verdict> {
        if self.asking.is_none() {
            let Some(asking) = Asking::begin(&self.shared, peer, datagram) else {
                return Poll::Ready(Verdict::New);
            };
            self.asking = Some(Box::new(asking));
        }
        let Some(asking) = &mut self.asking else { return Poll::Ready(Verdict::New) };
        let Answer::Pending(begins) = &mut asking.answer else {
            return Poll::Ready(Verdict::New);
        };
        // If the task was aborted, nobody knows.
        let begun = ready!(Pin::new(begins).poll(cx)).unwrap_or(None);
        asking.answer = match begun {
            Some(Begun::New) | None => Answer::Ours,
            Some(Begun::InProgress | Begun::Answered(_)) => Answer::Theirs,
        };
        Poll::Ready(match begun {
            Some(Begun::New) => Verdict::New,
            Some(Begun::InProgress) => Verdict::InProgress,
            Some(Begun::Answered(reply)) => {
                let (bytes, number) = (Arc::from(reply), mem::replace(&mut self.number, DONE));
                let packet = self.shared.change(|table| {
                    table.learn(number, &bytes);
                    self.shared.name(table, number, asking.id, in_chunks(&bytes))
                });
                Verdict::Answered(Reply { bytes, packet, validated: false })
            }
            None => match self.shared.store_failure() {
                StoreFailure::Serve => Verdict::New,
                StoreFailure::Drop => Verdict::Unknown,
            },
        })
    }

    /// The handler receives the request now.
    pub(crate) fn deliver(mut self) {
        let number = mem::replace(&mut self.number, DONE);
        let claim = self.asking.take().and_then(|asking| asking.claim);
        self.shared.change(|table| {
            table.deliver(number);
            if let Some(claim) = claim {
                table.claim(number, claim);
            }
        });
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.number == DONE {
            return;
        }
        self.shared.change(|table| table.forget(self.number));
        if let Some(asking) = self.asking.take()
            && let Some(storing) = &self.shared.storing
        {
            asking.withdraw(storing);
        }
    }
}

impl Asking {
    /// Begins to ask the reply store about a request. Returns `None` if there is no store.
    fn begin(shared: &Shared, peer: &Addr, datagram: &[u8]) -> Option<Self> {
        let storing = shared.storing.as_ref()?;
        let (id, claim) = match panic::catch(|| (shared.read_id)(datagram)) {
            Ok(id) => (id?, storing.claim(peer, id?, datagram)),
            Err(panicked) => {
                storing.panicked(&panicked);
                (0, None)
            }
        };
        let begins = match &claim {
            Some(claim) => storing.call_in_task(Arc::clone(claim).begin(shared.ttl())),
            // The other half is dropped, as if the task was aborted.
            None => oneshot::channel().1,
        };
        Some(Self { id, claim, answer: Answer::Pending(begins) })
    }

    /// Makes the store forget the request, unless another server has begun it.
    fn withdraw(self, storing: &Arc<Storing>) {
        let Some(claim) = self.claim else { return };
        match self.answer {
            Answer::Ours => storing.call_in_background(claim.forget()),
            Answer::Theirs => {}
            // Otherwise the call could have its effect after that of `forget`.
            Answer::Pending(begins) => {
                let again = Arc::clone(storing);
                storing.run_in_background(async move {
                    if let None | Some(Begun::New) = begins.await.unwrap_or(None) {
                        again.call(claim.forget()).await;
                    }
                });
            }
        }
    }
}
