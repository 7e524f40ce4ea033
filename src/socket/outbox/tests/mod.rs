//! Tests of the outbox, with a simulated kernel.

mod failures;
mod replies;

use std::{
    collections::VecDeque,
    net::{Ipv4Addr, SocketAddr},
    sync::{LazyLock, Weak},
    task::{Wake, Waker},
};

use super::{backlog::MOST_DATAGRAMS, *};
use crate::{Limits, ServerStats, transport::RecvHalf};

/// A simulated kernel. Each test sets how it behaves.
#[derive(Debug, Default)]
struct Kernel(Mutex<Told>);

static ADDR: LazyLock<Addr> = LazyLock::new(|| peer(9).peer);

#[derive(Debug, Default)]
struct Told {
    full: bool,
    /// The peers that have no room.
    full_peers: Vec<u16>,
    /// The outcomes for the next datagrams; the kernel takes all later ones.
    outcomes: VecDeque<Result<(), io::ErrorKind>>,
    sent: Vec<(Addr, String)>,
}

impl Kernel {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap()
    }

    fn fill(&self, full: bool) {
        self.told().full = full;
    }

    /// The datagrams that were sent to the peer `to`.
    fn sent(&self, to: u16) -> Vec<String> {
        let told = self.told();
        told.sent.iter().filter(|sent| sent.0 == peer(to).peer).map(|sent| sent.1.clone()).collect()
    }
}

/// A kernel of its own, that sends each datagram at once or not.
#[derive(Debug)]
struct Sends {
    kernel: Arc<Kernel>,
    at_once: bool,
}

impl Transport for Sends {
    fn local_addr(&self) -> &Addr {
        &ADDR
    }

    fn recv_half(&self, _: usize) -> Box<dyn RecvHalf> {
        unreachable!("an outbox does not receive")
    }

    fn sends_at_once(&self) -> bool {
        self.at_once
    }

    fn try_send(&self, to: &Route, datagram: &[u8]) -> io::Result<()> {
        let mut told = self.kernel.told();
        if told.full || told.full_peers.iter().any(|port| peer(*port) == *to) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        told.outcomes.pop_front().unwrap_or(Ok(()))?;
        told.sent.push((to.peer.clone(), String::from_utf8(datagram.to_vec()).unwrap()));
        Ok(())
    }

    fn poll_send_ready(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.kernel.told().full { Poll::Pending } else { Poll::Ready(Ok(())) }
    }
}

struct Bench {
    kernel: Arc<Kernel>,
    counters: Arc<Counters>,
    outbox: Arc<Outbox>,
    replies: SendBatch,
}

impl Bench {
    fn new() -> Self {
        Self::within(Duration::MAX)
    }

    /// With a time limit for datagrams that find no room in the kernel.
    fn within(limit: Duration) -> Self {
        Self::with(&Limits::default().send_timeout(limit), false)
    }

    fn with(limits: &Limits, at_once: bool) -> Self {
        let limits = Arc::new(LiveLimits::new(&limits.clone().max_events_per_second(1)));
        let (kernel, counters) = (Arc::new(Kernel::default()), Arc::new(Counters::default()));
        // All events but the first are counted as suppressed.
        let events = Arc::new(Events::new(Arc::clone(&limits), Arc::clone(&counters)));
        let transport = Box::new(Sends { kernel: Arc::clone(&kernel), at_once });
        let outbox = Arc::new(Outbox::new(transport, Arc::clone(&counters), events, limits));
        outbox.open();
        Self { kernel, counters, outbox, replies: SendBatch::default() }
    }

    /// Replies like a conversation that is polled inline.
    fn reply(&mut self, to: u16, text: &str) {
        if self.outbox.takes_inline(&mut self.replies) {
            self.replies.push(&peer(to), text.as_bytes());
        } else {
            self.send(to, text);
        }
    }

    /// Sends like any other sender.
    fn send(&self, to: u16, text: &str) {
        assert!(matches!(self.poll_send(to, text), Poll::Ready(Ok(()))));
    }

    fn poll_send(&self, to: u16, text: &str) -> Poll<Result<(), SendError>> {
        let to = peer(to);
        poll(pin!(self.outbox.send(&to, text.as_bytes())))
    }

    fn finish_batch(&mut self) {
        self.outbox.send_replies(&mut self.replies, Batch::IsOver);
    }

    fn flush(&self) -> Poll<()> {
        self.outbox.poll_flush(&mut Context::from_waker(Waker::noop()))
    }

    fn stats(&self) -> ServerStats {
        self.counters.read()
    }
}

fn peer(port: u16) -> Route {
    Addr::from(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).into()
}

fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

fn numbers(to: usize) -> Vec<String> {
    (0..to).map(|n| n.to_string()).collect()
}

// S-4
#[test]
fn inline_replies_and_other_datagrams_leave_in_the_order_in_which_they_were_sent() {
    let mut bench = Bench::new();

    bench.send(1, "0");
    bench.outbox.begin_batch();
    bench.reply(1, "1");
    bench.send(1, "2");
    bench.reply(1, "3");
    bench.finish_batch();
    bench.send(1, "4");

    assert_eq!(bench.kernel.sent(1), numbers(5));
    assert_eq!(bench.stats().sent, 5);
}

// S-4, S-10
#[test]
fn while_the_kernel_has_no_room_the_order_is_kept_and_nothing_is_lost() {
    let mut bench = Bench::new();
    bench.kernel.fill(true);

    bench.send(1, "0");
    bench.outbox.begin_batch();
    bench.reply(1, "1");
    bench.finish_batch();
    bench.send(1, "2");
    assert!(bench.flush().is_pending());
    bench.kernel.fill(false);
    bench.send(1, "3");
    assert!(bench.flush().is_ready());
    bench.send(1, "4");

    assert_eq!(bench.kernel.sent(1), numbers(5));
    assert_eq!(bench.stats().sent, 5);
}

// S-4, S-10
#[test]
fn a_batch_that_finds_no_room_leaves_before_datagrams_that_were_sent_meanwhile() {
    let mut bench = Bench::new();

    bench.outbox.begin_batch();
    bench.reply(1, "0");
    bench.send(1, "1");
    bench.kernel.fill(true);
    bench.finish_batch();
    bench.kernel.fill(false);

    assert!(bench.flush().is_ready());
    assert_eq!(bench.kernel.sent(1), numbers(2));
}

// S-4
#[test]
fn datagrams_sent_during_a_batch_leave_at_its_end_after_its_replies() {
    let mut bench = Bench::new();

    bench.outbox.begin_batch();
    bench.reply(1, "inline");
    bench.outbox.send_replies(&mut bench.replies, Batch::GoesOn);
    bench.send(1, "from a task");
    bench.send(2, "from another");
    assert_eq!(bench.kernel.sent(1), ["inline"]);
    assert_eq!(bench.stats().sent, 1);
    bench.finish_batch();

    assert_eq!(bench.kernel.sent(1), ["inline", "from a task"]);
    assert_eq!(bench.kernel.sent(2), ["from another"]);
    bench.send(1, "afterwards");
    assert_eq!(bench.kernel.sent(1).len(), 3);
}

// S-4, S-10
#[test]
fn more_replies_than_a_batch_holds_leave_in_order() {
    let mut bench = Bench::new();
    let expected = numbers(2 * REPLIES + 1);

    bench.outbox.begin_batch();
    expected.iter().for_each(|text| bench.reply(1, text));
    bench.finish_batch();

    assert_eq!(bench.kernel.sent(1), expected);
}

// S-4, S-10
#[test]
fn more_replies_than_a_batch_holds_wait_in_order_while_the_kernel_has_no_room() {
    let mut bench = Bench::new();
    let expected = numbers(REPLIES + 2);
    bench.kernel.fill(true);

    bench.outbox.begin_batch();
    expected[..REPLIES].iter().for_each(|text| bench.reply(1, text));
    assert!(!bench.outbox.takes_inline(&mut bench.replies));
    bench.reply(1, &expected[REPLIES]);
    bench.kernel.fill(false);
    bench.finish_batch();
    bench.send(1, &expected[REPLIES + 1]);

    assert_eq!(bench.kernel.sent(1), expected);
}

// S-4, S-10
#[test]
fn more_datagrams_than_the_backlog_holds_leave_in_the_order_in_which_they_were_sent() {
    let bench = Bench::new();
    let expected = numbers(MOST_DATAGRAMS + 2);
    let to = peer(1);
    bench.kernel.fill(true);
    expected[..MOST_DATAGRAMS].iter().for_each(|text| bench.send(1, text));

    let mut first = pin!(bench.outbox.send(&to, expected[MOST_DATAGRAMS].as_bytes()));
    assert!(poll(first.as_mut()).is_pending());
    let mut second = pin!(bench.outbox.send(&to, expected[MOST_DATAGRAMS + 1].as_bytes()));
    assert!(poll(second.as_mut()).is_pending());
    bench.kernel.fill(false);
    assert!(bench.flush().is_ready());
    assert!(poll(first).is_ready() && poll(second).is_ready());

    assert_eq!(bench.kernel.sent(1), expected);
}
