//! One conversation: first the worker polls it inline; if it has to wait, it becomes a task.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use super::{
    application::Application,
    serve_state::{Mode, ServeState},
    unpolled::Unpolled,
};
use crate::{
    Addr, BoxError, Handler, Peer,
    events::Scope,
    guard::Budget,
    inside::inside,
    panic::{self, Panicked},
    socket::{
        SocketState,
        mailbox::{Mailbox, Next},
    },
    stats::add,
    transport::Ancillary,
};

/// A call of the handler. When the handler returns, the future returns the call, and the next conversation
/// uses it again. So a conversation that never waits does not allocate and does not touch a reference count.
/// The call is boxed because it moves into each future and out again.
pub(super) struct HandlerCall<Req, Res, H> {
    application: Arc<Application<Req, Res, H>>,
    pub(super) peer: Peer<Req, Res>,
}

/// The call and the result of a conversation.
pub(super) type Outcome<Req, Res, H> = (Box<HandlerCall<Req, Res, H>>, Result<(), BoxError>);

impl<Req, Res, H: Handler<Req, Res>> HandlerCall<Req, Res, H> {
    pub(super) fn new(
        application: &Arc<Application<Req, Res, H>>,
        socket: &Arc<SocketState>,
        mailbox: &Arc<Mailbox>,
        budget: Option<Arc<Budget>>,
        (peer, ancillary, serial): (&Addr, Ancillary, u64),
    ) -> Box<Self> {
        let application = Arc::clone(application);
        let (socket, protocol) = (Arc::clone(socket), Arc::clone(&application.protocol));
        let peer = Peer::new(
            socket,
            protocol,
            Arc::clone(mailbox),
            budget,
            peer.clone(),
            ancillary,
            serial,
        );
        Box::new(Self { application, peer })
    }

    /// Runs the handler.
    #[expect(clippy::manual_async_fn, reason = "an `async fn` keeps its arguments twice")]
    pub(super) fn converse(mut self: Box<Self>) -> impl Future<Output = Outcome<Req, Res, H>> {
        async move {
            let result = self.application.handler.handle(&mut self.peer).await;
            (self, result)
        }
    }
}

/// Memory for the future of a conversation. Conversations use it one after the other. A completed future owns
/// nothing any more, so it stays here until the next one replaces it.
pub(super) struct FutureSlot<F>(Pin<Box<F>>);

impl<F: Future> FutureSlot<F> {
    pub(super) fn new(conversation: F) -> Self {
        Self(Box::pin(conversation))
    }

    pub(super) fn set(&mut self, conversation: F) {
        self.0.set(conversation);
    }

    /// Polls the conversation in its span.
    pub(super) fn poll(
        &mut self,
        span: &Scope,
        cx: &mut Context<'_>,
    ) -> Poll<Result<F::Output, Panicked>> {
        span.run(|| panic::poll(self.0.as_mut(), cx))
    }
}

/// Counts and logs how a conversation ended. Returns the call, unless the handler panicked.
pub(super) fn judge<Req, Res, H>(
    outcome: Result<Outcome<Req, Res, H>, Panicked>,
    socket: &SocketState,
    peer: &Addr,
    span: &Scope,
) -> Option<Box<HandlerCall<Req, Res, H>>> {
    match outcome {
        Ok((call, Ok(()))) => Some(call),
        Ok((call, Err(error))) => {
            report_failure(error, &call.peer, socket, peer, span);
            Some(call)
        }
        Err(panicked) => {
            report_panic(panicked, socket, peer, span);
            None
        }
    }
}

#[cold]
fn report_panic(panicked: Panicked, socket: &SocketState, peer: &Addr, span: &Scope) {
    span.run(|| socket.report(peer, &panicked.into(), true));
}

#[cold]
fn report_failure<Req, Res>(
    error: BoxError,
    conversation: &Peer<Req, Res>,
    socket: &SocketState,
    peer: &Addr,
    span: &Scope,
) {
    // The error has a type of the user's, so it may panic when it is formatted or dropped.
    if let Err(panicked) = panic::catch(|| span.run(|| conversation.fail(error))) {
        report_panic(panicked, socket, peer, span);
    }
}

