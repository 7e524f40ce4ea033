//! What drives the sockets of a server: workers, the conversations that they open, and who is admitted.

pub(crate) mod admission;
mod conversation;
mod conversations;
pub(crate) mod dedicated_thread;
mod failure;

pub(crate) mod serve_state;
mod worker;

use std::{io, pin::Pin, sync::Arc};

use tokio::runtime::Handle;

use self::{admission::Admission, dedicated_thread::DedicatedThread, serve_state::ServeState};
use crate::{
    BoxError, Handler, ServerContext,
    hook::Hook,
    socket::{SocketState, outbox::Outbox},
};

/// A server's handler and sockets, whatever its packets are.
pub(crate) trait Engine: Send + Sync {
    /// Runs the start hook of the handler.
    fn start<'a>(&'a self, context: &'a mut ServerContext) -> Hook<'a, Result<(), BoxError>>;

    /// What drives the sockets, one future each.
    fn workers(&self, serve_state: &Arc<ServeState>) -> Vec<Boxed<'static, io::Result<()>>>;

    fn outboxes(&self) -> Vec<&Outbox>;
}

pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

pub(crate) struct Sockets<Req, Res, H> {
    pub(crate) handler: Arc<H>,
    pub(crate) ports: Vec<Guarded<Req, Res>>,
}

/// A socket, who may talk to it, and where its worker runs if not beside the conversations.
pub(crate) struct Guarded<Req, Res> {
    pub(crate) socket: Arc<SocketState<Req, Res>>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) thread: Option<DedicatedThread>,
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

    fn workers(&self, serve_state: &Arc<ServeState>) -> Vec<Boxed<'static, io::Result<()>>> {
        let worker = |Guarded { socket, admission, thread }: &Guarded<Req, Res>| {
            let (socket, admission) = (Arc::clone(socket), Arc::clone(admission));
            let (handler, serve_state) = (Arc::clone(&self.handler), Arc::clone(serve_state));
            let elsewhere = thread.as_ref().map(|_| Handle::current());
            let future = worker::run(socket, handler, admission, serve_state, elsewhere);
            match thread {
                Some(thread) => thread.run(future),
                None => Box::pin(future) as Boxed<'static, _>,
            }
        };
        self.ports.iter().map(worker).collect()
    }

    fn outboxes(&self) -> Vec<&Outbox> {
        self.ports.iter().map(|guarded| &guarded.socket.outbox).collect()
    }
}
