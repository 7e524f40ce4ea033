use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::{
    figures::{Counters, DropReason},
    peer::port::Port,
    transport::Transport,
};

/// The sockets of a server, to be looked at from anywhere. It keeps none of them alive.
///
/// They are looked at under a lock that the server takes when it is dropped, so that nobody who looks
/// can be the last to hold one.
#[derive(Debug)]
pub(crate) struct SocketWatch(Mutex<Vec<Watched>>);

/// One socket of a server.
#[derive(Debug)]
pub(crate) struct Watched {
    carrier: Weak<dyn Carrier>,
    /// What the kernel's count was when it was last read. It is one of 32 bits, which a flood of a
    /// million per second fills in an hour: whoever reads less often misses a round.
    seen: u32,
}

impl Watched {
    pub(crate) fn new<Req: 'static, Res: 'static>(port: &Arc<Port<Req, Res>>) -> Self {
        let carrier: Weak<Port<Req, Res>> = Arc::downgrade(port);
        Self { carrier, seen: 0 }
    }

    /// Adds what the kernel has dropped since the last call.
    fn count_drops(&mut self, counters: &Counters) {
        let Some(carrier) = self.carrier.upgrade() else { return };
        let now = carrier.transport().kernel_drops();
        counters.dropped(DropReason::Kernel, now.wrapping_sub(self.seen).into());
        self.seen = now;
    }
}

impl SocketWatch {
    pub(crate) const fn new(sockets: Vec<Watched>) -> Self {
        Self(Mutex::new(sockets))
    }

    /// Adds what the kernel has dropped since the last call.
    pub(crate) fn count_drops(&self, counters: &Counters) {
        self.lock().iter_mut().for_each(|socket| socket.count_drops(counters));
    }

    /// The server is dropped: the sockets are looked at for the last time.
    pub(crate) fn gone(&self, counters: &Counters) {
        for mut socket in self.lock().drain(..) {
            socket.count_drops(counters);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Watched>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What carries the datagrams of a port, whatever its packets are.
trait Carrier: std::fmt::Debug + Send + Sync {
    fn transport(&self) -> &dyn Transport;
}

impl<Req, Res> Carrier for Port<Req, Res> {
    fn transport(&self) -> &dyn Transport {
        self.outbox.transport()
    }
}
