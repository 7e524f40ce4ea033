//! The ticket of a new request, which asks the reply store, if there is one.

use std::{
    fmt,
    future::ready,
    mem,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready as ready_now},
};

use super::{
    StoreFailure,
    replies::Reply,
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

enum Answer {
    Pending(Mutex<Begins>),
    /// The store may know the request by this claim.
    Ours,
    /// The store knows the request by the claim of another server.
    Theirs,
}

type Begins = Pin<Box<dyn Future<Output = Option<Begun>> + Send>>;

impl Ticket {
    pub(super) const fn new(shared: Arc<Shared>, number: u64) -> Self {
        Self { shared, number, asking: None }
    }

    /// Asks the reply store about the request, which is this datagram. Without a store, and after it was asked, the
    /// request is new.
    pub(crate) fn poll_ask(
        &mut self,
        peer: &Addr,
        datagram: &[u8],
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
        let begins = begins.get_mut().unwrap_or_else(PoisonError::into_inner);
        let begun = ready_now!(begins.as_mut().poll(cx));
        asking.answer = match begun {
            Some(Begun::New) | None => Answer::Ours,
            Some(Begun::InProgress | Begun::Answered(_)) => Answer::Theirs,
        };
        Poll::Ready(match begun {
            Some(Begun::New) => Verdict::New,
            Some(Begun::InProgress) => Verdict::InProgress,
            Some(Begun::Answered(reply)) => {
                let (reply, number) = (Arc::from(reply), mem::replace(&mut self.number, DONE));
                let name = self.shared.new_name();
                let is_named = self.shared.change(|table| {
                    table.learn(number, &reply);
                    table.name(number, name)
                });
                Verdict::Answered(Reply::new(reply, asking.id, if is_named { name } else { 0 }))
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
        let begins: Begins = match &claim {
            Some(claim) => Box::pin(storing.call(Arc::clone(claim).begin(shared.ttl()))),
            None => Box::pin(ready(None)),
        };
        Some(Self { id, claim, answer: Answer::Pending(Mutex::new(begins)) })
    }

    /// Makes the store forget the request, unless another server has begun it.
    fn withdraw(self, storing: &Arc<Storing>) {
        let Some(claim) = self.claim else { return };
        match self.answer {
            Answer::Ours => storing.call_in_background(claim.forget()),
            Answer::Theirs => {}
            // The call goes on. If it were dropped, it could have its effect after that of `forget`.
            Answer::Pending(begins) => {
                let begins = begins.into_inner().unwrap_or_else(PoisonError::into_inner);
                let again = Arc::clone(storing);
                storing.run_in_background(async move {
                    if let None | Some(Begun::New) = begins.await {
                        again.call(claim.forget()).await;
                    }
                });
            }
        }
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pending(_) => "Pending",
            Self::Ours => "Ours",
            Self::Theirs => "Theirs",
        })
    }
}
