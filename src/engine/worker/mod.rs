//! The loop that drives one socket: receive a batch, run handlers, send their replies.

mod alarm;
mod amplification;
mod dispatch;
mod ending;
mod guarding;
#[cfg(unix)]
mod handing_over;
mod opening;
mod overload;
mod receiving;
mod rereading;
mod stall;

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll, ready},
    time::Duration,
};

use alarm::Alarm;
use guarding::Guarding;
use overload::Overload;
use receiving::recv_half;
use tokio::{
    runtime::Handle,
    task::{AbortHandle, yield_now},
    time::{Instant, Sleep, sleep_until},
};

use super::{
    admission::Admission,
    application::Application,
    conversation::{FutureSlot, HandlerCall, Outcome},
    conversations::Conversations,
    failure::{Backoff, Failure},
    serve_state::{Mode, ServeState},
};
#[cfg(unix)]
use crate::handover::leaving::HandingOver;
use crate::{
    Handler, proxy,
    socket::{SocketState, batch_context::BatchContext, mailbox::Mailbox, outbox::Batch},
    stats::{DropReason, add},
    transport::{LONGEST, RecvHalf},
};

/// Drives one socket until serving ends. It polls each conversation once. A conversation that has to wait
/// becomes a task. If there is another runtime `elsewhere`, every conversation is a task of that runtime.
///
/// # Errors
///
/// Fails if the socket has failed for good. By then all conversations have ended too.
pub(super) async fn run<Req, Res, H>(
    socket: Arc<SocketState>,
    application: Arc<Application<Req, Res, H>>,
    admission: Arc<Admission>,
    serve_state: Arc<ServeState>,
    elsewhere: Option<Handle>,
) -> io::Result<()>
where
    Req: Send + 'static,
    Res: Send + 'static,
    H: Handler<Req, Res>,
{
    let longest = socket.limits.max_datagram_size().min(socket.outbox.transport().longest());
    let has_proxies = socket.proxies.is_some();
    let room = if has_proxies { (longest + proxy::ROOM).min(LONGEST) } else { longest };
    let mut conversations = Conversations::new(
        Arc::clone(&socket.limits),
        Arc::clone(&socket.counters),
        elsewhere.is_some() || socket.has_store,
    );
    conversations.keeps_sources = has_proxies;
    let mut worker = Worker {
        conversations,
        batch: Some(BatchContext::new(socket.id, room)),
        next: 0,
        serial: socket.serial.load(Relaxed),
        reserved: false,
        busy: false,
        has_cache: socket.replies.is_some(),
        polls_inline: elsewhere.is_none() && !socket.has_store,
        slot: None,
        call: None,
        mailbox: Arc::default(),
        guarding: Guarding::default(),
        overload: Overload::new(&socket),
        pause: None,
        deaf: false,
        send_deadline: Alarm::default(),
        chunk_expiry: Alarm::default(),
        conversation_expiry: Alarm::default(),
        reread: None,
        receiving: recv_half(&socket),
        #[cfg(unix)]
        handing_over: None,
        application,
        converse: HandlerCall::converse,
        socket,
        admission,
        serve_state,
        elsewhere,
    };
    let result = worker.serve().await;
    worker.end().await;
    result
}

struct Worker<Req, Res, H, F, M> {
    receiving: Box<dyn RecvHalf>,
    socket: Arc<SocketState>,
    application: Arc<Application<Req, Res, H>>,
    admission: Arc<Admission>,
    /// The runtime of the conversations, if they must not run on this thread.
    elsewhere: Option<Handle>,
    converse: M,
    conversations: Conversations<AbortHandle>,
    /// The current batch. It is lent while a conversation is polled.
    batch: Option<Box<BatchContext>>,
    /// The number of the next datagram in the batch.
    next: usize,
    /// The number of the conversation that was opened last.
    serial: u64,
    /// Whether a place is reserved for the next conversation that has to wait.
    reserved: bool,
    /// Whether this batch made other tasks ready to run.
    busy: bool,
    /// Whether there is a reply cache.
    has_cache: bool,
    /// Whether conversations are polled once before they become tasks. A reply store has to be asked first.
    polls_inline: bool,
    /// The slot and the call that the next inline conversation uses again.
    slot: Option<FutureSlot<F>>,
    call: Option<Box<HandlerCall<Req, Res, H>>>,
    mailbox: Arc<Mailbox>,
    guarding: Guarding,
    overload: Overload,
    /// After an error of the socket, the worker receives nothing until this completes.
    pause: Option<Pin<Box<Sleep>>>,
    /// Whether the socket cannot receive at the moment, so that another attempt to read it is useless.
    deaf: bool,
    /// When a datagram has waited too long for room in the kernel.
    send_deadline: Alarm,
    /// When an incomplete request is given up.
    chunk_expiry: Alarm,
    /// When a conversation ends because its peer is not validated.
    conversation_expiry: Alarm,
    /// The round of reading that conversations with an elapsed timeout wait for.
    reread: Option<Rereading>,
    /// Set when another process takes over the socket.
    #[cfg(unix)]
    handing_over: Option<Box<HandingOver>>,
    // Dropped last, because the next serving may begin after that.
    serve_state: Arc<ServeState>,
}

/// A round of reading.
struct Rereading {
    round: u64,
    /// The most datagrams that it may still read.
    left: usize,
}

const NOT_LENT: &str = "the batch is away only while a conversation is polled inline";

enum Event {
    Received,
    /// There is time for new peers that have waited.
    Backlog,
    Failed(io::Error),
    End,
}

