//! One run of a server, from the start hook to the last clean-up.

use std::{
    future::pending,
    io,
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use tokio::{sync::watch, task::JoinSet, time::sleep_until};

#[cfg(unix)]
use super::taking_over::TakingOver;
use super::{bind::MOST_DISCARDED, endpoint::Server};
use crate::{
    BoxError, ServeError, ServerContext,
    engine::serve_state::{Mode, ServeState},
    events::{self, Scope},
    handle::status::{End, Phase, State},
    stats::{DropReason, add},
};

/// Serves until the server is asked to stop, `until` completes, or a socket fails for good. `begun` is the
/// number of this run if it has begun already; otherwise a new run begins.
pub(super) async fn serve<U>(
    server: &Server,
    begun: Option<u64>,
    mut until: Pin<&mut U>,
) -> Result<(), ServeError>
where
    U: Future<Output = ()>,
{
    let number = begun.or_else(|| server.status.begin()).ok_or(ServeError::AlreadyServing)?;
    let begun = Begun(server);
    let mut asked = server.status.watch();
    // Until it has served, what waits in sockets that it takes over is for the process that serves.
    #[cfg(unix)]
    let is_its_own = crate::lock::locked(&server.predecessor).is_none();
    #[cfg(not(unix))]
    let is_its_own = true;
    if number > 1 && is_its_own {
        discard_stale(server);
    }
    // If the future of the previous run was dropped, the runtime may not have dropped all of its tasks yet.
    let former_gone = server.status.guards.gone(number);
    tokio::select! {
        biased;
        () = until.as_mut() => return Ok(()),
        _ = next_end(&mut asked, End::None) => return Ok(()),
        () = former_gone => {}
    }
    let guard = server.status.guards.hold(number);
    let serve_state = ServeState::new(Scope::current(), server.status.server, guard.clone());
    let mut serving = Serving {
        server,
        number,
        serve_state: Arc::new(serve_state),
        workers: JoinSet::new(),
        context: ServerContext::new(server.handle(), Arc::clone(&server.tasks), guard),
        served: false,
        #[cfg(unix)]
        taking_over: None,
        runtime_gone: false,
    };
    let result = match serving.start(until.as_mut(), &mut asked).await {
        Started::Serving => serving.run(until, &mut asked).await.map_err(ServeError::Io),
        Started::Stopped => Ok(()),
        Started::Failed(error) => Err(ServeError::Start(error)),
    };
    if serving.stop().await {
        // All tasks have ended, but another thread may be just about to drop a socket.
        server.status.guards.gone(number).await;
    }
    #[cfg(unix)]
    server.status.succession.told().await;
    drop(begun);
    result
}

/// Marks that a run is in progress, from its beginning until this is dropped.
struct Begun<'a>(&'a Server);

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        self.0.status.enter(Phase::Idle);
    }
}

struct Serving<'a> {
    server: &'a Server,
    number: u64,
    serve_state: Arc<ServeState>,
    workers: JoinSet<io::Result<()>>,
    context: ServerContext,
    /// Whether the start hook has succeeded.
    served: bool,
    /// The task that talks to the process that had the sockets before.
    #[cfg(unix)]
    taking_over: Option<tokio::task::AbortHandle>,
    /// Whether the runtime is shutting down. Then this must not wait for anything.
    runtime_gone: bool,
}

enum Started {
    Serving,
    Stopped,
    Failed(BoxError),
}

