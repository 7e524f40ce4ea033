//! What an error of a receive means for the loop. No clock: this is tested without a runtime.

use std::{io, time::Duration};

/// What to do about an error of a receive.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Go on: it tells of something that was sent earlier.
    Passing,
    /// Tell of it and try again later.
    Pause(Duration),
    /// The socket can never receive again.
    Fatal,
}

/// How long to wait when errors persist: from 1 ms, twice as long each time, up to 1 s.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    passing: u32,
    pauses: u32,
}

/// How many errors of the passing kind may follow each other: one for each datagram of a full batch.
const PASSING: u32 = 64;

impl Backoff {
    pub(super) fn judge(&mut self, error: &io::Error) -> Failure {
        if is_fatal(error) {
            return Failure::Fatal;
        }
        if is_passing(error) && self.passing < PASSING {
            self.passing += 1;
            return Failure::Passing;
        }
        let pause = Duration::from_millis(1 << self.pauses.min(10)).min(Duration::from_secs(1));
        self.pauses += 1;
        Failure::Pause(pause)
    }
}

/// Whether the descriptor is no socket (any more), or one that was never bound.
fn is_fatal(error: &io::Error) -> bool {
    #[cfg(unix)]
    const NO_SOCKET: [i32; 2] = [libc::EBADF, libc::ENOTSOCK];
    #[cfg(windows)]
    const NO_SOCKET: [i32; 2] = [6, 10_038]; // ERROR_INVALID_HANDLE, WSAENOTSOCK

    error.kind() == io::ErrorKind::NotConnected
        || error.raw_os_error().is_some_and(|code| NO_SOCKET.contains(&code))
}

/// Whether the error is an ICMP message about a datagram that was sent, or an interruption.
fn is_passing(error: &io::Error) -> bool {
    #[cfg(unix)]
    const PROTOCOL: i32 = libc::EPROTO;
    #[cfg(windows)]
    const PROTOCOL: i32 = 10_052; // WSAENETRESET: the time to live of a datagram has expired

    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::Interrupted
    ) || error.raw_os_error() == Some(PROTOCOL)
}

#[cfg(test)]
mod tests {
    use super::*;

    // L-22
    #[test]
    fn icmp_errors_are_passed_over() {
        for kind in [
            io::ErrorKind::ConnectionRefused,
            io::ErrorKind::ConnectionReset,
            io::ErrorKind::HostUnreachable,
            io::ErrorKind::NetworkUnreachable,
        ] {
            assert_eq!(Backoff::default().judge(&kind.into()), Failure::Passing);
        }
    }

    // L-23
    #[test]
    fn other_errors_are_waited_for_up_to_a_second() {
        let mut backoff = Backoff::default();

        let pauses: Vec<_> = (0..12)
            .map(|_| match backoff.judge(&io::ErrorKind::OutOfMemory.into()) {
                Failure::Pause(pause) => pause.as_millis(),
                other => panic!("{other:?}"),
            })
            .collect();

        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_000, 1_000]);
    }

    // L-23
    #[test]
    fn passing_errors_that_do_not_pass_are_waited_for_too() {
        let mut backoff = Backoff::default();
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);

        let passed = (0..1_000).take_while(|_| backoff.judge(&refused) == Failure::Passing).count();

        assert_eq!(passed, 64);
    }

    // L-24
    #[test]
    fn a_socket_that_is_none_is_given_up() {
        let mut backoff = Backoff::default();

        assert_eq!(backoff.judge(&io::ErrorKind::NotConnected.into()), Failure::Fatal);
        #[cfg(unix)]
        for code in [libc::EBADF, libc::ENOTSOCK] {
            assert_eq!(backoff.judge(&io::Error::from_raw_os_error(code)), Failure::Fatal);
        }
    }
}
