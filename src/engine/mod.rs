//! The engine of a server: workers drive sockets, open conversations, and admit peers.

pub(crate) mod admission;
mod application;
mod backlog;
mod conversation;
mod conversations;
pub(crate) mod dedicated_thread;
mod failure;
pub(crate) mod serve_state;
mod unpolled;
mod worker;

use std::{io, pin::Pin, sync::Arc};

use tokio::runtime::Handle;

pub(crate) use self::application::Application;
use self::{admission::Admission, dedicated_thread::DedicatedThread, serve_state::ServeState};
use crate::{BoxError, Handler, ServerContext, hook::Hook, socket::SocketState};

/// The part of a server that depends on the types of its packets and its handler.
pub(crate) trait Engine: Send + Sync {
    /// Runs the start hook of the handler.
    fn start<'a>(&'a self, context: &'a mut ServerContext) -> Hook<'a, Result<(), BoxError>>;

    /// The workers of the sockets, one future each.
    fn workers(&self, serve_state: &Arc<ServeState>) -> Vec<Boxed<'static, io::Result<()>>>;
}

pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// An application and the sockets that serve it.
pub(crate) struct Sockets<Req, Res, H> {
    application: Arc<Application<Req, Res, H>>,
    guarded: Vec<Guarded>,
}

/// A socket, its admission, and the dedicated thread of its worker, if there is one.
pub(crate) struct Guarded {
    pub(crate) socket: Arc<SocketState>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) thread: Option<DedicatedThread>,
}

impl<Req, Res, H> Sockets<Req, Res, H> {
    pub(crate) fn new(application: Application<Req, Res, H>, guarded: Vec<Guarded>) -> Self {
        Self { application: Arc::new(application), guarded }
    }
}

impl<Req, Res, H> Engine for Sockets<Req, Res, H>
where
    Req: Send + 'static,
    Res: Send + 'static,
    H: Handler<Req, Res>,
{
    fn start<'a>(&'a self, context: &'a mut ServerContext) -> Hook<'a, Result<(), BoxError>> {
        // `start` is called inside the block, since it may panic before it returns a future.
        let start = async { self.application.handler.start(context).await };
        Hook::new(start, "the handler could not start")
    }

    fn workers(&self, serve_state: &Arc<ServeState>) -> Vec<Boxed<'static, io::Result<()>>> {
        let worker = |Guarded { socket, admission, thread }: &Guarded| {
            let (socket, admission) = (Arc::clone(socket), Arc::clone(admission));
            let (application, serve_state) =
                (Arc::clone(&self.application), Arc::clone(serve_state));
            let elsewhere = thread.as_ref().map(|_| Handle::current());
            let future = worker::run(socket, application, admission, serve_state, elsewhere);
            match thread {
                Some(thread) => Box::pin(thread.run(future)) as Boxed<'static, _>,
                None => Box::pin(future),
            }
        };
        self.guarded.iter().map(worker).collect()
    }
}
