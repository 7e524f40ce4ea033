//! `poll(2)`: waits until a socket is ready, with a time limit. A shutdown of the socket ends it.

use std::{
    io,
    os::fd::AsFd,
    time::{Duration, Instant},
};

use super::{Interest, Waited};
use crate::transport::poll;

/// Waits until `socket` is ready, or until `deadline`.
pub(in crate::blocking::client) fn wait(
    socket: &impl AsFd,
    interest: Interest,
    deadline: Option<Instant>,
) -> io::Result<Waited> {
    /// Linux tells a shutdown for reading only if it is asked.
    #[cfg(any(target_os = "android", target_os = "linux"))]
    const SHUT_DOWN: i16 = libc::POLLRDHUP;
    #[cfg(not(any(target_os = "android", target_os = "linux")))]
    const SHUT_DOWN: i16 = 0;

    let events = match interest {
        Interest::Readable => libc::POLLIN | SHUT_DOWN,
        Interest::Writable => libc::POLLOUT,
    };
    loop {
        let timeout =
            deadline.map_or(-1, |deadline| millis(deadline - Instant::now().min(deadline)));
        match poll(socket.as_fd(), events, timeout) {
            // A timeout that is longer than the call can wait is cut.
            Ok(0) if deadline.is_some_and(|deadline| Instant::now() < deadline) => {}
            Ok(0) => return Ok(Waited::TimedOut),
            Ok(has) if has & (libc::POLLHUP | SHUT_DOWN) != 0 => return Ok(Waited::ShutDown),
            Ok(_) => return Ok(Waited::Ready),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The milliseconds of a wait. It is never shorter than `duration`, unless that is longer than 24 days.
fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use std::{
        net::{Shutdown, UdpSocket},
        thread,
    };

    use socket2::SockRef;

    use super::*;

    fn connected() -> (UdpSocket, UdpSocket) {
        let [one, other] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
        one.connect(other.local_addr().unwrap()).unwrap();
        other.connect(one.local_addr().unwrap()).unwrap();
        (one, other)
    }

    // C-5
    #[test]
    fn a_wait_is_never_shorter_than_its_limit() {
        assert_eq!(millis(Duration::ZERO), 0);
        assert_eq!(millis(Duration::from_nanos(1)), 1);
        assert_eq!(millis(Duration::from_millis(20)), 20);
        assert_eq!(millis(Duration::MAX), i32::MAX);
        let (socket, _peer) = connected();
        let deadline = Instant::now() + Duration::from_micros(1_500);

        assert_eq!(wait(&socket, Interest::Readable, Some(deadline)).unwrap(), Waited::TimedOut);

        assert!(Instant::now() >= deadline);
    }

    // C-5, R-9
    #[test]
    fn a_datagram_ends_a_wait_also_after_its_limit() {
        let (socket, peer) = connected();
        peer.send(b"hello").unwrap();

        for deadline in [None, Some(Instant::now())] {
            assert_eq!(wait(&socket, Interest::Readable, deadline).unwrap(), Waited::Ready);
        }
        assert_eq!(wait(&socket, Interest::Writable, None).unwrap(), Waited::Ready);
    }

    // C-9
    #[test]
    fn a_shutdown_ends_the_waits_of_other_threads() {
        let (socket, _peer) = connected();
        thread::scope(|scope| {
            let waits = [(); 2].map(|()| scope.spawn(|| wait(&socket, Interest::Readable, None)));

            SockRef::from(&socket).shutdown(Shutdown::Both).unwrap();

            for waiting in waits {
                assert_eq!(waiting.join().unwrap().unwrap(), Waited::ShutDown);
            }
        });
        assert_eq!(wait(&socket, Interest::Writable, None).unwrap(), Waited::ShutDown);
    }
}
