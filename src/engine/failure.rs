//! How the worker loop reacts to a receive error. It has no clock, so its tests need no runtime.

use std::{io, time::Duration};

use tokio::runtime::is_rt_shutdown_err;

use crate::transport::is_about_sending;

/// The reaction to a receive error.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Go on after this time: the error is about a datagram that was sent earlier.
    Passing(Duration),
    /// Log it and try again after this time.
    Pause(Duration),
    /// The socket has failed for good.
    Fatal,
}

/// How long to wait when errors persist: 1 ms first, then twice as long each time, up to 1 s.
///
/// The kernel reports one passing error for each datagram that could not be delivered. Thousands of them may
/// come before the next datagram from a peer, so the loop skips them quickly. It rests just enough to leave
/// the core to other tasks.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    passing: u32,
    pauses: u32,
}

/// The loop rests for 1 ms after this many passing errors: as many as a full batch has datagrams.
const PASSING: u32 = 64;

impl Backoff {
    pub(super) fn judge(&mut self, error: &io::Error) -> Failure {
        if is_fatal(error) {
            return Failure::Fatal;
        }
        if is_passing(error) {
            self.passing = (self.passing + 1) % PASSING;
            return Failure::Passing(Duration::from_millis((self.passing == 0).into()));
        }
        let pause = Duration::from_millis(1 << self.pauses.min(10)).min(Duration::from_secs(1));
        self.pauses += 1;
        Failure::Pause(pause)
    }
}

/// Whether the descriptor is not a bound socket, or no longer one, or its runtime has shut down.
fn is_fatal(error: &io::Error) -> bool {
    #[cfg(unix)]
    const NO_SOCKET: [i32; 2] = [libc::EBADF, libc::ENOTSOCK];
    #[cfg(windows)]
    const NO_SOCKET: [i32; 2] = [6, 10_038]; // ERROR_INVALID_HANDLE, WSAENOTSOCK

    error.kind() == io::ErrorKind::NotConnected
        || is_rt_shutdown_err(error)
        || error.raw_os_error().is_some_and(|code| NO_SOCKET.contains(&code))
}

/// Whether the error is an ICMP message about a datagram that was sent, or an interruption.
fn is_passing(error: &io::Error) -> bool {
    is_about_sending(error) || error.kind() == io::ErrorKind::Interrupted
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
            assert_eq!(Backoff::default().judge(&kind.into()), Failure::Passing(Duration::ZERO));
        }
    }

    // L-23
    #[test]
    fn after_other_errors_the_loop_waits_for_up_to_a_second() {
        let mut backoff = Backoff::default();

        let pauses: Vec<_> = (0..12)
            .map(|_| match backoff.judge(&io::ErrorKind::OutOfMemory.into()) {
                Failure::Pause(pause) => pause.as_millis(),
                other => panic!("{other:?}"),
            })
            .collect();

        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_000, 1_000]);
    }

    // L-22
    #[test]
    fn endless_passing_errors_leave_the_core_to_others() {
        let mut backoff = Backoff::default();
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);

        let rests: Duration = (0..10_000)
            .map(|_| match backoff.judge(&refused) {
                Failure::Passing(rest) => rest,
                other => panic!("{other:?}"),
            })
            .sum();

        assert_eq!(rests, Duration::from_millis(10_000 / 64));
    }

    // L-24
    #[test]
    fn a_descriptor_that_is_not_a_bound_socket_is_given_up() {
        let mut backoff = Backoff::default();

        assert_eq!(backoff.judge(&io::ErrorKind::NotConnected.into()), Failure::Fatal);
        #[cfg(unix)]
        for code in [libc::EBADF, libc::ENOTSOCK] {
            assert_eq!(backoff.judge(&io::Error::from_raw_os_error(code)), Failure::Fatal);
        }
    }
}
