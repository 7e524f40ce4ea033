//! Waits until a socket is ready, on systems where only unsafe code could ask: it sleeps, and the caller
//! tries again.

use std::{
    io, thread,
    time::{Duration, Instant},
};

use super::{Interest, Waited};

/// How long one wait lasts. So a datagram, room to send and `close` are noticed so much later at most.
const STEP: Duration = Duration::from_millis(1);

/// Sleeps for a moment, but not beyond `deadline`.
pub(in crate::blocking::client) fn wait<S>(
    _: &S,
    _: Interest,
    deadline: Option<Instant>,
) -> io::Result<Waited> {
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    thread::sleep(left.unwrap_or(STEP).min(STEP));
    let over = deadline.is_some_and(|deadline| deadline <= Instant::now());
    Ok(if over { Waited::TimedOut } else { Waited::Ready })
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    // C-5
    #[test]
    fn the_steps_end_at_the_deadline_and_not_before() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let deadline = Instant::now() + Duration::from_millis(5);

        while wait(&socket, Interest::Readable, Some(deadline)).unwrap() == Waited::Ready {}

        assert!(Instant::now() >= deadline);
        assert_eq!(wait(&socket, Interest::Writable, None).unwrap(), Waited::Ready);
    }
}
