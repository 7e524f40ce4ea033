//! Recognizes a socket that was shut down for reading.

use std::{
    io,
    pin::pin,
    task::{Context, Poll, Waker},
};

use tokio::io::Ready;

/// Returns the `error` of a receive. If it is `WouldBlock` and the socket was shut down for reading, returns
/// another error instead: such a socket always counts as readable, so waiting for it would never pause.
/// `ready` is the future that waits until the socket is readable.
pub(super) fn unless_shut_down(
    ready: impl Future<Output = io::Result<Ready>>,
    error: io::Error,
) -> io::Error {
    if error.kind() != io::ErrorKind::WouldBlock {
        return error;
    }
    match pin!(ready).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(ready)) if ready.is_read_closed() => {
            let text = "the socket was shut down for reading";
            io::Error::new(io::ErrorKind::NotConnected, text)
        }
        _ => error,
    }
}
