use std::{io, pin::Pin, sync::Arc};

use tokio::runtime::Handle;

use super::{admission::Admission, dedicated_thread::DedicatedThread, epoch::Epoch, worker};
use crate::{
    BoxError, Handler, ServerContext,
    peer::{outbox::Outbox, port::Port},
    service::hook::Hook,
};

/// A server's handler and sockets, whatever its packets are.
pub(super) trait Engine: Send + Sync {
    /// Runs the start hook of the handler.
    fn start<'a>(&'a self, context: &'a mut ServerContext) -> Hook<'a, Result<(), BoxError>>;

    /// What drives the sockets, one future each.
    fn workers(&self, epoch: &Arc<Epoch>) -> Vec<Boxed<'static, io::Result<()>>>;

    fn outboxes(&self) -> Vec<&Outbox>;
}

pub(super) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

pub(super) struct Sockets<Req, Res, H> {
    pub(super) handler: Arc<H>,
    pub(super) ports: Vec<Guarded<Req, Res>>,
}

/// A socket, who may talk to it, and where its worker runs if not beside the conversations.
pub(super) struct Guarded<Req, Res> {
    pub(super) port: Arc<Port<Req, Res>>,
    pub(super) admission: Arc<Admission>,
    pub(super) thread: Option<DedicatedThread>,
}

impl<Req, Res, H> Engine for Sockets<Req, Res, H>
where
    Req: Send + 'static,
    Res: Send + 'static,
    H: Handler<Req, Res>,
{
    fn start<'a>(&'a self, context: &'a mut ServerContext) -> Hook<'a, Result<(), BoxError>> {
        // Called where it is polled: it may panic before there is a future.
        Hook::new(async { self.handler.start(context).await }, "the handler could not start")
    }

    fn workers(&self, epoch: &Arc<Epoch>) -> Vec<Boxed<'static, io::Result<()>>> {
        let worker = |Guarded { port, admission, thread }: &Guarded<Req, Res>| {
            let (port, admission) = (Arc::clone(port), Arc::clone(admission));
            let (handler, epoch) = (Arc::clone(&self.handler), Arc::clone(epoch));
            let elsewhere = thread.as_ref().map(|_| Handle::current());
            let future = worker::run(port, handler, admission, epoch, elsewhere);
            match thread {
                Some(thread) => thread.run(future),
                None => Box::pin(future) as Boxed<'static, _>,
            }
        };
        self.ports.iter().map(worker).collect()
    }

    fn outboxes(&self) -> Vec<&Outbox> {
        self.ports.iter().map(|guarded| &guarded.port.outbox).collect()
    }
}
