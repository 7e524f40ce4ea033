use std::io;

/// Whether `error` is an ICMP message about a datagram that was sent earlier: the kernel tells it to
/// whoever uses the socket next.
///
/// On Linux these are what `icmp_err_convert` and `icmpv6_err_convert` make of such messages.
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

/// Whether a datagram that met `error` may not have been tried at all: it may be the answer to an earlier
/// one, to whomever, or a signal came between.
pub(super) fn is_worth_another_try(error: &io::Error) -> bool {
    is_about_sending(error) || error.kind() == io::ErrorKind::Interrupted
}

#[cfg(test)]
mod tests {
    use super::*;

    // C-6, L-22, S-8
    #[test]
    fn what_icmp_tells_is_about_sending() {
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
    fn what_a_firewall_tells_is_about_sending() {
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

    // C-12, L-23
    #[test]
    fn what_fails_a_receive_is_not() {
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
