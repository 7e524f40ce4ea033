//! The line of requests that wait for a thread.

use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    sync::oneshot::{self, Receiver, Sender},
    time::{Instant, Sleep, sleep},
};

use crate::{
    function::NotReady,
    lock::locked,
    queue_time::{INTERVAL, TARGET},
};

/// An empty line keeps memory for this many.
const KEPT: usize = 64;

/// Gives each call a thread: as many at once as there are. The others wait in order. If they may not wait for long, and the line
/// stands, those that came last are first, as in the backlog of a worker.
#[derive(Debug)]
pub(super) struct Line(Mutex<State>);

#[derive(Debug)]
struct State {
    /// How many threads have no call. While there are some, nobody waits.
    free: usize,
    waiting: VecDeque<Waiting>,
    /// Since when, as far as was seen, the oldest one has waited for longer than the target.
    above: Option<Instant>,
}

#[derive(Debug)]
struct Waiting {
    since: Instant,
    /// Whether it may wait only for a limited time.
    limited: bool,
    permit: Sender<ThreadPermit>,
}

/// A thread that is free for one call. The thread is free again when this is dropped.
pub struct ThreadPermit(Option<Arc<Line>>);

/// The future that waits for a thread that is free, with a time limit.
pub struct WaitsForThread {
    permit: Receiver<ThreadPermit>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Line {
    pub(super) fn new(threads: usize) -> Arc<Self> {
        let state = State { free: threads, waiting: VecDeque::new(), above: None };
        Arc::new(Self(Mutex::new(state)))
    }

    /// Takes a thread if one is free.
    pub(super) fn try_enter(self: &Arc<Self>) -> Option<ThreadPermit> {
        let mut state = locked(&self.0);
        state.free = state.free.checked_sub(1)?;
        Some(ThreadPermit(Some(Arc::clone(self))))
    }

    /// Waits for a thread, and for at most `max_wait`.
    pub(super) fn enter(self: &Arc<Self>, max_wait: Option<Duration>) -> WaitsForThread {
        let (sender, permit) = oneshot::channel();
        let timer = max_wait.map(|limit| Box::pin(sleep(limit)));
        let waiting =
            Waiting { since: Instant::now(), limited: max_wait.is_some(), permit: sender };
        let at_once = locked(&self.0).enter(waiting);
        if let Some(at_once) = at_once {
            // It is received below.
            let _ = at_once.permit.send(ThreadPermit(Some(Arc::clone(self))));
        }
        WaitsForThread { permit, timer }
    }

    /// A thread is free: gives it to a request that waits.
    fn release(self: Arc<Self>) {
        let mut permit = ThreadPermit(Some(self));
        while let Some(line) = &permit.0 {
            let next = locked(&line.0).next(Instant::now());
            let Some(next) = next else {
                permit.0 = None;
                return;
            };
            match next.permit.send(permit) {
                Ok(()) => return,
                // That one does not wait any more.
                Err(returned) => permit = returned,
            }
        }
    }
}

impl State {
    /// Adds a request, or returns it if a thread is free.
    fn enter(&mut self, waiting: Waiting) -> Option<Waiting> {
        if let Some(free) = self.free.checked_sub(1) {
            self.free = free;
            return Some(waiting);
        }
        self.look(waiting.since);
        self.waiting.push_back(waiting);
        None
    }

    /// A thread is free: returns the request that gets it.
    fn next(&mut self, now: Instant) -> Option<Waiting> {
        self.look(now);
        let stands = self.above.is_some_and(|above| now.duration_since(above) >= INTERVAL)
            && self.waiting.front().is_some_and(|oldest| oldest.limited);
        let next = if stands { self.waiting.pop_back() } else { self.waiting.pop_front() };
        if next.is_none() {
            self.free += 1;
            self.waiting.shrink_to(KEPT);
        }
        next
    }

    /// Forgets those that do not wait any more, and looks how long the oldest one has waited.
    fn look(&mut self, now: Instant) {
        while self.waiting.front().is_some_and(|oldest| oldest.permit.is_closed()) {
            self.waiting.pop_front();
        }
        let oldest = self.waiting.front();
        let is_above = oldest.is_some_and(|oldest| now.duration_since(oldest.since) >= TARGET);
        self.above = is_above.then(|| self.above.unwrap_or(now));
    }
}

impl Drop for ThreadPermit {
    fn drop(&mut self) {
        if let Some(line) = self.0.take() {
            line.release();
        }
    }
}

impl Future for WaitsForThread {
    type Output = Result<ThreadPermit, NotReady>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(permit) = Pin::new(&mut self.permit).poll(cx) {
            return Poll::Ready(permit.map_err(|_| NotReady::Busy));
        }
        match &mut self.timer {
            Some(timer) => timer.as_mut().poll(cx).map(|()| Err(NotReady::Late)),
            None => Poll::Pending,
        }
    }
}