impl<Req, Res, H, F, M> Worker<Req, Res, H, F, M>
where
    Req: Send + 'static,
    Res: Send + 'static,
    H: Handler<Req, Res>,
    F: Future<Output = Outcome<Req, Res, H>> + Send + 'static,
    M: Fn(Box<HandlerCall<Req, Res, H>>) -> F + Copy + Send + Unpin + 'static,
{
    async fn serve(&mut self) -> io::Result<()> {
        // The worker of an earlier serving may have been dropped in the middle of a batch.
        self.end_batch();
        let mut backoff = Backoff::default();
        loop {
            match poll_fn(|cx| self.poll_event(cx)).await {
                Event::Received => {
                    backoff = Backoff::default();
                    self.count_received();
                    while !self.in_time(Self::dispatch) {
                        self.give_way().await;
                    }
                    let received = &mut self.batch.as_mut().expect(NOT_LENT).received;
                    // More datagrams probably follow a full batch, and timers have waited long enough.
                    let full = received.is_full();
                    self.overload.end(received.has_many());
                    received.clear();
                    self.next = 0;
                    if self.busy || full {
                        self.give_way().await;
                    }
                }
                Event::Backlog => {
                    self.in_time(Self::serve_backlog);
                    self.give_way().await;
                }
                Event::Failed(error) => match backoff.judge(&error) {
                    Failure::Passing(Duration::ZERO) => yield_now().await,
                    Failure::Passing(rest) => self.pause_for(rest),
                    Failure::Pause(pause) => {
                        let local = self.socket.outbox.transport().local_addr();
                        self.socket.events.receive_failed(local, &error);
                        self.deaf = true;
                        self.pause_for(pause);
                    }
                    Failure::Fatal => return Err(error),
                },
                Event::End => return Ok(()),
            }
        }
    }

    /// Lets other tasks run. The replies of conversations among them leave together.
    async fn give_way(&mut self) {
        yield_now().await;
        self.end_batch();
        self.free_places();
    }

    /// Sends the rest of the batch. From then on, other senders do not have to wait for this worker.
    fn end_batch(&mut self) {
        let replies = &mut self.batch.as_mut().expect(NOT_LENT).replies;
        self.socket.outbox.send_replies(replies, Batch::IsOver);
    }

    /// Stops receiving for the time `pause`. Everything else goes on.
    fn pause_for(&mut self, pause: Duration) {
        self.pause = Some(Box::pin(sleep_until(Instant::now() + pause)));
    }

    /// Waits for something to do. Meanwhile it sends datagrams that wait for room in the kernel.
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        self.attend(cx);
        match self.serve_state.mode() {
            Mode::Run => {}
            Mode::Drain if self.conversations.is_empty() && self.overload.backlog.is_empty() => {
                self.serve_state.silent.notify_one()
            }
            Mode::Drain => {}
            Mode::HandOver | Mode::Finish | Mode::Stop | Mode::Abandon => {
                return Poll::Ready(Event::End);
            }
        }
        if let Some(pause) = &mut self.pause {
            let pause = pause.as_mut().poll(cx);
            if self.deaf {
                self.end_rereads();
            }
            if pause.is_pending() {
                let serve = || Poll::Ready(Event::Backlog);
                return if self.can_serve_backlog() { serve() } else { Poll::Pending };
            }
            (self.pause, self.deaf) = (None, false);
        }
        let can_serve = self.can_serve_backlog();
        if can_serve && self.overload.has_waited() {
            return Poll::Ready(Event::Backlog);
        }
        if let Some(event) = ready!(self.poll_reread(cx)) {
            return Poll::Ready(event);
        }
        let received = &mut self.batch.as_mut().expect(NOT_LENT).received;
        match self.receiving.poll_recv(cx, received) {
            Poll::Ready(Ok(())) => Poll::Ready(Event::Received),
            Poll::Ready(Err(error)) => Poll::Ready(Event::Failed(error)),
            Poll::Pending if can_serve => Poll::Ready(Event::Backlog),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Frees the places of conversations that have ended, and sends the datagrams that the kernel has room for.
    fn attend(&mut self, cx: &mut Context<'_>) {
        self.socket.pulse.beat();
        self.socket.outbox.signal.register(cx);
        self.free_places();
        #[cfg(unix)]
        if self.handing_over.is_some() {
            self.obey(cx);
        }
        let SocketState { outbox, chunks, .. } = &*self.socket;
        while outbox.poll_flush(cx).is_pending()
            && let Some(deadline) = outbox.deadline()
            && self.send_deadline.poll(deadline, cx).is_ready()
        {
            outbox.expire();
        }
        while let Some(expiry) = self.conversations.next_expiry()
            && self.conversation_expiry.poll(expiry, cx).is_ready()
        {
            self.conversations.expire();
        }
        if let Some(chunks) = chunks {
            while let Some(expiry) = chunks.next_expiry()
                && self.chunk_expiry.poll(expiry, cx).is_ready()
            {
                chunks.expire();
            }
        }
    }

    fn free_places(&mut self) {
        #[cfg(unix)]
        if self.handing_over.is_some() {
            return self.report_ended();
        }
        self.socket.each_ended(|peer, serial| self.conversations.end(peer, serial));
    }

    fn count_received(&mut self) {
        let received = &self.batch.as_ref().expect(NOT_LENT).received;
        let truncated = received.truncated() as u64;
        let bytes = received.total();
        add(&self.socket.counters.received, received.len() as u64 + truncated);
        add(&self.socket.counters.received_bytes, bytes);
        self.guarding.amplification.received += bytes;
        self.socket.counters.batch(received.len() + received.truncated());
        if truncated > 0 {
            self.socket.dropped(DropReason::Truncated, truncated);
        }
    }
}
