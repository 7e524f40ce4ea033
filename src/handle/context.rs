//! The server as its handler gets it before serving begins.

use std::{fmt, sync::Arc};

use super::ServerHandle;
use crate::{
    Addr, BoxError, SocketRef, Spawner, events, hook::Hook, serve_guard::ServeGuard,
    socket::SocketState, tasks::Tasks,
};

/// The server that is about to serve; the argument of [`Handler::start`](crate::Handler::start). With it a
/// handler starts background tasks, registers clean-ups, and gets a [handle](Self::handle).
///
/// # Examples
///
/// ```
/// use datagrammar::{BoxError, Handler, Peer, ServerContext};
/// use std::time::Duration;
///
/// struct Telemetry;
///
/// impl Handler<String, String> for Telemetry {
///     async fn start(&self, context: &mut ServerContext) -> Result<(), BoxError> {
///         let handle = context.handle().clone();
///         context.spawn(async move {
///             loop {
///                 tokio::time::sleep(Duration::from_secs(60)).await;
///                 println!("{} datagrams so far", handle.stats().received);
///             }
///         });
///         context.on_shutdown(async { println!("stopped") });
///         Ok(())
///     }
///
///     async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
///         let measurement = peer.recv().await?;
///         println!("{}: {measurement}", peer.addr());
///         Ok(())
///     }
/// }
/// ```
pub struct ServerContext {
    handle: ServerHandle,
    sockets: Vec<Arc<SocketState>>,
    tasks: Arc<Tasks>,
    clean_ups: Vec<Hook<'static, ()>>,
}

impl ServerContext {
    /// From now on, tasks can be started, on the current runtime.
    pub(crate) fn new(handle: ServerHandle, tasks: Arc<Tasks>, guard: ServeGuard) -> Self {
        tasks.open(guard);
        Self { sockets: handle.sockets(), handle, tasks, clean_ups: Vec::new() }
    }

    /// Returns a handle to the server. Clone it to keep it.
    #[must_use]
    pub const fn handle(&self) -> &ServerHandle {
        &self.handle
    }

    /// Returns the addresses that the server is bound to.
    #[must_use]
    pub fn local_addrs(&self) -> Vec<Addr> {
        self.handle.local_addrs()
    }

    /// Returns the sockets of the server, as [`Server::sockets`](crate::Server::sockets) does.
    pub fn sockets(&self) -> impl Iterator<Item = SocketRef<'_>> {
        self.sockets.iter().filter_map(|socket| socket.outbox.transport().socket())
    }

    /// Runs `task` in the background, until it completes or serving ends.
    ///
    /// A shutdown drops the task at its await point. If the task returns an error or panics, that is logged,
    /// and serving goes on. The task must be `'static`, so it cannot borrow from `self`: put state that the
    /// handler and the task share into an `Arc`, as in the example.
    ///
    /// To start tasks later, use a [`spawner`](Self::spawner) or [`Peer::spawn`](crate::Peer::spawn). Tasks
    /// of `tokio::spawn` do not belong to the server: they go on after serving has ended.
    ///
    /// # Examples
    ///
    /// The task and the handler share the players through an `Arc`. The task ignores a send error of one
    /// player, because `?` would end the task for all players.
    ///
    /// ```
    /// use datagrammar::{BoxError, Handler, Peer, PeerSender, ServerContext};
    /// use std::{collections::HashSet, sync::{Arc, Mutex}, time::Duration};
    ///
    /// #[derive(Default)]
    /// struct Game {
    ///     players: Arc<Mutex<HashSet<PeerSender<String>>>>,
    /// }
    ///
    /// impl Handler<String, String> for Game {
    ///     async fn start(&self, context: &mut ServerContext) -> Result<(), BoxError> {
    ///         let players = Arc::clone(&self.players);
    ///         context.spawn(async move {
    ///             let mut ticks = tokio::time::interval(Duration::from_millis(33));
    ///             loop {
    ///                 ticks.tick().await;
    ///                 let all: Vec<_> = players.lock().unwrap().iter().cloned().collect();
    ///                 for player in all {
    ///                     let _ = player.send("tick".to_owned()).await;
    ///                 }
    ///             }
    ///         });
    ///         Ok(())
    ///     }
    ///
    ///     async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
    ///         peer.recv().await?;
    ///         self.players.lock().unwrap().insert(peer.sender());
    ///         peer.closed().await;
    ///         Ok(())
    ///     }
    /// }
    /// ```
    pub fn spawn(&mut self, task: impl Future<Output = Result<(), BoxError>> + Send + 'static) {
        // This cannot fail: tasks are refused only after the context was used for the last time.
        let _ = self.tasks.spawn_beside(task);
    }

    /// Returns a spawner, to start background tasks later. The handler can keep it.
    #[must_use]
    pub fn spawner(&self) -> Spawner {
        Spawner(Arc::clone(&self.tasks))
    }

    /// Registers a clean-up. A shutdown awaits it, after all conversations and background tasks have ended.
    /// The clean-up that was registered last runs first.
    ///
    /// A clean-up runs to its end, without a timeout. It also runs if [`start`](crate::Handler::start) fails
    /// after the registration. If the future of `serve` is dropped, or the runtime shuts down while the
    /// server serves, the clean-up is dropped and does not run.
    ///
    /// In a clean-up, [`ServerHandle::shutdown`] and [`ServerHandle::drain`] return at once, because they
    /// would wait for the clean-up itself. A clean-up must not wait for another task or thread that awaits
    /// `shutdown` or `drain`: both would wait forever.
    pub fn on_shutdown(&mut self, clean_up: impl Future<Output = ()> + Send + 'static) {
        self.clean_ups.push(Hook::new(clean_up, CLEAN_UP_FAILED));
    }

    /// Ends the background tasks.
    pub(crate) async fn end_tasks(&mut self) {
        self.tasks.close();
        self.tasks.ended().await;
    }

    /// Runs the clean-ups.
    pub(crate) async fn clean_up(&mut self) {
        while let Some(clean_up) = self.clean_ups.pop() {
            if let Err(panicked) = self.handle.clean_up(clean_up).await {
                events::hook_failed(CLEAN_UP_FAILED, &panicked);
            }
        }
    }
}

impl Drop for ServerContext {
    fn drop(&mut self) {
        self.tasks.close();
    }
}

impl fmt::Debug for ServerContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerContext")
            .field("tasks", &self.tasks.len())
            .field("clean_ups", &self.clean_ups.len())
            .finish_non_exhaustive()
    }
}

const CLEAN_UP_FAILED: &str = "a clean-up failed";
