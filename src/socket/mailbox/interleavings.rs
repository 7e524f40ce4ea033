//! All interleavings of a worker, a conversation and a shutdown.
//!
//! Each call of a mailbox takes its lock once, so an interleaving is an order of calls, and all orders can be tried.
//! Mistakes that are planted on purpose, calls that take the lock twice, must be found.

use std::sync::Arc;

use super::{
    tests::{Bell, Post, text},
    *,
};
use crate::Limits;

/// Who calls the mailbox next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Actor {
    Worker,
    Conversation,
    Shutdown,
}

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Planted {
    Nothing,
    /// `finish` looks for datagrams under one lock, and ends the conversation under the next one.
    Finish,
    /// `poll_take` looks for datagrams under one lock, and leaves its waker under the next one.
    Take,
    /// `abandon` leaves what waits.
    Abandon,
    /// A graceful end drops what waits.
    Seal,
}

/// How a conversation goes.
#[derive(Clone, Copy, Debug)]
struct Plan {
    /// The handler returns after so many datagrams.
    takes: usize,
    /// A timer ends the conversation when nothing waits for it.
    timeout: bool,
    /// The server ends gracefully, and offers nothing afterwards.
    seal: bool,
    /// The server shuts down, and drops the conversation after that, or an eviction drops it.
    close: bool,
    drop: bool,
    planted: Planted,
}

#[derive(Debug, PartialEq, Eq)]
enum Phase {
    Taking,
    /// It takes when its bell has rung more often than that.
    Asleep(usize),
    /// Between the two locks of a mistake.
    LeavesWaker,
    Ends,
    Over,
}

/// One interleaving while it runs.
struct Course {
    plan: Plan,
    post: Post,
    bell: Arc<Bell>,
    offered: usize,
    accepted: Vec<String>,
    /// Datagrams for which the worker opens the next conversation.
    refused: usize,
    phase: Phase,
    taken: Vec<String>,
    /// In this conversation.
    count: usize,
    sealed: bool,
    closed: bool,
}

const OFFERS: usize = 3;

impl Course {
    fn new(plan: Plan) -> Self {
        let post = Post::within(Limits::default());
        assert!(post.open("0"));
        Self {
            plan,
            post,
            bell: Arc::default(),
            offered: 0,
            accepted: vec!["0".to_owned()],
            refused: 0,
            phase: Phase::Taking,
            taken: Vec::new(),
            count: 0,
            sealed: !plan.seal,
            closed: !plan.close,
        }
    }

    /// Who can go on.
    fn ready(&self) -> Vec<Actor> {
        let rung = self.bell.0.load(Relaxed);
        let talks = match self.phase {
            Phase::Taking | Phase::LeavesWaker | Phase::Ends => true,
            Phase::Asleep(before) => rung > before || self.plan.timeout,
            Phase::Over => false,
        };
        [
            (Actor::Worker, self.offered < OFFERS || !self.sealed),
            (Actor::Conversation, talks),
            (Actor::Shutdown, !self.closed || (self.plan.drop && self.phase != Phase::Over)),
        ]
        .into_iter()
        .filter_map(|(actor, ready)| ready.then_some(actor))
        .collect()
    }

    fn step(&mut self, actor: Actor) {
        match actor {
            Actor::Worker if self.offered < OFFERS => self.offer(),
            // The worker itself seals the mailbox, after it has offered all that it has read.
            Actor::Worker => {
                self.sealed = true;
                match self.plan.planted {
                    Planted::Seal => self.post.mailbox.close(&self.post.counters),
                    _ => self.post.mailbox.seal(),
                }
            }
            Actor::Conversation => self.talk(),
            Actor::Shutdown if !self.closed => {
                self.closed = true;
                self.post.mailbox.close(&self.post.counters);
            }
            Actor::Shutdown => {
                match self.plan.planted {
                    Planted::Abandon => self.post.mailbox.lock().over = true,
                    _ => self.post.mailbox.abandon(&self.post.counters),
                }
                self.phase = Phase::Over;
            }
        }
    }

    fn offer(&mut self) {
        self.offered += 1;
        let datagram = self.offered.to_string();
        match self.post.offer(&datagram) {
            Offer::Accepted => {
                assert!(self.phase != Phase::Over, "accepted after the end");
                self.accepted.push(datagram);
            }
            Offer::Dropped(_) => assert!(self.plan.close && self.closed),
            Offer::Over => {
                assert!(self.phase == Phase::Over, "over before the end");
                self.refused += 1;
            }
        }
    }

