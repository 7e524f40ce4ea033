//! Socket errors that are about datagrams sent earlier.

use std::io;

/// Whether `error` is an ICMP message about a datagram that was sent earlier. The kernel returns such an
/// error from the next call on the socket.
///
/// On Linux, `icmp_err_convert` and `icmpv6_err_convert` turn ICMP messages into these errors.
pub(crate) fn is_about_sending(error: &io::Error) -> bool {
    #[cfg(unix)]
    const CODES: [i32; 6] = [
        libc::EACCES, // administratively prohibited, over IPv6
        libc::EHOSTDOWN,
        libc::EMSGSIZE, // too big for the path
        libc::ENOPROTOOPT,
        libc::EOPNOTSUPP, // source route failed
        libc::EPROTO,
    ];
    #[cfg(windows)]
    const CODES: [i32; 1] = [10_052]; // WSAENETRESET: the time to live has expired

    #[cfg(any(target_os = "android", target_os = "linux"))]
    if error.raw_os_error() == Some(libc::ENONET) {
        return true;
    }
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
    ) || error.raw_os_error().is_some_and(|code| CODES.contains(&code))
}

/// Sends a datagram with `send`. It tries again after an error that may be about an earlier datagram: the
/// kernel reports each such error once, instead of sending the datagram. It also tries again if a signal
/// interrupted the call.
#[inline]
pub(crate) fn send_despite_the_past(mut send: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    match send() {
        Err(error) if is_worth_another_try(&error) => send_again(send),
        sent => sent,
    }
}

#[cold]
fn send_again(mut send: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    /// One error may arrive between two tries. A further error is about this datagram.
    const TRIES: usize = 2;

    let mut sent = send();
    for _ in 1..TRIES {
        match sent {
            Err(error) if is_worth_another_try(&error) => sent = send(),
            sent => return sent,
        }
    }
    sent
}

fn is_worth_another_try(error: &io::Error) -> bool {
    is_about_sending(error) || error.kind() == io::ErrorKind::Interrupted
}

#[cfg(test)]
mod tests {
    use super::*;

    // C-6, L-22, S-8
    #[test]
    fn icmp_errors_are_about_sending() {
        for kind in [
            io::ErrorKind::ConnectionRefused,
            io::ErrorKind::ConnectionReset,
            io::ErrorKind::HostUnreachable,
            io::ErrorKind::NetworkUnreachable,
        ] {
            assert!(is_about_sending(&kind.into()), "{kind:?}");
        }
    }

    // C-6, L-22, S-8
    #[cfg(target_os = "linux")]
    #[test]
    fn errors_caused_by_a_firewall_are_about_sending() {
        for code in [
            libc::EACCES,
            libc::ECONNREFUSED,
            libc::EHOSTDOWN,
            libc::EHOSTUNREACH,
            libc::EMSGSIZE,
            libc::ENETUNREACH,
            libc::ENONET,
            libc::ENOPROTOOPT,
            libc::EOPNOTSUPP,
            libc::EPROTO,
        ] {
            let error = io::Error::from_raw_os_error(code);
            assert!(is_about_sending(&error), "{error}");
        }
    }

    // C-6, S-8
    #[test]
    fn earlier_errors_stop_no_datagram_and_an_error_of_its_own_is_returned() {
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let send = |mut errors: Vec<io::Error>| {
            let mut tries = 0;
            let sent = send_despite_the_past(|| {
                tries += 1;
                errors.pop().map_or(Ok(()), Err)
            });
            (sent.map_err(|error| error.kind()), tries)
        };

        assert_eq!(send(vec![]), (Ok(()), 1));
        assert_eq!(send(vec![refused()]), (Ok(()), 2));
        assert_eq!(send(vec![io::ErrorKind::HostUnreachable.into(), refused()]), (Ok(()), 3));
        let always = std::iter::repeat_with(refused).take(10).collect();
        assert_eq!(send(always), (Err(io::ErrorKind::ConnectionRefused), 3));
        let own = vec![io::ErrorKind::PermissionDenied.into()];
        assert_eq!(send(own), (Err(io::ErrorKind::PermissionDenied), 1));
        let full = vec![io::ErrorKind::WouldBlock.into(), refused()];
        assert_eq!(send(full), (Err(io::ErrorKind::WouldBlock), 2));
    }

    // C-12, L-23
    #[test]
    fn errors_of_a_receive_are_not_about_sending() {
        for kind in [
            io::ErrorKind::NotConnected,
            io::ErrorKind::OutOfMemory,
            io::ErrorKind::PermissionDenied,
            io::ErrorKind::WouldBlock,
        ] {
            assert!(!is_about_sending(&kind.into()), "{kind:?}");
        }
    }
}
