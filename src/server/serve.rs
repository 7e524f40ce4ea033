//! One time of serving, from the start hook to the last clean-up.

use std::{
    future::{pending, poll_fn},
    io,
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use tokio::{sync::watch, task::JoinSet, time::sleep_until};
use tracing::Span;

use super::{
    UdpServer,
    epoch::{Epoch, Mode},
};
use crate::{
    BoxError, ServeError, Service,
    figures::{DropReason, add},
    panic,
    service::status::{End, Phase, State},
};

/// Serves until it is asked to stop, `until` completes, or a socket fails for good.
pub(super) async fn serve<U>(server: &UdpServer, mut until: Pin<&mut U>) -> Result<(), ServeError>
where
    U: Future<Output = ()>,
{
    let epoch = server.status.begin().ok_or(ServeError::AlreadyServing)?;
    let mut serving = Serving {
        server,
        number: epoch,
        epoch: Arc::new(Epoch::new(Span::current())),
        workers: JoinSet::new(),
        service: Service::new(server.control()),
        served: false,
        runtime_gone: false,
    };
    let mut asked = server.status.watch();
    if epoch > 1 {
        discard_stale(server);
    }
    let result = match serving.start(until.as_mut(), &mut asked).await {
        Started::Serving => serving.run(until, &mut asked).await.map_err(ServeError::Io),
        Started::Stopped => Ok(()),
        Started::Failed(error) => Err(ServeError::Start(error)),
    };
    serving.stop().await;
    result
}

struct Serving<'a> {
    server: &'a UdpServer,
    number: u64,
    epoch: Arc<Epoch>,
    workers: JoinSet<io::Result<()>>,
    service: Service,
    /// Whether the start hook has succeeded.
    served: bool,
    /// Whether the runtime is shutting down, so that nothing can be waited for any more.
    runtime_gone: bool,
}

enum Started {
    Serving,
    Stopped,
    Failed(BoxError),
}

impl Serving<'_> {
    /// Runs the start hook, and with its success lets the workers begin.
    async fn start(
        &mut self,
        until: Pin<&mut impl Future<Output = ()>>,
        asked: &mut watch::Receiver<State>,
    ) -> Started {
        let mut start = self.server.engine.start(&mut self.service);
        let started = poll_fn(|cx| panic::poll(start.as_mut(), cx));
        tokio::select! {
            biased;
            () = until => return Started::Stopped,
            _ = next_end(asked, End::None) => return Started::Stopped,
            started = started => match started {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Started::Failed(error),
                Err(panicked) => return Started::Failed(panicked.into()),
            }
        }
        drop(start);
        let addresses: Vec<_> =
            self.server.status.addresses().iter().map(ToString::to_string).collect();
        tracing::info!(addresses = addresses.join(", "), "serving");
        self.served = true;
        for outbox in self.server.engine.outboxes() {
            outbox.open();
        }
        self.server.status.enter(Phase::Serving);
        for worker in self.server.engine.workers(&self.epoch) {
            self.workers.spawn(worker);
        }
        Started::Serving
    }

    /// Lets the workers run until all have ended.
    async fn run(
        &mut self,
        mut until: Pin<&mut impl Future<Output = ()>>,
        asked: &mut watch::Receiver<State>,
    ) -> io::Result<()> {
        let mut result = Ok(());
        let mut end = End::None;
        let mut completed = false; // `until`, which must not be polled again then
        loop {
            let drained = async {
                match end {
                    End::Drain(at) => sleep_until(at).await,
                    End::None | End::Now => pending().await,
                }
            };
            tokio::select! {
                biased;
                () = until.as_mut(), if !completed => {
                    completed = true;
                    self.server.status.ask(self.number, End::Now);
                }
                next = next_end(asked, end) => {
                    end = next;
                    self.end_workers(if end == End::Now { Mode::Stop } else { Mode::Drain });
                }
                () = drained => self.server.status.ask(self.number, End::Now),
                // The last one to tell is the one whose conversations were the last.
                () = self.epoch.silent.notified() => {
                    if self.server.counters.peers.load(Relaxed) == 0 {
                        self.server.status.ask(self.number, End::Now);
                    }
                }
                worker = self.workers.join_next() => match worker {
                    None => return result,
                    Some(Ok(Ok(()))) => {}
                    Some(Ok(Err(error))) => {
                        result = Err(error);
                        self.server.status.ask(self.number, End::Now);
                    }
                    // A worker catches the panics of others, so this one is ours. If it is canceled instead,
                    // then by the runtime: we end workers in another way.
                    Some(Err(error)) => {
                        self.runtime_gone |= error.is_cancelled();
                        result = Err(io::Error::other(error));
                        self.server.status.ask(self.number, End::Now);
                    }
                },
                () = self.service.watch_tasks() => {}
            }
        }
    }

    fn end_workers(&self, mode: Mode) {
        if self.epoch.mode() == Mode::Run {
            tracing::info!("stopping");
        }
        self.epoch.set(mode);
        for outbox in self.server.engine.outboxes() {
            outbox.signal.wake();
        }
    }

    /// Closes the senders, ends the background tasks and cleans up.
    async fn stop(mut self) {
        self.server.status.enter(Phase::Stopping);
        self.close();
        self.service.end_tasks().await;
        // A clean-up is never cut, so none begins where it could not end.
        if !self.runtime_gone {
            self.service.clean_up().await;
        }
    }

    fn close(&self) {
        for outbox in self.server.engine.outboxes() {
            outbox.close();
        }
    }
}

impl Drop for Serving<'_> {
    /// Leaves nothing behind, wherever serving was: its future may have been dropped.
    fn drop(&mut self) {
        if self.served {
            self.end_workers(Mode::Abandon);
        }
        self.close();
        self.server.events.tell_suppressed();
        if self.served {
            tracing::info!("stopped");
        }
        self.server.status.enter(Phase::Idle);
    }
}

/// Waits until something else is asked for than `known`.
async fn next_end(asked: &mut watch::Receiver<State>, known: End) -> End {
    // The sender lives in the server, and the server as long as it serves.
    asked.wait_for(|state| state.end != known).await.map_or(End::Now, |state| state.end)
}

/// How many datagrams are dropped at once from one socket: more than a buffer of 64 MiB holds.
pub(super) const MOST_DISCARDED: usize = 1 << 18;

/// Drops what arrived while nothing was served. It gives up on a socket that fills faster than it can
/// be emptied.
fn discard_stale(server: &UdpServer) {
    for outbox in server.engine.outboxes() {
        let stale = outbox.transport().discard(MOST_DISCARDED) as u64;
        add(&server.counters.received, stale);
        server.counters.dropped(DropReason::Stale, stale);
    }
}
