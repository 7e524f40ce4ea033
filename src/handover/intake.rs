//! The receive half of a socket in the new process, while peers of it are in conversation with the old one.

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{
            AtomicBool, AtomicUsize,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    task::{Context, Poll},
};

use tokio::sync::mpsc;

use super::{
    Kept,
    connection::Connection,
    format::Message,
    table::{Arrived, Table},
};
use crate::{
    Addr,
    limits::LiveLimits,
    lock::locked,
    stats::{Counters, DropReason, add},
    transport::{RecvBatch, RecvHalf, Signal},
};

/// The most bytes that wait to be sent to the old process, and what each datagram counts besides its own.
const MOST_OUTGOING: usize = 4 << 20;
const OVERHEAD: usize = 160;

/// Messages that wait to be sent to the old process.
#[derive(Debug)]
pub(crate) struct Outgoing {
    messages: mpsc::UnboundedSender<Message>,
    bytes: AtomicUsize,
}

impl Outgoing {
    pub(crate) fn new() -> (Arc<Self>, mpsc::UnboundedReceiver<Message>) {
        let (messages, receiver) = mpsc::unbounded_channel();
        (Arc::new(Self { messages, bytes: AtomicUsize::new(0) }), receiver)
    }

    pub(crate) fn send(&self, message: Message) {
        let _ = self.messages.send(message);
    }

    /// Sends a datagram, if it finds room.
    fn pass(&self, socket: u32, datagram: Kept) -> bool {
        let more = datagram.bytes.len() + OVERHEAD;
        if self.bytes.load(Relaxed) + more > MOST_OUTGOING {
            return false;
        }
        self.bytes.fetch_add(more, Relaxed);
        self.messages.send(Message::Datagram { socket, datagram }).is_ok()
    }

    /// A message has left.
    pub(crate) fn left(&self, message: &Message) {
        if let Message::Datagram { datagram, .. } = message {
            self.bytes.fetch_sub(datagram.bytes.len() + OVERHEAD, Relaxed);
        }
    }
}

/// The process from which this one takes over.
#[derive(Debug)]
pub(crate) struct Predecessor {
    /// Where it listened, as an absolute path.
    pub(crate) path: PathBuf,
    pub(crate) connection: Connection,
    pub(crate) outgoing: Arc<Outgoing>,
    pub(crate) messages: mpsc::UnboundedReceiver<Message>,
    pub(crate) intakes: Vec<Arc<Intake>>,
}

/// What the worker of a socket shares with the task that talks to the old process.
#[derive(Debug)]
pub(crate) struct Intake {
    socket: u32,
    outgoing: Arc<Outgoing>,
    table: Mutex<Table>,
    /// Whether the socket belongs to this process alone.
    done: AtomicBool,
    signal: Signal,
}

impl Intake {
    pub(crate) fn new(socket: u32, outgoing: Arc<Outgoing>) -> Self {
        let (table, done) = (Mutex::default(), AtomicBool::new(false));
        Self { socket, outgoing, table, done, signal: Signal::default() }
    }

    pub(crate) fn add(&self, peers: Vec<Addr>) {
        locked(&self.table).add(peers);
    }

    pub(crate) fn begin(&self) {
        self.change(Table::begin);
    }

    pub(crate) fn ended(&self, peer: &Addr, taken: u64, returned: u64) {
        self.change(|table| table.ended(peer, taken, returned));
    }

    pub(crate) fn returned(&self, datagram: Kept) {
        self.change(|table| table.returned(datagram));
    }

    /// The old process is gone: this one serves all peers. `messages` are those that were not sent as a whole.
    pub(crate) fn gone(
        intakes: &[Arc<Self>],
        unsent: Option<Message>,
        messages: &mut mpsc::UnboundedReceiver<Message>,
    ) {
        // While they are locked, nothing more is passed.
        let mut tables: Vec<_> = intakes.iter().map(|intake| locked(&intake.table)).collect();
        let unsent = unsent.into_iter().chain(std::iter::from_fn(|| messages.try_recv().ok()));
        for message in unsent {
            if let Message::Datagram { socket, datagram } = message
                && let Some(table) = tables.get_mut(socket as usize)
            {
                table.returned(datagram);
            }
        }
        tables.iter_mut().for_each(|table| table.gone());
        drop(tables);
        intakes.iter().for_each(|intake| intake.signal.wake());
    }

