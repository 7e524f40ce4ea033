//! The buffers of a socket.

use std::fmt;

/// A buffer of a socket: the size requested, and the size that the kernel granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buffer {
    requested: Option<usize>,
    granted: usize,
    /// What limits such buffers on Linux.
    sysctl: &'static str,
}

impl Buffer {
    pub(in crate::handle) const fn new(
        requested: Option<usize>,
        granted: usize,
        sysctl: &'static str,
    ) -> Self {
        Self { requested, granted, sysctl }
    }

    /// Returns how many bytes were requested, or `None` if none were: the buffers of a caller's socket stay as
    /// they are.
    #[must_use]
    pub const fn requested(&self) -> Option<usize> {
        self.requested
    }

    /// Returns how many bytes the kernel granted, in the same unit as [`requested`](Self::requested).
    ///
    /// Linux reserves as much again for its own bookkeeping, and includes it where a program reads the option
    /// of the socket. Here it is not included.
    #[must_use]
    pub const fn granted(&self) -> usize {
        self.granted
    }

    /// Returns whether the kernel granted less than was requested.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.requested.is_some_and(|requested| self.granted < requested)
    }

    /// Returns the setting of a Linux host that limits a short buffer, `net.core.rmem_max` or
    /// `net.core.wmem_max`, and the bytes that it must allow.
    #[must_use]
    pub fn sysctl(&self) -> Option<(&'static str, usize)> {
        /// The most that Linux grants: an `int` holds the double of it.
        const MOST: usize = i32::MAX as usize / 2;

        let needed = self.requested?.min(MOST);
        let limited = cfg!(target_os = "linux") && self.granted < needed;
        limited.then_some((self.sysctl, needed))
    }
}

impl fmt::Display for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Bytes(self.granted))?;
        match self.requested {
            Some(requested) if self.is_short() => write!(f, " of {} requested", Bytes(requested))?,
            Some(_) => {}
            None => write!(f, ", as the caller's own socket has it")?,
        }
        match self.sysctl() {
            Some((name, bytes)) => {
                write!(f, "; `sysctl -w {name}={bytes}` allows that much")
            }
            None => Ok(()),
        }
    }
}

/// A number of bytes, in the largest unit of which it is a multiple.
struct Bytes(usize);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const KIB: usize = 1 << 10;
        const MIB: usize = 1 << 20;

        match self.0 {
            bytes if bytes > 0 && bytes % MIB == 0 => write!(f, "{} MiB", bytes / MIB),
            bytes if bytes > 0 && bytes % KIB == 0 => write!(f, "{} KiB", bytes / KIB),
            bytes => write!(f, "{bytes} bytes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffer(requested: Option<usize>, granted: usize) -> Buffer {
        Buffer::new(requested, granted, "net.core.rmem_max")
    }

    #[test]
    fn a_buffer_is_short_only_of_what_was_asked_for() {
        assert!(buffer(Some(4_096), 4_095).is_short());
        for enough in [buffer(Some(4_096), 4_096), buffer(Some(1), 1_152), buffer(None, 1)] {
            assert!(!enough.is_short() && enough.sysctl().is_none(), "{enough}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn no_setting_helps_to_more_than_the_kernel_can_grant() {
        const MOST: usize = 0x3fff_ffff;

        assert_eq!(buffer(Some(usize::MAX), 1).sysctl(), Some(("net.core.rmem_max", MOST)));
        assert_eq!(buffer(Some(usize::MAX), MOST).sysctl(), None);
    }
}
