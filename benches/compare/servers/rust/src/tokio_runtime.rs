//! The runtime of the servers on tokio.

use std::future::Future;

use tokio::{net::UdpSocket, runtime::Builder};

use crate::options::Options;

/// Runs a server as a task: on the current-thread runtime, or with `flavor=mt` on one of `workers` (2) threads.
pub fn run<F>(options: Options, serve: fn(UdpSocket, Options) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut builder = Builder::new_current_thread();
    if options.is("flavor", "mt") {
        builder = Builder::new_multi_thread();
        builder.worker_threads(options.number("workers", 2));
    }
    let runtime = builder.enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let socket = options.bind();
        socket.set_nonblocking(true).expect("a mode of the socket");
        let socket = UdpSocket::from_std(socket).expect("a socket of tokio");
        tokio::spawn(serve(socket, options)).await.expect("a server that does not panic");
    });
}
