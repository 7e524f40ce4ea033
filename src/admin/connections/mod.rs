//! Connections to the endpoint, and what they may cost.

use std::{
    io::{self, ErrorKind},
    pin::pin,
    time::Duration,
};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

/// How many bytes the head of a request may have.
const LONGEST_HEAD: usize = 16 * 1024;

/// What connections may cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// How many are open at a time. Further ones wait in the backlog of the kernel.
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
    let mut connections = JoinSet::new();
    let mut ended = pin!(ended);
    loop {
        tokio::select! {
            () = &mut ended => break,
            Some(_) = connections.join_next() => {}
            stream = next(&mut accept), if connections.len() < bounds.connections => {
                let answered = answer(stream, pages.clone(), bounds.head, end.clone());
                connections.spawn(timeout(bounds.connection, answered));
            }
        }
    }
    drop((accept, ending));
    while connections.join_next().await.is_some() {}
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

/// Answers the one request of a connection, or none if `end` has come before it.
async fn answer<S>(stream: S, pages: Router, head: Duration, mut end: watch::Receiver<()>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .max_buf_size(LONGEST_HEAD)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(pages));
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