impl Serving<'_> {
    /// Runs the start hook. If that succeeds, starts the workers.
    async fn start(
        &mut self,
        until: Pin<&mut impl Future<Output = ()>>,
        asked: &mut watch::Receiver<State>,
    ) -> Started {
        let mut start = self.server.engine.start(&mut self.context);
        tokio::select! {
            biased;
            () = until => return Started::Stopped,
            _ = next_end(asked, End::None) => return Started::Stopped,
            started = &mut start => match started {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Started::Failed(error),
                Err(panicked) => return Started::Failed(panicked.into()),
            }
        }
        drop(start);
        self.server.count_kernel_drops();
        self.server.events.serving(&self.server.status.local_addrs());
        self.served = true;
        for socket in &self.server.sockets {
            socket.outbox.open();
        }
        self.server.status.enter(Phase::Serving);
        for worker in self.server.engine.workers(&self.serve_state) {
            self.workers.spawn(worker);
        }
        #[cfg(unix)]
        {
            self.taking_over = TakingOver::begin(self.server);
        }
        Started::Serving
    }

    /// Waits until all workers have ended.
    async fn run(
        &mut self,
        mut until: Pin<&mut impl Future<Output = ()>>,
        asked: &mut watch::Receiver<State>,
    ) -> io::Result<()> {
        let mut result = Ok(());
        let mut end = End::None;
        let mut completed = false; // whether `until` has, and must not be polled again
        loop {
            let drained = async {
                match end {
                    End::Drain(at) | End::HandOver(at) | End::Finish(at) => sleep_until(at).await,
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
                    self.end_workers(match end {
                        End::None | End::Drain(_) => Mode::Drain,
                        End::HandOver(_) => Mode::HandOver,
                        End::Finish(_) => Mode::Finish,
                        End::Now => Mode::Stop,
                    });
                }
                () = drained => self.server.status.ask(self.number, End::Now),
                // The last worker that notifies is the one that was done last.
                () = self.serve_state.silent.notified() => {
                    let counters = &self.server.counters;
                    // Datagrams wait in the backlog of another worker.
                    let others_wait = counters.queued_bytes.load(Relaxed) > 0;
                    if counters.active_conversations.load(Relaxed) == 0 && !others_wait {
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
                    // A worker catches the panics of the user's code, so a panic here is a bug of this crate.
                    // If the worker was canceled, the runtime did it: this crate ends workers in another way.
                    Some(Err(error)) => {
                        self.runtime_gone |= error.is_cancelled();
                        result = Err(io::Error::other(error));
                        self.server.status.ask(self.number, End::Now);
                    }
                },
            }
        }
    }

    fn end_workers(&self, mode: Mode) {
        if self.serve_state.mode() == Mode::Run {
            events::stopping();
        }
        self.serve_state.set(mode);
        #[cfg(unix)]
        if matches!(mode, Mode::HandOver | Mode::Finish)
            && let Some(intake) =
                self.server.sockets.iter().find_map(|socket| socket.hand_over.intake())
        {
            intake.leave();
        }
        for socket in &self.server.sockets {
            socket.outbox.signal.wake();
        }
    }

    /// Closes the senders, ends the background tasks and runs the clean-ups. Returns whether the runtime
    /// still works.
    async fn stop(mut self) -> bool {
        self.server.status.enter(Phase::Stopping);
        self.close();
        self.context.end_tasks().await;
        // A clean-up is never interrupted, so none begins if it could not end.
        if !self.runtime_gone {
            self.context.clean_up().await;
        }
        !self.runtime_gone
    }

    fn close(&self) {
        for socket in &self.server.sockets {
            socket.outbox.close();
        }
    }
}

impl Drop for Serving<'_> {
    /// Ends everything at any point of the run, because its future may have been dropped.
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(taking_over) = &self.taking_over {
            taking_over.abort();
        }
        if self.served {
            self.end_workers(Mode::Abandon);
        }
        self.close();
        self.server.count_kernel_drops();
        self.server.events.tell_suppressed();
        if self.served {
            self.server.events.stopped();
        }
    }
}

/// Waits until the requested end differs from `known`, and returns it.
async fn next_end(asked: &mut watch::Receiver<State>, known: End) -> End {
    // The sender is in the server, and the server lives as long as it serves.
    asked.wait_for(|state| state.end != known).await.map_or(End::Now, |state| state.end)
}

