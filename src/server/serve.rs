//! One time of serving, from the start hook to the last clean-up.

use std::{
    future::pending,
    io,
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use tokio::{sync::watch, task::JoinSet, time::sleep_until};

use super::{bind::MOST_DISCARDED, endpoint::Server};
use crate::{
    BoxError, ServeError, ServerContext,
    engine::serve_state::{Mode, ServeState},
    events::{self, Scope},
    handle::status::{End, Phase, State},
    stats::{DropReason, add},
};

/// Serves until it is asked to stop, `until` completes, or a socket fails for good. The serving is the one of
/// this number if it has begun already, else a new one.
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
    if number > 1 {
        discard_stale(server);
    }
    // Of one whose future was dropped, the runtime may still have to drop the tasks.
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
        runtime_gone: false,
    };
    let result = match serving.start(until.as_mut(), &mut asked).await {
        Started::Serving => serving.run(until, &mut asked).await.map_err(ServeError::Io),
        Started::Stopped => Ok(()),
        Started::Failed(error) => Err(ServeError::Start(error)),
    };
    if serving.stop().await {
        // All have ended, but may be about to let go of a socket on another thread.
        server.status.guards.gone(number).await;
    }
    drop(begun);
    result
}

/// A serving that is in progress, from the first moment to the last.
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
                // The last worker to report is the one whose conversations ended last.
                () = self.serve_state.silent.notified() => {
                    if self.server.counters.active_conversations.load(Relaxed) == 0 {
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
            }
        }
    }

    fn end_workers(&self, mode: Mode) {
        if self.serve_state.mode() == Mode::Run {
            events::stopping();
        }
        self.serve_state.set(mode);
        for socket in &self.server.sockets {
            socket.outbox.signal.wake();
        }
    }

    /// Closes the senders, ends the background tasks and cleans up; returns whether the runtime is still
    /// there.
    async fn stop(mut self) -> bool {
        self.server.status.enter(Phase::Stopping);
        self.close();
        self.context.end_tasks().await;
        // A clean-up is never cut, so none begins where it could not end.
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
    /// Leaves nothing behind, wherever serving was: its future may have been dropped.
    fn drop(&mut self) {
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

/// Waits until something else is asked for than `known`.
async fn next_end(asked: &mut watch::Receiver<State>, known: End) -> End {
    // The sender lives in the server, and the server as long as it serves.
    asked.wait_for(|state| state.end != known).await.map_or(End::Now, |state| state.end)
}

/// Drops what arrived while nothing was served. It gives up on a socket that fills faster than it can
/// be emptied.
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

    /// Echoes the request. Then it stays for ever if that was "stay", else it says goodbye at the end of serving.
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

    /// A server with several workers that serves, and a peer of each.
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
                transport: Box::new(network.bind(format!("10.0.0.{n}:9000")).unwrap()),
                thread: dedicated_threads.then(|| DedicatedThread::new(n).unwrap()),
                requested: [None; 2],
                is_first_worker: true,
            };
            let server = Server::builder(Text, Stays).build((1..=3).map(socket).collect());
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

        /// Makes the socket of one worker fail for good; returns the result of serving.
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