impl fmt::Debug for ThreadPermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPermit").finish_non_exhaustive()
    }
}

impl fmt::Debug for WaitsForThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitsForThread").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use tokio::time::{Instant, advance};

    use super::*;

    const LIMIT: Option<Duration> = Some(Duration::from_secs(1));

    fn poll(wait: &mut WaitsForThread) -> Poll<Result<ThreadPermit, NotReady>> {
        Pin::new(wait).poll(&mut Context::from_waker(Waker::noop()))
    }

    /// The numbers of those that have a thread now, in the order in which they get one.
    fn served(mut first: ThreadPermit, waits: &mut Vec<(usize, WaitsForThread)>) -> Vec<usize> {
        let mut order = Vec::new();
        loop {
            drop(first);
            let ready = waits.iter_mut().enumerate().find_map(|(at, (_, wait))| match poll(wait) {
                Poll::Ready(Ok(permit)) => Some((at, permit)),
                _ => None,
            });
            let Some((at, permit)) = ready else { return order };
            order.push(waits.remove(at).0);
            first = permit;
        }
    }

    fn free(line: &Line) -> usize {
        locked(&line.0).free
    }

    // T-8
    #[tokio::test(start_paused = true)]
    async fn as_many_are_served_at_once_as_there_are_threads_and_the_others_in_order() {
        let line = Line::new(2);
        let both = [line.try_enter().unwrap(), line.enter(None).await.unwrap()];
        assert!(line.try_enter().is_none());
        let mut waits: Vec<_> = (0..4).map(|n| (n, line.enter(None))).collect();
        advance(Duration::from_secs(3600)).await;
        assert!(poll(&mut waits[0].1).is_pending());

        let [first, second] = both;
        assert_eq!(served(first, &mut waits), [0, 1, 2, 3]);
        assert_eq!(free(&line), 1);
        drop(second);
        assert_eq!(free(&line), 2);
    }

    // T-8, A-11
    #[tokio::test(start_paused = true)]
    async fn one_that_has_waited_too_long_is_late_and_keeps_no_thread() {
        let line = Line::new(1);
        let busy = line.try_enter().unwrap();
        let mut late = line.enter(LIMIT);
        advance(Duration::from_millis(999)).await;
        assert!(poll(&mut late).is_pending());
        let mut next = line.enter(LIMIT);

        let begun = Instant::now();
        assert!(matches!((&mut late).await, Err(NotReady::Late)));
        assert!(begun.elapsed() <= Duration::from_millis(2));
        drop(late);
        drop(busy);

        assert!(matches!(poll(&mut next), Poll::Ready(Ok(_))));
        assert_eq!(free(&line), 1);
    }

    // T-8
    #[tokio::test(start_paused = true)]
    async fn a_thread_that_was_given_to_one_that_has_gone_goes_to_the_next_one() {
        let line = Line::new(1);
        let busy = line.try_enter().unwrap();
        let (given, gone, mut next) = (line.enter(None), line.enter(None), line.enter(None));
        drop(busy);
        drop(gone);

        drop(given);

        drop(poll(&mut next));
        assert_eq!(free(&line), 1);
        // However many have gone.
        let busy = line.try_enter().unwrap();
        let gone: Vec<_> = (0..100_000).map(|_| line.enter(LIMIT)).collect();
        drop(gone);
        drop(busy);
        assert_eq!(free(&line), 1);
        assert!(locked(&line.0).waiting.capacity() <= 2 * KEPT);
    }

    //
    #[tokio::test(start_paused = true)]
    async fn while_the_line_stands_those_that_came_last_are_first_if_they_may_not_wait_for_long() {
        for (limit, expected) in [(LIMIT, [3, 2, 1, 0]), (None, [0, 1, 2, 3])] {
            let line = Line::new(1);
            let busy = line.try_enter().unwrap();
            let mut waits: Vec<_> = (0..2).map(|n| (n, line.enter(limit))).collect();
            advance(TARGET).await;
            waits.push((2, line.enter(limit)));
            advance(INTERVAL).await;
            waits.push((3, line.enter(limit)));

            assert_eq!(served(busy, &mut waits), expected);
            assert!(locked(&line.0).above.is_none());
        }
    }

    //
    #[tokio::test(start_paused = true)]
    async fn a_line_that_is_short_between_does_not_stand() {
        let line = Line::new(1);
        let busy = line.try_enter().unwrap();
        let mut waits = vec![(0, line.enter(LIMIT))];
        advance(TARGET).await;
        waits.push((1, line.enter(LIMIT)));
        drop(busy);
        let Poll::Ready(Ok(busy)) = poll(&mut waits.remove(0).1) else { panic!("no thread") };
        waits.push((2, line.enter(LIMIT)));
        advance(INTERVAL).await;
        waits.push((3, line.enter(LIMIT)));

        assert_eq!(served(busy, &mut waits), [1, 2, 3]);
    }
}