/// The task of a conversation that had to wait. It also runs the conversations that follow without a pause.
pub(super) struct Task<Req, Res, H, F, M> {
    pub(super) slot: FutureSlot<F>,
    pub(super) span: Scope,
    pub(super) application: Arc<Application<Req, Res, H>>,
    pub(super) converse: M,
    /// Whether the reply store has to be asked about the datagram that opens the conversation. Until then, the handler
    /// is not called.
    pub(super) asks: bool,
    /// That it was given to another runtime, until that polls it.
    pub(super) unpolled: Option<Unpolled>,
    // Dropped after the future, because it reports that the conversation is over.
    pub(super) ending: Ending,
    // Dropped last, because the next serving may begin after that.
    pub(super) serve_state: Arc<ServeState>,
}

/// How many conversations of one peer run in a row before the task yields to other tasks.
const IN_A_ROW: usize = 16;

impl<Req, Res, H, F, M> Future for Task<Req, Res, H, F, M>
where
    H: Handler<Req, Res>,
    F: Future<Output = Outcome<Req, Res, H>>,
    M: Fn(Box<HandlerCall<Req, Res, H>>) -> F + Unpin,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let Ending { socket, mailbox, budget, peer, serial, over } = &mut this.ending;
        if this.unpolled.take().is_some() && socket.drop_late(mailbox, true) {
            // The handler was not called yet. It is called for the next datagram, if there is one.
            let Next::Conversation(ancillary) = mailbox.finish(&socket.counters) else {
                *over = true;
                return Poll::Ready(());
            };
            let peer = (&*peer, ancillary, *serial);
            let call = HandlerCall::new(&this.application, socket, mailbox, budget.clone(), peer);
            this.slot.set((this.converse)(call));
        }
        for _ in 0..IN_A_ROW {
            if this.serve_state.mode() == Mode::Abandon {
                // The task was woken shortly before it is aborted.
                return Poll::Ready(());
            }
            if this.asks {
                let open = || this.span.run(|| socket.poll_open(mailbox, peer, cx));
                if !ready!(inside(this.serve_state.server, open)) {
                    *over = true;
                    return Poll::Ready(());
                }
                this.asks = false;
            }
            let poll = || this.slot.poll(&this.span, cx);
            let outcome = ready!(inside(this.serve_state.server, poll));
            add(&socket.counters.conversations, 1);
            let mut call = judge(outcome, socket, peer, &this.span);
            let mut more = None;
            // A packet that was put back has a type of the user's, so it may panic when it is dropped.
            match call.as_mut().map(|call| panic::catch(|| call.peer.finish())) {
                Some(Ok(true)) => more = call.as_ref().map(|call| call.peer.ancillary()),
                Some(Err(panicked)) => {
                    report_panic(panicked, socket, peer, &this.span);
                    call = None;
                }
                Some(Ok(false)) | None => {}
            }
            socket.drop_late(mailbox, false);
            let (ancillary, again) = match more {
                Some(ancillary) if mailbox.finish_with_more(&socket.counters) => (ancillary, true),
                _ => match mailbox.finish(&socket.counters) {
                    Next::Conversation(ancillary) => (ancillary, false),
                    Next::Nothing => {
                        *over = true;
                        if let Err(panicked) = panic::catch(|| drop(call)) {
                            report_panic(panicked, socket, peer, &this.span);
                        }
                        return Poll::Ready(());
                    }
                },
            };
            this.asks = socket.has_store && !again;
            if socket.proxies.is_some()
                && let Some(from) = mailbox.opening_source()
            {
                *peer = from;
            }
            let call = match call {
                Some(mut call) if again => {
                    call.peer.renew_with_packet(ancillary, *serial);
                    call
                }
                Some(mut call) => {
                    call.peer.renew(peer, ancillary, *serial);
                    call
                }
                None => {
                    let peer = (&*peer, ancillary, *serial);
                    HandlerCall::new(&this.application, socket, mailbox, budget.clone(), peer)
                }
            };
            this.span = this.serve_state.conversation(peer);
            this.slot.set((this.converse)(call));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Reports to the worker that a conversation has ended, whether its handler returned, panicked or was dropped.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) socket: Arc<SocketState>,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) budget: Option<Arc<Budget>>,
    pub(super) peer: Addr,
    pub(super) serial: u64,
    /// Whether the last handler has returned. If not, it was dropped at an await point.
    pub(super) over: bool,
}

impl Drop for Ending {
    fn drop(&mut self) {
        if !self.over {
            self.mailbox.abandon(&self.socket.counters);
            add(&self.socket.counters.conversations, 1);
            let SocketState { counters, .. } = &*self.socket;
            let evicted = self.mailbox.is_evicted();
            add(if evicted { &counters.evicted } else { &counters.aborted }, 1);
        }
        self.socket.ended(self.peer.clone(), self.serial);
    }
}