    fn talk(&mut self) {
        let waker = Waker::from(Arc::clone(&self.bell));
        let cx = Context::from_waker(&waker);
        let (mailbox, counters) = (&self.post.mailbox, &self.post.counters);
        match self.phase {
            Phase::Ends if self.plan.planted == Planted::Finish => {
                // What has arrived since is not looked at.
                let mut state = mailbox.lock();
                state.over = true;
                self.phase = Phase::Over;
            }
            Phase::LeavesWaker => {
                let _: Poll<Option<()>> = mailbox.lock().poll_closed(&cx);
                self.phase = Phase::Asleep(self.bell.0.load(Relaxed));
            }
            Phase::Taking | Phase::Asleep(_) if self.count == self.plan.takes => self.end(),
            Phase::Taking | Phase::Asleep(_) | Phase::Ends => {
                let late = self.plan.timeout && matches!(self.phase, Phase::Asleep(_));
                let before = self.bell.0.load(Relaxed);
                let taken = match self.plan.planted {
                    Planted::Take => mailbox.lock().take(counters).map(Some),
                    _ => match mailbox.poll_take(&cx, counters) {
                        Poll::Ready(taken) => Some(taken),
                        Poll::Pending => None,
                    },
                };
                match taken {
                    Some(Some(datagram)) => {
                        self.taken.push(text(datagram));
                        self.count += 1;
                        self.phase = Phase::Taking;
                    }
                    None if self.plan.planted == Planted::Take => self.phase = Phase::LeavesWaker,
                    None if !late => self.phase = Phase::Asleep(before),
                    // `Closed` or `Idle`, with which the handler returns.
                    Some(None) | None => self.end(),
                }
            }
            Phase::Over => unreachable!("it has ended"),
        }
    }

    fn end(&mut self) {
        let waits = {
            let state = self.post.mailbox.lock();
            state.opening.is_some() || !state.queue.is_empty()
        };
        if self.plan.planted == Planted::Finish && !waits {
            self.phase = Phase::Ends;
            return;
        }
        self.count = 0;
        self.phase = match self.post.finish() {
            Next::Conversation(_) => Phase::Taking,
            Next::Nothing => Phase::Over,
        };
    }

    /// Nobody can go on.
    fn check(&self) {
        let dropped: u64 = self.post.counters.read().total_dropped();
        let Plan { takes, close, drop, .. } = self.plan;
        assert!(dropped == 0 || takes == 0 || close || drop, "dropped without a shutdown");
        assert!(self.taken.is_sorted(), "in another order: {:?}", self.taken);
        assert_eq!(self.taken.len() as u64 + dropped, self.accepted.len() as u64, "lost");
        assert!(self.taken.iter().all(|datagram| self.accepted.contains(datagram)));
        assert_eq!(self.post.waiting_bytes(), 0, "bytes that nobody will take");
    }
}

/// Tries all interleavings; returns how many there are, and what was wrong with the first bad one.
fn explore(plan: Plan) -> (usize, Option<String>) {
    let (mut count, mut next) = (0, vec![Vec::new()]);
    while let Some(prefix) = next.pop() {
        let ran = crate::panic::catch(|| {
            let mut course = Course::new(plan);
            for actor in &prefix {
                course.step(*actor);
            }
            let ready = course.ready();
            if ready.is_empty() {
                course.check();
            }
            ready
        });
        match ran {
            Ok(ready) => {
                count += usize::from(ready.is_empty());
                next.extend(ready.into_iter().map(|actor| [&*prefix, &[actor]].concat()));
            }
            Err(panic) => return (count, Some(format!("{prefix:?}: {}", panic))),
        }
    }
    (count, None)
}

/// All ways in which a conversation goes.
fn plans(planted: Planted) -> impl Iterator<Item = Plan> {
    (0..64).map(move |n: usize| Plan {
        takes: [0, 1, 2, usize::MAX][n % 4],
        timeout: n & 4 != 0,
        close: n & 8 != 0,
        drop: n & 16 != 0,
        seal: n & 32 != 0,
        planted,
    })
}

// D-8, D-12, L-12, L-27, G-9
#[test]
fn no_interleaving_loses_a_datagram_or_a_wake_up() {
    let mut all = 0;
    for plan in plans(Planted::Nothing) {
        let (count, wrong) = explore(plan);
        assert_eq!(wrong, None, "{plan:?}");
        all += count;
    }
    println!("{all} interleavings");
    assert!(all > 1_000, "{all}");
}

#[test]
fn each_planted_mistake_is_found() {
    for planted in [Planted::Finish, Planted::Take, Planted::Abandon, Planted::Seal] {
        let found = plans(planted).filter_map(|plan| explore(plan).1).next();
        assert!(found.is_some(), "{planted:?}");
        println!("{planted:?}: {}", found.unwrap_or_default());
    }
}