    /// Tells the old process that this one ends. What that has sent so far still comes.
    pub(crate) fn leave(&self) {
        self.outgoing.send(Message::Leaving);
    }

    /// Waits until nothing comes from the old process any more.
    pub(crate) fn poll_gone(&self, cx: &Context<'_>) -> Poll<()> {
        self.signal.register(cx);
        if locked(&self.table).is_gone() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Moves what has come from the old process into an empty `batch`, as far as there is room.
    pub(crate) fn take_rest(&self, batch: &mut RecvBatch) {
        self.take_ready(&mut locked(&self.table), batch);
    }

    fn change(&self, change: impl FnOnce(&mut Table)) {
        change(&mut locked(&self.table));
        self.signal.wake();
    }

    /// Moves datagrams that have come from the old process into `batch`; returns whether there were any.
    fn take_ready(&self, table: &mut Table, batch: &mut RecvBatch) -> bool {
        let mut any = false;
        while batch.room().is_some()
            && let Some(Kept { from, ancillary, bytes }) = table.next_ready()
        {
            any = true;
            batch.push_kept(from, ancillary, &bytes);
        }
        if table.is_done() {
            self.done.store(true, Release);
        }
        any
    }

    /// Takes those datagrams out of `batch` that are not for this process, or not yet.
    fn sort(&self, batch: &mut RecvBatch, counters: &Counters) {
        let mut table = locked(&self.table);
        if !table.has_peers() && !table.has_ready() {
            return;
        }
        batch.retain(|from, ancillary, bytes| {
            let kept = || Kept { from: from.clone(), ancillary, bytes: bytes.to_vec() };
            let has_room = match table.arrived(from, kept) {
                Arrived::Ours => return true,
                Arrived::Held => true,
                Arrived::NoRoom => false,
                Arrived::Theirs(kept) => {
                    let passed = self.outgoing.pass(self.socket, kept);
                    if passed {
                        table.sent(from);
                    }
                    passed
                }
            };
            if !has_room {
                add(&counters.received, 1);
                add(&counters.received_bytes, bytes.len() as u64);
                counters.dropped(DropReason::HandOverFull, 1);
            }
            false
        });
    }
}

/// A receive half that reads nothing until the old process has stopped reading, and gives the old process what belongs to it.
#[derive(Debug)]
pub(crate) struct SortedRecvHalf {
    inner: Box<dyn RecvHalf>,
    intake: Arc<Intake>,
    counters: Arc<Counters>,
}

impl SortedRecvHalf {
    pub(crate) fn new(
        inner: Box<dyn RecvHalf>,
        intake: Arc<Intake>,
        counters: Arc<Counters>,
    ) -> Self {
        Self { inner, intake, counters }
    }

    fn receive(
        &mut self,
        batch: &mut RecvBatch,
        recv: fn(&mut dyn RecvHalf, &mut RecvBatch) -> io::Result<()>,
    ) -> io::Result<()> {
        if !self.intake.done.load(Acquire) {
            let mut table = locked(&self.intake.table);
            if !table.has_begun() {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            // They are older than what waits in the socket.
            if self.intake.take_ready(&mut table, batch) {
                return Ok(());
            }
        }
        let received = recv(&mut *self.inner, batch);
        if !self.intake.done.load(Acquire) {
            self.intake.sort(batch, &self.counters);
        }
        received
    }
}

impl RecvHalf for SortedRecvHalf {
    fn try_recv(&mut self, batch: &mut RecvBatch) -> io::Result<()> {
        self.receive(batch, |inner, batch| inner.try_recv(batch))
    }

    fn recv_now(&mut self, batch: &mut RecvBatch) -> io::Result<()> {
        self.receive(batch, |inner, batch| inner.recv_now(batch))
    }

    fn set_timestamps(&mut self, limits: Option<&Arc<LiveLimits>>) -> bool {
        self.inner.set_timestamps(limits)
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.intake.done.load(Acquire) {
            self.intake.signal.register(cx);
            let table = locked(&self.intake.table);
            if !table.has_begun() {
                return Poll::Pending;
            }
            if table.has_ready() {
                return Poll::Ready(Ok(()));
            }
        }
        self.inner.poll_ready(cx)
    }
}
