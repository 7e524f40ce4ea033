//! The thread of the endpoint.

use std::{
    fmt, io,
    net::SocketAddr,
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::{sync::oneshot, time::sleep};

use super::{connections::Bounds, listener::Listener, pages::Pages};
use crate::engine::dedicated_thread::Reactor;

/// An admin endpoint that listens on a thread of its own; made by [`Admin::bind`](super::Admin::bind).
///
/// It ends when all of its servers are dropped. Dropping this ends it at once, and frees the port or the path. So keep
/// it as long as the endpoint should answer.
#[must_use = "the endpoint ends when this is dropped"]
pub struct AdminThread {
    local_addr: Option<SocketAddr>,
    /// When this is dropped, the thread ends.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl AdminThread {
    pub(super) fn start(
        listener: Listener,
        local_addr: Option<SocketAddr>,
        pages: Pages,
    ) -> io::Result<Self> {
        let reactor = Reactor::new()?;
        let (stop, stopped) = oneshot::channel();
        let builder = thread::Builder::new().name("datagrammar-admin".to_owned());
        let thread = builder.spawn(move || run(&reactor, listener, pages, stopped))?;
        Ok(Self { local_addr, stop: Some(stop), thread: Some(thread) })
    }

    /// Returns the TCP address at which the endpoint listens, with the port that the kernel chose. Returns `None` for a
    /// Unix socket.
    #[must_use]
    pub const fn local_addr(&self) -> Option<SocketAddr> {
        self.local_addr
    }

    /// Returns whether the endpoint has ended, because all of its servers were dropped.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

fn run(reactor: &Reactor, listener: Listener, pages: Pages, stopped: oneshot::Receiver<()>) {
    /// How long requests in progress have when all servers are dropped.
    const LONGEST: Duration = Duration::from_secs(1);

    let handles: Vec<_> = pages.targets.iter().map(|target| target.handle.clone()).collect();
    let gone = async move {
        for handle in handles {
            handle.gone().await;
        }
    };
    let (ended, all_gone) = oneshot::channel::<()>();
    let bounds = Bounds::of(pages.blocked_after);
    let serving = listener.serve(pages.router(), bounds, async { drop(all_gone.await) });
    reactor.runtime().block_on(async {
        tokio::select! {
            biased;
            _ = stopped => {}
            served = serving => if let Err(error) = served {
                crate::events::admin_failed(&error);
            },
            () = async {
                gone.await;
                drop(ended);
                sleep(LONGEST).await;
            } => {}
        }
    });
}

impl Drop for AdminThread {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It has nothing to wait for.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for AdminThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminThread")
            .field("local_addr", &self.local_addr)
            .field("is_finished", &self.is_finished())
            .finish_non_exhaustive()
    }
}
