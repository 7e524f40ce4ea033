use super::{admission::Admission, epoch::Epoch, worker};
use crate::{
    BoxError, Handler, Service,
    figures::{Counters, DropReason, add},
    peer::{outbox::Outbox, port::Port},
    transport::RecvBatch,
};
use std::{io, pin::Pin, sync::Arc};

/// A server's handler and sockets, whatever its packets are.
pub(super) trait Engine: Send + Sync {
    /// Runs the start hook of the handler.
    fn start<'a>(&'a self, service: &'a mut Service) -> Boxed<'a, Result<(), BoxError>>;

    /// What drives the sockets, one future each.
    fn workers(&self, epoch: &Arc<Epoch>) -> Vec<Boxed<'static, io::Result<()>>>;

    fn outboxes(&self) -> Vec<&Outbox>;
}

pub(super) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

pub(super) struct Sockets<Req, Res, H> {
    pub(super) handler: Arc<H>,
    pub(super) ports: Vec<Guarded<Req, Res>>,
}

/// A socket and who may talk to it.
pub(super) struct Guarded<Req, Res> {
    pub(super) port: Arc<Port<Req, Res>>,
    pub(super) admission: Arc<Admission>,
}

impl<Req, Res, H> Engine for Sockets<Req, Res, H>
where
    Req: Send + 'static,
    Res: Send + 'static,
    H: Handler<Req, Res>,
{
    fn start<'a>(&'a self, service: &'a mut Service) -> Boxed<'a, Result<(), BoxError>> {
        Box::pin(self.handler.start(service))
    }

    fn workers(&self, epoch: &Arc<Epoch>) -> Vec<Boxed<'static, io::Result<()>>> {
        let worker = |Guarded { port, admission }: &Guarded<Req, Res>| {
            let (port, admission) = (Arc::clone(port), Arc::clone(admission));
            let future = worker::run(port, Arc::clone(&self.handler), admission, Arc::clone(epoch));
            Box::pin(future) as Boxed<'static, _>
        };
        self.ports.iter().map(worker).collect()
    }

    fn outboxes(&self) -> Vec<&Outbox> {
        self.ports.iter().map(|guarded| &guarded.port.outbox).collect()
    }
}

/// Drops what arrived while nothing was served. It gives up on a socket that fills faster than it can
/// be emptied.
pub(super) fn discard_stale(outbox: &Outbox, datagram_limit: usize, counters: &Counters) {
    const BATCHES: usize = 4096;

    let mut batch = RecvBatch::new(datagram_limit);
    for _ in 0..BATCHES {
        if outbox.transport().try_recv(&mut batch).is_err() {
            return;
        }
        let stale = (batch.len() + batch.truncated()) as u64;
        add(&counters.received, stale);
        counters.dropped(DropReason::Stale, stale);
        batch.clear();
    }
}
