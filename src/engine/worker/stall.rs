//! Notices that handlers have kept the worker from receiving.

use std::time::{Duration, Instant};

use super::Worker;
use crate::{
    Handler,
    engine::conversation::{HandlerCall, Outcome},
    stats::add,
};

/// A batch that takes longer is worth an event. Meanwhile nothing was received.
const LONG: Duration = Duration::from_secs(1);

impl<Req, Res, H, F, M> Worker<Req, Res, H, F, M>
where
    Req: Send + 'static,
    Res: Send + 'static,
    H: Handler<Req, Res>,
    F: Future<Output = Outcome<Req, Res, H>> + Send + 'static,
    M: Fn(Box<HandlerCall<Req, Res, H>>) -> F + Copy + Send + Unpin + 'static,
{
    /// Does the `work`, in which handlers run. Counts and logs it if that takes long.
    pub(super) fn in_time<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let begun = Instant::now();
        self.socket.pulse.begin_work();
        let done = work(self);
        self.socket.pulse.beat();
        let took = begun.elapsed();
        if took >= LONG {
            self.tell_stall(took);
        }
        done
    }

    #[cold]
    fn tell_stall(&self, took: Duration) {
        add(&self.socket.counters.stalls, 1);
        self.socket.events.stalled(self.socket.outbox.transport().local_addr(), took);
    }
}
