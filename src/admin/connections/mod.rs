//! Connections to the endpoint, and what they may cost.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::Router;
use hyper::{
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
    task::{AbortHandle, JoinSet, yield_now},
    time::{sleep, timeout},
};

/// How many bytes the head of a request may have.
const LONGEST_HEAD: usize = 16 * 1024;

/// What connections may cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// How many are open at a time. A further one takes the place of the one that waits longest for its request.
    connections: usize,
    /// How long the head of the request may take to arrive.
    head: Duration,
    /// How long a connection lasts at most.
    connection: Duration,
}

impl Bounds {
    /// The bounds of an endpoint whose answers take up to this time.
    pub(super) const fn of(longest_answer: Duration) -> Self {
        Self {
            connections: 64,
            head: Duration::from_secs(5),
            connection: Duration::from_secs(10).saturating_add(longest_answer),
        }
    }
}

/// Answers one request on each connection until `ended` completes, and then the requests that are in progress.
pub(super) async fn serve<S>(
    mut accept: impl AsyncFnMut() -> io::Result<S>,
    pages: Router,
    bounds: Bounds,
    ended: impl Future<Output = ()>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (ending, end) = watch::channel(());
    let (mut connections, mut silent) = (JoinSet::new(), VecDeque::new());
    let mut ended = pin!(ended);
    loop {
        let stream = tokio::select! {
            () = &mut ended => break,
            Some(_) = connections.join_next() => continue,
            stream = next(&mut accept) => stream,
        };
        silent.retain(Silent::is_silent);
        if connections.len() >= bounds.connections {
            if let Some(Silent { task, .. }) = silent.pop_front() {
                task.abort();
            }
            tokio::select! {
                () = &mut ended => break,
                _ = connections.join_next() => {}
            }
        }
        let asked = Arc::default();
        let answered = answer(stream, pages.clone(), Arc::clone(&asked), bounds.head, end.clone());
        let task = connections.spawn(timeout(bounds.connection, answered));
        silent.push_back(Silent { task, asked });
        // So a request that has come already is seen before the next connection is.
        yield_now().await;
    }
    drop((accept, ending));
    while connections.join_next().await.is_some() {}
}

/// A connection without a request.
struct Silent {
    task: AbortHandle,
    /// Whether the request has come.
    asked: Arc<AtomicBool>,
}

impl Silent {
    fn is_silent(&self) -> bool {
        !self.asked.load(Relaxed) && !self.task.is_finished()
    }
}

/// Accepts the next connection.
async fn next<S>(accept: &mut impl AsyncFnMut() -> io::Result<S>) -> S {
    /// How long to wait for descriptors or memory, which the process lacks.
    const PAUSE: Duration = Duration::from_millis(100);

    loop {
        match accept().await {
            Ok(stream) => return stream,
            // The client has gone already.
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
            Err(_) => sleep(PAUSE).await,
        }
    }
}

/// Answers the one request of a connection, or none if `end` has come before it. Tells `asked` when it has come.
async fn answer<S>(
    stream: S,
    pages: Router,
    asked: Arc<AtomicBool>,
    head: Duration,
    mut end: watch::Receiver<()>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let pages = TowerToHyperService::new(pages);
    let pages = service_fn(move |request| {
        asked.store(true, Relaxed);
        pages.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .max_buf_size(LONGEST_HEAD)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), pages);
    let mut connection = pin!(connection);
    // What a client does wrong concerns only the client.
    tokio::select! {
        _ = connection.as_mut() => {}
        _ = end.changed() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

#[cfg(test)]
mod tests;