/// Discards the datagrams that arrived while the server did not serve. It stops after [`MOST_DISCARDED`]
/// datagrams of a socket, because a socket may fill faster than it is emptied.
fn discard_stale(server: &Server) {
    for socket in &server.sockets {
        let stale = socket.outbox.transport().discard(MOST_DISCARDED) as u64;
        add(&server.counters.received, stale);
        server.counters.dropped(DropReason::Stale, stale);
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use std::{future::pending, io::ErrorKind, time::Duration};

    use futures_util::FutureExt;
    use tokio::{
        task::JoinHandle,
        time::{Instant, timeout},
    };

    use crate::{
        Addr, BoxError, Client, Handler, Peer, RecvError, ServeError, Server, ServerHandle, Text,
        engine::dedicated_thread::DedicatedThread,
        server::bind::Bound,
        testing::{Conditions, Network},
    };

    /// Echoes the request. If that was "stay", it waits for ever. Otherwise it sends "goodbye" at the end of
    /// serving.
    struct Stays;

    impl Handler<String, String> for Stays {
        async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
            let request = peer.recv().await?;
            peer.send(&request).await?;
            if request == "stay" {
                pending::<()>().await;
            }
            assert!(matches!(peer.recv().await, Err(RecvError::Closed)));
            Ok(peer.send(&"goodbye".to_owned()).await?)
        }
    }

    /// A running server with several workers, and one peer of each worker.
    struct Scene {
        network: Network,
        handle: ServerHandle,
        serving: JoinHandle<Result<(), ServeError>>,
        peers: Vec<Client<Text>>,
    }

    impl Scene {
        async fn new(dedicated_threads: bool) -> Self {
            let network = Network::new(1, Conditions::default());
            let socket = |n| Bound {
                thread: dedicated_threads.then(|| DedicatedThread::new(n).unwrap()),
                ..Bound::new(Box::new(network.bind(format!("10.0.0.{n}:9000")).unwrap()))
            };
            let server = Server::builder(Text, Stays).erase().build((1..=3).map(socket).collect());
            let handle = server.handle();
            let peer = |addr: Addr| {
                let socket = network.connect("10.0.1.1:0", addr.socket_addr().unwrap()).unwrap();
                Client::connect(socket, Text).now_or_never().unwrap().unwrap()
            };
            let peers = handle.local_addrs().into_iter().map(peer).collect();
            let serving = tokio::spawn(async move { server.serve().await });
            assert!(handle.ready().await);
            Self { network, handle, serving, peers }
        }

        async fn ask(&self, peer: usize, request: &str) {
            self.peers[peer].send(&request.to_owned()).await.unwrap();
            assert_eq!(self.hear(peer).await, request);
        }

        async fn hear(&self, peer: usize) -> String {
            timeout(DEADLINE, self.peers[peer].recv()).await.unwrap().unwrap()
        }

        /// Makes the socket of one worker fail on every receive. Returns the result of serving.
        async fn fail(&mut self, worker: usize) -> Result<(), ServeError> {
            let addr = self.handle.local_addrs().swap_remove(worker);
            self.network.fail_recv(addr, ErrorKind::NotConnected, 1);
            timeout(DEADLINE, &mut self.serving).await.unwrap().unwrap()
        }
    }

    const DEADLINE: Duration = Duration::from_secs(20);

    fn is_what_failed(ended: &Result<(), ServeError>) -> bool {
        matches!(ended, Err(ServeError::Io(error)) if error.kind() == ErrorKind::NotConnected)
    }

    // L-24
    #[tokio::test]
    async fn one_socket_that_can_never_receive_again_ends_all_workers_in_order() {
        for (dedicated_threads, worker) in [(false, 0), (false, 2), (true, 0), (true, 2)] {
            let mut scene = Scene::new(dedicated_threads).await;
            for peer in 0..3 {
                scene.ask(peer, "hello").await;
            }

            let ended = scene.fail(worker).await;

            assert!(is_what_failed(&ended), "{ended:?}");
            for peer in 0..3 {
                assert_eq!(scene.hear(peer).await, "goodbye");
            }
            let stats = scene.handle.stats();
            assert_eq!((stats.active_conversations, stats.conversations, stats.aborted), (0, 3, 0));
        }
    }

    // L-24
    #[tokio::test(start_paused = true)]
    async fn one_socket_that_can_never_receive_again_ends_all_workers_within_the_grace() {
        let mut scene = Scene::new(false).await;
        scene.ask(0, "stay").await;
        scene.ask(2, "hello").await;
        let begun = Instant::now();

        let ended = scene.fail(1).await;

        assert!(is_what_failed(&ended), "{ended:?}");
        assert_eq!(begun.elapsed(), Duration::from_millis(750));
        assert_eq!(scene.hear(2).await, "goodbye");
        assert_eq!(scene.handle.stats().aborted, 1);
    }
}
